"""Where in the data a training is, and what this epoch's means are made of so far."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import ArgumentError, StateError
from .data import count_of, skip
from .state import Sources


class Place:
    """A position in an epoch.

    The order of an epoch comes from generators when it begins. So the states of these at its beginning, and how many
    batches are over, are all that it takes to find the same place in the same order again.
    """

    def __init__(self, start: dict[str, Any], columns: int, batches: int | None) -> None:
        self.start, self.batches = start, batches
        self.now: dict[str, Any] | None = None
        """States at the position, after the steps so far; None at the beginning of an epoch."""
        self.batch = 0
        self.rows = 0
        self.sums = [0.0] * columns
        self.seconds = 0.0

    def count(self, values: list[float], rows: int) -> None:
        """One batch more, with its means of so many rows."""
        self.batch += 1
        self.rows += rows
        for column, value in enumerate(values):
            self.sums[column] += value * rows

    def means(self) -> list[float]:
        """Means over all rows so far."""
        return [total / self.rows for total in self.sums]

    def ended(self) -> None:
        """The epoch has no more batches. Raises ArgumentError if it had none."""
        if not self.rows:
            raise ArgumentError("the data has no batches", fix="check its length; drop_last leaves out a small one")

    def go(self, loader: Any, sources: Sources) -> Iterator[Any]:
        """The rest of the epoch's batches. Raises StateError if the data is not what it was."""
        count = count_of(loader)
        if self.batches is not None and count is not None and count != self.batches:
            raise StateError(
                "the data is not that of the checkpoint",
                got=f"{count} batches in an epoch, {self.batches} at the checkpoint",
                fix="resume with the same data and batch size",
            )
        sources.set(self.start)
        found: Iterator[Any] = iter(loader)
        if self.batch:
            skip(found, self.batch)
            assert self.now is not None
            sources.set(self.now)
        return found

    def state(self, sources: Sources) -> dict[str, Any]:
        """The position as plain data."""
        now = sources.get() if self.batch else None
        kept = {"batch": self.batch, "rows": self.rows, "sums": self.sums, "seconds": self.seconds}
        return {"start": self.start, "now": now, "batches": self.batches, **kept}

    @classmethod
    def of(cls, state: Any) -> Place:
        """`state` undone. Raises StateError where there is none."""
        if not isinstance(state, dict):
            raise StateError("the state of a trainer without its place in the data is no checkpoint to resume from")
        made = cls(state["start"], len(state["sums"]), state["batches"])
        made.now = state["now"]
        kept = ("batch", "rows", "sums", "seconds")
        made.batch, made.rows, made.sums, made.seconds = (state[name] for name in kept)
        return made
