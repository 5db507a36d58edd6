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
from ..spec import Shape, Spec, broadcast_shapes, int64, numel
from .arithmetic import add
from .compare import eq, where
from .reduce import sum
from .shape import zeros

Array = Any
Axes = tuple[int, ...]
SHORT = 4096
"""An axis up to this long is searched by compiled steps for a picked entry: unlike a lookup, that fuses."""


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


def _chosen(r: Any, x: Any, index: Any, axis: int) -> Any:
    """Whether each entry of x is the one that is picked along a short axis; None where more than one may be."""
    rest = all(a == b for at, (a, b) in enumerate(zip(x.shape, index.shape, strict=True)) if at != axis)
    if index.shape[axis] != 1 or not rest or x.shape[axis] > SHORT or x.dtype.kind != "f":
        return None
    place = r.spread(r.converted(index, int64), x.shape)
    return r.made(eq, r.numbers(x.shape, axis), place)


@gather.simplifies
def _(r: Any, val: Any) -> Any:
    """One entry picked along a short axis: the sum of a choice, which fuses with what made the entries."""
    (x, index), axis = val.ins, val.params["axis"]
    if not x.shape:
        return x
    chosen = _chosen(r, x, index, axis)
    if chosen is None:
        return None
    entries = r.made(where, chosen, x, r.number(0, x.dtype), like=val)
    return r.made(sum, entries, axes=(axis,), keep=True, like=val)


@gather.writes
def _(k: Any) -> Any:
    (x, index), axis = k.val.ins, k.val.params["axis"]
    with k.tasks(index.shape[:-1]) as lead, k.each(index.shape[-1:]) as last:
        at = [*lead, *last]
        k.put(at, k.entry(0, [*at[:axis], k.place(1, at, x.shape[axis]), *at[axis + 1 :]]))
    return k.done()


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
    flops=lambda y, x, index, src, **_: numel(src.shape),
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


@scatter_add.simplifies
def _(r: Any, val: Any) -> Any:
    """Adding one entry along a short axis: a choice between the entry and zero."""
    (x, index, src), axis = val.ins, val.params["axis"]
    if not x.shape:
        return r.made(add, x, src, like=val)
    chosen = _chosen(r, x, index, axis)
    if chosen is None:
        return None
    entries = r.made(where, chosen, r.spread(src, x.shape), r.number(0, x.dtype), like=val)
    return entries if r.is_zeros(x) else r.made(add, x, entries, like=val)


def _write_scatter(k: Any, add: bool) -> Any:
    """A task takes what lies before the axis, so that entries come in one order."""
    (x, index, _), axis = k.val.ins, k.val.params["axis"]
    outer = axis if x.shape[:axis] == index.shape[:axis] else 0
    with k.tasks(x.shape[:outer]) as lead:
        with k.each(x.shape[outer:]) as rest:
            k.put([*lead, *rest], k.entry(0, [*lead, *rest]))
        with k.each(index.shape[outer:]) as rest:
            at = [*lead, *rest]
            to = [*at[:axis], k.place(1, at, x.shape[axis]), *at[axis + 1 :]]
            k.put(to, k.plus(k.held(to), k.entry(2, at)) if add else k.entry(2, at))
    return k.done()


scatter_add.writes(lambda k: _write_scatter(k, add=True))
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


scatter.simplifies(lambda r, val: None if val.shape else val.ins[2])
scatter.writes(lambda k: _write_scatter(k, add=False))
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


def _split(k: Any, number: int, at: list[Any]) -> tuple[list[Any], list[Any]]:
    """The place ``at`` of an index's result as the place in x that is picked there (operand ``number`` and those after
    it say which), and the same with only what is picked left out."""
    x, axes = k.val.ins[0], k.val.params["axes"]
    picked = broadcast_shapes(*(i.shape for i in k.val.ins[number:]))
    first = axes[0] if axes[-1] - axes[0] == len(axes) - 1 else 0
    here, rest = at[first : first + len(picked)], [*at[:first], *at[first + len(picked) :]]
    whole = list(rest)
    for which, axis in enumerate(axes):
        sizes = k.val.ins[number + which].shape
        mine = [k.zero if n == 1 else i for i, n in zip(here[len(here) - len(sizes) :], sizes, strict=True)]
        whole.insert(axis, k.place(number + which, mine, x.shape[axis]))
    return whole, rest


@index.writes
def _(k: Any) -> Any:
    shape = k.val.shape
    if k.val.params["axes"] == (0,) and len(k.val.ins[0].shape) > 1:  # whole rows
        lead = len(k.val.ins[1].shape)
        with k.tasks(shape[:-1]) as at:
            k.copy_row(0, [k.place(1, at[:lead], k.val.ins[0].shape[0]), *at[lead:]], at)
        return k.done()
    with k.tasks(shape[:-1]) as lead, k.each(shape[-1:]) as last:
        at = [*lead, *last]
        k.put(at, k.entry(0, _split(k, 1, at)[0]))
    return k.done()


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
    flops=lambda y, x, src, *_, accumulate=False, **__: numel(src.shape) if accumulate else 0,
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


@index_put.writes
def _(k: Any) -> Any:
    """Rows of a matrix are added in parts of their columns, side by side; everything else entry after entry."""
    (x, src, rows, *_), params = k.val.ins, k.val.params
    if params["axes"] == (0,) and params.get("accumulate") and len(x.shape) == 2 and x.dtype.kind == "f":
        with k.column_parts(x.shape[1]) as part:
            with k.each(x.shape[:1]) as at:
                part.put(at, part.entry(0, at))
            with k.each(rows.shape) as at:
                to = [k.place(2, at, x.shape[0])]
                part.put(to, k.plus(part.held(to), part.entry(1, at)))
        return k.done()
    with k.tasks(()):
        with k.each(x.shape) as at:
            k.put(at, k.entry(0, at))
        with k.each(src.shape) as at:
            to, _ = _split(k, 2, at)
            k.put(to, k.plus(k.held(to), k.entry(1, at)) if params.get("accumulate") else k.entry(1, at))
    return k.done()


@index_put.vjp_each
def _(which: int, g: Node, y: Node, x: Node, src: Node, *indices: Node, axes: Axes, accumulate: bool = False) -> Node:
    if which == 1:
        return index(g, *indices, axes=axes)
    return g if accumulate else index_put(g, zeros(src.shape, g.dtype), *indices, axes=axes)
