"""Ops that pick entries by integer arrays, and put them back: gather, scatter, index.

Indices are non-negative and in range when they come here; the functions that users call see to that.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..graph import Node
from ..op import ATOM, case, op
from ..spec import Shape, Spec, broadcast_shapes
from .shape import zeros

Array = Any
Axes = tuple[int, ...]


def _grid(index: Array, axis: int) -> tuple[Array, ...]:
    """Index arrays that address, for every entry of ``index``, the entry it names along ``axis``."""
    places = _places(index.shape)
    return (*places[:axis], index, *places[axis + 1 :])


@functools.lru_cache(maxsize=256)
def _places(shape: Shape) -> tuple[Array, ...]:
    """Each axis's own numbers, shaped to broadcast against the others."""
    return tuple(np.ogrid[tuple(slice(0, size) for size in shape)])


def _check_along(name: str, x: Spec, index: Spec, axis: int) -> None:
    if len(x.shape) != len(index.shape) or any(
        i > n for where, (i, n) in enumerate(zip(index.shape, x.shape, strict=True)) if where != axis
    ):
        raise ShapeError(
            f"{name} along dimension {axis}: the index must have as many dimensions as the tensor and, but for "
            f"dimension {axis}, no larger sizes",
            got=f"tensor {x}, index {index}",
            fix="unsqueeze or expand the index to fit",
        )


def _gather_spec(x: Spec, index: Spec, *, axis: int) -> Spec:
    _check_along("gather", x, index, axis)
    return Spec(index.shape, x.dtype)


@op(
    spec=_gather_spec, latex="{x}_{{{index}}}", prec=ATOM,
    cases=[
        case((2, 5), (2, 3), dtypes=(None, "int64"), below=5, axis=1),
        case((5, 2), (3, 1), dtypes=(None, "int64"), below=5, axis=0),
    ],
    says="Picks entries along one axis; each gets back the gradients of all places that it was picked for.",
)  # fmt: skip
def gather(xp: Any, x: Array, index: Array, *, axis: int) -> Array:
    return x[_grid(index, axis)] if x.ndim else x


@gather.vjp
def _(g: Node, y: Node, x: Node, index: Node, *, axis: int) -> Node:
    return scatter_add(zeros(x.shape, g.dtype), index, g, axis=axis)


gather.vjp(None)


def _scatter_spec(x: Spec, index: Spec, src: Spec, *, axis: int) -> Spec:
    _check_along("scatter", x, index, axis)
    if src.shape != index.shape:
        raise ShapeError("scatter: source and index must have one shape", got=f"source {src}, index {index}")
    return x


_SCATTER = [
    case((2, 5), (2, 3), (2, 3), dtypes=(None, "int64"), below=5, axis=1),
    case((5, 2), (3, 1), (3, 1), dtypes=(None, "int64"), below=5, axis=0),
]


@op(
    spec=_scatter_spec, latex=r"{x} +_{{{index}}} {src}", prec=ATOM, cases=_SCATTER,
    says="Adds the source's entries at the places that the index names along one axis.",
)  # fmt: skip
def scatter_add(xp: Any, x: Array, index: Array, src: Array, *, axis: int) -> Array:
    if xp is not np:
        return x.at[_grid(index, axis)].add(src)
    if index.shape[axis] == 1:  # no place is named twice
        made = np.array(x)
        made[_grid(index, axis)] += src
        return made
    if x.dtype.kind == "f" and x.size:  # counting with weights is many times faster than np.add.at
        flat = np.ravel_multi_index(np.broadcast_arrays(*_grid(index, axis)), x.shape)
        added = np.bincount(flat.ravel(), weights=src.ravel(), minlength=x.size).reshape(x.shape)
        return (x + added).astype(x.dtype)
    made = np.array(x)
    np.add.at(made, _grid(index, axis), src)
    return made


scatter_add.vjp(lambda g, y, x, index, src, *, axis: g)
scatter_add.vjp(None)
scatter_add.vjp(lambda g, y, x, index, src, *, axis: gather(g, index, axis=axis))


@op(
    spec=_scatter_spec, latex=r"{x} \gets_{{{index}}} {src}", prec=ATOM,
    cases=[case((2, 5), (2, 1), (2, 1), dtypes=(None, "int64"), below=5, axis=1)],
    says="Puts the source's entries at the places that the index names along one axis; what was there is lost.",
)  # fmt: skip
def scatter(xp: Any, x: Array, index: Array, src: Array, *, axis: int) -> Array:
    if xp is not np:
        return x.at[_grid(index, axis)].set(src)
    made = np.array(x)
    made[_grid(index, axis)] = src
    return made


