"""How a training is told: a bar in a terminal, else one line an epoch."""

from __future__ import annotations

import sys
import time
from typing import Any

from .history import Row

OFTEN = 0.1
"""Seconds between two looks of the bar, so that small steps are not slowed down."""


class Teller:
    """Tells nothing; base of those who do."""

    def start(self, epochs: int, done: float, steps: int | None) -> None:
        """A training of so many epochs begins, of which ``done`` are over; so many batches make an epoch, if known."""

    def wants(self) -> bool:
        """Whether it is time for `step`, which is left out else: what small steps do must not be to tell of them."""
        return False

    def step(self, epoch: int, batch: int, facts: dict[str, float]) -> None:
        """A batch of an epoch is done, counted from 1, with these means so far."""

    def epoch(self, row: Row, epochs: int) -> None:
        """An epoch is over."""

    def end(self) -> None:
        """It is over."""


class Lines(Teller):
    """A line an epoch, printed, or written by a Console of rich's."""

    def __init__(self, console: Any = None) -> None:
        self.console = console

    def start(self, epochs: int, done: float, steps: int | None) -> None:
        self.began, self.done, self.epochs = time.perf_counter(), done, epochs

    def epoch(self, row: Row, epochs: int) -> None:
        spent = time.perf_counter() - self.began
        left = spent / max(row["epoch"] - self.done, 1e-9) * (epochs - row["epoch"])
        self.say(f"{line_of(row, epochs)}  left {clock(left)}")

    def say(self, line: str) -> None:
        """Print it."""
        if self.console is None:
            print(line, flush=True)
        else:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)


class Bar(Lines):
    """A bar of rich's that is drawn anew for each epoch, and a line for each epoch that is over."""

    bar: Any = None

    def start(self, epochs: int, done: float, steps: int | None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        super().start(epochs, done, steps)
        self.steps, self.looked = steps, 0.0
        told = TextColumn("{task.fields[told]}")
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"), BarColumn(20), MofNCompleteColumn(), told,
            console=self.console, transient=True, auto_refresh=False,
        )  # fmt: skip
        self.task = self.bar.add_task("", total=steps, epoch=f"{int(done) + 1}/{epochs}", told="")
        self.bar.start()

    def wants(self) -> bool:
        return time.perf_counter() - self.looked >= OFTEN

    def step(self, epoch: int, batch: int, facts: dict[str, float]) -> None:
        now = self.looked = time.perf_counter()
        told = "  ".join(written(name, value) for name, value in facts.items())
        if self.steps:
            share = epoch - 1 + batch / self.steps
            told += f"  left {clock((now - self.began) / max(share - self.done, 1e-9) * (self.epochs - share))}"
        self.bar.update(self.task, completed=batch, epoch=f"{epoch}/{self.epochs}", told=told, refresh=True)

    def end(self) -> None:
        if self.bar is not None:
            self.bar.stop()


def teller(progress: Any) -> Teller:
    """Who tells: for None a bar in a terminal, else lines; for True lines or a bar likewise; for False nobody; for a
    Console of rich's whatever that is good for."""
    if progress is False:
        return Teller()
    if progress is None or progress is True:
        if not sys.stdout.isatty():
            return Lines()
        from rich.console import Console

        progress = Console()
    return (Bar if progress.is_terminal else Lines)(progress)


def line_of(row: Row, epochs: int) -> str:
    """An epoch in a line."""
    told = [written(name, value) for name, value in row.items() if name not in ("epoch", "step", "seconds")]
    return "  ".join([f"epoch {row['epoch']}/{epochs}", *told])


def written(name: str, value: Any) -> str:
    """A number of a row with its name, short."""
    if name == "samples_per_second":
        return f"{value:,.0f} samples/s"
    return f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"


def clock(seconds: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    whole = round(max(seconds, 0.0))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
