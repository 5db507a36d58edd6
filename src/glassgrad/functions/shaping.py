"""Functions that give tensors another shape. Those that only look at the same entries give views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, IndexRangeError, ShapeError
from ..graph import shares_memory
from ..ops import shape as ops
from ..spec import Shape, broadcast_shapes
from ..tensor import Tensor, view, wrap
from .create import sizes
from .register import function, method_only, node_of


def dimension(dim: Any, ndim: int, name: str = "dim") -> int:
    """``dim`` counted from the front; IndexRangeError when there is no such dimension."""
    number: int = dim.__index__()
    reach = max(ndim, 1)
    if not -reach <= number < reach:
        raise IndexRangeError(
            f"{name}={number} is out of range for a tensor of {ndim} dimensions",
            fix=f"use {-reach} to {reach - 1}",
        )
    return number % reach


def dimensions(dim: Any, ndim: int) -> tuple[int, ...]:
    """``dim`` (None for all, one or several) as sorted, distinct, non-negative numbers."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    given = dim if isinstance(dim, (tuple, list)) else (dim,)
    found = [dimension(d, ndim) for d in given]
    if len(set(found)) < len(found):
        raise ArgumentError("a dimension is named twice", got=repr(dim))
    return tuple(sorted(found)) if ndim else ()


def _flexible(given: tuple[Any, ...], count: int, shape: Shape) -> Shape:
    """A shape with at most one -1, which is worked out."""
    wanted = given[0] if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
    result = [size.__index__() for size in wanted]
    if result.count(-1) == 1:
        rest = math.prod(size for size in result if size != -1)
        if rest == 0 or count % rest:
            raise ShapeError(
                f"cannot reshape to {result}: {count} entries do not divide by {rest}", got=str(list(shape)),
                fix="give sizes whose product divides the number of entries",
            )  # fmt: skip
        result[result.index(-1)] = count // rest
    return tuple(result)


@function(names=("view",))
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same entries in another shape; one size may be -1. A view, where the entries can stay in place.

    >>> import glassgrad as gg
    >>> gg.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    node = node_of(input)
    if len(shape) == 1 and isinstance(shape[0], np.dtype):
        raise ArgumentError("view(dtype) reinterprets memory and is not covered", fix="use .to(dtype)")
    wanted = _flexible(shape, math.prod(node.shape), node.shape)
    made = view(input, ops.reshape, {"shape": wanted})
    if math.prod(wanted) > 1 and not shares_memory(made._node, node):
        made._base = None  # the entries had to be copied; a single one never has to
    return made


@method_only()
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor in the shape of another."""
    return reshape(self, other.shape)


@method_only()
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor in the shape of another."""
    return reshape(self, other.shape)


@function()
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions ``start_dim`` to ``end_dim`` made into one."""
    shape = input.shape or (1,)
    start, end = dimension(start_dim, len(shape)), dimension(end_dim, len(shape))
    if start > end:
        raise ArgumentError("flatten: start_dim comes after end_dim", got=f"{start_dim}, {end_dim}")
    return reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@function()
def ravel(input: Tensor) -> Tensor:
    """All entries in one dimension."""
    return reshape(input, -1)


@function()
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One dimension made into several."""
    at = dimension(dim, input.ndim)
    inner = _flexible((tuple(sizes),), input.shape[at], input.shape)
    return reshape(input, (*input.shape[:at], *inner, *input.shape[at + 1 :]))


@function()
def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order: a view."""
    wanted = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    axes = tuple(dimension(d, input.ndim) for d in wanted)
    if sorted(axes) != list(range(input.ndim)):
        raise ArgumentError(
            "permute needs every dimension once", got=f"{list(wanted)} for shape {list(input.shape)}",
            fix="name all dimensions, each once",
        )  # fmt: skip
    return view(input, ops.permute, {"axes": axes})


@function(names=("swapaxes", "swapdims"))
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions swapped: a view."""
    axes = list(range(input.ndim))
    a, b = dimension(dim0, input.ndim), dimension(dim1, input.ndim)
    if axes:
        axes[a], axes[b] = axes[b], axes[a]
    return view(input, ops.permute, {"axes": tuple(axes)})


