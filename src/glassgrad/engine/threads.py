"""Threads that run one step together.

A step is a list of phases, each cut into chunks. A thread takes the chunks of its own part of a phase first, then what
is left of the others'; a phase is over when all its chunks are done, whoever did them. So a thread that the system has
stopped for the sake of another program holds up no more than the chunk that it is at, and one that has not come yet
holds up nothing. Which thread does what makes no difference to the numbers.

The workers are Python threads that never come back to Python: they wait in machine code for the next run, spinning for
a moment and then asleep on a futex, so that an idle pool costs nothing and a busy machine is not kept busier.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from . import locks
from .crew import BUSY, FIRST, LINE, STOP, code


class Phase(NamedTuple):
    """What all threads do before any of them goes on: a function of the table, a first and a last unit,
    and the number of the thread."""

    address: int
    chunks: int
    units: int


class Job:
    """A list of phases in memory, as the machine code reads it."""

    def __init__(self, phases: Sequence[Phase], count: int, table: int) -> None:
        self.words = np.zeros(FIRST // 8 + 3 * len(phases), np.int64)
        self.counters = np.zeros((len(phases) * (count + 1) + 1) * LINE, np.uint8)
        counters = self.counters.ctypes.data
        self.words[:5] = 0, len(phases), count, table, counters + -counters % LINE
        if phases:
            self.words[FIRST // 8 :] = np.array(phases, np.int64).ravel()
        self.address = self.words.ctypes.data


class Pool:
    """So many threads, the calling one included."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.memory = np.zeros(BUSY + LINE * (count + 1), np.uint8)
        start = self.memory.ctypes.data
        self.control = start + -start % LINE
        self.lock = threading.RLock()
        """Held while a job runs. The garbage collector may end a step in whatever thread it finds itself in."""
        self.closed = False
        made = code()
        self._worker = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(made.address("worker"))
        self._launch = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(made.address("launch"))
        self._settle = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(made.address("settle"))
        self.threads: list[threading.Thread] = []

    def run(self, job: Job) -> None:
        """Have all threads run a job, the calling one too; a thread that cannot be had is done without."""
        with self.lock:
            if not self.threads and not self.closed:
                with locks.Undisturbed():
                    self._start()
            self._launch(self.control, job.address)

    def _start(self) -> None:
        for tid in range(1, self.count):
            name = f"glassgrad {tid}"
            thread = threading.Thread(target=self._worker, args=(self.control, tid), name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads for this process
                break
            self.threads.append(thread)

    def settle(self) -> None:
        """Wait until no worker is in any job, so that what a job runs can be freed."""
        with self.lock:
            if not self.closed:
                self._settle(self.control, self.count - 1)

    def close(self) -> None:
        """End the workers. Jobs that come later run on the thread that asks."""
        self.closed = True
        ctypes.c_int32.from_address(self.control + STOP).value = 1
        empty = Job([], self.count, 0)
        self._launch(self.control, empty.address)
        self._settle(self.control, self.count - 1)
        for thread in self.threads:
            thread.join(0.2)

    def forked(self) -> None:
        """In a child process the workers are gone: others are started when they are needed."""
        self.memory[:] = 0
        self.threads = []


_pools: dict[int, Pool] = {}


def pool(count: int) -> Pool:
    """The pool of so many threads, made when it is first asked for."""
    held = _pools.get(count)
    if held is None:
        held = _pools.setdefault(count, Pool(count))
    return held


def _forked() -> None:
    for held in _pools.values():
        held.forked()


def _exiting() -> None:
    for held in _pools.values():
        if held.lock.acquire(timeout=0.3):  # and never released: no thread may run a job from now on
            held.close()


locks.fork_after(lambda: [held.lock for held in _pools.values()], _forked)
locks.exit_with(_exiting)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
