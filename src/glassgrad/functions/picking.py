"""Picking and placing entries by number or by mask, triangles and diagonals, counting."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dispatch import apply, leaf
from ..errors import DtypeError, IndexRangeError, ShapeError
from ..ops import compare
from ..ops import index as ops
from ..ops import shape as shape_ops
from ..spec import Shape, bool_, broadcast_shapes
from ..tensor import Tensor, view, wrap
from .indexing import Plan, broadcast_value, checked, getitem
from .pointwise import where_
from .register import fit, function, node_of, to_dtype
from .shaping import dimension, expand, permute, reshape


@function()
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """``out[i][j] = input[index[i][j]][j]`` for dim 0, and so on: entries picked along one dimension."""
    axis = dimension(dim, input.ndim)
    if not input.ndim:
        return reshape(gather(reshape(input, 1), 0, reshape(index, -1)), index.shape)
    return wrap(apply(ops.gather, (node_of(input), checked(index, input.shape[axis], "gather")), {"axis": axis}))


def pick(input: Tensor, index: Tensor, axis: int) -> Tensor:
    """`gather` with an index that is known to be in range."""
    return wrap(apply(ops.gather, (node_of(input), node_of(index)), {"axis": axis}))


def _scatter(op: Any, input: Tensor, dim: int, index: Tensor, src: Any) -> Tensor:
    axis = dimension(dim, input.ndim)
    if not input.ndim:
        source = reshape(src, -1) if isinstance(src, Tensor) else src
        return reshape(_scatter(op, reshape(input, 1), 0, reshape(index, -1), source), ())
    place = checked(index, input.shape[axis], op.name)
    source = to_dtype(node_of(src, input.node), input.dtype) if not isinstance(src, Tensor) else src.node
    if source.dtype != input.dtype:
        raise DtypeError(f"{op.name}: source and tensor must have one dtype", got=f"{source.spec}, {input.node.spec}")
    if not source.shape:
        source = shape_ops.expand(source, shape=place.shape)
    elif source.shape != place.shape:  # entries of the source beyond the index are not used
        if len(source.shape) != len(place.shape) or any(a < b for a, b in zip(source.shape, place.shape, strict=True)):
            raise ShapeError(f"{op.name}: the source is smaller than the index", got=f"{source.spec}, {place.spec}")
        source = shape_ops.slice_(source, cuts=tuple((0, size, 1) for size in place.shape))
    return wrap(apply(op, (node_of(input), place, source), {"axis": axis}))


@function(inplace=True)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Entries of ``src`` added at the places along ``dim`` that ``index`` names."""
    return _scatter(ops.scatter_add, input, dim, index, src)


@function(inplace=True)
def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None) -> Tensor:
    """Entries of ``src`` (or one ``value``) put at the places along ``dim`` that ``index`` names."""
    return _scatter(ops.scatter, input, dim, index, value if src is None else src)


@function()
def take_along_dim(input: Tensor, indices: Tensor, dim: int) -> Tensor:
    """`gather` whose index is broadcast to the tensor first."""
    shape = list(broadcast_shapes(_without(input.shape, dim), _without(indices.shape, dim)))
    axis = dimension(dim, input.ndim)
    wide = expand(input, *shape[:axis], input.shape[axis], *shape[axis:])
    return gather(wide, axis, expand(indices, *shape[:axis], indices.shape[axis], *shape[axis:]))


def _without(shape: Shape, dim: int) -> Shape:
    axis = dim % len(shape)
    return shape[:axis] + shape[axis + 1 :]


@function()
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The entries along ``dim`` whose numbers stand in ``index``, a one-dimensional tensor."""
    axis = dimension(dim, input.ndim)
    if index.ndim > 1:
        raise IndexRangeError("index_select needs a one-dimensional index", got=str(index.node.spec))
    place = checked(index, input.shape[axis], "index_select")
    if not place.shape:
        place = shape_ops.reshape(place, shape=(1,))
    return wrap(apply(ops.index, (node_of(input), place), {"axes": (axis,)}))


@function(inplace=True)
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """``source``, times ``alpha``, added to the entries along ``dim`` whose numbers stand in ``index``."""
    axis = dimension(dim, input.ndim)
    place = checked(index, input.shape[axis], "index_add")
    added = source if alpha == 1 else source * alpha
    return wrap(ops.index_put(input.node, added.node, place, axes=(axis,), accumulate=True))


@function(inplace=True)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """``source`` put in place of the entries along ``dim`` whose numbers stand in ``index``."""
    axis = dimension(dim, input.ndim)
    place = checked(index, input.shape[axis], "index_copy")
    return wrap(ops.index_put(input.node, source.node, place, axes=(axis,)))


@function(inplace=True)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """``value`` put in place of the entries along ``dim`` whose numbers stand in ``index``."""
    axis = dimension(dim, input.ndim)
    shape = list(input.shape)
    shape[axis] = index.numel()
    return index_copy(input, dim, index, expand(wrap(to_dtype(node_of(value, input.node), input.dtype)), shape))


@function(inplace=True)
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """``values`` put (or added) at the entries that the tuple ``indices`` names."""
    plan = Plan(input.shape, tuple(indices))
    picked = broadcast_shapes(*(index.shape for index in plan.indices))
    target = ops.picked_shape(input.shape, picked, tuple(plan.axes))
    source = broadcast_value(to_dtype(values.node, input.dtype), target)
    return wrap(ops.index_put(input.node, source, *plan.indices, axes=tuple(plan.axes), accumulate=accumulate))


@function(inplace=True)
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """``value`` where the mask is true; no gradient goes to the entries that it replaced."""
    if mask.dtype != bool_:
        raise DtypeError("masked_fill needs a boolean mask", got=str(mask.node.spec), fix="compare, e.g. mask != 0")
    filled = to_dtype(node_of(value, input.node), input.dtype)
    shape = broadcast_shapes(input.shape, mask.shape)
    return wrap(apply(compare.where, (fit(mask.node, shape), fit(filled, shape), fit(input.node, shape)), {}))


@function()
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The entries where the mask is true, in one dimension."""
    shape = broadcast_shapes(input.shape, mask.shape)
    return getitem(expand(input, shape), expand(mask, shape))


