"""Functions that reduce dimensions, run along them, or sort them."""

from __future__ import annotations

import builtins
import math
from typing import Any, NamedTuple

from ..dispatch import apply
from ..errors import ArgumentError, DtypeError, IndexRangeError
from ..graph import Node
from ..op import Op
from ..ops import fused
from ..ops import index as index_ops
from ..ops import reduce as ops
from ..spec import as_dtype, bool_, is_float
from ..tensor import Tensor, wrap
from .pointwise import log, where_
from .register import check_dtype, function, node_of, to_dtype
from .shaping import cat, dimension, dimensions, narrow_, reshape, squeeze, unsqueeze


class Extreme(NamedTuple):
    """The values that were found and where they stood, as ``max(dim)``, ``sort`` and ``topk`` give them."""

    values: Tensor
    indices: Tensor


def _typed(input: Tensor, dtype: Any) -> Node:
    return node_of(input) if dtype is None else to_dtype(node_of(input), as_dtype(dtype))


@function()
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of all entries, or along the dimensions ``dim``."""
    node = _typed(input, dtype)
    return wrap(apply(ops.sum, (node,), {"axes": dimensions(dim, len(node.shape)), "keep": keepdim}))


def _count(shape: tuple[int, ...], dim: Any) -> int:
    return math.prod(shape[axis] for axis in dimensions(dim, len(shape)))


@function()
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of all entries, or along the dimensions ``dim``; nan for no entries."""
    node = _typed(input, dtype)
    check_dtype(node, "the input of mean")
    total = sum(input, dim, keepdim, dtype=dtype)
    return total / (_count(node.shape, dim) or math.nan)


@function()
def var(
    input: Tensor, dim: Any = None, *, correction: float = 1, unbiased: bool | None = None, keepdim: bool = False
) -> Tensor:
    """The mean squared distance from the mean, over n - ``correction`` entries.

    ``correction=1`` (the default, also ``unbiased=True``) is Bessel's.
    """
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = 1 if unbiased else 0
    check_dtype(input.node, "the input of var")
    distance = input - mean(input, dim, keepdim=True)
    freedom = builtins.max(0, _count(input.shape, dim) - correction)
    return sum(distance * distance, dim, keepdim) / (freedom if freedom else math.nan)


@function()
def std(
    input: Tensor, dim: Any = None, *, correction: float = 1, unbiased: bool | None = None, keepdim: bool = False
) -> Tensor:
    """The square root of `var`."""
    return var(input, dim, correction=correction, unbiased=unbiased, keepdim=keepdim).sqrt()


