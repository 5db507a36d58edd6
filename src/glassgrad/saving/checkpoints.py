"""A folder of checkpoints: the last few, and the best if asked for, whoever else writes there."""

from __future__ import annotations

import math
import os
import re
import secrets
import threading
import warnings
import weakref
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from ..errors import ArgumentError, GlassgradError
from . import container, disk, structure
from .errors import DamagedFile, FileError, MissingFile, refused
from .files import load

NAME = re.compile(r"(\d{8,})-step-(\d+)-([0-9a-f]{8})\.safetensors")


class DamagedCheckpoint(UserWarning):
    """The newest checkpoint was not whole, and an older one was loaded."""


class Checkpoint(NamedTuple):
    """A file in a folder of checkpoints."""

    order: int
    """Checkpoints are numbered as they are written."""
    step: int
    path: str
    run: str
    """Which `Checkpoints` wrote it."""


class Checkpoints:
    """Keeps the last checkpoints of a training in a folder of their own, which is made if it is not there.

    Args:
        folder: where.
        keep: how many of the newest are kept.
        best: "min" or "max" keeps one more, that of the lowest or highest ``score``; None does not.

    Checkpoints count in the order in which they were written, whatever their steps. Several processes may write into
    one folder: none removes what another that still runs has written, while what earlier runs left counts as its own.

    >>> import tempfile
    >>> from glassgrad.saving import Checkpoints
    >>> checkpoints = Checkpoints(tempfile.mkdtemp(), keep=2)
    >>> for step in range(5):
    ...     checkpoints.save({"step": step, "weights": gg.ones(3) * step}, step)
    >>> [found.step for found in checkpoints.all()], checkpoints.latest().step
    ([3, 4], 4)
    >>> checkpoints.load()
    {'step': 4, 'weights': tensor([4., 4., 4.])}
    """

    def __init__(
        self, folder: str | os.PathLike[str], keep: int = 3, *, best: Literal["min", "max"] | None = None
    ) -> None:
        if type(keep) is not int or keep < 1:
            raise ArgumentError("keep must be a positive integer", got=f"keep={keep!r}")
        if best not in (None, "min", "max"):
            raise ArgumentError("best must be 'min', 'max' or None", got=f"best={best!r}")
        self.folder, self.keep, self._best = os.path.abspath(disk.named(folder)), keep, best
        try:
            os.makedirs(self.folder, exist_ok=True)
        except OSError as error:
            raise refused(f"the folder {self.folder} cannot be made", error, "name another") from error
        self._run, self._process = secrets.token_hex(4), os.getpid()
        self._held: dict[str, int | None] = {}
        """The files of this run, each with the lock that tells other processes that it lives."""
        self._scores: dict[str, float | None] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _let_go, self._held)

    def save(self, state: Any, step: int, score: float | None = None) -> None:
        """Write a checkpoint, then remove those that are not to be kept any more.

        Args:
            state: what `glassgrad.save` takes.
            step: a number to find it by; 0 or more.
            score: what ``best`` goes by; NaN is never the best.

        Raises what `glassgrad.save` raises; all older checkpoints are then still there.
        """
        if isinstance(step, bool) or not hasattr(step, "__index__") or (step := step.__index__()) < 0:
            raise ArgumentError("step must be an integer, 0 or more", got=f"step={step!r}")
        if score is not None:
            score = float(score)
        elif self._best is not None:
            raise ArgumentError(f"to keep the best (best={self._best!r}), save needs a score", fix="give score=")
        packed, arrays = structure.pack(state)
        note, _ = structure.pack({"step": step, "score": score})
        parts = container.parts(packed, arrays, note)
        with self._lock:
            self._take_over_after_fork()
            order = max((found.order for found in self.all()), default=0) + 1
            name = f"{order:08}-step-{step}-{self._run}.safetensors"
            path = disk.target(os.path.join(self.folder, name))
            self._held[path] = disk.write(path, parts)
            self._scores[path] = score
            self._prune()

    def all(self) -> list[Checkpoint]:
        """What is there, oldest first."""
        try:
            names = os.listdir(self.folder)
        except OSError as error:
            raise refused(f"{self.folder} cannot be read", error, "check the name and the rights") from error
        found = [(match, name) for name in names if (match := NAME.fullmatch(name))]
        return sorted(Checkpoint(int(m[1]), int(m[2]), os.path.join(self.folder, name), m[3]) for m, name in found)

    def latest(self) -> Checkpoint | None:
        """The newest one by its name; whether it is whole shows when it is loaded. None if there is none."""
        return max(self.all(), default=None)

    def best(self) -> Checkpoint | None:
        """The one with the best score; of equal ones the first. None if none has a score."""
        return self._best_of(self.all())

    def load(self, step: int | None = None) -> Any:
        """The state that was saved last, or last at a step.

        If the newest is damaged, the newest one that is whole is loaded, with a DamagedCheckpoint warning that names
        both. Raises MissingFile when there is none, DamagedFile when none is whole.
        """
        damaged: list[GlassgradError] = []
        for found in reversed(self.all()):
            if step is not None and found.step != step:
                continue
            try:
                state = load(found.path)
            except MissingFile:
                continue  # another process has removed it meanwhile
            except (DamagedFile, FileError) as error:
                damaged.append(error)
                continue
            if damaged:
                reasons = "; ".join(error.asked for error in damaged)
                warnings.warn(f"{found.path} (step {found.step}) was loaded instead: {reasons}", DamagedCheckpoint, 2)
            return state
        what = "checkpoint" if step is None else f"checkpoint of step {step}"
        steps = sorted({found.step for found in self.all()})
        if damaged:
            raise DamagedFile(
                f"no {what} in {self.folder} is whole: " + "; ".join(error.asked for error in damaged),
                fix=f"there are those of steps {steps}" if step is not None else "start anew",
            )
        raise MissingFile(
            f"there is no {what} in {self.folder}",
            fix=f"there are those of steps {steps}" if steps else "save one first",
        )

    def _best_of(self, some: list[Checkpoint]) -> Checkpoint | None:
        scored = [(score, found) for found in some if (score := self._score(found)) is not None]
        if not scored:
            return None
        sign = -1 if self._best == "max" else 1
        return min(scored, key=lambda pair: (sign * pair[0], pair[1].order))[1]

    def _score(self, found: Checkpoint) -> float | None:
        """The score in a file; None if it has none that can be compared."""
        if found.path not in self._scores:
            self._scores[found.path] = None
            with suppress(ValueError, OSError), disk.opened(found.path) as file:
                self._scores[found.path] = structure.unpack(container.note_of(file), {})["score"]
        score = self._scores[found.path]
        return None if score is None or math.isnan(score) else score

    def _prune(self) -> None:
        """Remove all but the last and the best, of this run and of those that have ended."""
        mine = [found for found in self.all() if found.path in self._held or _is_free(found.path)]
        kept = mine[-self.keep :]
        if self._best is not None and (best := self._best_of(mine)) is not None:
            kept.append(best)
        for found in mine:
            if found in kept:
                continue
            self._scores.pop(found.path, None)
            if found.path in self._held:
                with suppress(OSError):
                    os.unlink(found.path)
                _let_go({found.path: self._held.pop(found.path)})
            else:
                disk.remove_if_free(found.path)

    def _take_over_after_fork(self) -> None:
        """In a forked process this is another run: the files so far are the parent's."""
        if self._process != os.getpid():
            self._run, self._process = secrets.token_hex(4), os.getpid()
            _let_go(self._held)
            self._scores.clear()


def _is_free(path: str) -> bool:
    """Whether no process that lives has written this file; False where nobody can tell."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return False
    try:
        return disk.locked(handle) is True
    finally:
        os.close(handle)


def _let_go(held: dict[str, int | None]) -> None:
    for handle in held.values():
        disk.release(handle)
    held.clear()
