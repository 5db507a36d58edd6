"""What is examined: a model, its loss, its optimizer and some batches; a copy of them, never the user's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from .. import functions as fn
from ..dispatch import no_grad
from ..errors import ShapeError
from ..nn import Module
from ..nn.utils import clip_grad_norm_
from ..optim import Optimizer
from ..tensor import Tensor

Loss = Callable[[Any, Any], Tensor]


@dataclass
class Patient:
    """All that the steps of a training are made of."""

    model: Module
    """Maps a batch's inputs to predictions."""
    loss: Loss
    """(predictions, targets) -> a tensor of one entry."""
    optimizer: Optimizer
    batches: Sequence[Sequence[Any]]
    """What the steps see, one after another and then from the first again: each (inputs, ..., targets)."""
    clip_norm: float | None = None
    """To which total norm gradients are clipped, if they are."""
    clears: bool = True
    """Whether gradients are cleared before each backward pass."""
    seed: Tensor = field(default_factory=fn.get_rng_state)
    """The state of the default generator at the first step."""

    def copy(self) -> Patient:
        """Another patient with the same numbers; what its parts share they share there, too."""
        model, loss, optimizer = deepcopy((self.model, self.loss, self.optimizer))
        return replace(self, model=model, loss=loss, optimizer=optimizer)

    @property
    def parameters(self) -> list[Tensor]:
        """What the optimizer changes."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def value(self, batch: Sequence[Any]) -> Tensor:
        """The loss of a batch. Raises ShapeError where it is no single number."""
        *inputs, targets = batch
        found: Any = self.loss(self.model(*inputs), targets)
        if not isinstance(found, Tensor) or found.numel() != 1:
            got = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise ShapeError("a loss is one number", got=got, fix="take its mean: loss.mean()")
        return found

    def step(self, batch: Sequence[Any]) -> float:
        """One step of training; the loss before its update."""
        if self.clears:
            self.optimizer.zero_grad()
        loss = self.value(batch)
        loss.backward()
        if self.clip_norm is not None:
            clip_grad_norm_(self.parameters, self.clip_norm)
        self.optimizer.step()
        return float(loss.item())

    def train(self, steps: int) -> list[float]:
        """Take some steps with the patient's random numbers: the loss before each, and that of the first batch after
        the last. Ends early where a loss is not finite."""
        losses: list[float] = []
        with drawing(self.seed):
            for number in range(steps):
                losses.append(self.step(self.batches[number % len(self.batches)]))
                if not math.isfinite(losses[-1]):
                    return losses
            with no_grad():
                losses.append(self.value(self.batches[0]).item())
        return losses


@contextmanager
def drawing(seed: Tensor) -> Iterator[None]:
    """Random numbers from this state on; afterwards the default generator is where it was."""
    outer = fn.get_rng_state()
    fn.set_rng_state(seed)
    try:
        yield
    finally:
        fn.set_rng_state(outer)
