"""What is done along the way: stop early, keep the best weights, write CSV and TensorBoard's events."""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from ..view import needed
from .history import Row

if TYPE_CHECKING:
    from .trainer import Trainer


class Callback:
    """Base of callbacks: define what you need. A plain function ``(trainer, row)`` is taken for an `on_epoch`.

    Any of them may call ``trainer.stop(reason)``. One that has ``state_dict()`` and ``load_state_dict(state)`` is saved
    in checkpoints.

    >>> from glassgrad.train import Callback
    >>> class Count(Callback):
    ...     steps = 0
    ...     def on_step(self, trainer, loss):
    ...         self.steps += 1
    """

    def on_start(self, trainer: Trainer) -> None:
        """`Trainer.fit` begins, or goes on after a resume."""

    def on_step(self, trainer: Trainer, loss: float) -> None:
        """A step was taken: ``trainer.step`` of them so far; the loss is that before the update."""

    def on_epoch(self, trainer: Trainer, row: Row) -> None:
        """An epoch is over; the row is that of the history, and may be added to."""

    def on_end(self, trainer: Trainer) -> None:
        """`Trainer.fit` is about to return."""


class EpochFunction(Callback):
    """A function as a callback."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def on_epoch(self, trainer: Trainer, row: Row) -> None:
        self.function(trainer, row)


class KeepBest(Callback):
    """Keeps the weights of the best epoch, and puts them back into the model when the training ends.

    Args:
        monitor: the column of the history that tells; by default "valid_loss" if there is one, else "loss".
        mode: "min" if less is better, "max" if more is.
        min_delta: how much better an epoch must be to count.
        restore: put the best weights back at the end.
        path: also save them there (`glassgrad.save`), each time there are better ones.

    Raises:
        ArgumentError: an unknown mode, a negative min_delta; later, a column that is not there.

    >>> from glassgrad.train import KeepBest
    >>> KeepBest("valid_accuracy", mode="max").best is None
    True
    """

    def __init__(
        self,
        monitor: str | None = None,
        *,
        mode: str = "min",
        min_delta: float = 0.0,
        restore: bool = True,
        path: str | Path | None = None,
    ) -> None:
        if mode not in ("min", "max"):
            raise ArgumentError("mode must be 'min' or 'max'", got=f"mode={mode!r}")
        if not min_delta >= 0:
            raise ArgumentError("min_delta must be 0 or more", got=f"min_delta={min_delta!r}")
        self.monitor, self.mode, self.min_delta, self.restore, self.path = monitor, mode, min_delta, restore, path
        self.best: float | None = None
        """The best value so far, None before there is one."""
        self.epoch = 0
        """The epoch that it is of."""
        self.bad = 0
        """Epochs since."""
        self.weights: dict[str, Any] | None = None

    def on_epoch(self, trainer: Trainer, row: Row) -> None:
        value = float(monitored(self.monitor, row))
        gain = 0.0 if self.best is None else value - self.best if self.mode == "max" else self.best - value
        if not math.isnan(value) and (self.best is None or gain > self.min_delta):
            self.best, self.epoch, self.bad = value, row["epoch"], 0
            self.weights = deepcopy(dict(trainer.model.state_dict()))
            if self.path is not None:
                from ..saving import save

                save(self.weights, self.path)
        else:
            self.bad += 1

    def on_end(self, trainer: Trainer) -> None:
        if self.restore and self.weights is not None:
            trainer.model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs of it."""
        return {"best": self.best, "epoch": self.epoch, "bad": self.bad, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved state."""
        self.best, self.epoch, self.bad, self.weights = (state[k] for k in ("best", "epoch", "bad", "weights"))


class EarlyStop(KeepBest):
    """Stops when a column of the history has not got better for ``patience`` epochs, and puts the best weights back.

    Args:
        patience: epochs without improvement after which it stops; 1 or more.
        monitor, mode, min_delta, restore, path: see `KeepBest`.

    >>> from glassgrad.train import EarlyStop
    >>> EarlyStop(patience=3, min_delta=1e-4).patience
    3
    """

    def __init__(self, patience: int = 5, monitor: str | None = None, **options: Any) -> None:
        super().__init__(monitor, **options)
        if not patience >= 1:
            raise ArgumentError("patience must be 1 epoch or more", got=f"patience={patience!r}")
        self.patience = patience

    def on_epoch(self, trainer: Trainer, row: Row) -> None:
        super().on_epoch(trainer, row)
        if self.bad >= self.patience:
            best = "there never was one" if self.best is None else f"{self.best:.6g} in epoch {self.epoch}"
            trainer.stop(f"early stop: no better {_name(self.monitor, row)} for {self.bad} epochs (best: {best})")


class CSV(Callback):
    """Writes the history as CSV after every epoch.

    Args:
        path: the file. It is replaced as a whole, so that a reader never sees half of it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def on_epoch(self, trainer: Trainer, row: Row) -> None:
        trainer.history.csv(self.path)


class TensorBoard(Callback):
    """Writes losses, metrics and rates as TensorBoard's event files.

    Args:
        folder: where ``tensorboard --logdir`` looks for them.
        every: also write the loss of every so many steps; None for epochs only.

    Raises:
        MissingExtra: tensorboardX, the extra ``tensorboard``, is not installed.
    """

    def __init__(self, folder: str | Path, every: int | None = 10) -> None:
        self.writers, self.folder, self.every = needed("tensorboardX", "TensorBoard's events"), Path(folder), every
        self.writer: Any = None

    def on_start(self, trainer: Trainer) -> None:
        # what a killed process wrote beyond its last checkpoint is not shown
        self.writer = self.writers.SummaryWriter(str(self.folder), purge_step=trainer.step + 1)

    def on_step(self, trainer: Trainer, loss: float) -> None:
        if self.every is not None and trainer.step % self.every == 0:
            self.writer.add_scalar("step/loss", loss, trainer.step)
            self.writer.add_scalar("step/rate", trainer.rate, trainer.step)

    def on_epoch(self, trainer: Trainer, row: Row) -> None:
        for name, value in row.items():
            if name not in ("epoch", "step") and isinstance(value, (int, float)):
                self.writer.add_scalar(f"epoch/{name}", value, trainer.step)
        self.writer.flush()

    def on_end(self, trainer: Trainer) -> None:
        self.writer.close()


def monitored(name: str | None, row: Row) -> Any:
    """The value of a row that is watched. Raises ArgumentError if there is none of that name."""
    name = _name(name, row)
    if not isinstance(row.get(name), (int, float)):
        raise ArgumentError(
            f"there is no number {name!r} to watch",
            got=f"columns {', '.join(row)}",
            fix="name one of these as monitor; those of validation need fit(..., valid=...)",
        )
    return row[name]


def _name(name: str | None, row: Row) -> str:
    return name or ("valid_loss" if "valid_loss" in row else "loss")
