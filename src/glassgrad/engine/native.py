"""The native engine: a trace simplified, fused, planned, written as LLVM IR, compiled, and run."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..op import REGISTRY
from . import jit
from .access import VIEWS, with_copies
from .emit.ir import I64, PTR, Module
from .emit.loops import Kernel, write_loop
from .emit.matmul import write_matmul
from .fuse import fuse
from .groups import Group
from .program import CONST, INPUT, Program, Val, of_trace
from .simplify import simplify, with_masks
from .trace import Trace


class Native:
    """Runs a trace as machine code."""

    name = "native"

    def __init__(self, trace: Trace, threads: int | None = None, target: jit.Target | None = None) -> None:
        self.trace = trace
        self.target = target or jit.host()
        self.program = with_copies(with_masks(simplify(of_trace(trace))))
        self.groups = fuse(self.program)
        self.buffers: list[Val] = []
        self.place: dict[Val, int] = {}
        self.segments: list[Any] = []
        self.keep: list[Any] = []
        self._build()

    def _buffer(self, val: Val) -> int:
        if val not in self.place:
            self.place[val] = len(self.buffers)
            self.buffers.append(val)
        return self.place[val]

    def _build(self) -> None:
        module = Module()
        module.has_fma = "+fma" in self.target.features.split(",") or self.target.width >= 256
        module.attributes = f'nounwind "target-cpu"="{self.target.cpu}" "prefer-vector-width"="{self.target.width}"'
        calls: list[Any] = []
        for number, group in enumerate(self.groups):
            calls.append(self._kernel(module, f"k{number}", group))
        run: list[Kernel] = []
        plan: list[Any] = []
        for group, kernel in zip(self.groups, calls, strict=True):
            if kernel is None:
                if run:
                    plan.append(run)
                    run = []
                plan.append(group)
            else:
                run.append(kernel)
        if run:
            plan.append(run)
        names = []
        for number, part in enumerate(plan):
            if isinstance(part, list):
                self._segment(module, f"step{number}", part)
                names.append(f"step{number}")
        self.ir = str(module)
        self.code = jit.compile_ir(self.ir, self.target) if names else None
        for number, part in enumerate(plan):
            if isinstance(part, Group):
                self.segments.append(part)
            else:
                assert self.code is not None
                address = self.code.address(f"step{number}")
                self.segments.append(ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address))
        for val in (*self.program.inputs, *self.program.outputs):
            self._buffer(val)

    def _kernel(self, module: Module, name: str, group: Group) -> Kernel | None:
        float_only = group.vals[0].dtype.kind == "f"
        if group.kind == "loop":
            return write_loop(module, name, group, self.target.width, lambda v: v)
        if group.kind == "matmul" and float_only and group.size:
            return write_matmul(module, name, group, self.target.width, self.target.registers, lambda v: v)
        return None

    def _segment(self, module: Module, name: str, kernels: list[Kernel]) -> None:
        f = module.function(name, [("table", PTR)])
        f.internal = False
        for kernel in kernels:
            pointers = []
            for val in kernel.buffers:
                at = f.at(f.params[0], f.index(self._buffer(val)), I64)
                pointers.append(f.load(at, PTR))
            f.call(kernel.name, *pointers, f.index(0), f.index(kernel.units))
        f.ret()

    def run(self, arrays: Sequence[Any]) -> list[Any]:
        """The values of the outputs, given those of the inputs."""
        held: dict[Val, Any] = {}
        for val, array in zip(self.program.inputs, arrays, strict=True):
            held[val] = np.ascontiguousarray(array, val.dtype).reshape(val.shape)
        for val in self.buffers:
            if val.op == CONST:
                held[val] = np.ascontiguousarray(val.data)
            elif val.op != INPUT:
                held[val] = np.empty(val.shape, val.dtype)
        table = np.array([held[val].ctypes.data for val in self.buffers], np.int64)
        for part in self.segments:
            if isinstance(part, Group):
                (val,) = part.vals
                result = np.ascontiguousarray(_evaluate(val, held), val.dtype)
                if val in self.place:
                    held[val][...] = result
                else:
                    held[val] = result
            else:
                part(table.ctypes.data)
        return [held[val] for val in self.program.outputs]


def _evaluate(val: Val, held: dict[Val, Any]) -> Any:
    """A value by NumPy."""
    operands = [_looked(v, held) for v in val.ins]
    if val.op == "assemble":
        made = np.zeros(val.shape, val.dtype)
        for part, cuts in zip(operands, val.params["cuts"], strict=True):
            made[tuple(slice(*cut) for cut in cuts)] = part
        return made
    with np.errstate(all="ignore"):
        return REGISTRY[val.op].value(np, *operands, **val.params)


def _looked(val: Val, held: dict[Val, Any]) -> Any:
    """A value that may be a view."""
    if val.op == CONST:
        return val.data
    if val.op in VIEWS:
        return REGISTRY[val.op].value(np, _looked(val.ins[0], held), **val.params)
    return held[val]


def program_of(trace: Trace) -> Program:
    """What the engine makes of a trace before it forms kernels."""
    return with_copies(with_masks(simplify(of_trace(trace))))
