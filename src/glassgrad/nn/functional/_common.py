"""What the functional modules share: checks, per-dimension arguments, reductions."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ... import functions as fn
from ...dispatch import STATE, look_at
from ...errors import ArgumentError, IndexRangeError, ShapeError
from ...tensor import Tensor

Size = int | tuple[int, ...]


def known(x: Tensor) -> np.ndarray[Any, Any] | None:
    """The values of ``x`` for a check, or None while a trace is recorded: there are none yet.

    What holds for one call need not hold for the next, so a trace may not depend on it.
    """
    if STATE.tracer is not None:
        return None
    value = x.value
    return value if isinstance(value, np.ndarray) else np.asarray(value) if isinstance(value, np.generic) else None


def floating(x: Tensor) -> bool:
    """Whether the numbers of ``x`` are floating-point."""
    return x.dtype in (fn.float32, fn.float64)


def sizes(value: Any, n: int, name: str) -> tuple[int, ...]:
    """One number for all ``n`` spatial dimensions, or one for each, as a tuple of ``n``."""
    if isinstance(value, Iterable):
        each = tuple(int(v) for v in value)
        if len(each) == 1:
            return each * n
        if len(each) != n:
            raise ArgumentError(f"{name} is one number, or one for each of the {n} spatial dimensions", got=repr(value))
        return each
    return (int(value),) * n


def batched(x: Tensor, n: int, name: str) -> tuple[Tensor, bool]:
    """``x`` as (N, C, *spatial) with ``n`` spatial dimensions, and whether a batch of one had to be made."""
    if x.dim() == n + 2:
        return x, False
    if x.dim() == n + 1:
        return x.unsqueeze(0), True
    raise ShapeError(
        f"{name} takes (N, C, {', '.join('DHW'[-n:] if n > 1 else 'L')}), or the same without N",
        got=f"input of shape {tuple(x.shape)}",
        fix="reshape it, or unsqueeze the dimension that is missing",
    )


def check_reduction(reduction: str) -> str:
    """Raises ArgumentError unless it is one of the three."""
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError("reduction is 'none', 'mean' or 'sum'", got=repr(reduction))
    return reduction


def reduce_loss(loss: Tensor, reduction: str) -> Tensor:
    """Every element's loss, their mean or their sum."""
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    check_reduction(reduction)
    return loss


def legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The word that the two old flags stand for, with a warning; the word itself when they are not given."""
    if size_average is None and reduce is None:
        return check_reduction(reduction)
    word = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(f"size_average and reduce are deprecated: write reduction={word!r}", UserWarning, stacklevel=4)
    return word


def check_indices(x: Tensor, n: int, what: str, ignore: int | None = None) -> None:
    """Raises IndexRangeError, naming the first bad index, unless all values but ``ignore`` are in [0, n)."""
    look_at(x.node, functools.partial(_check_values, n=n, what=what, ignore=ignore))


def _check_values(values: np.ndarray[Any, Any], n: int, what: str, ignore: int | None) -> None:
    if values.size == 0:
        return
    # Seen as unsigned, a negative number is huge, so one pass checks both ends.
    if int(values.view(f"u{values.itemsize}").max()) < n:
        return
    bad = np.argwhere(((values < 0) | (values >= n)) & (values != ignore if ignore is not None else True))
    if not len(bad):
        return
    place = tuple(int(i) for i in bad[0])
    raise IndexRangeError(
        f"{what} {int(values[place])} is out of range: there are {n}, from 0 to {n - 1}",
        got=f"index {place} of shape {values.shape}" if place else "",
    )


def norm(x: Tensor, p: float, dim: int | tuple[int, ...], keepdim: bool = False, floor: float = 0.0) -> Tensor:
    """max(|x|_p, floor) over ``dim``, with gradient 0 where the norm is 0 or under the floor.

    For p = 2 the root must not see 0, where its slope is infinite: 0 * inf would be NaN.
    """
    if p == 2:
        square = (x * x).sum(dim, keepdim=keepdim)
        if floor > 0:
            return square.clamp(min=floor * floor).sqrt()
        zero = square <= 0
        return square.masked_fill(zero, 1.0).sqrt().masked_fill(zero, 0.0)
    if p == 1:
        length = x.abs().sum(dim, keepdim=keepdim)
    elif p == float("inf"):
        length = x.abs().amax(dim, keepdim=keepdim)
    elif p == float("-inf"):
        length = x.abs().amin(dim, keepdim=keepdim)
    elif p == 0:
        length = (x != 0).to(x.dtype).sum(dim, keepdim=keepdim)
    else:
        power = x.abs().pow(p).sum(dim, keepdim=keepdim)
        zero = power <= 0
        length = power.masked_fill(zero, 1.0).pow(1.0 / p).masked_fill(zero, 0.0)
    return length.clamp(min=floor) if floor > 0 else length
