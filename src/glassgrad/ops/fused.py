"""Ops that could be composed of others; each is one op because a benchmark says that it pays (benchmarks/NOTES.md).

`compose` is the composition it stands for: an engine or an explanation that wants smaller steps takes that instead.
"""

from __future__ import annotations

from typing import Any

from ..errors import DtypeError, ShapeError
from ..graph import Node
from ..op import ATOM, SUM, case, op
from ..spec import Spec, is_float, numel
from .arithmetic import add
from .linalg import matmul
from .mathematical import exp, log
from .reduce import amax, kept, spread, sum
from .shape import detach, expand

Array = Any


def _affine_spec(x: Spec, w: Spec, b: Spec) -> Spec:
    if len({x.dtype, w.dtype, b.dtype}) > 1:
        raise DtypeError(
            "a linear map needs one dtype",
            got=f"input {x}, weight {w}, bias {b}",
            fix="convert one of them, e.g. x.to(weight.dtype); numbers from NumPy are float64, glassgrad's float32",
        )
    if len(x.shape) != 2 or len(w.shape) != 2 or x.shape[1] != w.shape[1] or b.shape != w.shape[:1]:
        raise ShapeError(
            "a linear map takes (n, in), a weight of (out, in) and a bias of (out)",
            got=f"input {x}, weight {w}, bias {b}",
            fix="the last size of the input must be in_features",
        )
    return Spec((x.shape[0], w.shape[0]), x.dtype)


def _affine_composed(x: Node, w: Node, b: Node) -> Node:
    product = matmul(x, w, tb=True)
    return add(product, expand(b, shape=product.shape))


@op(
    spec=_affine_spec, kind="linalg", latex=r"{x} {w}^\top + {b}", prec=SUM, compose=_affine_composed,
    cases=[case((2, 3), (5, 3), (5,)), *(case((n, k), (3, k), (3,)) for n, k in ((1, 2), (0, 2), (2, 0)))],
    flops=lambda y, x, w, b: numel(y.shape) * (2 * x.shape[1] + 1),
    says="The map of a linear layer: each result is a row of x times a row of w, added up, plus a bias.",
)  # fmt: skip
def affine(xp: Any, x: Array, w: Array, b: Array) -> Array:
    made = xp.matmul(x, w.T)
    made += b
    return made


affine.vjp(lambda g, y, x, w, b: matmul(g, w))
affine.vjp(lambda g, y, x, w, b: matmul(g, x, ta=True))
affine.vjp(lambda g, y, x, w, b: sum(g, axes=(0,)))


def _softmax_spec(x: Spec, *, axis: int) -> Spec:
    if not is_float(x.dtype):
        raise DtypeError("softmax is for floats", got=str(x), fix="convert with .float()")
    return x


def _below_largest(x: Node, axis: int) -> Node:
    return x - expand(detach(amax(x, axes=(axis,), keep=True)), shape=x.shape)


def _softmax_composed(x: Node, *, axis: int) -> Node:
    raised = exp(_below_largest(x, axis))
    return raised / spread(sum(raised, axes=(axis,), keep=True), x.shape, (axis,), True)


def _log_softmax_composed(x: Node, *, axis: int) -> Node:
    moved = _below_largest(x, axis)
    return moved - spread(log(sum(exp(moved), axes=(axis,), keep=True)), x.shape, (axis,), True)


_CASES = [case((2, 3, 5), axis=1), case((2, 3), axis=1), case((3,), axis=0), case((0, 3), axis=1)]


@op(
    spec=_softmax_spec, kind="reduce", latex=r"\operatorname{{softmax}}({x})", prec=ATOM, only="float", cases=_CASES,
    compose=_softmax_composed, flops=lambda y, x, *, axis: 5 * numel(x.shape),
    says="Turns scores into shares that add up to 1; raising one share lowers the others.",
)  # fmt: skip
def softmax(xp: Any, x: Array, *, axis: int) -> Array:
    made = xp.exp(x - x.max(axis=axis, keepdims=True, initial=-xp.inf))
    made /= made.sum(axis=axis, keepdims=True)
    return made


@softmax.vjp
def _(g: Node, y: Node, x: Node, *, axis: int) -> Node:
    weighed = g * y
    return weighed - y * spread(sum(weighed, axes=(axis,), keep=True), x.shape, (axis,), True)


@op(
    spec=_softmax_spec, kind="reduce", latex=r"\ln \operatorname{{softmax}}({x})", prec=ATOM, only="float",
    cases=_CASES, compose=_log_softmax_composed,
    flops=lambda y, x, *, axis: 5 * numel(x.shape) + numel(kept(x.shape, (axis,))),
    says="The logarithms of the shares that scores stand for; the gradients along the axis add up to 0.",
)  # fmt: skip
def log_softmax(xp: Any, x: Array, *, axis: int) -> Array:
    made = x - x.max(axis=axis, keepdims=True, initial=-xp.inf)
    made -= xp.log(xp.exp(made).sum(axis=axis, keepdims=True))
    return made


@log_softmax.vjp
def _(g: Node, y: Node, x: Node, *, axis: int) -> Node:
    return g - exp(y) * spread(sum(g, axes=(axis,), keep=True), x.shape, (axis,), True)