@function()
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the entries that are not 0: one row for each, or one tensor for each dimension."""
    places = np.nonzero(np.asarray(input.value))
    if as_tuple:
        return tuple(wrap(leaf(place)) for place in places)
    return wrap(leaf(np.stack(places, 1) if input.ndim else np.zeros((int(bool(input.value)), 0), np.int64)))


def _band(shape: Shape, diagonal: int) -> Any:
    return np.tri(shape[-2], shape[-1], diagonal, dtype=np.bool_)


@function(inplace=True)
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of each matrix; 0 above the diagonal."""
    below = wrap(leaf(_band(input.shape, diagonal)))
    return where_(below, input, False if input.dtype == bool_ else 0)


@function(inplace=True)
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of each matrix; 0 below the diagonal."""
    above = wrap(leaf(~_band(input.shape, diagonal - 1)))
    return where_(above, input, False if input.dtype == bool_ else 0)


@function()
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two dimensions, put at the end: a view."""
    a, b = dimension(dim1, input.ndim), dimension(dim2, input.ndim)
    rest = tuple(axis for axis in range(input.ndim) if axis not in (a, b))
    x = permute(input, (*rest, a, b))
    height, width = x.shape[-2:]
    count = max(0, min(height + min(offset, 0), width - max(offset, 0)))
    start = max(offset, 0) - min(offset, 0) * width if count else 0
    cut = (start, start + (count - 1) * (width + 1) + 1 if count else start, width + 1)
    rows = view(x, shape_ops.reshape, {"shape": (*x.shape[:-2], height * width)})
    return view(rows, shape_ops.slice_, {"cuts": (*((0, size, 1) for size in x.shape[:-2]), cut)})


@function()
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or a matrix with this diagonal."""
    if input.ndim == 2:
        return globals()["diagonal"](input, diagonal).clone()  # type: ignore[no-any-return]
    size = input.shape[0] + abs(diagonal)
    rows = np.arange(input.shape[0])
    places = [leaf(rows - min(diagonal, 0)), leaf(rows + max(diagonal, 0))]
    return wrap(ops.index_put(shape_ops.zeros((size, size), input.dtype), input.node, *places, axes=(0, 1)))


@function()
def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal."""
    found: Tensor = globals()["diagonal"](input)
    return found.sum()


@function()
def repeat_interleave(input: Tensor, repeats: Any, dim: int | None = None) -> Tensor:
    """Each entry along ``dim`` repeated in place, so many times."""
    if dim is None:
        return repeat_interleave(reshape(input, -1), repeats, 0)
    axis = dimension(dim, input.ndim)
    times = repeats.value if isinstance(repeats, Tensor) else repeats
    return index_select(input, axis, wrap(leaf(np.repeat(np.arange(input.shape[axis]), times))))


@function()
def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False) -> Any:
    """The distinct entries in order; with options also where each entry stands among them, and how many there are."""
    options: dict[str, Any] = {"return_inverse": return_inverse, "return_counts": return_counts}
    found = np.unique(np.asarray(input.value), **options)
    if not isinstance(found, tuple):
        return wrap(leaf(found))
    return tuple(wrap(leaf(part)) for part in found)


@function()
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each number from 0 on occurs, or the sum of its weights."""
    counted = np.bincount(input.value, None if weights is None else weights.value, minlength)
    return wrap(leaf(counted if weights is None else counted.astype(weights.dtype)))


@function()
def searchsorted(sorted_sequence: Tensor, values: Any, *, right: bool = False) -> Tensor:
    """Where each value would be put in so that a one-dimensional sequence stays sorted."""
    if sorted_sequence.ndim != 1:
        raise ShapeError("searchsorted takes a one-dimensional sequence", got=str(sorted_sequence.node.spec))
    places = np.searchsorted(sorted_sequence.value, node_of(values).value, "right" if right else "left")
    return wrap(leaf(np.asarray(places)))


@function()
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One entry along a dimension, without it: a view."""
    axis = dimension(dim, input.ndim)
    return getitem(input, (*[slice(None)] * axis, index))