@function(names=("moveaxis",))
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions moved to other places; the rest keep their order."""
    sources = source if isinstance(source, (tuple, list)) else (source,)
    targets = destination if isinstance(destination, (tuple, list)) else (destination,)
    moved = {dimension(t, input.ndim): dimension(s, input.ndim) for s, t in zip(sources, targets, strict=True)}
    rest = iter(axis for axis in range(input.ndim) if axis not in moved.values())
    return permute(input, tuple(moved[at] if at in moved else next(rest) for at in range(input.ndim)))


@function()
def t(input: Tensor) -> Tensor:
    """A matrix transposed; fewer dimensions stay as they are."""
    if input.ndim > 2:
        raise ShapeError("t() is for matrices", got=str(list(input.shape)), fix="use .mT or transpose(dim0, dim1)")
    return permute(input, tuple(range(input.ndim))[::-1])


setattr(Tensor, "T", property(lambda self: permute(self, tuple(range(self.ndim))[::-1])))  # noqa: B010
setattr(Tensor, "mT", property(lambda self: transpose(self, -1, -2)))  # noqa: B010


@function()
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without the dimensions of size 1, or without those of ``dim`` that have size 1."""
    drop = dimensions(dim, input.ndim)
    return reshape(input, tuple(n for at, n in enumerate(input.shape) if n != 1 or at not in drop))


@function()
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 put in at ``dim``."""
    at = dimension(dim, input.ndim + 1)
    return reshape(input, (*input.shape[:at], 1, *input.shape[at:]))


@function(names=("broadcast_to",))
def expand(input: Tensor, *size: Any) -> Tensor:
    """Repeated along dimensions of size 1 without a copy; -1 keeps a size."""
    wanted = list(size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size)
    new = len(wanted) - input.ndim
    if new < 0:
        raise ShapeError("expand needs a size for every dimension", got=f"{list(input.shape)} to {wanted}")
    shape = tuple(input.shape[at - new] if n == -1 and at >= new else n for at, n in enumerate(wanted))
    sizes((shape,))
    if shape == input.shape:
        return view(input, ops.reshape, {"shape": shape})
    return view(input, ops.expand, {"shape": shape})


@method_only()
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Repeated to the shape of another tensor."""
    return expand(self, other.shape)


@function(method=False)
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors repeated to the shape they broadcast to."""
    shape = broadcast_shapes(*(tensor.shape for tensor in tensors))
    return tuple(expand(tensor, shape) for tensor in tensors)


@function(method=False, names=("concat", "concatenate"))
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors one after another along a dimension."""
    given = tuple(tensors)
    if not given:
        raise ArgumentError("cat needs at least one tensor", got="an empty list")
    parts = [tensor for tensor in given if tensor.shape != (0,)] or list(given[:1])
    return wrap(ops.cat(*_one_dtype(parts), axis=dimension(dim, parts[0].ndim)))


def _one_dtype(tensors: Sequence[Tensor]) -> tuple[Any, ...]:
    from ..spec import Spec, result_type
    from .register import to_dtype

    nodes = [node_of(tensor) for tensor in tensors]
    dtype = result_type([Spec(node.shape, node.dtype) for node in nodes])
    return tuple(to_dtype(node, dtype) for node in nodes)


@function(method=False)
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape put together along a new dimension."""
    given = tuple(tensors)
    if not given:
        raise ArgumentError("stack needs at least one tensor", got="an empty list")
    if len({tensor.shape for tensor in given}) > 1:
        raise ShapeError(
            "stack needs tensors of one shape", got=" and ".join(str(list(tensor.shape)) for tensor in given),
            fix="pad or slice them first, or use cat",
        )  # fmt: skip
    return cat([unsqueeze(tensor, dim) for tensor in given], dimension(dim, given[0].ndim + 1))


@function(method=False)
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Side by side: along the second dimension, or the first of one-dimensional tensors."""
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


@function(method=False, names=("row_stack",))
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """One below the other: along the first dimension, rows of one-dimensional tensors."""
    return cat([unsqueeze(tensor, 0) if tensor.ndim == 1 else tensor for tensor in tensors], 0)


def narrow_(input: Tensor, at: int, start: int, length: int) -> Tensor:
    cuts = [(0, size, 1) for size in input.shape]
    cuts[at] = (start, start + length, 1)
    return view(input, ops.slice_, {"cuts": tuple(cuts)})


@function()
def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """``length`` entries along ``dim``, from ``start`` on: a view."""
    at = dimension(dim, input.ndim)
    first = start + input.shape[at] if start < 0 else start
    if length < 0 or first < 0 or first + length > input.shape[at]:
        raise IndexRangeError(
            f"narrow: entries {start} to {start + length} are outside dimension {at} of size {input.shape[at]}",
            got=str(list(input.shape)),
        )
    return narrow_(input, at, first, length)


