"""Ctrl-C while a training runs: the first one asks it to stop after the step, the second one stops at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """In a ``with``: `asked` says whether Ctrl-C was pressed. In other threads than the main one nothing is changed."""

    def __init__(self) -> None:
        self.asked = False
        self.before: Any = None
        self.on = False

    def __enter__(self) -> Interrupt:
        mine = threading.current_thread() is threading.main_thread()
        self.before = signal.getsignal(signal.SIGINT) if mine else None
        # who has set a handler of their own, or ignores Ctrl-C (as a job in the background does), keeps that
        self.on = self.before is signal.default_int_handler
        if self.on:
            signal.signal(signal.SIGINT, self._pressed)
        return self

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self.before)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.on:
            signal.signal(signal.SIGINT, self.before)
