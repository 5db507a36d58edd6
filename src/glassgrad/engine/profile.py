"""How long each kernel of a step takes, and what the processor can do at most. Taken on copies of all tensors, so that
looking at a step changes nothing of the user's."""

from __future__ import annotations

import ctypes
import functools
import time

import numpy as np

from . import jit
from .emit.ir import Module
from .emit.values import F32, I64, PTR
from .native import Native
from .program import CONST
from .traced import Trace

LONG = 0.2
"""Seconds that a step is repeated for its times."""


def times(trace: Trace, engine: Native) -> list[float]:
    """Seconds of each kernel, the mean of many runs on copies of everything."""
    twin = Native(trace, engine.threads, engine.target, profile=True)
    inputs = dict(zip(twin.program.inputs, engine.program.inputs, strict=True))
    for val, slot in twin.slots.items():
        if val.op != CONST:
            known = engine.held.get(inputs[val]) if val in inputs else None
            array = np.zeros(val.shape, val.dtype) if known is None else np.array(known, order="C")
            twin.held[val] = array
            twin.table[slot] = array.ctypes.data
    twin.execute()
    twin.cycles()
    total, runs = np.zeros(len(twin.groups)), 0
    start = time.perf_counter()
    while time.perf_counter() - start < LONG or runs < 3:
        twin.execute()
        total += twin.cycles()
        runs += 1
    rate = _cycles_a_second()
    return [float(each) / runs / rate for each in total]


def _cycles_a_second() -> float:
    """How quickly the clock of `readcyclecounter` goes."""
    text = """define i64 @now() { %c = call i64 @llvm.readcyclecounter()
 ret i64 %c }
declare i64 @llvm.readcyclecounter()"""
    code = jit.compile_ir(text)
    now = ctypes.CFUNCTYPE(ctypes.c_int64)(code.address("now"))
    start, first = time.perf_counter(), now()
    while time.perf_counter() - start < 0.02:
        pass
    last, end = now(), time.perf_counter()
    return float(last - first) / (end - start)


@functools.cache
def peak_of(target: jit.Target) -> float:
    """Floating-point operations in a second of one core's multiply-add units, measured: sums that wait for nothing."""
    lanes, chains, turns = target.width // 32, 12, 200_000
    module = Module(has_fma=target.has_fma)
    module.attributes = f'nounwind "target-cpu"="{target.cpu}" "prefer-vector-width"="{target.width}"'
    f = module.function("peak", [("out", PTR), ("turns", I64)])
    f.internal = False
    wide = F32.of(lanes)
    factor, start = f.const(0.999, wide), [f.const(float(k), wide) for k in range(chains)]
    with f.loop(f.index(0), f.params[1], 1, start) as turn:
        turn.next(*[f.fma(held, factor, factor) for held in turn.carried])
    for k, held in enumerate(turn.results):
        f.store(held, f.at(f.params[0], f.index(k * lanes), F32))
    f.ret()
    code = jit.compile_ir(str(module), target)
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(code.address("peak"))
    out = np.zeros(chains * lanes, np.float32)
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        call(out.ctypes.data, turns)
        best = min(best, time.perf_counter() - begin)
    return 2.0 * lanes * chains * turns / best
