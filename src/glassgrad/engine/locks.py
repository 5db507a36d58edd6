"""What keeps a step whole: one call at a time on the same tensors, no interrupt in the middle, no fork, no exit.

A run in machine code cannot be interrupted; what Python does before and after it can. Before it, everything is done in
an order in which nothing is lost when it stops halfway. What must follow it is done `Undisturbed`.
"""

from __future__ import annotations

import atexit
import importlib
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

try:  # what `signal` is made of: the same calls in a tenth of the time
    quick: Any = importlib.import_module("_signal")
except ImportError:
    quick = signal

LONG = 2.0
"""Seconds after a first signal from which on others are not held back any more."""
PATIENCE = 10.0
"""Seconds that a fork or a trace waits for what other threads are at to be whole."""
SIGNALS = [
    int(getattr(signal, name))
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGBREAK")
    if hasattr(signal, name)
]  # fmt: skip
"""Signals for which programs have handlers that raise."""


# -- one at a time ----------------------------------------------------------------------------------------------------

_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_of_cell: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
"""The lock of each tensor that compiled steps read or change, by its id."""
_makers: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_tracing = threading.RLock()


def lock_of(cells: Iterable[Any]) -> Any:
    """A lock for a step on these tensors: steps that have a tensor in common never run at the same time. Whoever has it
    may take it again."""
    cells = list(cells)
    with _tracing:
        found = {id(lock): lock for lock in (_of_cell.get(id(cell)) for cell in cells) if lock is not None}
        if not found:
            made = threading.RLock()
            _locks.add(made)
            found = {id(made): made}
        first, *others = (found[key] for key in sorted(found))
        for cell in cells:
            _of_cell.setdefault(id(cell), first)
    return _Several([first, *others]) if others else first


def making(step: Any) -> Any:
    """The lock of a step that is run for the first time, traced or compiled: by one thread only. A step may be copied,
    so it does not hold the lock itself."""
    with _tracing:
        return _makers.setdefault(step, threading.RLock())


@contextmanager
def alone() -> Iterator[None]:
    """While it is entered, this thread traces and no step runs: tensors may hold symbols in place of values."""
    with _tracing:
        taken = _take(_ordered(_locks))
        try:
            yield
        finally:
            for lock in reversed(taken):
                lock.release()


def _ordered(locks: Iterable[Any]) -> list[Any]:
    """Locks are always taken in this order."""
    return sorted(locks, key=id)


def _take(wanted: list[Any]) -> list[Any]:
    """Take all locks, but for those that nobody gives back in time."""
    return [lock for lock in wanted if lock.acquire(timeout=PATIENCE)]


class _Several:
    """Locks taken together, always in the same order."""

    def __init__(self, locks: list[Any]) -> None:
        self.locks = locks

    def __enter__(self) -> None:
        with Undisturbed(), ExitStack() as stack:
            for lock in self.locks:
                stack.enter_context(lock)
            stack.pop_all()

    def __exit__(self, *_: object) -> None:
        for lock in reversed(self.locks):
            lock.release()


# -- without interrupts -----------------------------------------------------------------------------------------------

_main = threading.main_thread().ident


class Undisturbed:
    """While it is entered, signals wait: their handlers, which may raise, are called when it is left. Python calls
    handlers in the main thread alone, so there is nothing to do in others. Whoever presses Ctrl-C again after a while,
    because a function never ends, is heard at once."""

    def __enter__(self) -> None:
        self.handlers: list[tuple[int, Any]] = []
        if threading.get_ident() != _main:
            return
        self.waiting: list[tuple[Any, int, Any]] = []
        self.first = 0.0
        try:
            for number in SIGNALS:
                handler = quick.getsignal(number)
                if callable(handler):
                    self.handlers.append((number, handler))
                    quick.signal(number, self._keep)
        except BaseException:
            self._restore()
            raise

    def __exit__(self, *_: object) -> None:
        if self.handlers:
            self._restore()
            if self.waiting:
                self._deliver()

    def _keep(self, number: int, frame: Any) -> None:
        handler = dict(self.handlers)[number]
        self.first = self.first or time.monotonic()
        if time.monotonic() - self.first > LONG:
            handler(number, frame)
        else:
            self.waiting.append((handler, number, frame))

    def _restore(self) -> None:
        """Put all handlers back, even if one that is back already raises."""
        try:
            while self.handlers:
                quick.signal(*self.handlers[-1])
                self.handlers.pop()
        except BaseException:
            self._restore()
            raise

    def _deliver(self) -> None:
        while self.waiting:
            handler, number, frame = self.waiting.pop(0)
            try:
                handler(number, frame)
            finally:
                self._deliver()


# -- forks and the end ------------------------------------------------------------------------------------------------

_more: list[Callable[[], list[Any]]] = []
_after: list[Callable[[], None]] = []
_last: list[Callable[[], None]] = []
_taken: list[Any] = []
_forking = threading.RLock()


def fork_after(also: Callable[[], list[Any]], then: Callable[[], None]) -> None:
    """Have forks wait for further locks, and do something in the child."""
    _more.append(also)
    _after.append(then)


def exit_with(then: Callable[[], None]) -> None:
    """Do something at the end of the process, when no step runs any more."""
    _last.append(then)


def _before_fork() -> None:
    """No step may be halfway through: the child has no thread that could complete it."""
    _forking.acquire()
    _taken[:] = _take(_ordered(_makers.values()))  # first: from here on nobody makes locks
    _taken.extend(_take([_tracing]))
    _taken.extend(_take(_ordered(_locks)))
    _taken.extend(_take([lock for more in _more for lock in more()]))


def _parent() -> None:
    for lock in reversed(_taken):
        lock.release()
    _taken.clear()
    _forking.release()


def _child() -> None:
    global _main  # noqa: PLW0603 - the thread that forked is the child's only one
    _main = threading.main_thread().ident
    mine = set(map(id, _taken))
    for lock in [*_makers.values(), _tracing, *_locks]:
        if id(lock) not in mine and hasattr(lock, "_at_fork_reinit"):  # who had it for too long is not here any more
            lock._at_fork_reinit()
    for then in _after:
        then()
    _parent()


def _at_exit() -> None:
    """No thread may be in machine code while the memory it works in is freed. The locks are never given back."""
    end = time.monotonic() + 0.3
    for lock in list(_locks):
        lock.acquire(timeout=max(0.0, end - time.monotonic()))
    for then in _last:
        then()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_parent, after_in_child=_child)
atexit.register(_at_exit)