scatter.vjp(lambda g, y, x, index, src, *, axis: scatter(g, index, zeros(src.shape, g.dtype), axis=axis))
scatter.vjp(None)
scatter.vjp(lambda g, y, x, index, src, *, axis: gather(g, index, axis=axis))


def _key(ndim: int, indices: tuple[Array, ...], axes: Axes) -> tuple[Any, ...]:
    key: list[Any] = [slice(None)] * ndim
    for axis, index in zip(axes, indices, strict=True):
        key[axis] = index
    return tuple(key)


def picked_shape(shape: Shape, picked: Shape, axes: Axes) -> Shape:
    """The shape of an index: where the indexed axes are neighbours the picked shape stands there, else in front."""
    rest = [size for axis, size in enumerate(shape) if axis not in axes]
    neighbours = axes[-1] - axes[0] == len(axes) - 1
    at = axes[0] if neighbours else 0
    return (*rest[:at], *picked, *rest[at:])


def _index_spec(x: Spec, *indices: Spec, axes: Axes) -> Spec:
    return Spec(picked_shape(x.shape, broadcast_shapes(*(i.shape for i in indices)), axes), x.dtype)


@op(
    spec=_index_spec, latex=lambda x, *indices, axes: f"{x}_{{{', '.join(indices)}}}", prec=ATOM,
    cases=[
        case((5, 3), (2,), dtypes=(None, "int64"), below=5, axes=(0,)),
        case((2, 5, 3), (3, 2), dtypes=(None, "int64"), below=5, axes=(1,)),
        case((2, 3, 2), (5,), (5,), dtypes=(None, "int64", "int64"), below=2, axes=(0, 2)),
        case((2, 3, 2), (5, 1), (2,), dtypes=(None, "int64", "int64"), below=2, axes=(0, 1)),
        case((5, 3), (), dtypes=(None, "int64"), below=5, axes=(0,)),
    ],
    says="Picks entries or rows by number; each gets back the gradients of all places that it was picked for.",
)  # fmt: skip
def index(xp: Any, x: Array, *indices: Array, axes: Axes) -> Array:
    if axes == (0,):
        return x.take(indices[0], 0)
    made = x[_key(x.ndim, indices, axes)]
    return np.ascontiguousarray(made) if xp is np and made.ndim > 1 else made  # NumPy picks in another order


@index.vjp_each
def _(which: int, g: Node, y: Node, x: Node, *indices: Node, axes: Axes) -> Node:
    return index_put(zeros(x.shape, g.dtype), g, *indices, axes=axes, accumulate=True)


def _index_put_spec(x: Spec, src: Spec, *indices: Spec, axes: Axes, accumulate: bool = False) -> Spec:
    expected = _index_spec(x, *indices, axes=axes).shape
    if src.shape != expected:
        raise ShapeError(f"cannot put {src} at an index of shape {list(expected)}", got=f"into {x}")
    return x


@op(
    spec=_index_put_spec, latex=lambda x, src, *indices, axes, **_: rf"{x} \gets_{{{', '.join(indices)}}} {src}",
    prec=ATOM,
    cases=[
        case((5, 3), (4, 3), (4,), dtypes=(None, None, "int64"), below=5, axes=(0,), accumulate=True),
        case((2, 5, 3), (2, 4, 3), (4,), dtypes=(None, None, "int64"), below=5, axes=(1,), accumulate=True),
        case((2, 3), (1, 3), (1,), dtypes=(None, None, "int64"), axes=(0,)),
    ],
    says="Puts rows at numbered places, or adds them to what is there.",
)  # fmt: skip
def index_put(xp: Any, x: Array, src: Array, *indices: Array, axes: Axes, accumulate: bool = False) -> Array:
    key = _key(x.ndim, indices, axes)
    if xp is not np:
        return x.at[key].add(src) if accumulate else x.at[key].set(src)
    made = np.array(x)
    if not accumulate:
        made[key] = src
    elif axes == (0,) and indices[0].size and src.size:
        _add_rows(made, indices[0].ravel(), src.reshape(indices[0].size, -1))
    else:
        np.add.at(made, key, src)
    return made


def _add_rows(made: Array, rows: Array, src: Array) -> None:
    """made[rows[i]] += src[i]: sorted by row and added run by run, many times faster than np.add.at."""
    order = rows.argsort(kind="stable")
    rows = rows[order]
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    made.reshape(made.shape[0], -1)[rows[starts]] += np.add.reduceat(src[order], starts, axis=0, dtype=made.dtype)


@index_put.vjp_each
def _(which: int, g: Node, y: Node, x: Node, src: Node, *indices: Node, axes: Axes, accumulate: bool = False) -> Node:
    if which == 1:
        return index(g, *indices, axes=axes)
    return g if accumulate else index_put(g, zeros(src.shape, g.dtype), *indices, axes=axes)
