"""Statistics along dimensions, running extremes, order statistics, distances."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..dispatch import leaf
from ..errors import ArgumentError, IndexRangeError, ShapeError
from ..spec import is_float
from ..tensor import Tensor, wrap
from .logic import isnan
from .picking import gather, index_select
from .products import matmul
from .reduction import Extreme, amax, amin, argsort, mean, norm, std, sum
from .register import function
from .shaping import dimension, narrow_, reshape, squeeze, stack, unbind, unsqueeze


class Range(NamedTuple):
    """The smallest and the largest entry, as `aminmax` gives them."""

    min: Tensor
    max: Tensor


@function()
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Range:
    """The smallest and the largest entry, along ``dim`` or of all."""
    return Range(amin(input, dim, keepdim), amax(input, dim, keepdim))


@function()
def std_mean(
    input: Tensor, dim: Any = None, *, correction: float = 1, unbiased: bool | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """`std` and `mean` together."""
    spread = std(input, dim, correction=correction, unbiased=unbiased, keepdim=keepdim)
    return spread, mean(input, None if isinstance(dim, bool) else dim, keepdim)


@function()
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The mean of the entries that are numbers."""
    count = sum(~isnan(input), dim, keepdim)
    return input.nansum(dim, keepdim) / count


@function()
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The value that a share ``q`` of the entries along ``dim`` lies below, interpolated between neighbours."""
    if interpolation not in ("linear", "lower", "higher", "nearest", "midpoint"):
        raise ArgumentError("quantile: interpolation is linear, lower, higher, nearest or midpoint", got=interpolation)
    shares = q if isinstance(q, Tensor) else input.new_tensor(q)
    if bool(((shares < 0) | (shares > 1)).any()):
        raise ArgumentError("quantile: q lies between 0 and 1", got=str(shares.tolist()))
    x, axis = (reshape(input, -1), 0) if dim is None else (input, dimension(dim, input.ndim))
    ordered = x.sort(axis)[0].movedim(axis, 0)
    at = np.asarray(shares.value, np.float64).reshape(-1) * (ordered.shape[0] - 1)
    low, high = np.floor(at).astype(np.int64), np.ceil(at).astype(np.int64)
    if interpolation == "nearest":
        low = high = np.rint(at).astype(np.int64)
    elif interpolation == "lower":
        high = low
    elif interpolation == "higher":
        low = high
    part = np.full(len(at), 0.5) if interpolation == "midpoint" else at - low
    below, above = (index_select(ordered, 0, wrap(leaf(place))) for place in (low, high))
    weight = wrap(leaf(part.astype(input.dtype).reshape(-1, *[1] * (ordered.ndim - 1))))
    found = below + (above - below) * weight
    missing = isnan(ordered).any(0)
    found = found.masked_fill(missing, math.nan) if bool(missing.any()) else found
    kept = [1] * input.ndim if dim is None else [1 if at == axis else n for at, n in enumerate(input.shape)]
    if keepdim:
        found = reshape(found, len(at), *kept)
    return found if shares.ndim else squeeze(found, 0)


@function()
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Extreme:
    """The ``k``-th smallest entry along ``dim`` (counted from 1), and where it stands."""
    axis = dimension(dim, input.ndim)
    if not 1 <= k <= (input.shape[axis] if input.ndim else 1):
        raise IndexRangeError(f"kthvalue: entry {k} of {input.shape[axis] if input.ndim else 1}", fix="count from 1")
    if not input.ndim:
        return Extreme(input.clone(), argsort(input))
    place = narrow_(argsort(input, axis), axis, k - 1, 1).clone()
    found = gather(input, axis, place)
    return Extreme(found, place) if keepdim else Extreme(squeeze(found, axis), squeeze(place, axis))


@function()
def msort(input: Tensor) -> Tensor:
    """Sorted along the first dimension."""
    return input.sort(0)[0]


def _running(input: Tensor, dim: int, larger: Any) -> Extreme:
    """The extreme so far and where it stands; at a tie the latest, a nan above all."""
    axis = dimension(dim, input.ndim)
    if not input.ndim:
        return Extreme(input.clone(), input.new_zeros((), dtype="int64"))
    rows = np.moveaxis(np.asarray(input.value), axis, 0)
    places = np.zeros(rows.shape, np.int64)
    for at in range(1, len(rows)):
        before = np.take_along_axis(rows, places[at - 1][None], 0)[0]
        better = larger(rows[at], before) | (rows[at] != rows[at])
        places[at] = np.where(better, at, places[at - 1])
    index = wrap(leaf(np.ascontiguousarray(np.moveaxis(places, 0, axis))))
    return Extreme(gather(input, axis, index), index)


@function()
def cummax(input: Tensor, dim: int) -> Extreme:
    """The largest entry so far along ``dim``, and where it stands."""
    return _running(input, dim, np.greater_equal)


@function()
def cummin(input: Tensor, dim: int) -> Extreme:
    """The smallest entry so far along ``dim``, and where it stands."""
    return _running(input, dim, np.less_equal)


@function()
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """The logarithm of the running sum of exponentials along ``dim``."""
    if not input.ndim:
        return input.clone()
    parts, axis = unbind(input, dim), dimension(dim, input.ndim)
    made = list(parts[:1])
    for part in parts[1:]:
        made.append(made[-1].logaddexp(part))
    return stack(made, axis) if made else input.clone()


@function()
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many entries fall into each of ``bins`` equal intervals; what lies outside is not counted."""
    values = np.asarray(input.value).ravel()
    low, high = (float(values.min()), float(values.max())) if min == max and values.size else (min, max)
    low, high = (low - 1, high + 1) if low == high else (low, high)
    return wrap(leaf(np.histogram(values, bins, (low, high))[0].astype(input.dtype)))


@function(method=False)
def isin(elements: Tensor, test_elements: Any, *, invert: bool = False) -> Tensor:
    """True where an entry is among the test elements."""
    among = test_elements.value if isinstance(test_elements, Tensor) else test_elements
    return wrap(leaf(np.asarray(np.isin(elements.value, among, invert=invert))))


@function()
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference."""
    return norm(input - other, p)


@function(method=False)
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distance of every row of x1 from every row of x2. Shapes: (..., n, d), (..., m, d) -> (..., n, m)."""
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ShapeError("cdist takes rows of one length", got=f"{x1.node.spec} and {x2.node.spec}")
    return norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1)


@function()
def cov(input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
    """The covariances of the rows, each a variable with its observations."""
    if fweights is not None or aweights is not None:
        raise ArgumentError("cov: weights are not covered", fix="weigh the observations before")
    if not is_float(input.dtype) or input.ndim > 2:
        raise ShapeError("cov takes one or two dimensions of floats", got=str(input.node.spec))
    rows = input if input.ndim == 2 else reshape(input, 1, -1)
    centred = rows - mean(rows, 1, True)
    made = matmul(centred, centred.mT) / max(rows.shape[1] - correction, 0)
    return made if input.ndim == 2 else reshape(made, ())


@function()
def corrcoef(input: Tensor) -> Tensor:
    """The correlations of the rows: their covariances over both standard deviations."""
    made = cov(input)
    if not made.ndim:
        return made / made
    deviation = made.diagonal().sqrt()
    return made / unsqueeze(deviation, 1) / unsqueeze(deviation, 0)
