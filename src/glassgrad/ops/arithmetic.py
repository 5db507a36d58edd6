"""Elementwise arithmetic: sums, products, extremes, signs and rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DivisionByZero
from ..graph import Node
from ..op import ATOM, PRODUCT, SUM, Corner, elementwise
from .compare import eq, lt, where

Array = Any


@elementwise(
    derivative=(lambda g, y, a, b: g, lambda g, y, a, b: g),
    latex="{a} + {b}", prec=SUM, operator="add",
    emit=lambda e, a, b: e.add(a, b), cheap=True,
    says="Adds; the gradient passes to both sides unchanged.",
)  # fmt: skip
def add(xp: Any, a: Array, b: Array) -> Array:
    return xp.add(a, b)


@add.simplifies
def _(r: Any, val: Any) -> Any:
    """Adding zeros; parts of the same array, each put into zeros, are put together."""
    a, b = val.ins
    for x, y in ((a, b), (b, a)):
        if r.is_zeros(x) and y.shape == val.shape:
            return y
    return r.united(val, a, b)


@elementwise(
    derivative=(lambda g, y, a, b: g, lambda g, y, a, b: -g),
    latex="{a} - {b}", prec=SUM, operator="sub", only="number",
    emit=lambda e, a, b: e.sub(a, b), cheap=True,
    says="Subtracts; the gradient passes to a unchanged and to b with its sign turned.",
)  # fmt: skip
def sub(xp: Any, a: Array, b: Array) -> Array:
    return xp.subtract(a, b)


@elementwise(
    derivative=(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
    latex=r"{a} \cdot {b}", prec=PRODUCT, operator="mul",
    emit=lambda e, a, b: e.mul(a, b), cheap=True,
    says="Multiplies; each side's gradient is scaled by the other side's value.",
)  # fmt: skip
def mul(xp: Any, a: Array, b: Array) -> Array:
    return xp.multiply(a, b)


@mul.simplifies
def _(r: Any, val: Any) -> Any:
    for a, b in (val.ins, val.ins[::-1]):
        if a.number == 1 and b.shape == val.shape:
            return b
    return None


@elementwise(
    derivative=(lambda g, y, a, b: g / b, lambda g, y, a, b: -(g * y) / b),
    latex=r"\frac{{{a}}}{{{b}}}", prec=PRODUCT, operator="truediv", only="float",
    domain=((-2.0, 2.0), (0.5, 2.0)),
    emit=lambda e, a, b: e.div(a, b),
    says="Divides; the gradient of a shrinks by b, that of b grows with a and falls with b squared.",
)  # fmt: skip
def div(xp: Any, a: Array, b: Array) -> Array:
    return xp.divide(a, b)


@elementwise(
    derivative=(lambda g, y, x: -g),
    latex="-{x}", prec=SUM, only="number", operator="neg",
    emit=lambda e, x: e.neg(x), cheap=True,
    says="Turns the sign, and that of the gradient.",
)  # fmt: skip
def neg(xp: Any, x: Array) -> Array:
    return xp.negative(x)


@neg.simplifies
def _(r: Any, val: Any) -> Any:
    (source,) = val.ins
    return source.ins[0] if source.op == "neg" else None


@elementwise(
    derivative=(
        lambda g, y, a, b: where(lt(a, b), 0.0, where(eq(a, b), g * 0.5, g)),
        lambda g, y, a, b: where(lt(b, a), 0.0, where(eq(a, b), g * 0.5, g)),
    ),
    latex=r"\max({a}, {b})", prec=ATOM,
    emit=lambda e, a, b: e.maximum(a, b),
    says="Keeps the larger; only the larger gets a gradient, and at a tie each gets half.",
    corners=[Corner((1.0, 1.0), 1.0, (0.5, 0.5))],
)  # fmt: skip
def maximum(xp: Any, a: Array, b: Array) -> Array:
    return xp.maximum(a, b)


@elementwise(
    derivative=(
        lambda g, y, a, b: where(lt(b, a), 0.0, where(eq(a, b), g * 0.5, g)),
        lambda g, y, a, b: where(lt(a, b), 0.0, where(eq(a, b), g * 0.5, g)),
    ),
    latex=r"\min({a}, {b})", prec=ATOM,
    emit=lambda e, a, b: e.minimum(a, b),
    says="Keeps the smaller; only the smaller gets a gradient, and at a tie each gets half.",
    corners=[Corner((1.0, 1.0), 1.0, (0.5, 0.5))],
)  # fmt: skip
def minimum(xp: Any, a: Array, b: Array) -> Array:
    return xp.minimum(a, b)


def _abs_slope(g: Node, y: Node, x: Node) -> Node:
    return g * sign(x)


@elementwise(
    derivative=_abs_slope,
    latex=r"\left|{x}\right|", prec=ATOM, only="number",
    emit=lambda e, x: e.abs(x),
    says="Drops the sign; the slope is 1 or -1, and 0 at 0.",
    corners=[Corner((0.0,), 0.0, (0.0,))],
)  # fmt: skip
def abs(xp: Any, x: Array) -> Array:
    return xp.abs(x)


@elementwise(
    derivative=lambda g, y, x: g * 0.0,
    latex=r"\operatorname{{sign}}({x})", prec=ATOM,
    emit=lambda e, x: e.sign(x),
    says="1 above zero, -1 below, 0 at it; flat, so no gradient comes through.",
    corners=[Corner((0.0,), 0.0, (0.0,))],
)  # fmt: skip
def sign(xp: Any, x: Array) -> Array:
    if x.dtype.kind != "f":
        return x if x.dtype == bool else xp.sign(x)
    return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)  # nan has none, as in PyTorch; NumPy's sign keeps nan


@elementwise(
    derivative=lambda g, y, x: where(y <= 0, 0.0, g),
    latex=r"\operatorname{{relu}}({x})", prec=ATOM, only="number",
    emit=lambda e, x: e.relu(x), cheap=True,
    says="Keeps what is positive; where x is not positive the gradient is cut to 0.",
    corners=[Corner((0.0,), 0.0, (0.0,))],
)  # fmt: skip
def relu(xp: Any, x: Array) -> Array:
    return xp.maximum(x, x.dtype.type(0))


@elementwise(
    derivative=lambda g, y, x: g * 0.0,
    latex=r"\lfloor {x} \rfloor", prec=ATOM, only="float",
    emit=lambda e, x: e.floor(x),
    says="Rounds down to a whole number; flat between them, so no gradient comes through.",
)  # fmt: skip
def floor(xp: Any, x: Array) -> Array:
    return xp.floor(x)


@elementwise(
    derivative=lambda g, y, x: g * 0.0,
    latex=r"\operatorname{{round}}({x})", prec=ATOM, only="float",
    emit=lambda e, x: e.round(x),
    says="Rounds to the nearest whole number, halves to the even one; no gradient comes through.",
    corners=[Corner((0.5,), 0.0, (0.0,)), Corner((1.5,), 2.0, (0.0,))],
)  # fmt: skip
def round(xp: Any, x: Array) -> Array:
    return xp.rint(x)


def _no_zero(b: Array) -> None:
    """Floats have inf and nan for it; integers have nothing, and NumPy's 0 would go unnoticed."""
    if isinstance(b, np.ndarray) and b.dtype.kind in "iu" and not b.all():
        raise DivisionByZero("division of integers by zero", fix="convert with .float(), or leave the zeros out")


@elementwise(
    derivative=(lambda g, y, a, b: g, lambda g, y, a, b: -(g * floor(a / b))),
    latex=r"{a} \bmod {b}", prec=PRODUCT, only="number", domain=((-2.0, 2.0), (0.5, 0.9)),
    emit=lambda e, a, b: e.remainder(a, b), refuses=_no_zero,
    says="What is left after taking b away a whole number of times; it has the sign of b.",
)  # fmt: skip
def remainder(xp: Any, a: Array, b: Array) -> Array:
    _no_zero(b)
    return xp.remainder(a, b)


@elementwise(
    derivative=None,
    latex=r"\lfloor {a} / {b} \rfloor", prec=ATOM, only="integer",
    emit=lambda e, a, b: e.floordiv(a, b), refuses=_no_zero,
    says="Divides whole numbers, rounding down.",
)  # fmt: skip
def floordiv(xp: Any, a: Array, b: Array) -> Array:
    _no_zero(b)
    return xp.floor_divide(a, b)
