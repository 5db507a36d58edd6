"""Threads that run one native function together, and wait for each other inside it.

The workers are Python threads that never come back to Python: they wait in machine code for the next step, spinning for
a moment and then asleep on a futex, so that an idle pool costs nothing and a busy machine is not kept busier.
Source of the barrier: M. Herlihy, N. Shavit, "The Art of Multiprocessor Programming", section 17.3 (sense reversal).
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import platform
import sys
import threading

import numpy as np

from . import jit

GENERATION, STOP, SLEEPERS, DONE, COUNT, TURN, FUNCTION, THREADS = (64 * place for place in range(8))
"""Byte offsets in the control block, one cache line each."""
SPINS = 4000
"""Looks before a worker without work goes to sleep, or a waiting thread lets others run."""


def _ir() -> str:
    """The worker's loop, the launch of a step, and the barrier."""
    x86 = platform.machine().lower() in ("x86_64", "amd64", "i686")
    pause = "call void @llvm.x86.sse2.pause()" if x86 else "call void @llvm.aarch64.hint(i32 1)"
    declared = "declare void @llvm.x86.sse2.pause()" if x86 else "declare void @llvm.aarch64.hint(i32)"
    linux = sys.platform.startswith("linux")
    wait = (
        "call i64 (i64, ...) @syscall(i64 %number, ptr %gen, i32 128, i32 %seen, ptr null)"
        if linux
        else "call i32 @usleep(i32 50)"
    )
    wake = "call i64 (i64, ...) @syscall(i64 %number, ptr %gen, i32 129, i32 1000000)" if linux else "add i64 0, 0"
    number = 202 if x86 else 98
    patience = f"""wait:
  %tired = icmp sgt i64 %spin, {SPINS}
  br i1 %tired, label %yield, label %rest
rest:
  {pause}
  br label %again
yield:
  %y = call i32 @sched_yield()
  br label %again
again:
  %spin1 = add i64 %spin, 1
  br label %look
out:
  ret void
}}"""
    return f"""
{declared}
declare i64 @syscall(i64, ...)
declare i32 @usleep(i32)
declare i32 @sched_yield()

define void @worker(ptr %c, i64 %tid) nounwind {{
entry:
  %number = add i64 0, {number}
  %gen = getelementptr i8, ptr %c, i64 {GENERATION}
  %stop = getelementptr i8, ptr %c, i64 {STOP}
  %sleepers = getelementptr i8, ptr %c, i64 {SLEEPERS}
  %done = getelementptr i8, ptr %c, i64 {DONE}
  %function = getelementptr i8, ptr %c, i64 {FUNCTION}
  %threads = getelementptr i8, ptr %c, i64 {THREADS}
  br label %idle
idle:
  %seen = phi i32 [ 0, %entry ], [ %now2, %finished ]
  br label %look
look:
  %spin = phi i64 [ 0, %idle ], [ %spin1, %again ]
  %now = load atomic i32, ptr %gen acquire, align 4
  %new = icmp ne i32 %now, %seen
  br i1 %new, label %work, label %again0
again0:
  %tired = icmp sgt i64 %spin, {SPINS}
  br i1 %tired, label %sleep, label %rest
rest:
  {pause}
  br label %again
sleep:
  %s0 = atomicrmw add ptr %sleepers, i32 1 seq_cst
  %w = {wait}
  %s1 = atomicrmw sub ptr %sleepers, i32 1 seq_cst
  br label %again
again:
  %spin1 = add i64 %spin, 1
  br label %look
work:
  %now2 = load atomic i32, ptr %gen acquire, align 4
  %end = load atomic i32, ptr %stop acquire, align 4
  %ending = icmp ne i32 %end, 0
  br i1 %ending, label %out, label %run
run:
  %f = load ptr, ptr %function
  %n = load i64, ptr %threads
  call void %f(i64 %tid, i64 %n)
  br label %finished
finished:
  %d = atomicrmw add ptr %done, i32 1 acq_rel
  br label %idle
out:
  ret void
}}

define void @launch(ptr %c, ptr %f) nounwind {{
entry:
  %number = add i64 0, {number}
  %gen = getelementptr i8, ptr %c, i64 {GENERATION}
  %sleepers = getelementptr i8, ptr %c, i64 {SLEEPERS}
  %done = getelementptr i8, ptr %c, i64 {DONE}
  %function = getelementptr i8, ptr %c, i64 {FUNCTION}
  %threads = getelementptr i8, ptr %c, i64 {THREADS}
  %n = load i64, ptr %threads
  store ptr %f, ptr %function
  store atomic i32 0, ptr %done release, align 4
  %g = atomicrmw add ptr %gen, i32 1 seq_cst
  %asleep = load atomic i32, ptr %sleepers seq_cst, align 4
  %some = icmp ne i32 %asleep, 0
  br i1 %some, label %wake, label %run
wake:
  %w = {wake}
  br label %run
run:
  call void %f(i64 0, i64 %n)
  %others = sub i64 %n, 1
  %others32 = trunc i64 %others to i32
  br label %look
look:
  %spin = phi i64 [ 0, %run ], [ %spin1, %again ]
  %d = load atomic i32, ptr %done acquire, align 4
  %all = icmp eq i32 %d, %others32
  br i1 %all, label %out, label %wait
{patience}

define void @barrier(ptr %c, i64 %n) nounwind {{
entry:
  %alone = icmp eq i64 %n, 1
  br i1 %alone, label %out, label %meet
meet:
  %count = getelementptr i8, ptr %c, i64 {COUNT}
  %turn = getelementptr i8, ptr %c, i64 {TURN}
  %before = load atomic i32, ptr %turn acquire, align 4
  %here = atomicrmw add ptr %count, i32 1 acq_rel
  %n32 = trunc i64 %n to i32
  %last32 = sub i32 %n32, 1
  %last = icmp eq i32 %here, %last32
  br i1 %last, label %open, label %look
open:
  store atomic i32 0, ptr %count monotonic, align 4
  %t = atomicrmw add ptr %turn, i32 1 release
  br label %out
look:
  %spin = phi i64 [ 0, %meet ], [ %spin1, %again ]
  %now = load atomic i32, ptr %turn acquire, align 4
  %over = icmp ne i32 %now, %before
  br i1 %over, label %out, label %wait
{patience}
"""


