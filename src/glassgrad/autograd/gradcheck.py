"""Analytic derivatives against central differences, entry by entry of the full Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import functions as fn
from ..dispatch import enable_grad, leaf
from ..errors import ArgumentError, GradCheckError
from ..spec import is_float
from ..tensor import Tensor, wrap
from .backward import grad, listed

Function = Callable[..., Any]
Array = Any


def gradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether the gradients of ``func`` agree with central differences.

    They do where |analytic - numeric| <= atol + rtol * |numeric|.

    Args:
        func: takes the inputs, returns one or several tensors; must give the same every time.
        inputs: tensors (those that require a gradient are checked) and anything else. float64, or the differences
            drown in rounding.
        eps: half the distance of the two points.
        raise_exception: raise instead of returning False.

    Raises:
        GradCheckError: naming the entry of the result and of the input where they differ.

    >>> x = gg.tensor([0.5, 2.0], dtype=gg.float64, requires_grad=True)
    >>> autograd.gradcheck(lambda x: x.log() * x, x)
    True
    """
    given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = [place for place, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ArgumentError("gradcheck: no input requires a gradient", fix="call requires_grad_() on one")
    with enable_grad():
        outputs = [y for y in listed(func(*given), "the function's result") if is_float(y.dtype)]
        try:
            for index, y in enumerate(outputs):
                for place in checked:
                    _compare(index, place, _analytic(y, given[place]), _numeric(func, given, place, index, eps),
                             atol, rtol, given[place].shape, y.shape)  # fmt: skip
        except GradCheckError:
            if raise_exception:
                raise
            return False
    return True


def gradgradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    grad_outputs: Sequence[Tensor] | None = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """`gradcheck` of the gradient itself: second derivatives, by the inputs and by the cotangents.

    ``grad_outputs`` are the cotangents, random ones by default.

    >>> x = gg.tensor([0.5, 2.0], dtype=gg.float64, requires_grad=True)
    >>> autograd.gradgradcheck(lambda x: x.log() * x, x)
    True
    """
    given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    outputs = [y for y in listed(func(*given), "the function's result") if y.requires_grad]
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        seeds = [wrap(leaf(np.asarray(rng.normal(size=y.shape), y.dtype))).requires_grad_() for y in outputs]
    else:
        seeds = list(grad_outputs)
    count = len(given)

    def slopes(*arguments: Any) -> Any:
        xs = [x for x in arguments[:count] if isinstance(x, Tensor) and x.requires_grad]
        ys = [y for y in listed(func(*arguments[:count]), "the function's result") if y.requires_grad]
        return grad(ys, xs, list(arguments[count:]), create_graph=True, materialize_grads=True)

    return gradcheck(slopes, [*given, *seeds], eps, atol, rtol, raise_exception)


def _analytic(y: Tensor, x: Tensor) -> Array:
    """The Jacobian of y by x, flattened to (entries of y, entries of x), one row for each backward pass."""
    rows = np.zeros((y.numel(), x.numel()), x.dtype)
    if not y.requires_grad:
        return rows
    for place in range(y.numel()):
        one = np.zeros(y.numel(), y.dtype)
        one[place] = 1.0
        seed = wrap(leaf(one.reshape(y.shape)))
        (found,) = grad(y, x, seed, retain_graph=True, allow_unused=True)
        if found is not None:
            rows[place] = found.detach().numpy().ravel()
    return rows


def _numeric(func: Function, given: list[Any], place: int, index: int, eps: float) -> Array:
    """The same by central differences; the input's own array is never written."""
    x = given[place]
    base = np.array(x.detach().numpy())
    columns = []
    for entry in range(base.size):
        ends = []
        for side in (eps, -eps):
            moved = base.copy()
            moved.reshape(-1)[entry] += side
            shifted = wrap(leaf(moved, True))
            made = listed(func(*given[:place], shifted, *given[place + 1 :]), "the function's result")
            made = [y for y in made if is_float(y.dtype)]
            ends.append(np.array(made[index].detach().numpy()).ravel())
        columns.append((ends[0] - ends[1]) / (2 * eps))
    size = fn.numel(listed(func(*given), "the function's result")[index]) if not columns else 0
    return np.stack(columns, 1) if columns else np.zeros((size, 0), base.dtype)


def _compare(
    index: int, place: int, analytic: Array, numeric: Array, atol: float, rtol: float, shape: Any, out: Any
) -> None:
    wrong = ~(np.abs(analytic - numeric) <= atol + rtol * np.abs(numeric))
    wrong &= ~(np.isnan(analytic) & np.isnan(numeric))
    if not wrong.any():
        return
    worst = np.where(wrong, np.nan_to_num(np.abs(analytic - numeric), nan=np.inf), -1)
    row, column = (int(i) for i in np.unravel_index(int(worst.argmax()), worst.shape))
    to = tuple(int(i) for i in np.unravel_index(row, out)) if out else ()
    source = tuple(int(i) for i in np.unravel_index(column, shape)) if shape else ()
    raise GradCheckError(
        f"the derivative of result {index}{list(to) or ''} by input {place}{list(source) or ''} is wrong",
        got=f"analytic {float(analytic[row, column]):.10g}, numeric {float(numeric[row, column]):.10g}; "
        f"{int(wrong.sum())} of {wrong.size} entries differ",
        fix="check the derivative rule; at a kink or in float32 central differences are not to be trusted",
    )
