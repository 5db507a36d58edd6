"""Elementwise functions of the native engine over NumPy arrays, and how far from the truth they are."""

from __future__ import annotations

import ctypes
import functools
import importlib
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from glassgrad.engine import jit
from glassgrad.engine.emit import ir, values
from glassgrad.engine.emit import math as emitted

Array = Any
UNARY = ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf", "sinh", "cosh",
         "sin", "cos", "tan", "asin", "acos", "atan")  # fmt: skip
NUMPY = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
DTYPES = ("float32", "float64")
KINDS = {"float32": values.F32, "float64": values.F64}


@functools.cache
def compiled(name: str, dtype: str, lanes: int, without: str = "") -> Callable[..., Array]:
    """A function over flat arrays of a whole number of vectors; `without`: a kind of vector instructions."""
    target = jit.restricted(without) if without else jit.host()
    text = module(name, dtype, lanes, target)
    code = jit.compile_ir(text, target)
    count = 3 if name == "pow" else 2
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * count, ctypes.c_int64)(code.address("kernel"))

    def call(*arrays: Array, out: Array | None = None) -> Array:
        arrays = tuple(np.ascontiguousarray(a, dtype) for a in arrays)
        assert all(a.shape == arrays[0].shape and a.size % (lanes or 1) == 0 for a in arrays)
        out = np.empty_like(arrays[0]) if out is None else out
        run(*(a.ctypes.data for a in arrays), out.ctypes.data, out.size)
        return out

    call.run, call.code = run, code  # type: ignore[attr-defined]  # the machine code lives as long as `code`
    return call


def module(name: str, dtype: str, lanes: int, target: jit.Target) -> str:
    """The IR of a loop over arrays."""
    made = ir.Module(has_fma=target.has_fma, has_scalef=target.has_scalef)
    operands = ["x", "y"] if name == "pow" else ["x"]
    f = made.function("kernel", [*((p, values.PTR) for p in [*operands, "out"]), ("count", values.I64)])
    f.internal = False
    *sources, out, count = f.params
    entry = KINDS[dtype]
    with f.loop(f.index(0), count, lanes or 1) as loop:
        loaded = [f.load(f.at(source, loop.index, entry), entry.of(lanes)) for source in sources]
        f.store(getattr(emitted, name)(f, *loaded), f.at(out, loop.index, entry))
        loop.next()
    f.ret()
    return str(made)


def numpy_rule(name: str) -> Callable[..., Array]:
    """The function in float64, right to a few units of float64."""
    if name == "erf":
        return importlib.import_module("scipy.special").erf  # type: ignore[no-any-return]
    if name == "sigmoid":
        return lambda x: np.where(x < 0, np.exp(-abs(x)), 1.0) / (1.0 + np.exp(-abs(x)))
    if name == "softplus":
        return lambda x: np.maximum(x, 0.0) + np.log1p(np.exp(-abs(x)))
    if name == "pow":
        return np.power
    return getattr(np, NUMPY.get(name, name))  # type: ignore[no-any-return]


def last_place(wanted: Array, dtype: Any) -> Array:
    """One unit in the last place at float64 numbers, for a dtype that need not be theirs."""
    info = np.finfo(dtype)
    below = (wanted.view(np.uint64) & np.uint64(0x7FF << 52)).view(np.float64)  # the power of 2 below
    return np.maximum(below * 2.0**-info.nmant, float(info.smallest_subnormal))


def ulps(got: Array, wanted: Array, rest: Array | float = 0.0) -> Array:
    """|got - wanted - rest| in units in the last place of got's dtype at `wanted`, which is float64; so is `rest`, in
    those units.

    0 where both are nan or the same infinity; infinite where only one is nan or a zero has the wrong sign. Where
    `wanted` is finite, an infinite float32 counts as the power of 2 that comes after its largest number.
    """
    with np.errstate(all="ignore"):
        nearest = wanted.astype(got.dtype)
        unit = last_place(wanted, got.dtype)
        wide = got.astype(np.float64)
        if got.dtype == np.float32:
            wide = np.where(np.isinf(got), np.copysign(2.0**128, got), wide)
        error = abs((wide - wanted) / unit - rest)
    error[(got == nearest) & np.isinf(nearest) | np.isnan(got) & np.isnan(wanted)] = 0.0
    error[np.isnan(error) | (got == 0) & (np.signbit(got) != np.signbit(wanted))] = np.inf
    return error


# -- where to look ------------------------------------------------------------------------------------------------

SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, math.inf, -math.inf, math.nan)
SPANS: dict[str, list[tuple[float, float]]] = {
    "exp": [(-110, 90), (-760, 720)],
    "expm1": [(-1, 1), (-40, 90), (-45, 720)],
    "log": [(0.5, 2), (0.999, 1.001)],
    "log1p": [(-0.999, 1), (-1, -0.999), (1, 1e6)],
    "tanh": [(-1, 1), (-25, 25)],
    "sigmoid": [(-8, 8), (-110, 40), (-750, 0)],
    "softplus": [(-8, 8), (-110, 40), (-750, 0)],
    "erf": [(-1.1, 1.1), (-6.5, 6.5)],
    "sinh": [(-1.1, 1.1), (-90, 90), (-712, 712)],
    "cosh": [(-1.1, 1.1), (-90, 90), (-712, 712)],
    "sin": [(-1, 1), (-10, 10), (-1e5, 1e5)],
    "cos": [(-1, 1), (-10, 10), (-1e5, 1e5)],
    "tan": [(-1, 1), (-10, 10), (-1e5, 1e5)],
    "asin": [(-1, 1), (0.45, 0.55), (0.99, 1)],
    "acos": [(-1, 1), (0.45, 0.55), (0.99, 1), (-1, -0.99)],
    "atan": [(-1.1, 1.1), (-40, 40)],
}
"""Where each function is delicate, for both dtypes: around its zeros, joints and thresholds."""
HARDEST = 6381956970095103 * 2.0**797
"""The float64 that is nearest to a multiple of pi/2 (Muller, "Elementary Functions", section 11.3)."""


@functools.cache
def near_multiples(dtype: str) -> list[float]:
    """For each power of 2 the numbers up to the next that are nearest to multiples of pi/2.

    They are m · unit for the best approximations m / n of pi/2 / unit, which are the convergents of its continued
    fraction.
    """
    info = np.finfo(dtype)
    found = []
    with mpmath.workprec(1400):
        for exponent in range(info.maxexp):
            ratio = mpmath.ldexp(mpmath.pi / 2, info.nmant - exponent)
            left, (m_before, m), (n_before, n) = ratio, (1, int(ratio)), (0, 1)
            while m < 1 << (info.nmant + 1):
                if m >= 1 << info.nmant:
                    found.append(math.ldexp(m, exponent - info.nmant))
                left = 1 / (left - mpmath.floor(left))
                step = int(left)
                m_before, m, n_before, n = m, step * m + m_before, n, step * n + n_before
    return found


def of_all_exponents(dtype: str, count: int, rng: np.random.Generator) -> Array:
    """Numbers whose bits are random."""
    size = np.dtype(dtype).itemsize
    return rng.integers(0, 1 << (8 * size), count, dtype=f"uint{8 * size}").view(dtype)


def delicate(name: str, dtype: str, count: int, rng: np.random.Generator) -> Array:
    """`count` entries from each of the function's spans, near multiples of pi/2 if it has those, and special ones."""
    parts = [rng.uniform(low, high, count) for low, high in SPANS[name]]
    if name in ("sin", "cos", "tan"):
        turns = np.concatenate([np.arange(count), rng.integers(0, 1 << 20, count)])
        parts += [turns * (math.pi / 2), near_multiples(dtype), [HARDEST]]
    if name in ("log", "asin", "acos"):  # near 1 with all distances
        parts.append(1 - np.ldexp(rng.uniform(0.5, 1, count), rng.integers(-52, 0, count)))
    with np.errstate(over="ignore"):
        least, most = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
        return np.concatenate([*parts, SPECIAL, [least, -least, most, -most]]).astype(dtype)


# -- the truth ----------------------------------------------------------------------------------------------------

EXACT: dict[str, Callable[..., Any]] = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "pow": mpmath.power,
}


def domain(name: str, x: Array) -> Array:
    """Where the function of finite x is a finite real number before rounding."""
    inside = {"log": x > 0, "log1p": x > -1, "asin": abs(x) <= 1, "acos": abs(x) <= 1}.get(name, True)
    return np.isfinite(x) & inside


def truth(name: str, *operands: Array) -> tuple[Array, Array]:
    """(wanted, rest): the function of float64 entries in its domain by mpmath, rounded, and how far that is from the
    truth in units in the last place."""
    function = EXACT.get(name) or getattr(mpmath, name)
    wanted, rest = np.empty(operands[0].size), np.zeros(operands[0].size)
    with mpmath.workprec(140):
        largest = mpmath.mpf(np.finfo(float).max)
        for i, entry in enumerate(zip(*(o.tolist() for o in operands), strict=True)):
            exact = function(*map(mpmath.mpf, entry))
            wanted[i] = math.copysign(math.inf, exact) if abs(exact) > largest else float(exact)
            if math.isfinite(wanted[i]):
                unit = float(last_place(wanted[i : i + 1], np.float64)[0])
                rest[i] = float((exact - mpmath.mpf(wanted[i])) / mpmath.mpf(unit))
            if wanted[i] == 0:  # mpmath has no -0; every function here keeps the sign of a zero or has none
                wanted[i] = math.copysign(0.0, entry[0]) if exact == 0 and name != "log" else 0.0 * mpmath.sign(exact)
    return wanted, rest
