"""Elementwise functions of the native engine over NumPy arrays, and how far from the truth they are."""

from __future__ import annotations

import ctypes
import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.engine import jit
from glassgrad.engine.emit import ir
from glassgrad.engine.emit import math as emitted

Array = Any
UNARY = ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf", "sinh", "cosh",
         "sin", "cos", "tan", "asin", "acos", "atan")  # fmt: skip
NUMPY = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
DTYPES = ("float32", "float64")
KINDS = {"float32": ir.F32, "float64": ir.F64}


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
    f = made.function("kernel", [*((p, ir.PTR) for p in [*operands, "out"]), ("count", ir.I64)])
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


def ulps(got: Array, wanted: Array) -> Array:
    """|got - wanted| in units in the last place of got's dtype at wanted, which is in a wider format.

    0 where both are nan or the same infinity, or where rounding `wanted` gives `got`'s infinity; infinite where only
    one is nan, or the sign of a zero differs.
    """
    dtype = got.dtype
    info = np.finfo(dtype)
    with np.errstate(all="ignore"):
        nearest = wanted.astype(dtype)
        wide = got.astype(wanted.dtype)
        _, exponent = np.frexp(wanted)
        unit = np.ldexp(wanted.dtype.type(1), np.maximum(exponent - 1, info.minexp) - info.nmant)
        error = abs(wide - wanted) / unit
    same = (got == nearest) & ~np.isfinite(nearest) | np.isnan(got) & np.isnan(wanted)
    error = np.where(same, 0.0, error)
    broken = np.isnan(error) | (np.isnan(got) != np.isnan(wanted))
    broken |= (wanted == 0) & (got == 0) & (np.signbit(got) != np.signbit(wanted))
    return np.where(broken, np.inf, error)
