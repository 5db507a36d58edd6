"""What a checkpoint of a training holds: everything that the next step depends on, as tensors and plain data."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import functions as fn
from ..errors import StateError
from ..functions.rand import Generator

FORMAT = 1
PARTS = (
    "step",
    "epoch",
    "first",
    "rate",
    "stopping",
    "history",
    "reached",
    "model",
    "optimizer",
    "schedule",
    "callbacks",
)
"""What a trainer's state is made of."""


def seed_all(seed: int) -> None:
    """Start all sources of random numbers anew: glassgrad's, NumPy's and Python's own.

    >>> from glassgrad.train import seed_all
    >>> seed_all(3); first = gg.rand(2)
    >>> seed_all(3); bool((first == gg.rand(2)).all())
    True
    """
    fn.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


class Sources:
    """All sources of random numbers that a training draws from: the global ones, and those of its data and modules."""

    def __init__(self, loader: Any, model: Any) -> None:
        sampler = getattr(loader, "sampler", None)
        batches = getattr(loader, "batch_sampler", None)
        holders = [loader, sampler, batches, getattr(batches, "sampler", None), getattr(loader, "dataset", None)]
        found = [source for holder in (*holders, *model.modules()) for source in _sources_in(holder)]
        self.own = list({id(source): source for source in found}.values())

    def get(self) -> dict[str, Any]:
        """Their states."""
        own = [s.get_state() if isinstance(s, Generator) else s.bit_generator.state for s in self.own]
        return {
            "glassgrad": fn.get_rng_state(),
            "numpy": np.random.get_state(legacy=False),
            "python": random.getstate(),
            "own": own,
        }

    def set(self, states: dict[str, Any]) -> None:
        """Continue from these states. Raises StateError if there were more or fewer sources."""
        if len(states["own"]) != len(self.own):
            raise StateError(
                "the data or the model draws from other generators than at the checkpoint",
                got=f"{len(self.own)} generators, {len(states['own'])} at the checkpoint",
                fix="resume with data and a model that are made in the same way",
            )
        fn.set_rng_state(states["glassgrad"])
        np.random.set_state(states["numpy"])
        random.setstate(states["python"])
        for source, state in zip(self.own, states["own"], strict=True):
            if isinstance(source, Generator):
                source.set_state(state)
            else:
                source.bit_generator.state = state


def _sources_in(holder: Any) -> Iterator[Any]:
    for value in getattr(holder, "__dict__", {}).values():
        if isinstance(value, (Generator, np.random.Generator)):
            yield value


def of_rules(trainer: Any) -> dict[str, Any]:
    """The state of the model, the optimizer, the schedule and the callbacks."""
    schedule = trainer.schedule
    return {
        "model": dict(trainer.model.state_dict()),
        "optimizer": trainer.optimizer.state_dict(),
        "schedule": None if schedule is None else schedule.state_dict(),
        "callbacks": [_state(callback) for callback in trainer.callbacks],
    }


def _state(callback: Any) -> Any:
    return callback.state_dict() if hasattr(callback, "state_dict") else None


def set_rules(trainer: Any, state: dict[str, Any]) -> None:
    """Put `of_rules` back."""
    trainer.model.load_state_dict(state["model"])
    if trainer.schedule is not None:
        trainer.schedule.load_state_dict(state["schedule"])
    trainer.optimizer.load_state_dict(state["optimizer"])  # after the schedule: it holds the rates
    for callback, held in zip(trainer.callbacks, state["callbacks"], strict=True):
        if held is not None and hasattr(callback, "load_state_dict"):
            callback.load_state_dict(held)


def fits(trainer: Any, state: Any) -> None:
    """Raises StateError where a state cannot be this trainer's, before anything of it is changed."""
    missing = [name for name in PARTS if name not in state] if isinstance(state, dict) else PARTS
    if missing:
        raise StateError("this is no checkpoint of a Trainer", got=f"no {', no '.join(missing)}")
    if state.get("format", FORMAT) != FORMAT:
        raise StateError("the checkpoint is of another format", got=f"{state['format']}, not {FORMAT}")
    if state["history"] and (new := [name for name in trainer.metrics if name not in state["history"][-1]]):
        raise StateError("the trainer has other metrics than at the checkpoint", got=f"{', '.join(new)} is new")
    if (state["schedule"] is None) != (trainer.schedule is None):
        raise StateError("the checkpoint has a schedule or the trainer has one, and the other has not")
    if len(state["callbacks"]) != len(trainer.callbacks):
        raise StateError(
            "the trainer has other callbacks than at the checkpoint",
            got=f"{len(trainer.callbacks)}, {len(state['callbacks'])} at the checkpoint",
        )
