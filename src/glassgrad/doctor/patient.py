"""What is examined: a model, its loss, its optimizer and some batches; a copy of them, never the user's own."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from .. import functions as fn
from ..dispatch import no_grad
from ..errors import ShapeError
from ..nn import Module
from ..nn.utils import clip_grad_norm_
from ..optim import LBFGS, Optimizer
from ..tensor import Tensor
from .copies import Copies, fresh, without_hooks
from .loop import Loop

Loss = Callable[[Any, Any], Tensor]


class Batch(tuple[Any, ...]):
    """(inputs, ..., targets), with the inputs that a model takes by name."""

    named: Mapping[str, Any] = MappingProxyType({})
    beside: Sequence[Batch] = ()
    """Batches of the same step: its loss is the mean of all of them."""

    @classmethod
    def like(cls, old: Sequence[Any], parts: Iterable[Any]) -> Batch:
        """Other inputs and targets, with what an old batch gives by name."""
        made = cls(parts)
        made.named = old.named if isinstance(old, Batch) else made.named
        made.beside = old.beside if isinstance(old, Batch) else made.beside
        return made


class Ending:
    """Targets that know their loss: the part of a recorded step from the predictions to the loss, run again.

    It stands in a batch where the targets stand. `answers` and `answered` look into it.
    """

    answers: Tensor | None
    """The targets themselves, if one tensor of the part is those."""
    classes: Sequence[Tensor] = ()
    """Other whole numbers of the part, of a few kinds, one after another: the labels of further heads, or of some
    rows."""
    weighed: bool = False
    """Whether the part has other numbers for each row beside them: weights, advantages, which action was taken."""

    def __call__(self, predictions: Any) -> Tensor:
        raise NotImplementedError

    def answered(self, answers: Tensor) -> Ending:
        """The same with other targets."""
        raise NotImplementedError


def answers(targets: Any) -> Any:
    """The targets of a batch as the tensor that they are, or what else was given; None where nobody knows."""
    return targets.answers if isinstance(targets, Ending) else targets


def answered(targets: Any, new: Tensor) -> Any:
    """What to give a loss for other targets than those of a batch."""
    return targets.answered(new) if isinstance(targets, Ending) else new


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
    early: bool = False
    """Whether the optimizer takes its step before the backward pass."""
    still: bool = False
    """Whether it takes none."""
    seed: Tensor = field(default_factory=fn.get_rng_state)
    """The state of the default generator at the first step."""
    rates: Sequence[float] = ()
    """What a schedule makes of the rate, step for step: factors, the last one for all steps after it."""
    lapsed: tuple[int, Sequence[str]] = (0, ())
    """From which step on which modules are in evaluation mode, though they are not at the start."""
    loop: Loop | None = None
    """What the user's own training loop did, if it was watched."""
    after: Patient | None = None
    """The patient as the user's own loop left it."""
    broken: tuple[int, Any] | None = None
    """The first step of the user's own loop whose loss was not finite, counted from 1, and its tape."""

    def copy(self) -> Patient:
        """Another patient with the same numbers; what its parts share they share there, too."""
        copies = Copies()
        model, loss, optimizer = (copies.of(each) for each in (self.model, self.loss, self.optimizer))
        return replace(self, model=without_hooks(model), loss=loss, optimizer=optimizer, after=None, broken=None)

    @property
    def parameters(self) -> list[Tensor]:
        """What the optimizer changes."""
        return held_by(self.optimizer)

    def predict(self, batch: Sequence[Any]) -> Any:
        """What the model says of a batch."""
        *inputs, _ = batch
        named = batch.named if isinstance(batch, Batch) else {}
        return self.model(*map(fresh, inputs), **{name: fresh(value) for name, value in named.items()})

    def value(self, batch: Sequence[Any]) -> Tensor:
        """The loss of a batch. Raises ShapeError where it is no single number."""
        if isinstance(batch, Batch) and batch.beside:
            alone = Batch.like(batch, batch)
            alone.beside = ()
            return fn.stack([self.value(each).reshape(()) for each in (alone, *batch.beside)]).mean()
        found: Any = self.loss(self.predict(batch), fresh(batch[-1]))
        if not isinstance(found, Tensor) or found.numel() != 1:
            got = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise ShapeError("a loss is one number", got=got, fix="take its mean: loss.mean()")
        return found

    def step(self, batch: Sequence[Any]) -> float:
        """One step of training; the loss before its update."""
        if takes_closure(self.optimizer):
            return float(self.optimizer.step(lambda: self._slopes(batch, self.optimizer.zero_grad)).item())
        loss = self._slopes(batch, self.optimizer.zero_grad if self.clears else None)
        if not self.early and not self.still:
            self.optimizer.step()
        return float(loss.item())

    def _slopes(self, batch: Sequence[Any], clear: Callable[[], None] | None) -> Tensor:
        """The loss, with its gradients."""
        if clear is not None:
            clear()
        loss = self.value(batch)
        if self.early:
            self.optimizer.step()
        loss.backward()
        if self.clip_norm is not None:
            clip_grad_norm_(self.parameters, self.clip_norm)
        return loss

    def train(self, steps: int) -> list[float]:
        """Take some steps with the patient's random numbers: the loss before each, and that of the first batch after
        the last. Ends early where a loss is not finite."""
        losses: list[float] = []
        with drawing(self.seed):
            for number in range(steps):
                with self.rated(number):
                    losses.append(self.step(self.batches[number % len(self.batches)]))
                if not math.isfinite(losses[-1]):
                    return losses
            with no_grad():
                losses.append(self.value(self.batches[0]).item())
        return losses

    def later(self, steps: int) -> Patient:
        """Another patient that has taken some steps, and goes on from there with the next batch and random numbers."""
        one = self.copy()
        with drawing(one.seed):
            for number in range(steps):
                with one.rated(number):
                    one.step(one.batches[number % len(one.batches)])
            one.seed = fn.get_rng_state()
        one.rates = one.rates[min(steps, len(one.rates) - 1) :] if one.rates else ()
        one.lapsed = max(0, one.lapsed[0] - steps), one.lapsed[1]
        first = steps % len(one.batches)
        one.batches = [*one.batches[first:], *one.batches[:first]]
        return one

    @property
    def finite(self) -> bool:
        """Whether all parameters are."""
        return all(bool(np.all(np.isfinite(p.detach().numpy()))) for p in self.parameters)

    @contextmanager
    def rated(self, number: int) -> Iterator[None]:
        """The rate that the schedule has for a step; and the mode that modules have lapsed into by then."""
        for name in self.lapsed[1] if number >= self.lapsed[0] else ():
            self.model.get_submodule(name).training = False
        groups = self.optimizer.param_groups
        whole = [group["lr"] for group in groups] if self.rates else []
        factor = self.rates[min(number, len(self.rates) - 1)] if self.rates else 1.0
        for group, rate in zip(groups, whole, strict=False):
            group["lr"] = rate * factor
        try:
            yield
        finally:
            for group, rate in zip(groups, whole, strict=False):
                group["lr"] = rate