@functools.cache
def code() -> jit.Code:
    """The machine code of the pool, made once."""
    return jit.compile_ir(_ir())


class Pool:
    """So many threads, the calling one included."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.memory = np.zeros(64 * 9, np.uint8)
        start = self.memory.ctypes.data
        self.control = start + (-start) % 64
        self.pid = os.getpid()
        self.lock = threading.Lock()
        ctypes.c_int64.from_address(self.control + THREADS).value = count
        made = code()
        self._worker = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(made.address("worker"))
        self.launch = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(made.address("launch"))
        self.threads = [
            threading.Thread(target=self._worker, args=(self.control, tid), name=f"glassgrad {tid}", daemon=True)
            for tid in range(1, count)
        ]
        for thread in self.threads:
            thread.start()

    def close(self) -> None:
        """End the workers. The pool cannot be used any more."""
        if self.pid != os.getpid():
            return
        ctypes.c_int32.from_address(self.control + STOP).value = 1
        nothing = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(lambda *_: None)
        ctypes.c_int64.from_address(self.control + THREADS).value = 1
        self.launch(self.control, ctypes.cast(nothing, ctypes.c_void_p))
        for thread in self.threads:
            thread.join(1.0)


_pools: dict[int, Pool] = {}


def pool(count: int) -> Pool:
    """The pool of so many threads, made when it is first asked for, and anew after a fork."""
    held = _pools.get(count)
    if held is None or held.pid != os.getpid():
        held = _pools[count] = Pool(count)
    return held


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@atexit.register
def _close_all() -> None:
    for held in _pools.values():
        held.close()
    _pools.clear()