@function()
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts along a dimension: of one size (the last may be smaller) or of the given sizes. Views."""
    at = dimension(dim, tensor.ndim)
    size = tensor.shape[at]
    if isinstance(split_size_or_sections, int):
        step = split_size_or_sections
        if step < 1:
            raise ArgumentError("split needs a positive size", got=str(step))
        lengths = [min(step, size - start) for start in range(0, size, step)] or [0]
    else:
        lengths = list(split_size_or_sections)
        if sum(lengths) != size or min(lengths, default=0) < 0:
            raise ShapeError(f"split: sizes {lengths} do not add up to {size}", got=str(list(tensor.shape)))
    starts = [sum(lengths[:count]) for count in range(len(lengths))]
    return tuple(narrow_(tensor, at, start, length) for start, length in zip(starts, lengths, strict=True))


@function()
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most ``chunks`` parts of one size along a dimension; the last may be smaller. Views."""
    if chunks < 1:
        raise ArgumentError("chunk needs a positive number of chunks", got=str(chunks))
    size = input.shape[dimension(dim, input.ndim)]
    return split(input, max(1, -(-size // chunks)), dim)


@function()
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The parts along a dimension, without it. Views."""
    at = dimension(dim, input.ndim)
    return tuple(squeeze(narrow_(input, at, place, 1), at) for place in range(input.shape[at]))


@function()
def flip(input: Tensor, *dims: Any) -> Tensor:
    """The order turned along dimensions."""
    wanted = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    return wrap(ops.flip(input.node, axes=dimensions(tuple(wanted), input.ndim)))


@function()
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Shifted along dimensions; what falls off comes in at the other end."""
    if dims is None:
        return reshape(roll(flatten(input), shifts, 0), input.shape)
    moves, made = shifts if isinstance(shifts, (tuple, list)) else (shifts,), input
    for shift, dim in zip(moves, dims if isinstance(dims, (tuple, list)) else (dims,), strict=True):
        at = dimension(dim, input.ndim)
        size = input.shape[at]
        if size and shift % size:
            cut = size - shift % size
            made = cat([narrow_(made, at, cut, size - cut), narrow_(made, at, 0, cut)], at)
    return made.clone() if made is input else made


@method_only()
def repeat(self: Tensor, *sizes: Any) -> Tensor:
    """Copies of the tensor side by side, so many along each dimension."""
    times = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    shape = (1,) * (len(times) - self.ndim) + self.shape
    if len(times) < self.ndim:
        raise ShapeError("repeat needs a number for every dimension", got=f"{list(self.shape)} by {list(times)}")
    if all(k == 1 for k in times):
        return reshape(self, shape).clone()
    pairs = [size for n, k in zip(shape, times, strict=True) for size in (1, n)]
    wide = [size for n, k in zip(shape, times, strict=True) for size in (k, n)]
    return reshape(expand(reshape(self, pairs), wide), [n * k for n, k in zip(shape, times, strict=True)])


@function()
def tile(input: Tensor, dims: Sequence[int]) -> Tensor:
    """`repeat`, with 1 for the dimensions that are not named."""
    return repeat(input, *((1,) * (input.ndim - len(dims)) + tuple(dims)))


@method_only()
def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the size along one dimension."""
    return self.shape if dim is None else self.shape[dimension(dim, self.ndim)]


@method_only()
def dim(self: Tensor) -> int:
    """How many dimensions there are."""
    return self.ndim


@function(names=("nelement",))
def numel(input: Tensor) -> int:
    """How many entries there are."""
    return math.prod(input.shape)


@method_only()
def is_contiguous(self: Tensor) -> bool:
    """Whether the entries lie in order in memory."""
    return bool(np.asarray(self.value).flags.c_contiguous)


@function(method=False)
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid over one-dimensional tensors."""
    given = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    if indexing not in ("ij", "xy"):
        raise ArgumentError('indexing is "ij" or "xy"', got=repr(indexing))
    shape = tuple(tensor.shape[0] for tensor in given)
    ones = [tuple(n if at == place else 1 for at in range(len(shape))) for place, n in enumerate(shape)]
    grids = tuple(expand(reshape(x, one), shape) for x, one in zip(given, ones, strict=True))
    return grids if indexing == "ij" or len(grids) < 2 else tuple(transpose(grid, 0, 1) for grid in grids)