def held_by(optimizer: Optimizer) -> list[Tensor]:
    """The parameters of an optimizer, group after group."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def put_in_place(patient: Patient, path: str, new: Module) -> None:
    """A module in place of that at a path, for the optimizer, too."""
    old, (owner, _, child) = patient.model.get_submodule(path), path.rpartition(".")
    setattr(patient.model.get_submodule(owner), child, new)
    swaps = {id(a): b for a, b in zip(old.parameters(), new.parameters(), strict=True)}
    for group in patient.optimizer.param_groups:
        group["params"] = [swaps.get(id(p), p) for p in group["params"]]


def with_rates(optimizer: Optimizer) -> Optimizer:
    """The optimizer itself; for one that knows no rate another with a rate of 0, which it does not use."""
    if all("lr" in group for group in optimizer.param_groups):
        return optimizer
    other = copy(optimizer)
    other.param_groups = [{"lr": 0.0, **group} for group in optimizer.param_groups]
    return other


def takes_closure(optimizer: Optimizer) -> bool:
    """Whether a step computes the loss again itself, by a function."""
    return isinstance(optimizer, LBFGS)


@contextmanager
def drawing(seed: Tensor) -> Iterator[None]:
    """Random numbers from this state on; afterwards the default generator is where it was, as are those of numpy and of
    Python, which a model may draw from as well."""
    outer, others, pythons = fn.get_rng_state(), np.random.get_state(), random.getstate()
    fn.set_rng_state(seed)
    try:
        yield
    finally:
        fn.set_rng_state(outer)
        np.random.set_state(others)
        random.setstate(pythons)
