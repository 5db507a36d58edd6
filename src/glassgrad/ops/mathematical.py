"""Elementwise functions: powers, exponentials, logarithms, trigonometry, the bell and the squashing curves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..graph import Node, is_constant
from ..op import ATOM, FUNC, POWER, Corner, elementwise
from ._erf import erf_array
from .compare import eq, where

Array = Any


def _pow_base(g: Node, y: Node, a: Node, b: Node) -> Node:
    if is_constant(b):
        exponent: float = b.value.item()
        if exponent == 0:
            return g * 0.0
        if exponent == 1:
            return g
        if exponent == 2:  # without a power
            return g * (a * 2)
        return g * (pow(a, exponent - 1) * exponent)
    return g * where(eq(b, 0), 0.0, b * pow(a, b - 1))


def _pow_exponent(g: Node, y: Node, a: Node, b: Node) -> Node:
    flat = eq(a, 0) & (b >= 0)  # 0^b stays 0 as b moves; the log of 0 must not make that nan
    return where(flat, 0.0, g * (y * log(where(flat, 1.0, a))))


def _no_negative(b: Array) -> None:
    """A whole number to a negative power is none."""
    if isinstance(b, np.ndarray) and b.dtype.kind == "i" and (b < 0).any():
        raise ArgumentError("integers to negative integer powers are not allowed", fix="convert with .float()")


@elementwise(
    derivative=(_pow_base, _pow_exponent),
    latex="{a}^{{{b}}}", prec=POWER, operator="pow", only="number", domain=((0.3, 2.0), (-1.5, 2.5)),
    emit=lambda e, a, b: e.pow(a, b), refuses=_no_negative,
    says="Raises a to the power b.",
    corners=[Corner((0.0, 2.0), 0.0, (0.0, 0.0)), Corner((0.0, 0.0), 1.0, (0.0, 0.0))],
)  # fmt: skip
def pow(xp: Any, a: Array, b: Array) -> Array:
    _no_negative(b)
    if b.shape == () and b == 2:  # far cheaper than the general power
        return xp.multiply(a, a)
    return xp.power(a, b)


@elementwise(
    derivative=lambda g, y, x: g * y,
    latex="e^{{{x}}}", prec=POWER, only="float",
    emit=lambda e, x: e.exp(x),
    says="The exponential: its slope is its own value.",
)  # fmt: skip
def exp(xp: Any, x: Array) -> Array:
    return xp.exp(x)


@elementwise(
    derivative=lambda g, y, x: g * (y + 1),
    latex="e^{{{x}}} - 1", prec=POWER, only="float",
    emit=lambda e, x: e.expm1(x),
    says="The exponential less 1, exact for small x.",
)  # fmt: skip
def expm1(xp: Any, x: Array) -> Array:
    return xp.expm1(x)


@elementwise(
    derivative=lambda g, y, x: g / x,
    latex=r"\ln {x}", prec=FUNC, only="float", domain=(0.3, 3.0),
    emit=lambda e, x: e.log(x),
    says="The natural logarithm: its slope 1/x grows without end towards 0.",
    corners=[Corner((0.0,), -math.inf, (math.inf,))],
)  # fmt: skip
def log(xp: Any, x: Array) -> Array:
    return xp.log(x)


@elementwise(
    derivative=lambda g, y, x: g / (x + 1),
    latex=r"\ln(1 + {x})", prec=ATOM, only="float", domain=(-0.7, 2.0),
    emit=lambda e, x: e.log1p(x),
    says="The logarithm of 1 + x, exact for small x.",
)  # fmt: skip
def log1p(xp: Any, x: Array) -> Array:
    return xp.log1p(x)


@elementwise(
    derivative=lambda g, y, x: g / (y * 2),
    latex=r"\sqrt{{{x}}}", prec=ATOM, only="float", domain=(0.2, 3.0),
    emit=lambda e, x: e.sqrt(x),
    says="The square root: its slope grows without end towards 0.",
    corners=[Corner((0.0,), 0.0, (math.inf,))],
)  # fmt: skip
def sqrt(xp: Any, x: Array) -> Array:
    return xp.sqrt(x)


def _sin_slope(g: Node, y: Node, x: Node) -> Node:
    return g * cos(x)


@elementwise(
    derivative=_sin_slope,
    latex=r"\sin {x}", prec=FUNC, only="float",
    emit=lambda e, x: e.sin(x),
    says="The sine: its slope is the cosine.",
)  # fmt: skip
def sin(xp: Any, x: Array) -> Array:
    return xp.sin(x)


@elementwise(
    derivative=lambda g, y, x: -(g * sin(x)),
    latex=r"\cos {x}", prec=FUNC, only="float",
    emit=lambda e, x: e.cos(x),
    says="The cosine: its slope is the sine with its sign turned.",
)  # fmt: skip
def cos(xp: Any, x: Array) -> Array:
    return xp.cos(x)


@elementwise(
    derivative=lambda g, y, x: g * (y * y + 1),
    latex=r"\tan {x}", prec=FUNC, only="float", domain=(-1.2, 1.2),
    emit=lambda e, x: e.tan(x),
    says="The tangent: its slope is 1 + y².",
)  # fmt: skip
def tan(xp: Any, x: Array) -> Array:
    return xp.tan(x)


@elementwise(
    derivative=lambda g, y, x: g / sqrt(1 - x * x),
    latex=r"\arcsin {x}", prec=FUNC, only="float", domain=(-0.9, 0.9),
    emit=lambda e, x: e.asin(x),
    says="The angle whose sine is x.",
)  # fmt: skip
def asin(xp: Any, x: Array) -> Array:
    return xp.arcsin(x)


@elementwise(
    derivative=lambda g, y, x: -(g / sqrt(1 - x * x)),
    latex=r"\arccos {x}", prec=FUNC, only="float", domain=(-0.9, 0.9),
    emit=lambda e, x: e.acos(x),
    says="The angle whose cosine is x.",
)  # fmt: skip
def acos(xp: Any, x: Array) -> Array:
    return xp.arccos(x)


@elementwise(
    derivative=lambda g, y, x: g / (x * x + 1),
    latex=r"\arctan {x}", prec=FUNC, only="float",
    emit=lambda e, x: e.atan(x),
    says="The angle whose tangent is x.",
)  # fmt: skip
def atan(xp: Any, x: Array) -> Array:
    return xp.arctan(x)


def _sinh_slope(g: Node, y: Node, x: Node) -> Node:
    return g * cosh(x)


@elementwise(
    derivative=_sinh_slope,
    latex=r"\sinh {x}", prec=FUNC, only="float",
    emit=lambda e, x: e.sinh(x),
    says="The hyperbolic sine: its slope is the hyperbolic cosine.",
)  # fmt: skip
def sinh(xp: Any, x: Array) -> Array:
    return xp.sinh(x)


@elementwise(
    derivative=lambda g, y, x: g * sinh(x),
    latex=r"\cosh {x}", prec=FUNC, only="float",
    emit=lambda e, x: e.cosh(x),
    says="The hyperbolic cosine: its slope is the hyperbolic sine.",
)  # fmt: skip
def cosh(xp: Any, x: Array) -> Array:
    return xp.cosh(x)


@elementwise(
    derivative=lambda g, y, x: g * (1 - y * y),
    latex=r"\tanh {x}", prec=FUNC, only="float",
    emit=lambda e, x: e.tanh(x),
    says="Squashes x into (-1, 1); its slope 1 - y² dies as |x| grows.",
)  # fmt: skip
def tanh(xp: Any, x: Array) -> Array:
    return xp.tanh(x)


@elementwise(
    derivative=lambda g, y, x: g * (y * (1 - y)),
    latex=r"\sigma({x})", prec=ATOM, only="float",
    emit=lambda e, x: e.sigmoid(x),
    says="Squashes x into (0, 1); its slope y(1 - y) is at most 1/4 and dies as |x| grows.",
)  # fmt: skip
def sigmoid(xp: Any, x: Array) -> Array:
    return xp.reciprocal(xp.exp(-x) + x.dtype.type(1))


@elementwise(
    derivative=lambda g, y, x: g * sigmoid(x),
    latex=r"\ln(1 + e^{{{x}}})", prec=ATOM, only="float",
    emit=lambda e, x: e.softplus(x),
    says="A smooth relu: its slope is the sigmoid.",
)  # fmt: skip
def softplus(xp: Any, x: Array) -> Array:
    return xp.logaddexp(x, x.dtype.type(0))


@elementwise(
    derivative=lambda g, y, x: g * (exp(-(x * x)) * (2 / math.sqrt(math.pi))),
    latex=r"\operatorname{{erf}}({x})", prec=ATOM, only="float",
    emit=lambda e, x: e.erf(x),
    says="The error function: the share of a bell curve within x; its slope is that bell.",
)  # fmt: skip
def erf(xp: Any, x: Array) -> Array:
    return erf_array(xp, x)
