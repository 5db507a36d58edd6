"""Rules that scale each entry by a history of its squares or signs: RMSprop, Adagrad, Adadelta, Rprop."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import functions as fn
from ..errors import ArgumentError
from ..tensor import Tensor
from .optimizer import Optimizer
from .options import Group, Params, Scalar, add_ratio_, add_scaled_, is_on, not_covered, not_negative, sqrt


class RMSprop(Optimizer):
    """Divides each gradient entry by the root of the running mean of its square.

    Args:
        params: the parameters or the groups of parameters.
        lr: the learning rate; a number or a 0-d Tensor.
        alpha: the share of the old mean square that stays in the new one.
        eps: added to the root.
        weight_decay: the factor of p that is added to its gradient (an L2 penalty).
        momentum: the share of the last step that stays in the next.
        centered: divide by the running standard deviation instead: mean square less squared mean.
        maximize: go uphill.

    Raises:
        ArgumentError: a negative argument.

    Tieleman, Hinton: Neural Networks for Machine Learning, lecture 6.5 (2012); centered as in Graves: Generating
    Sequences With Recurrent Neural Networks (2013), equations 38-41, but with eps outside the root.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([4.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.RMSprop([w], lr=1.0, alpha=0.0)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [3.0]
    """

    shaped: ClassVar[frozenset[str]] = frozenset({"square_avg", "momentum_buffer", "grad_avg"})

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_covered(foreach=foreach, capturable=capturable, differentiable=differentiable)
        not_negative(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: Group) -> dict[str, Any]:
        state = {"step": fn.tensor(0.0), "square_avg": fn.zeros_like(p)}
        if is_on(group["momentum"]):
            state["momentum_buffer"] = fn.zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = fn.zeros_like(p)
        return state

    def update(self, p: Tensor, grad: Tensor, lr: Scalar, group: Group) -> None:
        state = self.state_of(p, group)
        self.advance(state)
        x, g, square = self.values(p, grad, state["square_avg"])
        x, g = self.decayed(x, g, lr, group)
        alpha = group["alpha"]
        square = square * alpha + g * g * (1 - alpha)
        self.put(state["square_avg"], square)
        if group["centered"]:
            (mean,) = self.values(state["grad_avg"])
            mean = mean + (g - mean) * (1 - alpha)
            self.put(state["grad_avg"], mean)
            square = square - mean * mean
        direction = g / (sqrt(square) + group["eps"])
        momentum = self.option(group, "momentum")
        if is_on(momentum):
            (velocity,) = self.values(state["momentum_buffer"])
            direction = velocity * momentum + direction
            self.put(state["momentum_buffer"], direction)
        self.put(p, x + direction * -lr)


class Adagrad(Optimizer):
    """Divides each gradient entry by the root of the sum of its squares so far: steps shrink where much was learnt.

    Args:
        params: the parameters or the groups of parameters.
        lr: the learning rate; a number or a 0-d Tensor.
        lr_decay: the rate in step t is lr / (1 + (t - 1) * lr_decay).
        weight_decay: the factor of p that is added to its gradient (an L2 penalty).
        initial_accumulator_value: what the sums start with.
        eps: added to the root.
        maximize: go uphill.

    Raises:
        ArgumentError: a negative argument.

    Duchi, Hazan, Singer: Adaptive Subgradient Methods for Online Learning and Stochastic Optimization (JMLR 2011),
    figure 1 with diagonal matrices.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([4.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.Adagrad([w], lr=1.0)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [3.0]
    """

    shaped: ClassVar[frozenset[str]] = frozenset({"sum"})

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        not_covered(foreach=foreach, differentiable=differentiable, fused=fused)
        not_negative(
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:  # as in PyTorch, this rule has its state before the first step
            for p in group["params"]:
                self.state_of(p, group)

    def begin(self, p: Tensor, group: Group) -> dict[str, Any]:
        start = float(group["initial_accumulator_value"])
        return {"step": fn.tensor(0.0), "sum": fn.full_like(p.detach(), start)}

    def update(self, p: Tensor, grad: Tensor, lr: Scalar, group: Group) -> None:
        state = self.state_of(p, group)
        count = self.advance(state)
        grad = self.descent(p, grad, lr, group)
        total = state["sum"]
        total.addcmul_(grad, grad)
        bottom = total.sqrt()
        bottom.add_(group["eps"])
        add_ratio_(p, grad, bottom, -lr / (1 + (count - 1) * group["lr_decay"]))


class Adadelta(Optimizer):
    """Scales each entry by the root mean square of its past steps over that of its past gradients.

    Args:
        params: the parameters or the groups of parameters.
        lr: a factor on the step (the method itself has none); a number or a 0-d Tensor.
        rho: the share of the old mean squares that stays in the new ones.
        eps: added under both roots; the first steps come from it alone.
        weight_decay: the factor of p that is added to its gradient (an L2 penalty).
        maximize: go uphill.

    Raises:
        ArgumentError: a negative argument, or rho above 1.

    Zeiler: ADADELTA: An Adaptive Learning Rate Method (2012), algorithm 1.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.Adadelta([w])
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9968
    """

    shaped: ClassVar[frozenset[str]] = frozenset({"square_avg", "acc_delta"})

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_covered(foreach=foreach, capturable=capturable, differentiable=differentiable)
        not_negative(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
        if rho > 1.0:
            raise ArgumentError("rho must be in [0, 1]", got=f"rho={rho!r}")
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: Group) -> dict[str, Any]:
        return {"step": fn.tensor(0.0), "square_avg": fn.zeros_like(p), "acc_delta": fn.zeros_like(p)}

    def update(self, p: Tensor, grad: Tensor, lr: Scalar, group: Group) -> None:
        state = self.state_of(p, group)
        state["step"].add_(1)
        grad = self.descent(p, grad, lr, group)
        rho, eps = group["rho"], group["eps"]
        square, steps = state["square_avg"], state["acc_delta"]
        square.mul_(rho)
        square.addcmul_(grad, grad, value=1 - rho)
        delta = ((steps + eps) / (square + eps)).sqrt()
        delta.mul_(grad)
        steps.mul_(rho)
        steps.addcmul_(delta, delta, value=1 - rho)
        add_scaled_(p, delta, -lr)


class Rprop(Optimizer):
    """Follows the gradient's sign only: an entry's step grows while the sign stays and shrinks when it flips.

    For full batches: in small ones the signs are noise.

    Args:
        params: the parameters or the groups of parameters.
        lr: the first step size of every entry; a number or a 0-d Tensor.
        etas: the factors on a step size when the sign flipped and when it stayed.
        step_sizes: the least and the largest step size.
        maximize: go uphill.

    Raises:
        ArgumentError: a negative rate; etas that are not 0 < etas[0] < 1 < etas[1].

    Riedmiller, Braun: A direct adaptive method for faster backpropagation learning: the RPROP algorithm (ICNN
    1993), without its weight backtracking: after a flip the entry rests for one step.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([4.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.Rprop([w], lr=1.0)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [3.0]
    """

    shaped: ClassVar[frozenset[str]] = frozenset({"prev", "step_size"})

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_covered(foreach=foreach, capturable=capturable, differentiable=differentiable)
        not_negative(lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ArgumentError("etas must be 0 < etas[0] < 1 < etas[1]", got=f"etas={etas!r}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: Group) -> dict[str, Any]:
        zeros = fn.zeros_like(p)
        return {"step": fn.tensor(0.0), "prev": zeros, "step_size": zeros + group["lr"]}

    def update(self, p: Tensor, grad: Tensor, lr: Scalar, group: Group) -> None:
        state = self.state_of(p, group)
        state["step"].add_(1)
        if group["maximize"]:
            grad = -grad
        shrink, grow = group["etas"]
        last, size = state["prev"], state["step_size"]
        agreement = grad * last
        ones = fn.ones_like(grad)
        size.mul_(fn.where(agreement > 0, ones * grow, fn.where(agreement < 0, ones * shrink, ones)))
        size.clamp_(*group["step_sizes"])
        last.copy_(fn.where(agreement < 0, fn.zeros_like(grad), grad))
        p.addcmul_(last.sign(), size, value=-1)
