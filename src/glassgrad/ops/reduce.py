"""Reductions and their kin: sum, largest entry and where it stands, running sums, the order of a sort."""

from __future__ import annotations

from typing import Any

from ..errors import IndexRangeError
from ..graph import Node
from ..op import ATOM, FUNC, case, op
from ..spec import Shape, Spec, bool_, int64
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
    says="Adds entries up; each of them gets the gradient of the sum.",
)  # fmt: skip
def sum(xp: Any, x: Array, *, axes: Axes, keep: bool = False) -> Array:
    return x.sum(axis=axes, keepdims=keep, dtype=xp.int64 if x.dtype == bool else x.dtype)


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
    says="Keeps the largest entry; only that one gets the gradient, and entries that tie share it equally.",
)  # fmt: skip
def amax(xp: Any, x: Array, *, axes: Axes, keep: bool = False) -> Array:
    return x.max(axis=axes, keepdims=keep)


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
    cases=[case((2, 3, 5), axis=1), case((3,), axis=0)],
    says="Where the largest entry stands; the first one at a tie.",
)  # fmt: skip
def argmax(xp: Any, x: Array, *, axis: int) -> Array:
    return xp.asarray(xp.argmax(x, axis=axis))


@op(
    spec=lambda x, *, axis, reverse=False: Spec(x.shape, int64 if x.dtype == bool_ else x.dtype), prec=FUNC,
    latex=r"\operatorname{{cumsum}} {x}",
    cases=[case((2, 3, 5), axis=1), case((5,), axis=0, reverse=True), case((2, 0), axis=1)],
    says="Running totals; an entry gets the gradients of all totals that it is in.",
)  # fmt: skip
def cumsum(xp: Any, x: Array, *, axis: int, reverse: bool = False) -> Array:
    dtype = xp.int64 if x.dtype == bool else x.dtype
    if reverse:
        return xp.flip(xp.cumsum(xp.flip(x, axis), axis=axis, dtype=dtype), axis)
    return xp.cumsum(x, axis=axis, dtype=dtype)


cumsum.vjp(lambda g, y, x, *, axis, reverse=False: cumsum(g, axis=axis, reverse=not reverse))


@op(
    spec=lambda x, *, axis, descending=False: Spec(x.shape, int64), latex=r"\operatorname{{argsort}} {x}", prec=ATOM,
    differentiable=False, cases=[case((2, 5), axis=1), case((5, 2), axis=0, descending=True)],
    says="The order that sorts the entries; equal entries keep their order, nan comes last as the largest.",
)  # fmt: skip
def argsort(xp: Any, x: Array, *, axis: int, descending: bool = False) -> Array:
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    size = x.shape[axis]
    return size - 1 - xp.flip(xp.argsort(xp.flip(x, axis), axis=axis, kind="stable"), axis)
