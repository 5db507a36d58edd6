"""The Trainer: epochs of steps, what is told and kept of them, stopping and going on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import functions as fn
from .. import nn, optim
from ..dispatch import no_grad
from ..errors import ArgumentError, GlassgradError
from ..tensor import Tensor
from .callbacks import Callback, monitored
from .data import again, batch_of, count_of, inputs_of, loader_of, rows_of
from .finder import RateTest, test_rates
from .history import History, Row
from .interrupt import Interrupt
from .metrics import Metric, named_metrics
from .modes import evaluating
from .options import checked, listed, positive
from .place import Place
from .progress import Teller, teller
from .state import FORMAT, Sources, fits, of_rules, seed_all, set_rules
from .steps import Steps


class NotFiniteLoss(GlassgradError, ArithmeticError):
    """The loss of a step is NaN or infinite. ``batch`` is the batch of that step."""

    batch: tuple[Any, ...] = ()


class Trainer:
    """Trains a model: compiled steps, progress, validation, checkpoints, and a history of it all.

    Args:
        model: maps a batch's inputs to predictions.
        loss: (predictions, targets) -> a tensor of one entry, the mean over the batch's rows.
        optimizer: holds the model's parameters.
        schedule: sets the rates; stepped as ``schedule_every`` says: "step", "epoch", or None for what it is made for
            (OneCycleLR and CyclicLR: every step; others: every epoch). ReduceLROnPlateau gets the validation loss.
        metrics: what else is measured: "accuracy", "mse", "mae", functions of (predictions, targets), or a dict of
            them by name. They run in the compiled step, on the predictions before the update.
        clip_norm, clip_value: clip all gradients to a total norm, each entry to a size.
        accumulate: batches for one update. The gradient is that of all their rows together, so a batch cut into parts
            trains like the whole (but for layers that look at the whole batch, such as batch norm).
        compile: run the steps through `glassgrad.compile`. Where that cannot be, one line says so.
        threads: how many a compiled step may use; by default all cores.
        seed: starts glassgrad's, NumPy's and Python's random numbers anew when the first `fit` begins.
        callbacks: see `Callback`; functions ``(trainer, row)`` are called after each epoch.
        checkpoints: a folder, or a `glassgrad.saving.Checkpoints`: one is saved after each epoch, and when Ctrl-C stops
            the training.
        checkpoint_every: also after every so many steps.
        allow_nan: go on when a loss is not finite, instead of raising `NotFiniteLoss`.
        progress: None for a bar in a terminal and a line for each epoch elsewhere, False for neither, or a Console of
            rich's.

    Example:
        >>> from glassgrad.train import Trainer
        >>> x = gg.linspace(-1, 1, 32).reshape(32, 1)
        >>> net = nn.Linear(1, 1)
        >>> trainer = Trainer(net, nn.MSELoss(), optim.SGD(net.parameters(), lr=0.5), progress=False)
        >>> history = trainer.fit((x, 3 * x + 1), epochs=50)
        >>> len(history), round(net.weight.item(), 3), round(net.bias.item(), 3)
        (50, 3.0, 1.0)
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[Any, Any], Tensor],
        optimizer: optim.Optimizer,
        *,
        schedule: Any = None,
        schedule_every: str | None = None,
        metrics: Mapping[str, Metric] | Iterable[str | Metric] = (),
        clip_norm: float | None = None,
        clip_value: float | None = None,
        accumulate: int = 1,
        compile: bool = True,
        threads: int | None = None,
        seed: int | None = None,
        callbacks: Iterable[Any] = (),
        checkpoints: Any = None,
        checkpoint_every: int | None = None,
        allow_nan: bool = False,
        progress: Any = None,
    ) -> None:
        self.schedule_every = checked(
            model, loss, optimizer, schedule, schedule_every, clip_norm, clip_value, accumulate, checkpoint_every
        )
        self.model, self.loss, self.optimizer, self.schedule = model, loss, optimizer, schedule
        self.metrics, self.accumulate, self.seed = named_metrics(metrics), accumulate, seed
        self.callbacks: list[Callback] = listed(callbacks)
        self.checkpoints, self.checkpoint_every = _checkpoints(checkpoints), checkpoint_every
        self.allow_nan, self.progress = allow_nan, progress
        self.steps = Steps(model, loss, optimizer, self.metrics, clip_norm, clip_value, compile, threads)
        self.history = History()
        self.step = 0
        """Updates so far, over all epochs."""
        self.epoch = 0
        """Epochs that are over."""
        self.rate = float(optimizer.param_groups[0]["lr"])
        """The rate of the last step, of the first parameter group."""
        self.stopping = ""
        """Why no more epochs are begun; see `stop`."""
        self._first = 0
        self._place: Place | None = None
        """Where the next epoch goes on, after a resume."""
        self._resumed = False

    # -- training ---------------------------------------------------------------------------------------------------

    def fit(self, train: Any, valid: Any = None, *, epochs: int = 1, batch_size: int = 32) -> History:
        """Train for so many epochs; after `resume`, until the interrupted training has had so many.

        Args:
            train: a DataLoader or another iterable of batches; or a dataset or a tuple of tensors or arrays with a row
                for each sample, which are shuffled. A batch is (inputs, targets): of more parts the last one.
            valid: likewise (not shuffled): measured after each epoch, in evaluation mode.
            epochs: how often all of ``train`` is gone through.
            batch_size: rows of a batch, where the data does not come in batches.

        Returns:
            The history of all epochs of this trainer. Ctrl-C stops after the step that runs, saves a checkpoint if
            there are ``checkpoints``, and returns it with ``history.stopped`` set; a second Ctrl-C stops at once.

        Raises:
            NotFiniteLoss: a loss that is NaN or infinite; names the step. Errors of the data, and those of the model.
        """
        positive("epochs", epochs)
        loader = again(loader_of(train, batch_size, True))
        held = None if valid is None else again(loader_of(valid, batch_size, False))
        if not self._resumed:
            if self.seed is not None and self.step == 0:
                seed_all(self.seed)
            self._first, self.stopping = self.epoch, ""
        self._resumed = False
        last, self.history.stopped = self._first + epochs, ""
        tells = teller(self.progress)
        with Interrupt() as interrupt:
            done = self.epoch + (self._place.batch / (self._place.batches or math.inf) if self._place else 0)
            tells.start(last, done, count_of(loader))
            try:
                for callback in self.callbacks:
                    callback.on_start(self)
                while self.epoch < last and not self.stopping and not interrupt.asked:
                    self._run_epoch(loader, held, last, tells, interrupt)
                for callback in self.callbacks:
                    callback.on_end(self)
            finally:
                tells.end()
        self.history.stopped = "Ctrl-C" if interrupt.asked else self.stopping
        return self.history

    @property
    def uncompiled(self) -> str:
        """Why the training step runs uncompiled although it was to be compiled; empty if it does not."""
        return self.steps.train.why or self.steps.gather.why or self.steps.apply.why

    def stop(self, reason: str) -> None:
        """Have `fit` return after the step or the epoch that runs; for callbacks."""
        self.stopping = reason or "stopped"

    def _run_epoch(self, loader: Any, held: Any, last: int, tells: Teller, interrupt: Interrupt) -> None:
        sources = Sources(loader, self.model)
        place, self._place = self._place, None
        place = place or Place(sources.get(), 1 + len(self.metrics), count_of(loader))
        batches = place.go(loader, sources)
        self.model.train()
        began = time.perf_counter() - place.seconds
        watching = [c.on_step for c in self.callbacks if type(c).on_step is not Callback.on_step]
        for loss in self._updates(batches, place):
            self.step += 1
            self.rate = float(self.optimizer.param_groups[0]["lr"])
            if self.schedule_every == "step":
                self.schedule.step()
            for on_step in watching:
                on_step(self, loss)
            if tells.wants():
                tells.step(self.epoch + 1, place.batch, self._facts(place, time.perf_counter() - began))
            if interrupt.asked or (self.checkpoint_every and self.step % self.checkpoint_every == 0):
                place.seconds = time.perf_counter() - began
                self._save(place, sources)
            if interrupt.asked:
                return
            if self.stopping:
                break
        place.seconds = time.perf_counter() - began
        place.ended()
        facts = self._facts(place, place.seconds)
        rate, speed = facts.pop("rate"), facts.pop("samples_per_second")
        row: Row = {"epoch": self.epoch + 1, "step": self.step, **facts}
        if held is not None:
            before = sources.get()
            measured = self._measure(held, interrupt)
            if interrupt.asked:  # an epoch that is not over: its validation begins anew after a resume
                sources.set(before)
                self._save(place, sources)
                return
            row |= {f"valid_{name}": value for name, value in measured.items()}
        row |= {"rate": rate, "seconds": round(time.perf_counter() - began, 3), "samples_per_second": round(speed, 1)}
        self._end_epoch(row, last, tells)
        self._save(Place(sources.get(), 1 + len(self.metrics), place.batches), sources)

    def _end_epoch(self, row: Row, last: int, tells: Teller) -> None:
        self.epoch += 1
        self.history.rows.append(row)
        if self.schedule_every == "epoch":
            if isinstance(self.schedule, optim.lr_scheduler.ReduceLROnPlateau):
                self.schedule.step(monitored(None, row))
            else:
                self.schedule.step()
        for callback in self.callbacks:
            callback.on_epoch(self, row)
        tells.epoch(row, last)

    def _updates(self, batches: Iterator[Any], place: Place) -> Iterator[float]:
        """Take the steps of an epoch; the loss of each update's rows."""
        gathered, losses = 0, 0.0
        if self.accumulate > 1:
            self.steps.begin()
        for given in batches:
            batch = batch_of(given)
            rows = rows_of(batch)
            told = (self.steps.train if self.accumulate == 1 else self.steps.gather)(*batch)
            values = told.tolist() if self.metrics else [told.item()]
            place.count(values, rows)
            if not (math.isfinite(values[0]) or self.allow_nan):
                raise self._not_finite(values[0], place.batch, batch)
            if self.accumulate == 1:
                yield values[0]
                continue
            gathered, losses = gathered + rows, losses + values[0] * rows
            if place.batch % self.accumulate == 0:
                self.steps.apply(fn.tensor(float(gathered)))
                yield losses / gathered
                gathered, losses = 0, 0.0
        if gathered:
            self.steps.apply(fn.tensor(float(gathered)))
            yield losses / gathered

    def _facts(self, place: Place, seconds: float) -> dict[str, float]:
        means = dict(zip(("loss", *self.metrics), place.means(), strict=True))
        return {**means, "rate": self.rate, "samples_per_second": place.rows / max(seconds, 1e-9)}

    def _not_finite(self, loss: float, batch: int, parts: tuple[Any, ...]) -> NotFiniteLoss:
        error = NotFiniteLoss(
            f"the loss of step {self.step + 1} is {loss} (epoch {self.epoch + 1}, batch {batch})",
            got=f"a rate of {float(self.optimizer.param_groups[0]['lr']):g}; the update of that step was made",
            fix="try a lower rate or clip_norm. To see the first operation that is not finite, go back to a checkpoint "
            "from before (resume), and run the loss and backward of this error's batch within `with "
            "glassgrad.record() as tape:`; tape.show() names it. allow_nan=True goes on regardless",
        )
        error.batch = parts
        return error

    # -- measuring and predicting -----------------------------------------------------------------------------------

    def evaluate(self, data: Any, *, batch_size: int = 256) -> dict[str, float]:
        """The loss and the metrics of data, in evaluation mode: means over all rows.

        Args:
            data: as for `fit`.
            batch_size: rows of a batch, where the data does not come in batches.

        >>> from glassgrad.train import Trainer
        >>> net = nn.Identity(); weight = gg.zeros(1, requires_grad=True)
        >>> loss = lambda said, targets: (said + weight - targets).square().mean()
        >>> trainer = Trainer(net, loss, optim.SGD([weight]), metrics=["mae"])
        >>> trainer.evaluate((gg.tensor([1.0, 2.0]), gg.tensor([1.0, 4.0])))
        {'loss': 2.0, 'mae': 1.0}
        """
        return self._measure(loader_of(data, batch_size, False), Interrupt())

    def _measure(self, loader: Any, interrupt: Interrupt) -> dict[str, float]:
        place = Place({}, 1 + len(self.metrics), None)
        with evaluating(self.model), no_grad():
            for given in loader:
                batch = batch_of(given)
                told = self.steps.evaluate(*batch)
                place.count(told.tolist() if self.metrics else [told.item()], rows_of(batch))
                if interrupt.asked:
                    break
        place.ended()
        return dict(zip(("loss", *self.metrics), place.means(), strict=True))

    def predict(self, data: Any, *, batch_size: int = 256) -> Any:
        """What the model says to data, in evaluation mode: a tensor of all rows, or a tuple if the model gives several.

        Args:
            data: inputs, as a tensor or an array; or batches or a dataset as for `fit`, whose targets are left out.
            batch_size: rows of a batch, where the data does not come in batches.
        """
        said: list[Any] = []
        with evaluating(self.model), no_grad():
            for given in loader_of(data, batch_size, False):
                said.append(self.steps.predict(*inputs_of(given)))
        if not said:
            raise ArgumentError("there is nothing to predict: the data has no batches")
        if isinstance(said[0], Tensor):
            return fn.cat(said)
        return tuple(fn.cat(list(parts)) for parts in zip(*said, strict=True))

    def find_lr(
        self, train: Any, *, low: float = 1e-6, high: float = 1.0, steps: int = 100, batch_size: int = 32
    ) -> RateTest:
        """The learning-rate range test: rates from low to high, a step for each, and what the loss does meanwhile.

        Everything (weights, optimizer, schedule, random numbers) is put back afterwards.

        Args:
            train: as for `fit`; gone through again as often as it takes.
            low, high: the first and the last rate; those between grow by a constant factor. All parameter groups get
                the same one.
            steps: how many. It ends sooner where the loss is above four times its least (smoothed), or not finite.

        Returns:
            Rates, losses and the suggestion; see `RateTest`.

        L. Smith: Cyclical learning rates for training neural networks (WACV 2017), section 3.3.
        """
        return test_rates(self, again(loader_of(train, batch_size, True)), low, high, steps)

    # -- saving and going on ----------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on but for the data's order; what a checkpoint holds besides that.

        The tensors are the trainer's own, so a later step changes them.
        """
        counts = {"step": self.step, "epoch": self.epoch, "first": self._first, "rate": self.rate}
        told = {"stopping": self.stopping, "history": self.history.rows}
        return {"format": FORMAT, **counts, **told, "reached": self.steps.is_warm(), **of_rules(self)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved state. Raises StateError where it does not fit."""
        fits(self, state)
        set_rules(self, state)
        self.step, self.epoch, self._first = int(state["step"]), int(state["epoch"]), int(state["first"])
        self.rate, self.stopping = float(state["rate"]), str(state["stopping"])
        self.history.rows[:] = state["history"]
        if state["reached"]:
            self.steps.warm()

    def _save(self, place: Place, sources: Sources) -> None:
        if self.checkpoints is not None:
            self.checkpoints.save({**self.state_dict(), "place": place.state(sources)}, self.step)

    def resume(self, step: int | None = None) -> int:
        """Go back to the last checkpoint, if there is one; the next `fit` goes on from there.

        With the same data and settings it does, bit for bit, what the interrupted training would have done.

        Args:
            step: go back to the checkpoint of this step instead.

        Returns:
            The step that was gone back to; 0 where there is no checkpoint, and nothing was changed.

        Raises:
            ArgumentError: the trainer has no ``checkpoints``. StateError: the checkpoint is of something else.
        """
        if self.checkpoints is None:
            raise ArgumentError("there is nothing to resume from", fix="give the Trainer checkpoints=FOLDER")
        if step is None and self.checkpoints.latest() is None:
            return 0
        state = self.checkpoints.load(step)
        fits(self, state)
        place = Place.of(state.get("place"))
        self.load_state_dict(state)
        self._place, self._resumed = place, True
        return self.step


def _checkpoints(given: Any) -> Any:
    if not isinstance(given, (str, Path)):
        return given
    from ..saving import Checkpoints

    return Checkpoints(given)
