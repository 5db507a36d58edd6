"""Whether what a Trainer is given makes sense."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import nn, optim
from ..errors import ArgumentError, TypeMismatch
from ..optim.lr_scheduler import CyclicLR, OneCycleLR
from .callbacks import Callback, EpochFunction


def checked(
    model: Any, loss: Any, optimizer: Any, schedule: Any, schedule_every: str | None,
    clip_norm: float | None, clip_value: float | None, accumulate: int, checkpoint_every: int | None,
) -> str | None:  # fmt: skip
    """Refuse what cannot be trained with. Returns how often the schedule is stepped; None without one."""
    if not isinstance(model, nn.Module):
        raise TypeMismatch("a Trainer trains a module", got=type(model).__name__)
    if not callable(loss):
        raise TypeMismatch("the loss is a function of predictions and targets", got=repr(loss))
    if not isinstance(optimizer, optim.Optimizer):
        raise TypeMismatch("a Trainer needs an optimizer", got=repr(optimizer)[:80], fix="e.g. optim.Adam(...)")
    if isinstance(optimizer, optim.LBFGS):
        raise ArgumentError("LBFGS measures the loss many times in a step, which a Trainer does not", fix="use Adam")
    positive("accumulate", accumulate)
    if checkpoint_every is not None:
        positive("checkpoint_every", checkpoint_every)
    for name, bound in {"clip_norm": clip_norm, "clip_value": clip_value}.items():
        if bound is not None and not bound > 0:
            raise ArgumentError(f"{name} must be above 0", got=f"{name}={bound!r}", fix="None does not clip")
    theirs = {*model.parameters(), *(loss.parameters() if isinstance(loss, nn.Module) else ())}
    if theirs and not any(p in theirs for group in optimizer.param_groups for p in group["params"]):
        raise ArgumentError(
            "the optimizer holds none of the model's parameters, so nothing would be learned",
            fix="make it with model.parameters(), after the model",
        )
    return _every(schedule, schedule_every, optimizer)


def _every(schedule: Any, asked: str | None, optimizer: Any) -> str | None:
    if asked not in (None, "step", "epoch"):
        raise ArgumentError("schedule_every must be 'step', 'epoch' or None", got=repr(asked))
    if schedule is None:
        return None
    if not hasattr(schedule, "step"):
        raise TypeMismatch("a schedule has a step()", got=repr(schedule)[:80], fix="use one of optim.lr_scheduler")
    if getattr(schedule, "optimizer", optimizer) is not optimizer:
        raise ArgumentError("the schedule sets the rates of another optimizer", fix="make it with the trainer's")
    return asked or ("step" if isinstance(schedule, (OneCycleLR, CyclicLR)) else "epoch")


def listed(callbacks: Iterable[Any]) -> list[Callback]:
    """Callbacks, with functions among them wrapped. Raises TypeMismatch for what is neither."""
    given = [callbacks] if isinstance(callbacks, Callback) or callable(callbacks) else list(callbacks)
    for each in given:
        if isinstance(each, type) or not (isinstance(each, Callback) or callable(each)):
            raise TypeMismatch("a callback is a Callback or a function (trainer, row)", got=repr(each))
    return [each if isinstance(each, Callback) else EpochFunction(each) for each in given]


def positive(name: str, value: Any, least: int = 1) -> None:
    """Refuse what is not an integer of at least 1 (or another bound)."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ArgumentError(f"{name} must be an integer, {least} or more", got=f"{name}={value!r}")
