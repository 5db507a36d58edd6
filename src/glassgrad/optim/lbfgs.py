"""L-BFGS: a quasi-Newton rule for full batches, with an optional line search.

It decides by the loss's value how far to go and when to stop, so a step of it cannot be traced.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import functions as fn
from ..dispatch import Quiet, enable_grad, no_grad
from ..errors import ArgumentError, NotCovered, TypeMismatch
from ..tensor import Tensor
from .optimizer import Optimizer
from .options import Params, Scalar, not_negative


@dataclass
class _Point:
    """A point on the line p + t * d: the loss there, its gradient (flat) and its slope along d."""

    t: float
    loss: float
    grad: Tensor
    slope: float


class LBFGS(Optimizer):
    """Several quasi-Newton iterations in one `step`, from a history of how the gradient changed.

    Args:
        params: the parameters; one group only.
        lr: the length of an iteration along its direction, or where the line search starts.
        max_iter: iterations in one step.
        max_eval: calls of the closure in one step; 5/4 of max_iter if None.
        tolerance_grad: stop when no gradient entry is larger.
        tolerance_change: stop when neither a parameter nor the loss changes by more.
        history_size: how many changes are remembered, each twice the size of the parameters.
        line_search_fn: None or ``"strong_wolfe"``.

    Raises:
        ArgumentError: a negative rate; several groups. NotCovered: another line search.

    Liu, Nocedal: On the limited memory BFGS method for large scale optimization (1989); Nocedal, Wright: Numerical
    Optimization (2006), algorithms 7.4 (direction), 3.5 and 3.6 (line search), equation 3.59 (interpolation).

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([3.0, -2.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.LBFGS([w], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = ((w - 1) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure).item()
        13.0
        >>> [round(x, 4) for x in w.tolist()]
        [1.0, 1.0]
    """

    def __init__(
        self,
        params: Params,
        lr: Scalar = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        not_negative(lr=lr)
        if line_search_fn not in (None, "strong_wolfe"):
            raise NotCovered(f"line_search_fn={line_search_fn!r} is not covered", fix="use 'strong_wolfe' or None")
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ArgumentError("LBFGS takes one parameter group only", got=f"{len(self.param_groups)} groups")

    @property
    def _params(self) -> list[Tensor]:
        params: list[Tensor] = self.param_groups[0]["params"]
        return params

    def _flat_grad(self) -> Tensor:
        grads = [fn.zeros_like(p) if p.grad is None else p.grad.detach() for p in self._params]
        flat: Tensor = fn.cat([grad.reshape(-1) for grad in grads])
        return flat

    def _move(self, t: float, direction: Tensor) -> None:
        start = 0
        for p in self._params:
            end = start + p.numel()
            p.add_(direction[start:end].reshape(p.shape), alpha=t)
            start = end

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Do up to max_iter iterations.

        Args:
            closure: computes the loss, with its backward, and returns it; called several times.

        Returns:
            The loss before the step.
        """
        if closure is None:
            raise TypeMismatch("LBFGS evaluates the loss several times in a step", fix="call step(closure)")
        with no_grad(), Quiet():
            return self._iterate(closure)

    def _iterate(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        lr, change = float(self.option(group, "lr")), group["tolerance_change"]
        state = self.state[self._params[0]]  # one state for all, kept where loading finds it
        if not state:
            state.update(func_evals=0, n_iter=0, old_dirs=[], old_stps=[], ro=[], H_diag=1.0)

        def evaluate() -> Any:
            state["func_evals"] += 1
            with enable_grad():
                return closure()

        before = state["func_evals"]
        first = evaluate()
        loss, grad = float(first), self._flat_grad()
        for turn in range(1, group["max_iter"] + 1):
            if turn == 1 and _largest(grad) <= group["tolerance_grad"]:
                break
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                direction, t = -grad, min(1.0, 1.0 / grad.abs().sum().item()) * lr
            else:
                self._remember(state, grad)
                direction, t = _newton(state, grad), lr
            state["prev_flat_grad"], state["prev_loss"] = grad.clone(), loss
            state["d"], state["t"] = direction, t
            slope = _dot(grad, direction)
            if slope > -change:
                break
            last = loss
            if group["line_search_fn"]:
                room = group["max_eval"] - (state["func_evals"] - before)
                start = [p.detach().clone() for p in self._params]

                def look(t: float, direction: Tensor = direction, start: list[Tensor] = start) -> _Point:
                    self._move(t, direction)
                    loss, grad = float(evaluate()), self._flat_grad()
                    for p, old in zip(self._params, start, strict=True):
                        p.copy_(old)
                    return _Point(t, loss, grad, _dot(grad, direction))

                found = _strong_wolfe(look, _Point(0.0, loss, grad, slope), t, _largest(direction), change, room)
                t, loss, grad = found.t, found.loss, found.grad
                self._move(t, direction)
            else:
                self._move(t, direction)
                if turn != group["max_iter"]:  # after the last move nobody asks
                    loss, grad = float(evaluate()), self._flat_grad()
            state["t"] = t
            stop = state["func_evals"] - before >= group["max_eval"] or _largest(grad) <= group["tolerance_grad"]
            if stop or _largest(direction) * abs(t) <= change or abs(loss - last) < change:
                break
        return first

    def _remember(self, state: dict[str, Any], grad: Tensor) -> None:
        """Add the last move and the change of the gradient over it to the history, if the curvature is positive."""
        y, s = grad - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = _dot(y, s)
        if curvature <= 1e-10:
            return
        if len(state["ro"]) == self.param_groups[0]["history_size"]:
            for name in ("old_dirs", "old_stps", "ro"):
                state[name].pop(0)
        state["old_dirs"].append(y)
        state["old_stps"].append(s)
        state["ro"].append(1.0 / curvature)
        state["H_diag"] = curvature / _dot(y, y)


def _dot(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum().item())


def _largest(x: Tensor) -> float:
    return float(x.abs().amax().item())


def _newton(state: dict[str, Any], grad: Tensor) -> Tensor:
    """Minus the inverse Hessian that the history implies, times the gradient: the two loops of algorithm 7.4."""
    history = list(zip(state["old_dirs"], state["old_stps"], map(float, state["ro"]), strict=True))
    q, alphas = -grad, []
    for y, s, rho in reversed(history):
        alpha = _dot(s, q) * rho
        q.add_(y, alpha=-alpha)
        alphas.append(alpha)
    direction = q * float(state["H_diag"])
    for (y, s, rho), alpha in zip(history, reversed(alphas), strict=True):
        direction.add_(s, alpha=alpha - _dot(y, direction) * rho)
    return direction


def _cubic(a: _Point, b: _Point, low: float, high: float) -> float:
    """Where the cubic through both points and slopes is least, kept in [low, high]; the middle if it has no least."""
    if b.t < a.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = math.sqrt(square)
    bottom = b.slope - a.slope + 2 * d2
    if bottom == 0:
        return (low + high) / 2.0
    least = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / bottom)
    return min(max(least, low), high)


def _strong_wolfe(
    look: Callable[[float], _Point], start: _Point, t: float, reach: float, change: float, room: int
) -> _Point:
    """A point with enough decrease and a flat enough slope: first a bracket around one is sought, then narrowed.

    Args:
        look: evaluates the line.
        start: the point at 0.
        t: where to look first.
        reach: the largest entry of the direction.
        change: stop when the bracket moves no parameter by more.
        room: how often one may look after the first time.
    """

    def too_high(point: _Point) -> bool:
        return point.loss > start.loss + 1e-4 * point.t * start.slope

    def flat(point: _Point) -> bool:
        return abs(point.slope) <= -0.9 * start.slope

    last, new = start, look(t)
    looks = 0
    while looks < room:
        if too_high(new) or (looks > 1 and new.loss >= last.loss):
            break
        if flat(new):
            return new
        if new.slope >= 0:
            break
        further = _cubic(last, new, new.t + 0.01 * (new.t - last.t), new.t * 10)
        last, new = new, look(further)
        looks += 1
    else:
        last = start
    low, high = (last, new) if last.loss <= new.loss else (new, last)
    stuck = False
    while looks < room and abs(high.t - low.t) * reach >= change:
        left, right = min(low.t, high.t), max(low.t, high.t)
        t = _cubic(low, high, left, right)
        margin = 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        if near and (stuck or t >= right or t <= left):  # twice at the border: step a tenth inside
            t = right - margin if right - t < t - left else left + margin
            near = False
        stuck = near
        new = look(t)
        looks += 1
        if too_high(new) or new.loss >= low.loss:
            high = new
            if high.loss < low.loss:  # lower, but not by enough for its distance
                low, high = high, low
            continue
        if flat(new):
            return new
        if new.slope * (high.t - low.t) >= 0:
            high = low
        low = new
    return low
