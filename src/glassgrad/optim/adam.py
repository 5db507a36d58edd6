"""Adam and AdamW, and what all rules with two moments share."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import functions as fn
from ..tensor import Tensor
from .optimizer import Optimizer
from .options import Group, Params, Scalar, check_betas, maximum, not_covered, not_negative, sqrt


class Moments(Optimizer):
    """What the rules here share: running means of the gradient and of its square."""

    shaped: ClassVar[frozenset[str]] = frozenset({"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf"})

    def begin(self, p: Tensor, group: Group) -> dict[str, Any]:
        return {"step": fn.tensor(0.0), "exp_avg": fn.zeros_like(p), "exp_avg_sq": fn.zeros_like(p)}

    def betas(self, group: Group) -> tuple[Scalar, float]:
        """The decay rates; the first may be cycled by a schedule and thus be a tensor in a traced step."""
        return self.option(group, "betas", 0), group["betas"][1]

    @staticmethod
    def average_(mean: Tensor, square: Tensor, grad: Tensor, beta1: Scalar, beta2: float) -> None:
        """Move the running means of the gradient and of its square towards ``grad``."""
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2)
        square.addcmul_(grad, grad, value=1 - beta2)


class Adam(Moments):
    """Steps of about the size lr in each entry: the mean gradient over the root of the mean squared gradient.

    With m and v the running means of grad and grad², corrected for their start at zero by 1 - beta^t,

        p <- p - lr * m / (sqrt(v) + eps)

    Args:
        params: the parameters or the groups of parameters.
        lr: the learning rate; a number or a 0-d Tensor.
        betas: the shares of the old m and v that stay in the new ones.
        eps: added to the root, so that entries with tiny gradients do not blow up.
        weight_decay: the factor of p that is added to its gradient (an L2 penalty).
        amsgrad: divide by the largest v so far (Reddi, Kale, Kumar: On the Convergence of Adam and Beyond, ICLR
            2018, algorithm 2).
        maximize: go uphill.
        decoupled_weight_decay: shrink p itself by lr * weight_decay instead, which makes this AdamW.

    Raises:
        ArgumentError: a negative rate, eps or decay; betas outside [0, 1).

    Kingma, Ba: Adam: A Method for Stochastic Optimization (ICLR 2015), algorithm 1.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0, -100.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.Adam([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [0.5, -99.5]
    """

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        not_covered(foreach=foreach, capturable=capturable, differentiable=differentiable, fused=fused)
        not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: Group) -> dict[str, Any]:
        state = super().begin(p, group)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = fn.zeros_like(p)
        return state

    def update(self, p: Tensor, grad: Tensor, lr: Scalar, group: Group) -> None:
        state = self.state_of(p, group)
        count = self.advance(state)
        beta1, beta2 = self.betas(group)
        x, g, mean, square = self.values(p, grad, state["exp_avg"], state["exp_avg_sq"])
        x, g = self.decayed(x, g, lr, group)
        mean = mean + (g - mean) * (1 - beta1)
        square = square * beta2 + g * g * (1 - beta2)
        self.put(state["exp_avg"], mean)
        self.put(state["exp_avg_sq"], square)
        if group["amsgrad"]:
            (largest,) = self.values(state["max_exp_avg_sq"])
            square = maximum(largest, square)
            self.put(state["max_exp_avg_sq"], square)
        # sqrt(v / c) + eps = (sqrt(v) + eps * sqrt(c)) / sqrt(c): the corrections become scalars, one pass less
        root = (1 - beta2**count) ** 0.5
        self.put(p, x + mean / (sqrt(square) + group["eps"] * root) * (-lr * root / (1 - beta1**count)))


class AdamW(Adam):
    """Adam with decoupled weight decay: p shrinks by lr * weight_decay, untouched by the gradient's scale.

    Args:
        params: the parameters or the groups of parameters.
        lr, betas, eps, amsgrad, maximize: as in `Adam`.
        weight_decay: the decay of p in each step is lr * weight_decay * p.

    Loshchilov, Hutter: Decoupled Weight Decay Regularization (ICLR 2019), algorithm 2.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.AdamW([w], lr=0.25, weight_decay=1.0)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [0.5]
    """

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # whatever the file says: this is what makes it AdamW
            group["decoupled_weight_decay"] = True
