"""Rules that vary Adam's two moments: NAdam, RAdam, Adamax."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import functions as fn
from ..tensor import Tensor
from .adam import Moments
from .options import Group, Params, Scalar, add_ratio_, add_scaled_, check_betas, not_covered, not_negative


class NAdam(Moments):
    """Adam whose mean gradient looks one step ahead, as Nesterov's momentum does.

    Args:
        params: the parameters or the groups of parameters.
        lr, betas, eps, weight_decay, maximize: as in `Adam`.
        momentum_decay: how fast the momentum grows to betas[0]: mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2).
        decoupled_weight_decay: shrink p itself by lr * weight_decay instead.

    Raises:
        ArgumentError: a negative rate, eps or decay; betas outside [0, 1).

    Dozat: Incorporating Nesterov Momentum into Adam (ICLR workshop 2016), algorithm 8.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.NAdam([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> bool(w < 0.8)
        True
    """

    counters: ClassVar[frozenset[str]] = frozenset({"step", "mu_product"})

    def __init__(
        self,
        params: Params,
        lr: Scalar = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_covered(foreach=foreach, capturable=capturable, differentiable=differentiable)
        not_negative(lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: Group) -> dict[str, Any]:
        return {**super().begin(p, group), "mu_product": fn.tensor(1.0)}

    def update(self, p: Tensor, grad: Tensor, lr: Scalar, group: Group) -> None:
        state = self.state_of(p, group)
        count = self.advance(state)
        grad = self.descent(p, grad, lr, group)
        beta1, beta2 = self.betas(group)
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        self.average_(mean, square, grad, beta1, beta2)
        decay = group["momentum_decay"]
        mu = beta1 * (1.0 - 0.5 * 0.96 ** (count * decay))
        mu_next = beta1 * (1.0 - 0.5 * 0.96 ** ((count + 1) * decay))
        state["mu_product"].fill_(self.number(state["mu_product"]) * mu)
        product = self.number(state["mu_product"])
        bottom = (square / (1 - beta2**count)).sqrt()
        bottom.add_(group["eps"])
        add_ratio_(p, grad, bottom, -lr * (1.0 - mu) / (1.0 - product))
        add_ratio_(p, mean, bottom, -lr * mu_next / (1.0 - product * mu_next))


class RAdam(Moments):
    """Adam that starts as plain momentum, until the mean square has seen enough gradients to be trusted.

    Args:
        params: the parameters or the groups of parameters.
        lr, betas, eps, weight_decay, maximize: as in `Adam`.
        decoupled_weight_decay: shrink p itself by lr * weight_decay instead.

    Raises:
        ArgumentError: a negative rate, eps or decay; betas outside [0, 1).

    Liu et al.: On the Variance of the Adaptive Learning Rate and Beyond (ICLR 2020), algorithm 2; as in PyTorch
    the rectified steps begin at a length of the running mean above 5, not 4.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.RAdam([w], lr=0.25)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.5
    """

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_covered(foreach=foreach, capturable=capturable, differentiable=differentiable)
        not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def update(self, p: Tensor, grad: Tensor, lr: Scalar, group: Group) -> None:
        state = self.state_of(p, group)
        count = self.advance(state)
        grad = self.descent(p, grad, lr, group)
        beta1, beta2 = self.betas(group)
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        self.average_(mean, square, grad, beta1, beta2)
        left = beta2**count
        rate = -lr / (1 - beta1**count)
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * count * left / (1 - left)
        if isinstance(length, Tensor):  # traced: both kinds of step, chosen by value. Below 5 the root may be NaN,
            safe = length.clamp(min=5.0)  # which `where` would pass on to derivatives: keep it in its domain
            scale = fn.where(length > 5.0, rate * _rectify(safe, longest) * (1 - left) ** 0.5, rate)
            bottom = fn.where(length > 5.0, square.sqrt() + group["eps"], fn.ones_like(square))
            p.addcmul_(mean / bottom, scale)
        elif length > 5.0:
            bottom = square.sqrt()
            bottom.add_(group["eps"])
            add_ratio_(p, mean, bottom, rate * _rectify(length, longest) * (1 - left) ** 0.5)
        else:
            add_scaled_(p, mean, rate)


def _rectify(length: Any, longest: float) -> Any:
    """By how much the variance of 1 / sqrt(v) is larger than at the end, as a factor (equation 5 of the paper)."""
    return ((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) ** 0.5


class Adamax(Moments):
    """Adam with the largest recent gradient (an infinity norm) in place of the root mean square.

    Args:
        params: the parameters or the groups of parameters.
        lr, betas, weight_decay, maximize: as in `Adam`.
        eps: added to each absolute gradient.

    Raises:
        ArgumentError: a negative rate, eps or decay; betas outside [0, 1).

    Kingma, Ba: Adam: A Method for Stochastic Optimization (ICLR 2015), section 7.1, algorithm 2.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.Adamax([w], lr=0.25)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [0.75]
    """

    def __init__(
        self,
        params: Params,
        lr: Scalar = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        not_covered(foreach=foreach, capturable=capturable, differentiable=differentiable)
        not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: Group) -> dict[str, Any]:
        return {"step": fn.tensor(0.0), "exp_avg": fn.zeros_like(p), "exp_inf": fn.zeros_like(p)}

    def update(self, p: Tensor, grad: Tensor, lr: Scalar, group: Group) -> None:
        state = self.state_of(p, group)
        count = self.advance(state)
        grad = self.descent(p, grad, lr, group)
        beta1, beta2 = self.betas(group)
        mean, largest = state["exp_avg"], state["exp_inf"]
        mean.lerp_(grad, 1 - beta1)
        largest.copy_(fn.maximum(largest * beta2, grad.abs() + group["eps"]))
        add_ratio_(p, mean, largest, -lr / (1 - beta1**count))
