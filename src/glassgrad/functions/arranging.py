"""More ways to arrange entries: turning, splitting, joining, windows; and more matrix products."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dispatch import leaf
from ..errors import ArgumentError, NotCovered, ShapeError
from ..ops import index as index_ops
from ..ops import shape as shape_ops
from ..tensor import Tensor, wrap
from .create import zeros
from .indexing import checked
from .picking import nonzero
from .products import _with_dims, bmm, outer
from .register import function, method_only
from .shaping import cat, dimension, expand, flip, movedim, narrow_, reshape, transpose, unsqueeze


@function()
def fliplr(input: Tensor) -> Tensor:
    """The second dimension turned round."""
    return flip(input, 1)


@function()
def flipud(input: Tensor) -> Tensor:
    """The first dimension turned round."""
    return flip(input, 0)


@function()
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned by ``k`` quarters in the plane of two dimensions, from the first towards the second."""
    a, b = dims
    turns = k % 4
    if turns == 2:
        return flip(input, a, b)
    if turns == 0:
        return input.clone()
    return transpose(flip(input, b), a, b).clone() if turns == 1 else flip(transpose(input, a, b), b)


@function()
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """So many parts along ``dim``, the first ones larger by one where it does not divide; or cut at given places."""
    at = dimension(dim, input.ndim)
    size = input.shape[at]
    if isinstance(indices_or_sections, int):
        small, larger = divmod(size, indices_or_sections)
        lengths = [small + (place < larger) for place in range(indices_or_sections)]
        cuts = [sum(lengths[:count]) for count in range(1, len(lengths))]
    else:
        cuts = list(indices_or_sections)
    bounds = [0, *(slice(None, cut).indices(size)[1] for cut in cuts), size]
    return tuple(narrow_(input, at, low, max(high - low, 0)) for low, high in itertools.pairwise(bounds))


@function(method=False)
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """One behind the other: along the third dimension."""
    return cat([atleast_3d(tensor) for tensor in tensors], 2)


@function(method=False)
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Side by side, vectors as columns."""
    return cat([reshape(tensor, -1, 1) if tensor.ndim < 2 else tensor for tensor in tensors], 1)


@function(method=False)
def atleast_1d(input: Tensor) -> Tensor:
    """With one dimension, if there was none."""
    return reshape(input, 1) if input.ndim == 0 else input


@function(method=False)
def atleast_2d(input: Tensor) -> Tensor:
    """With two dimensions at least; a vector becomes a row."""
    return reshape(input, 1, -1) if input.ndim < 2 else input


@function(method=False)
def atleast_3d(input: Tensor) -> Tensor:
    """With three dimensions at least."""
    if input.ndim > 2:
        return input
    return reshape(input, 1, -1, 1) if input.ndim < 2 else unsqueeze(input, 2)


@function(method=False)
def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given ones along its diagonal, and zeros elsewhere."""
    given = [atleast_2d(tensor) for tensor in tensors]
    width = sum(tensor.shape[1] for tensor in given)
    rows, left = [], 0
    for x in given:
        parts = [x.new_zeros(x.shape[0], left), x, x.new_zeros(x.shape[0], width - left - x.shape[1])]
        rows.append(cat(parts, 1))
        left += x.shape[1]
    return cat(rows, 0)


@function()
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker's product: each entry of ``input`` times all of ``other``, laid out as blocks."""
    count = max(input.ndim, other.ndim)
    a = reshape(input, (1,) * (count - input.ndim) + input.shape)
    b = reshape(other, (1,) * (count - other.ndim) + other.shape)
    left = reshape(a, [size for n in a.shape for size in (n, 1)])
    right = reshape(b, [size for n in b.shape for size in (1, n)])
    return reshape(left * right, [n * k for n, k in zip(a.shape, b.shape, strict=True)])


@method_only()
def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of ``size`` entries along a dimension, ``step`` apart; the entries of a window come last."""
    from .shaping import dimension as counted

    at = counted(dimension, self.ndim)
    if not 0 < size <= self.shape[at] or step < 1:
        raise ShapeError(f"unfold: windows of {size}, {step} apart, along a size of {self.shape[at]}")
    starts = np.arange(0, self.shape[at] - size + 1, step)
    places = leaf(starts[:, None] + np.arange(size))
    made = wrap(index_ops.index(self.node, places, axes=(at,)))
    return movedim(made, at + 1, -1)


@function()
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last dimension on their diagonal; the new dimensions stand at ``dim1`` and ``dim2``."""
    size = input.shape[-1] + abs(offset)
    rows = np.arange(input.shape[-1])
    places = [leaf(rows - min(offset, 0)), leaf(rows + max(offset, 0))]
    lead = input.shape[:-1]
    base = shape_ops.zeros((*lead, size, size), input.dtype)
    made = wrap(index_ops.index_put(base, input.node, *places, axes=(len(lead), len(lead) + 1)))
    return movedim(made, (-2, -1), (dim1, dim2))


