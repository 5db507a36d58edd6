"""The matrix product, and its transposed forms in one op: its derivatives are matrix products again."""

from __future__ import annotations

from typing import Any

from ..errors import DtypeError, ShapeError
from ..graph import Node
from ..op import PRODUCT, case, op
from ..spec import Spec, bool_
from .arithmetic import mul
from .reduce import amax, sum
from .shape import expand, permute, reshape

Array = Any


def _matmul_spec(a: Spec, b: Spec, *, ta: bool = False, tb: bool = False) -> Spec:
    if a.dtype != b.dtype:
        raise DtypeError(
            f"a matrix product needs one dtype, not {a.dtype} and {b.dtype}",
            got=f"{a} @ {b}",
            fix=f"convert one of them, e.g. x.to({max(a.dtype, b.dtype)}) or x.float()",
        )
    (n, k), (k2, m) = a.shape[-2:][:: -1 if ta else 1], b.shape[-2:][:: -1 if tb else 1]
    if k != k2 or a.shape[:-2] != b.shape[:-2]:
        what = f"inner sizes {k} and {k2} differ" if k != k2 else "batch sizes differ"
        raise ShapeError(
            f"matrix product: {what}",
            got=f"{a}{' transposed' if ta else ''} @ {b}{' transposed' if tb else ''}",
            fix="the last size of the left must be the last but one of the right; transpose one of them with .mT",
        )
    return Spec((*a.shape[:-2], n, m), a.dtype)


def _latex(a: str, b: str, *, ta: bool = False, tb: bool = False) -> str:
    return (a + r"^\top" if ta else a) + " " + (b + r"^\top" if tb else b)


@op(
    spec=_matmul_spec, kind="linalg", latex=_latex, prec=PRODUCT,
    cases=[
        case((2, 3), (3, 5)), case((3, 2), (3, 5), ta=True), case((2, 3), (5, 3), tb=True),
        case((3, 2), (5, 3), ta=True, tb=True), case((2, 3, 5), (2, 5, 1)), case((2, 0), (0, 3)),
    ],
    summed=lambda a, b, *, ta=False, tb=False: int(a.shape[-2 if ta else -1]), columns=lambda shape: shape[-1:],
    batch=lambda shape: shape[:-2],
    says="The matrix product: each result is a row times a column, added up.",
)  # fmt: skip
def matmul(xp: Any, a: Array, b: Array, *, ta: bool = False, tb: bool = False) -> Array:
    return xp.matmul(a.swapaxes(-1, -2) if ta else a, b.swapaxes(-1, -2) if tb else b)


@matmul.simplifies
def _(r: Any, val: Any) -> Any:
    """Sums of nothing are zero; whole numbers are multiplied and summed without a kernel of their own."""
    a, b = val.ins
    if a.size == 0:
        return r.filled(0, val.shape, val.dtype)
    if val.dtype.kind == "f":
        return None
    *batch, n, m = val.shape
    axes = tuple(range(len(batch)))
    left, right = len(batch), len(batch) + 1
    a = r.made(permute, a, axes=(*axes, right, left)) if val.params.get("ta") else a
    b = b if val.params.get("tb") else r.made(permute, b, axes=(*axes, right, left))
    a = r.made(reshape, a, shape=(*batch, n, 1, a.shape[-1]))
    b = r.made(reshape, b, shape=(*batch, 1, m, b.shape[-1]))
    shape = (*batch, n, m, a.shape[-1])
    products = r.made(mul, r.made(expand, a, shape=shape), r.made(expand, b, shape=shape), like=val)
    if val.dtype == bool_:
        return r.made(amax, products, axes=(len(shape) - 1,), like=val)
    return r.made(sum, products, axes=(len(shape) - 1,), like=val)


matmul.writes(lambda k: k.product())


@matmul.vjp
def _(g: Node, y: Node, a: Node, b: Node, *, ta: bool = False, tb: bool = False) -> Node:
    return matmul(b, g, ta=tb, tb=True) if ta else matmul(g, b, tb=not tb)


@matmul.vjp
def _(g: Node, y: Node, a: Node, b: Node, *, ta: bool = False, tb: bool = False) -> Node:
    return matmul(g, a, ta=True, tb=ta) if tb else matmul(a, g, ta=not ta)
