"""Reductions and their kin: sum, largest entry and where it stands, running sums, the order of a sort."""

from __future__ import annotations

from typing import Any

from ..errors import IndexRangeError
from ..graph import Node
from ..op import ATOM, FUNC, Fold, case, op
from ..spec import Shape, Spec, bool_, int64, numel, smallest
from .compare import cast, eq, where
from .shape import expand, reshape

Array = Any
Axes = tuple[int, ...]


def kept(shape: Shape, axes: Axes) -> Shape:
    """``shape`` with the sizes of ``axes`` set to 1."""
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape))


def spread(g: Node, shape: Shape, axes: Axes, keep: bool) -> Node:
    """A reduced array repeated along the axes that were reduced."""
    return expand(g if keep else reshape(g, shape=kept(shape, axes)), shape=shape)


def _reduced(x: Spec, axes: Axes, keep: bool) -> Shape:
    if keep:
        return kept(x.shape, axes)
    return tuple(size for axis, size in enumerate(x.shape) if axis not in axes)


def _sum_spec(x: Spec, *, axes: Axes, keep: bool = False) -> Spec:
    return Spec(_reduced(x, axes, keep), int64 if x.dtype == bool_ else x.dtype)


_CASES = [
    case((2, 3, 5), axes=(0, 2)), case((2, 3, 5), axes=(1,), keep=True), case((2, 3), axes=(0, 1)), case((), axes=()),
]  # fmt: skip


@op(
    spec=_sum_spec, kind="reduce", latex=r"\sum {x}", prec=FUNC, cases=[*_CASES, case((2, 0), axes=(1,))],
    fold=Fold(lambda dtype: 0, lambda e, a, b: e.add(a, b)),
    says="Adds entries up; each of them gets the gradient of the sum.",
)  # fmt: skip
def sum(xp: Any, x: Array, *, axes: Axes, keep: bool = False) -> Array:
    return x.sum(axis=axes, keepdims=keep, dtype=xp.int64 if x.dtype == bool else x.dtype)


def _simpler(r: Any, val: Any) -> Any:
    """A sum (or the largest) over axes of size 1, or over none, is a reshape; booleans are counted as whole numbers."""
    (source,), axes = val.ins, val.params["axes"]
    if source.dtype != val.dtype:
        return r.made(sum, r.converted(source, val.dtype), **val.params, like=val)
    if source.size == 0:
        return r.filled(0, val.shape, val.dtype)
    if all(source.shape[a] == 1 for a in axes):
        return r.made(reshape, source, shape=val.shape, like=val)
    return None


sum.simplifies(_simpler)
sum.vjp(lambda g, y, x, *, axes, keep=False: spread(g, x.shape, axes, keep))


def _amax_spec(x: Spec, *, axes: Axes, keep: bool = False) -> Spec:
    if any(x.shape[axis] == 0 for axis in axes):
        raise IndexRangeError(
            "the largest entry of nothing is not defined: a reduced dimension has size 0",
            got=str(x), fix="leave out empty tensors, or reduce over another dimension",
        )  # fmt: skip
    return Spec(_reduced(x, axes, keep), x.dtype)


@op(
    spec=_amax_spec, kind="reduce", latex=r"\max {x}", prec=FUNC, cases=_CASES,
    fold=Fold(smallest, lambda e, a, b: e.maximum(a, b)),
    says="Keeps the largest entry; only that one gets the gradient, and entries that tie share it equally.",
)  # fmt: skip
def amax(xp: Any, x: Array, *, axes: Axes, keep: bool = False) -> Array:
    return x.max(axis=axes, keepdims=keep)


amax.simplifies(_simpler)


@amax.vjp
def _(g: Node, y: Node, x: Node, *, axes: Axes, keep: bool = False) -> Node:
    largest = eq(x, spread(y, x.shape, axes, keep))
    ties = cast(sum(largest, axes=axes, keep=True), dtype=g.dtype)
    share = (g if keep else reshape(g, shape=ties.shape)) / ties
    return where(largest, expand(share, shape=x.shape), 0.0)


def _argmax_spec(x: Spec, *, axis: int) -> Spec:
    _amax_spec(x, axes=(axis,))
    return Spec(_reduced(x, (axis,), False), int64)


@op(
    spec=_argmax_spec, kind="reduce", latex=r"\arg\max {x}", prec=FUNC, differentiable=False,
    cases=[case((2, 3, 5), axis=1), case((3,), axis=0)], flops=lambda y, x, *, axis: numel(x.shape),
    says="Where the largest entry stands; the first one at a tie.",
)  # fmt: skip
def argmax(xp: Any, x: Array, *, axis: int) -> Array:
    return xp.asarray(xp.argmax(x, axis=axis))


@argmax.writes
def _(k: Any) -> Any:
    """The first of the largest; the first nan before everything."""
    x, axis = k.val.ins[0], k.val.params["axis"]
    with k.tasks(k.val.shape) as at:
        first = k.entry(0, [*at[:axis], k.zero, *at[axis:]])
        with k.along(x.shape[axis], first, k.zero, start=1) as turn:
            best, where_ = turn.carried
            entry = k.entry(0, [*at[:axis], turn.index, *at[axis:]])
            better = k.exceeds(entry, best)
            turn.next(k.f.select(better, entry, best), k.f.select(better, turn.index, where_))
        k.put(at, turn.results[1])
    return k.done()