@function()
def var_mean(
    input: Tensor, dim: Any = None, *, correction: float = 1, unbiased: bool | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """`var` and `mean` together."""
    spread = var(input, dim, correction=correction, unbiased=unbiased, keepdim=keepdim)
    return spread, mean(input, dim, keepdim)


@function()
def amax(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The largest entry along dimensions; entries that tie share the gradient equally."""
    axes = dimensions(dim, input.ndim)
    _not_empty(input, axes, "amax")
    return wrap(apply(ops.amax, (node_of(input),), {"axes": axes, "keep": keepdim}))


@function()
def amin(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The smallest entry along dimensions; entries that tie share the gradient equally."""
    return -amax(-input, dim, keepdim)


def _not_empty(input: Tensor, axes: tuple[int, ...], name: str) -> None:
    if builtins.any(input.shape[axis] == 0 for axis in axes):
        raise IndexRangeError(f"{name} of no entries is not defined", got=str(input.node.spec))


def _extreme(input: Tensor, dim: Any, keepdim: bool, find: Any) -> Extreme:
    axis = dimension(dim, input.ndim)
    place = find(input, axis, True)
    values = wrap(apply(index_ops.gather, (input.node, place.node), {"axis": axis})) if input.ndim else input.clone()
    return Extreme(values, place) if keepdim or not input.ndim else Extreme(squeeze(values, axis), squeeze(place, axis))


@function()
def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest entry; with ``dim`` (values, indices) along it; with a tensor, `maximum` of both."""
    if isinstance(dim, Tensor):
        return input.maximum(dim)
    return amax(input) if dim is None else _extreme(input, dim, keepdim, argmax)


@function()
def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest entry; with ``dim`` (values, indices) along it; with a tensor, `minimum` of both."""
    if isinstance(dim, Tensor):
        return input.minimum(dim)
    return amin(input) if dim is None else _extreme(input, dim, keepdim, argmin)


@function()
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest entry stands, among all entries in order or along ``dim``; the first one at a tie."""
    if dim is None:
        flat = argmax(reshape(input, -1), 0)
        return reshape(flat, (1,) * input.ndim) if keepdim else flat
    axis = dimension(dim, input.ndim)
    if not input.ndim:
        return input.new_zeros((), dtype="int64")
    _not_empty(input, (axis,), "argmax")
    place = wrap(apply(ops.argmax, (_number(input),), {"axis": axis}))
    return unsqueeze(place, axis) if keepdim else place


@function()
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest entry stands, among all entries in order or along ``dim``; the first one at a tie."""
    return argmax(-input, dim, keepdim)


def _number(input: Tensor) -> Node:
    return to_dtype(input.node, as_dtype("int32")) if input.dtype == bool_ else input.node


@function()
def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether no entry is 0."""
    return sum(input == 0, dim, keepdim) == 0


@function()
def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether some entry is not 0."""
    return sum(input != 0, dim, keepdim) != 0


@function()
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many entries are not 0."""
    return sum(input != 0, dim)


@function()
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The sum of the entries that are numbers."""
    return sum(where_(input.isnan(), 0.0, input), dim, keepdim)


@function()
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product of all entries, or along ``dim``: multiplied in pairs, so that zeros do no harm to gradients."""
    x = wrap(_typed(input, dtype)) if dtype is not None else input
    if x.dtype == bool_:
        x = x.long()
    if dim is None:
        whole = prod(reshape(x, -1), 0)
        return reshape(whole, (1,) * input.ndim) if keepdim else whole
    axis = dimension(dim, x.ndim)
    if not x.ndim:
        return x.clone()
    size = x.shape[axis]
    if size == 0:
        shape = ops.kept(x.shape, (axis,))
        made = x.new_ones(shape)
        return made if keepdim else squeeze(made, axis)
    while size > 1:
        half = size // 2
        pairs = narrow_(x, axis, 0, half) * narrow_(x, axis, half, half)
        x = pairs if size % 2 == 0 else cat([pairs, narrow_(x, axis, 2 * half, 1)], axis)
        size = x.shape[axis]
    x = x.clone() if x is input else x
    return x if keepdim else squeeze(x, axis)


@function(inplace=True)
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running sums along ``dim``."""
    node = _typed(input, dtype)
    if not node.shape:
        return input.clone()
    return wrap(ops.cumsum(node, axis=dimension(dim, len(node.shape))))


@function(inplace=True)
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running products along ``dim``.

    Computed by doubling the reach, W. Hillis, G. Steele, "Data parallel algorithms" (CACM 29, 1986).
    """
    x = wrap(_typed(input, dtype)) if dtype is not None else input
    axis, reach = dimension(dim, x.ndim), 1
    while x.ndim and reach < x.shape[axis]:
        head = narrow_(x, axis, 0, reach)
        x = cat(
            [head, narrow_(x, axis, reach, x.shape[axis] - reach) * narrow_(x, axis, 0, x.shape[axis] - reach)], axis
        )
        reach *= 2
    return x.clone() if x is input else x


@function()
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The order that sorts the entries along ``dim``; equal entries keep their order."""
    node = _number(input)
    if not node.shape:
        return input.new_zeros((), dtype="int64")
    return wrap(ops.argsort(node, axis=dimension(dim, input.ndim), descending=descending))


@function()
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = True) -> Extreme:
    """The entries in order along ``dim``, and where they stood."""
    order = argsort(input, dim, descending)
    return Extreme(_along(input, order, dim), order)


def _along(input: Tensor, order: Tensor, dim: int) -> Tensor:
    if not input.ndim:
        return input.clone()
    return wrap(index_ops.gather(input.node, order.node, axis=dimension(dim, input.ndim)))


@function()
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Extreme:
    """The ``k`` largest (or smallest) entries along ``dim``, in order, and where they stood."""
    axis = dimension(dim, input.ndim)
    if not 0 <= k <= (input.shape[axis] if input.ndim else 1):
        raise IndexRangeError(f"topk: {k} entries of dimension {axis}, which has {input.shape[axis]}")
    order = argsort(input, axis, largest)
    order = narrow_(order, axis, 0, k).clone() if input.ndim else order
    return Extreme(_along(input, order, axis), order)


@function()
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle entry (the lower one of two); with ``dim`` (values, indices) along it."""
    if dim is None:
        return median(reshape(input, -1), 0)[0]
    axis = dimension(dim, input.ndim)
    if not input.ndim:
        return Extreme(input.clone(), argsort(input))
    order = narrow_(argsort(input, axis), axis, (input.shape[axis] - 1) // 2, 1).clone()
    found = _along(input, order, axis)
    return Extreme(found, order) if keepdim else Extreme(squeeze(found, axis), squeeze(order, axis))


@function()
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log of the sum of exponentials along ``dim``, without overflow."""
    if _count(input.shape, dim) == 0:
        return log(sum(input.exp(), dim, keepdim))
    largest = amax(input, dim, True).detach()
    largest = where_(largest.abs() == math.inf, 0.0, largest)
    total = log(sum((input - largest).exp(), dim, True)) + largest
    return total if keepdim else squeeze(total, dimensions(dim, input.ndim))


def _float_input(input: Tensor, dtype: Any, name: str) -> Tensor:
    if dtype is not None:
        return input.to(as_dtype(dtype))
    if not is_float(input.dtype):
        raise DtypeError(f"{name} is for floats", got=str(input.node.spec), fix="convert with .float()")
    return input


@function()
def softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """exp of each entry over the sum of the exponentials along ``dim``: shares that add up to 1."""
    return _along_shares(fused.softmax, input, dim, dtype)


@function()
def log_softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The log of `softmax`, without its loss of precision."""
    return _along_shares(fused.log_softmax, input, dim, dtype)


def _along_shares(op: Op, input: Tensor, dim: int, dtype: Any) -> Tensor:
    x = _float_input(input, dtype, op.name)
    axis = dimension(dim, x.ndim)
    if not x.ndim:
        return reshape(_along_shares(op, reshape(x, 1), 0, None), ())
    return wrap(apply(op, (x.node,), {"axis": axis}))


@function()
def norm(input: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The p-norm of the entries: (sum |x|^p)^(1/p); p may be inf, -inf, 0 or "fro". The gradient at 0 is 0 for p=2."""
    if p in ("fro", 2, 2.0, None):
        total = sum(input * input, dim, keepdim)
        zero = total == 0
        return where_(zero, 0.0, where_(zero, 1.0, total).sqrt())
    size = input.abs()
    if p == math.inf:
        return amax(size, dim, keepdim)
    if p == -math.inf:
        return amin(size, dim, keepdim)
    if p == 0:
        return sum((input != 0).to(input.dtype), dim, keepdim)
    if not isinstance(p, (int, float)):
        raise ArgumentError("norm: p is a number, inf, -inf or 'fro'", got=repr(p))
    return sum(size if p == 1 else size**p, dim, keepdim) ** (1 / p)


@function()
def diff(input: Tensor, n: int = 1, dim: int = -1) -> Tensor:
    """The difference of neighbours along ``dim``, ``n`` times."""
    axis = dimension(dim, input.ndim)
    for _ in range(n):
        size = input.shape[axis]
        input = narrow_(input, axis, 1, size - 1) - narrow_(input, axis, 0, size - 1)
    return input
