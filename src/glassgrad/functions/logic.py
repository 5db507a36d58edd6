"""True or false for each entry, or for all: nan and inf, closeness, logic."""

from __future__ import annotations

import math

import numpy as np

from ..dispatch import leaf
from ..spec import is_float
from ..tensor import Tensor, wrap
from .pointwise import clone, where_
from .register import aligned, function


@function()
def isnan(input: Tensor) -> Tensor:
    """True where the entry is not a number."""
    return input != input  # noqa: PLR0124  (only nan differs from itself)


@function()
def isinf(input: Tensor) -> Tensor:
    """True where the entry is infinite."""
    return (input == math.inf) | (input == -math.inf)


@function()
def isfinite(input: Tensor) -> Tensor:
    """True where the entry is a finite number."""
    return (input > -math.inf) & (input < math.inf)


@function(inplace=True)
def nan_to_num(input: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """nan, inf and -inf replaced: by ``nan`` and, unless given, the largest and lowest number of the dtype."""
    if not is_float(input.dtype):
        return clone(input)
    largest = float(np.finfo(input.dtype).max)
    result = where_(isnan(input), nan, input)
    result = where_(result == math.inf, largest if posinf is None else posinf, result)
    return where_(result == -math.inf, -largest if neginf is None else neginf, result)


@function(inplace=True)
def logical_not(input: Tensor) -> Tensor:
    """True where the entry is 0."""
    return input == 0


@function(inplace=True)
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """True where both are not 0."""
    return (input != 0) & (other != 0)


@function(inplace=True)
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """True where either is not 0."""
    return (input != 0) | (other != 0)


@function(inplace=True)
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """True where exactly one is not 0."""
    return (input != 0) ^ (other != 0)


@function()
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """True where |input - other| <= atol + rtol * |other|."""
    a, b = aligned((input, other))
    return wrap(leaf(np.asarray(np.isclose(a.value, b.value, rtol, atol, equal_nan))))


@function()
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all entries are close: |input - other| <= atol + rtol * |other|."""
    return bool(isclose(input, other, rtol, atol, equal_nan).value.all())


@function()
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and the same entries."""
    return bool(np.array_equal(input.value, other.value))
