"""The learning-rate range test."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..view import needed
from .data import batch_of
from .history import save_figure
from .options import positive
from .state import Sources, of_rules, set_rules

if TYPE_CHECKING:
    from .trainer import Trainer

BLOWN = 4.0
"""Above so many times the least loss the test is over."""
MEMORY = 0.9
"""How much of the smoothed loss is what it was a step before."""


@dataclass(frozen=True)
class RateTest:
    """What a learning-rate range test has found."""

    rates: list[float]
    """The rate of each step."""
    losses: list[float]
    """The loss at each step, before its update."""
    smoothed: list[float]
    """The same, averaged exponentially, without bias at the beginning."""

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss falls fastest, as a function of the logarithm of the rate, before it is
        least. It is where to begin, not the best there is.
        """
        until = int(np.argmin(self.smoothed)) + 1
        if until < 2:
            return self.rates[0]
        slopes = np.gradient(np.array(self.smoothed[:until]), np.log(self.rates[:until]))
        return self.rates[int(np.argmin(slopes))]

    def plot(self, path: str | Path) -> Path:
        """Draw the losses over the rates, with the suggestion marked; see `History.plot`."""
        made = needed("matplotlib.figure", "a plot").Figure(figsize=(6.4, 4.0), layout="constrained")
        panel = made.subplots()
        panel.plot(self.rates, self.losses, alpha=0.3, label="loss")
        panel.plot(self.rates, self.smoothed, label="smoothed")
        panel.axvline(self.suggestion, linestyle="--", color="gray", label=f"suggested: {self.suggestion:.2g}")
        panel.set_xscale("log")
        panel.set_ylim(top=max(self.losses[0], min(self.smoothed)) * 1.5)
        panel.set_xlabel("rate")
        panel.set_ylabel("loss")
        panel.legend()
        return save_figure(made, Path(path))


def test_rates(trainer: Trainer, loader: Any, low: float, high: float, steps: int) -> RateTest:
    """See `Trainer.find_lr`."""
    if not 0 < low < high < math.inf:
        raise ArgumentError("the rates of a range test go up from above 0", got=f"low={low!r}, high={high!r}")
    positive("steps", steps, least=2)
    sources = Sources(loader, trainer.model)
    states, before = sources.get(), deepcopy(of_rules(trainer))
    groups = trainer.optimizer.param_groups
    try:
        trainer.model.train()
        return _test(trainer, loader, low, high, steps)
    finally:
        for group in groups:  # a tensor as a rate is written in place: what is loaded must not be the same one
            if hasattr(group["lr"], "detach"):
                group["lr"] = group["lr"].detach().clone()
        set_rules(trainer, before)
        sources.set(states)


def _test(trainer: Trainer, loader: Any, low: float, high: float, steps: int) -> RateTest:
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    average = 0.0
    for number, batch in zip(range(steps), _endless(loader), strict=False):
        rate = low * (high / low) ** (number / (steps - 1))
        for group in trainer.optimizer.param_groups:
            if hasattr(group["lr"], "fill_"):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        told = trainer.steps.train(*batch).tolist()
        loss = told[0] if trainer.metrics else told
        if not math.isfinite(loss):
            break
        average = MEMORY * average + (1 - MEMORY) * loss
        rates.append(rate)
        losses.append(loss)
        smoothed.append(average / (1 - MEMORY ** len(rates)))
        if smoothed[-1] > BLOWN * min(smoothed) and len(rates) > 1:
            break
    if not rates:
        raise ArgumentError("the loss is not finite before the first update", fix="look at the data and the model")
    return RateTest(rates, losses, smoothed)


def _endless(loader: Any) -> Iterator[tuple[Any, ...]]:
    while True:
        empty = True
        for given in loader:
            empty = False
            yield batch_of(given)
        if empty:
            raise ArgumentError("the data has no batches")