@op(
    spec=lambda x, *, axis, reverse=False: Spec(x.shape, int64 if x.dtype == bool_ else x.dtype), kind="reduce",
    prec=FUNC, latex=r"\operatorname{{cumsum}} {x}", flops=lambda y, x, **_: numel(x.shape),
    cases=[case((2, 3, 5), axis=1), case((5,), axis=0, reverse=True), case((2, 0), axis=1)],
    says="Running totals; an entry gets the gradients of all totals that it is in.",
)  # fmt: skip
def cumsum(xp: Any, x: Array, *, axis: int, reverse: bool = False) -> Array:
    dtype = xp.int64 if x.dtype == bool else x.dtype
    if reverse:
        return xp.flip(xp.cumsum(xp.flip(x, axis), axis=axis, dtype=dtype), axis)
    return xp.cumsum(x, axis=axis, dtype=dtype)


@cumsum.simplifies
def _(r: Any, val: Any) -> Any:
    (source,) = val.ins
    if source.dtype == val.dtype:
        return source if not val.shape else None
    return r.made(cumsum, r.converted(source, val.dtype), **val.params, like=val)


@cumsum.writes
def _(k: Any) -> Any:
    shape, axis, reverse = k.val.shape, k.val.params["axis"], k.val.params.get("reverse")
    with k.tasks((*shape[:axis], *shape[axis + 1 :])) as at, k.along(shape[axis], k.number(0)) as turn:
        place = k.f.sub(k.f.index(shape[axis] - 1), turn.index) if reverse else turn.index
        here = [*at[:axis], place, *at[axis:]]
        total = k.plus(turn.carried[0], k.entry(0, here))
        k.put(here, total)
        turn.next(total)
    return k.done()


cumsum.vjp(lambda g, y, x, *, axis, reverse=False: cumsum(g, axis=axis, reverse=not reverse))


def _comparisons(y: Spec, x: Spec, *, axis: int, descending: bool = False) -> int:
    """Of merging: each entry once for each time that runs are doubled."""
    return numel(x.shape) * (x.shape[axis] - 1).bit_length() if x.shape else 0


@op(
    spec=lambda x, *, axis, descending=False: Spec(x.shape, int64), latex=r"\operatorname{{argsort}} {x}", prec=ATOM,
    differentiable=False, cases=[case((2, 5), axis=1), case((5, 2), axis=0, descending=True)], flops=_comparisons,
    says="The order that sorts the entries; equal entries keep their order, nan comes last as the largest.",
)  # fmt: skip
def argsort(xp: Any, x: Array, *, axis: int, descending: bool = False) -> Array:
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    size = x.shape[axis]
    return size - 1 - xp.flip(xp.argsort(xp.flip(x, axis), axis=axis, kind="stable"), axis)


argsort.simplifies(lambda r, val: None if val.shape else r.filled(0, (), int64))


@argsort.writes
def _(k: Any) -> Any:
    """Merging from the bottom up: runs of 1, 2, 4, ... become runs of twice the length, in turn here and beside."""
    f, (x,), axis = k.f, k.val.ins, k.val.params["axis"]
    size = x.shape[axis]
    passes = (size - 1).bit_length()
    descending = bool(k.val.params.get("descending"))
    with k.tasks((*x.shape[:axis], *x.shape[axis + 1 :])) as at, k.scratch(2 * size) as rows:
        places = [rows, k.shifted(rows, size)]
        with k.each((size,)) as (i,):
            k.keep(places[0], i, i)
        for number in range(passes):
            source, target, width = places[number % 2], places[1 - number % 2], 1 << number
            with k.each((-(-size // (2 * width)),)) as (run,):
                start = f.mul(run, f.index(2 * width))
                middle = f.smaller(f.add(start, f.index(width)), f.index(size))
                stop = f.smaller(f.add(start, f.index(2 * width)), f.index(size))
                with f.loop(start, stop, 1, [start, middle]) as turn:
                    a, b = turn.carried
                    left = k.kept(source, f.smaller(a, f.index(size - 1)))
                    right = k.kept(source, f.smaller(b, f.index(size - 1)))
                    entries = [k.entry(0, [*at[:axis], i, *at[axis:]]) for i in (left, right)]
                    first = f.bit_or(f.compare("sge", b, stop), k.comes_first(*entries, descending))
                    first = f.bit_and(f.compare("slt", a, middle), first)
                    k.keep(target, turn.index, f.select(first, left, right))
                    step = f.convert("zext", first, "i64")
                    turn.next(f.add(a, step), f.add(b, f.sub(f.index(1), step)))
        with k.each((size,)) as (i,):
            k.put([*at[:axis], i, *at[axis:]], k.kept(places[passes % 2], i))
    return k.done()