@function()
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all entries on its diagonal."""
    return diag_embed(reshape(input, -1), offset)


def _triangle(row: int, col: int, offset: int, dtype: Any, lower: bool) -> Tensor:
    band = np.tri(row, col, offset if lower else offset - 1, dtype=np.bool_)
    return wrap(leaf(np.stack(np.nonzero(band if lower else ~band)).astype(dtype or np.int64)))


@function(method=False)
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None) -> Tensor:
    """The places of a lower triangle: row numbers, then column numbers."""
    return _triangle(row, col, offset, dtype, True)


@function(method=False)
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None) -> Tensor:
    """The places of an upper triangle: row numbers, then column numbers."""
    return _triangle(row, col, offset, dtype, False)


@function()
def argwhere(input: Tensor) -> Tensor:
    """The indices of the entries that are not 0, one row for each."""
    return nonzero(input, as_tuple=False)  # type: ignore[no-any-return]


@function()
def take(input: Tensor, index: Tensor) -> Tensor:
    """Entries by their number among all entries, in the shape of the index."""
    flat = reshape(input, -1)
    return wrap(index_ops.index(flat.node, checked(index, flat.shape[0], "take", negative=True), axes=(0,)))


@function(inplace=True)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Entries of ``source``, in order, put where the mask is true."""
    wide = expand(mask, input.shape)
    count = int(wide.sum())
    if source.numel() < count:
        raise ShapeError(f"masked_scatter: {count} places for {source.numel()} entries", got=str(source.node.spec))
    made = input.clone()
    made[wide] = reshape(source, -1)[:count]
    return made


@function(inplace=True)
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Entries of ``src`` gathered into the places that ``index`` names: their "sum" or "mean"."""
    if reduce not in ("sum", "mean"):
        raise NotCovered(f"scatter_reduce: {reduce!r} is not covered", fix='use "sum" or "mean"')
    ones = src.new_ones(index.shape)
    counted = (input.new_ones if include_self else input.new_zeros)(input.shape).scatter_add(dim, index, ones)
    touched = input.new_zeros(input.shape).scatter_add(dim, index, ones) != 0
    start = input if include_self else input.masked_fill(touched, 0)
    total = start.scatter_add(dim, index, src)
    return total if reduce == "sum" else total / counted.clamp(min=1)


def _scaled(input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    return (input if beta == 1 else input * beta) + (product if alpha == 1 else product * alpha)


@function(inplace=True)
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * (batch1 @ batch2), for batches of matrices."""
    return _scaled(input, bmm(batch1, batch2), beta, alpha)


@function(inplace=True)
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * the sum of all products of a batch."""
    return _scaled(input, bmm(batch1, batch2).sum(0), beta, alpha)


@function(inplace=True)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * (mat @ vec)."""
    return _scaled(input, _with_dims("addmv", mat, vec, 2, 1), beta, alpha)


@function(inplace=True)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * the outer product of two vectors."""
    return _scaled(input, outer(vec1, vec2), beta, alpha)


@function()
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The sum of the products of two vectors' entries."""
    return _with_dims("vdot", input, other, 1, 1)


@function()
def matrix_power(input: Tensor, n: int) -> Tensor:
    """A square matrix multiplied with itself, ``n`` times (by repeated squaring)."""
    if n < 0:
        raise ArgumentError("matrix_power: negative powers are not covered", got=str(n))
    made: Tensor | None = None
    square = input
    while n:
        if n & 1:
            made = square if made is None else made @ square
        n >>= 1
        square = square @ square if n else square
    if made is None:
        eye = wrap(leaf(np.eye(input.shape[-1], dtype=input.dtype)))
        return expand(eye, input.shape).clone()
    return made.clone() if made is input else made


@function()
def cross(input: Tensor, other: Tensor, dim: int = -1) -> Tensor:
    """The vector product along a dimension of size 3."""
    at = dimension(dim, max(input.ndim, other.ndim))
    if input.shape[at] != 3 or other.shape[at] != 3:
        raise ShapeError("cross: vectors of 3 entries", got=f"{input.node.spec} and {other.node.spec}")
    a, b = input, other
    return a.roll(-1, at) * b.roll(-2, at) - a.roll(-2, at) * b.roll(-1, at)


@function()
def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions swapped: a view."""
    return transpose(input, -2, -1)


@function(method=False)
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of the entries of vectors, one to a row."""
    from .shaping import meshgrid, stack

    return tensors[0] if len(tensors) == 1 else stack([reshape(grid, -1) for grid in meshgrid(*tensors)], 1)


@function(method=False)
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of a vector as columns, highest first unless ``increasing``."""
    count = x.shape[0] if N is None else N
    powers = range(count) if increasing else range(count - 1, -1, -1)
    return column_stack([x**power for power in powers]) if count else zeros(x.shape[0], 0, dtype=x.dtype)
