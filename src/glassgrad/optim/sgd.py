"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import ClassVar

from .. import functions as fn
from ..dispatch import STATE
from ..errors import ArgumentError
from ..tensor import Tensor
from .optimizer import Optimizer
from .options import Group, Params, Scalar, is_on, not_covered, not_negative


class SGD(Optimizer):
    """p <- p - lr * v, where v is the gradient or, with momentum, a running sum of gradients.

    Args:
        params: the parameters or the groups of parameters.
        lr: the learning rate; a number or a 0-d Tensor.
        momentum: the share of the last v that stays in the next: v <- momentum * v + (1 - dampening) * grad.
        dampening: the share of the new gradient that is left out of v (not in the first step).
        weight_decay: the factor of p that is added to its gradient (an L2 penalty).
        nesterov: look ahead: use grad + momentum * v instead of v.
        maximize: go uphill.

    Raises:
        ArgumentError: a negative rate, momentum or decay; Nesterov without momentum or with dampening.

    Momentum as in Sutskever, Martens, Dahl, Hinton: On the importance of initialization and momentum in deep
    learning (ICML 2013), section 2, except that the rate multiplies v and not the gradient alone.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.SGD([w], lr=0.25)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [0.5]
    """

    shaped: ClassVar[frozenset[str]] = frozenset({"momentum_buffer"})

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        not_covered(foreach=foreach, differentiable=differentiable, fused=fused)
        not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentError(
                "nesterov needs momentum above 0 and dampening 0", got=f"momentum={momentum}, dampening={dampening}"
            )
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def update(self, p: Tensor, grad: Tensor, lr: Scalar, group: Group) -> None:
        x, g = self.values(p, grad)
        x, g = self.decayed(x, g, lr, group)
        momentum = self.option(group, "momentum")
        if is_on(momentum):
            state = self.state[p]
            held = state.get("momentum_buffer")
            if held is None:
                if STATE.tracer is not None:
                    STATE.tracer.begins(self)
                velocity = g
                state["momentum_buffer"] = g.detach().clone() if isinstance(g, Tensor) else fn.tensor(g)
            else:
                (velocity,) = self.values(held)
                velocity = velocity * momentum + g * (1 - group["dampening"])
                self.put(held, velocity)
            g = g + velocity * momentum if group["nesterov"] else velocity
        move = g * -lr
        move += x
        self.put(p, move)
