"""More elementwise functions: inverse hyperbolic ones, signs, angles, extremes that pass nan over."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dispatch import leaf
from ..spec import float64
from ..tensor import Tensor, wrap
from .create import make
from .logic import isnan
from .pointwise import clamp, sub, where_
from .register import function


@function(inplace=True, names=("arcsinh",))
def asinh(input: Tensor) -> Tensor:
    """The inverse of sinh."""
    size = input.abs()
    return ((size + size * size / ((size * size + 1).sqrt() + 1)).log1p()) * _side(input)


def _side(input: Tensor) -> Tensor:
    """1 at and above 0, -1 below: a sign that lets the slope at 0 through."""
    return where_(input < 0, -1.0, 1.0).to(input.dtype)


@function(inplace=True, names=("arccosh",))
def acosh(input: Tensor) -> Tensor:
    """The inverse of cosh, for numbers from 1 on."""
    above = input - 1
    return (above + (above * (input + 1)).sqrt()).log1p()


@function(inplace=True, names=("arctanh",))
def atanh(input: Tensor) -> Tensor:
    """The inverse of tanh, for numbers between -1 and 1."""
    return (input.log1p() - (-input).log1p()) * 0.5


@function(inplace=True)
def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(input² + other²), without overflow."""
    larger = input.abs().maximum(other.abs()).detach()
    scale = where_((larger == 0) | (larger == math.inf), 1.0, larger)
    return ((input / scale) ** 2 + (other / scale) ** 2).sqrt() * scale


@function(inplace=True)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(p / (1 - p)), the inverse of sigmoid; with ``eps``, p is held between eps and 1 - eps first."""
    p = input if eps is None else clamp(input, eps, 1 - eps)
    return (p / (1 - p)).log()


@function(inplace=True)
def sinc(input: Tensor) -> Tensor:
    """sin(πx) / (πx), and 1 at 0."""
    turned = input * math.pi
    zero = turned == 0
    return where_(zero, 1.0, turned.sin() / where_(zero, 1.0, turned))


@function(inplace=True)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below 0, 1 above it, and ``values`` at it."""
    return where_(input == 0, values, (input > 0).to(input.dtype))


@function(inplace=True)
def sgn(input: Tensor) -> Tensor:
    """`sign`, under the name that PyTorch gives it for complex numbers too."""
    return input.sign()


@function()
def signbit(input: Tensor) -> Tensor:
    """True where the sign is minus, that of -0 included."""
    if input.dtype.kind != "f":
        return input < 0
    return wrap(leaf(np.asarray(np.signbit(input.value))))


@function(inplace=True)
def copysign(input: Tensor, other: Any) -> Tensor:
    """The size of ``input`` with the sign of ``other``."""
    minus = signbit(other if isinstance(other, Tensor) else make(float(other)))
    size = input.abs()
    return where_(minus, -size, size)


@function()
def positive(input: Tensor) -> Tensor:
    """The tensor itself, as by the sign +."""
    return input


@function(inplace=True)
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians."""
    return input * (math.pi / 180)


@function(inplace=True)
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees."""
    return input * (180 / math.pi)


@function(inplace=True)
def float_power(input: Any, exponent: Any) -> Tensor:
    """input ** exponent, computed in float64."""
    a = input.to(float64) if isinstance(input, Tensor) else float(input)
    b = exponent.to(float64) if isinstance(exponent, Tensor) else float(exponent)
    return a**b


@function()
def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of two; a nan gives way to a number. The first gets the gradient at a tie."""
    return where_((input >= other) | isnan(other), input, other)


@function()
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of two; a nan gives way to a number. The first gets the gradient at a tie."""
    return where_((input <= other) | isnan(other), input, other)


@function()
def isposinf(input: Tensor) -> Tensor:
    """True where the entry is inf."""
    return input == math.inf


@function()
def isneginf(input: Tensor) -> Tensor:
    """True where the entry is -inf."""
    return input == -math.inf


@function()
def isreal(input: Tensor) -> Tensor:
    """True everywhere: there are no complex tensors."""
    return input.new_ones(input.shape, dtype="bool")


@function(method=False)
def rsub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """other - alpha * input."""
    return sub(other, input, alpha=alpha)
