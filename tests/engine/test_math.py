"""The native engine's elementwise functions against mpmath and NumPy's float64, over the whole range of both dtypes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from tests.engine.elementwise import (
    DTYPES,
    SPECIAL,
    UNARY,
    compiled,
    delicate,
    domain,
    numpy_rule,
    of_all_exponents,
    truth,
    ulps,
)

Array = Any
BOUNDS = {
    "exp": (1.1, 1.1),
    "expm1": (1.2, 1.2),
    "log": (0.9, 0.9),
    "log1p": (0.9, 0.9),
    "tanh": (1.5, 2.5),
    "sigmoid": (1.9, 1.9),
    "softplus": (2.0, 2.0),
    "erf": (1.4, 1.1),
    "sinh": (1.7, 1.7),
    "cosh": (1.4, 1.4),
    "sin": (0.8, 0.8),
    "cos": (0.8, 0.8),
    "tan": (1.1, 1.0),
    "asin": (1.8, 1.8),
    "acos": (1.3, 1.3),
    "atan": (1.3, 1.3),
    "pow": (0.7, 1.1),
}
"""The largest error in units in the last place, for float32 and for float64, on targets with and without fma."""
TARGETS = ("", "avx512", "avx2")
"""The host, and the host without some vector instructions; the last is without fma too."""
WIDTHS = (0, 4, 8, 16)
unary = pytest.mark.parametrize("name", UNARY)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
targets = pytest.mark.parametrize("without", TARGETS, ids=["host", "no-avx512", "no-fma"])


def within(name: str, dtype: str, errors: Array, *operands: Array) -> None:
    """Fails with the worst entry if the bound is exceeded."""
    bound = BOUNDS[name][DTYPES.index(dtype)]
    worst = int(np.argmax(errors))
    at = ", ".join(repr(o[worst]) for o in operands)
    assert errors[worst] <= bound, f"{name}({at}) is {errors[worst]:.3f} ULP off, and {bound} are allowed"


def padded(x: Array) -> Array:
    """With ones at the end for a whole number of the widest vectors."""
    return np.concatenate([x, np.ones(-x.size % 16, x.dtype)])


def every(stride: int, start: int = 0, stop: int = 1 << 32) -> Array:
    """Every stride-th float32 by its bits."""
    return np.arange(start, stop, stride, np.uint64).astype(np.uint32).view(np.float32)


@functools.cache
def float32_samples(name: str) -> tuple[Array, Array]:
    x = padded(np.concatenate([every(4099), delicate(name, "float32", 1 << 15, np.random.default_rng(1))]))
    return x, reference(name, x)


def reference(name: str, *operands: Array) -> Array:
    with np.errstate(all="ignore"):
        return numpy_rule(name)(*(o.astype(np.float64) for o in operands))


@functools.cache
def float64_samples(name: str) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(2)
    x = np.concatenate([of_all_exponents("float64", 1000, rng), delicate(name, "float64", 700, rng)])
    x = padded(x[domain(name, x)])
    return x, *truth(name, x)


@targets
@unary
def test_float32(name: str, without: str) -> None:
    x, wanted = float32_samples(name)
    within(name, "float32", ulps(compiled(name, "float32", 16, without)(x), wanted), x)


@unary
def test_float32_over_all_exponents(name: str, request: pytest.FixtureRequest) -> None:
    """All 2^32 float32 with --exhaustive, else four million of them."""
    stride = 1 if request.config.getoption("--exhaustive") else 1021
    step = stride << 22
    for start in range(0, 1 << 32, step):
        x = padded(every(stride, start, min(start + step, 1 << 32)))
        within(name, "float32", ulps(compiled(name, "float32", 16)(x), reference(name, x)), x)


@targets
@unary
def test_float64(name: str, without: str) -> None:
    x, wanted, rest = float64_samples(name)
    within(name, "float64", ulps(compiled(name, "float64", 8, without)(x), wanted, rest), x)


@targets
@dtypes
@unary
def test_special_values(name: str, dtype: str, without: str) -> None:
    """Zeros with their signs, infinities, nan, and what is outside the domain, as NumPy has them."""
    x = padded(np.array([*SPECIAL, 1.5, -1.5, -np.finfo(dtype).smallest_subnormal, -np.finfo(dtype).max], dtype))
    got, wanted = compiled(name, dtype, 16, without)(x), reference(name, x)
    with np.errstate(over="ignore"):
        nearest = wanted.astype(dtype)
    odd = np.isnan(nearest) | np.isinf(nearest) | (nearest == 0)
    np.testing.assert_array_equal(got[odd], nearest[odd])
    np.testing.assert_array_equal(np.signbit(got[nearest == 0]), np.signbit(nearest[nearest == 0]))
    np.testing.assert_allclose(got[~odd], nearest[~odd], rtol=4 * np.finfo(dtype).eps)


@targets
@dtypes
@pytest.mark.parametrize("name", [*UNARY, "pow"])
def test_the_bits_are_the_same_for_every_width(name: str, dtype: str, without: str) -> None:
    rng = np.random.default_rng(3)
    x = of_all_exponents(dtype, 2048, rng)
    operands = [x, rng.uniform(-3, 3, x.size).astype(dtype)] if name == "pow" else [x]
    if name != "pow":
        operands = [padded(np.concatenate([x, delicate(name, dtype, 256, rng)]))]
    first, *others = (compiled(name, dtype, lanes, without)(*operands) for lanes in WIDTHS)
    for other in others:
        np.testing.assert_array_equal(np.isnan(other), np.isnan(first))
        real = ~np.isnan(first)
        np.testing.assert_array_equal(other[real].view(f"u{x.itemsize}"), first[real].view(f"u{x.itemsize}"))


# -- powers -------------------------------------------------------------------------------------------------------


def powers(dtype: str, count: int) -> tuple[Array, Array]:
    """Bases and exponents whose powers are all over the range, with results near 1, subnormal and overflowing."""
    rng = np.random.default_rng(4)
    info = np.finfo(dtype)
    least, most = np.log(float(info.smallest_subnormal)), np.log(float(info.max))
    bases = np.exp(np.concatenate([rng.uniform(least, most, count), rng.uniform(-0.7, 0.7, count)]))
    near = 1 + np.ldexp(rng.uniform(-1, 1, count), -rng.integers(1, info.nmant, count))
    bases = np.concatenate([bases, near]).astype(dtype)
    bases = bases[(bases > 0) & (bases != 1) & np.isfinite(bases)]
    exponents = rng.uniform(1.01 * least, 1.01 * most, bases.size) / np.log(bases.astype(np.float64))
    exponents[::5] = np.round(exponents[::5])
    size = bases.size // 16 * 16
    with np.errstate(over="ignore"):
        exponents = np.clip(exponents, -float(info.max), float(info.max)).astype(dtype)
    return bases[:size], exponents[:size]


@targets
def test_pow_float32(without: str) -> None:
    x, y = powers("float32", 1 << 17)
    within("pow", "float32", ulps(compiled("pow", "float32", 16, without)(x, y), reference("pow", x, y)), x, y)


@functools.cache
def float64_powers() -> tuple[Array, Array, Array, Array]:
    x, y = powers("float64", 1500)
    return x, y, *truth("pow", x, y)


@targets
def test_pow_float64(without: str) -> None:
    x, y, wanted, rest = float64_powers()
    within("pow", "float64", ulps(compiled("pow", "float64", 8, without)(x, y), wanted, rest), x, y)


@targets
@dtypes
def test_pow_at_the_corners(dtype: str, without: str) -> None:
    """Zeros, infinities, nan, negative bases, and exponents that are odd, even or not whole, up to the largest."""
    info = np.finfo(dtype)
    whole = 2.0**info.nmant
    sides = [0.0, 1.0, 0.5, 1.5, 2.0, 3.0, np.inf, info.smallest_subnormal, info.max, 1 - info.epsneg, 1 + info.eps,
             whole - 0.5, whole, whole + 1, 2 * whole - 1, 2 * whole]  # fmt: skip
    values = np.array([*sides, *(-s for s in sides), np.nan], dtype)
    x, y = (padded(grid.ravel()) for grid in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        wanted = np.power(x, y)
    got = compiled("pow", dtype, 16, without)(x, y)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
    np.testing.assert_array_equal(np.signbit(got)[~np.isnan(got)], np.signbit(wanted)[~np.isnan(got)])
    np.testing.assert_allclose(got, wanted, rtol=4 * info.eps, atol=info.smallest_subnormal)
