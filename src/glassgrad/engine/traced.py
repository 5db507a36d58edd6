"""What a traced step is: steps in order, what goes in, what comes out, what must hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import Origin, Params, Symbol
from ..tensor import Tensor

REARRANGING = ("structural", "elementwise")


@dataclass(eq=False)
class Step:
    """One op of a traced step; `inputs` are Symbols and arrays."""

    op: Any
    inputs: tuple[Any, ...]
    params: Params
    out: Symbol
    origin: Origin | None


@dataclass(eq=False)
class Option:
    """An option of an optimizer that a schedule may change: read anew for every call."""

    group: Any
    key: str
    place: int | None
    symbol: Symbol

    def read(self) -> Any:
        """What it is now."""
        value = self.group[self.key] if self.place is None else self.group[self.key][self.place]
        return value.value if isinstance(value, Tensor) else value


class Alarm:
    """Somebody who looks in now and then, when a step has run.

    No dataclass: one that is made in a step would be taken for the user's.
    """

    def __init__(self, action: Callable[[], int]) -> None:
        self.action, self.due = action, 1
        """Called when the step has run as often as that; it says after how many runs more it wants to be again."""
        self.counted: Callable[[], int] = int

    @property
    def runs(self) -> int:
        """How often the step has run."""
        return self.counted()


@dataclass(eq=False)
class Trace:
    """What a traced step is: steps in order, what goes in, what comes out."""

    steps: list[Step]
    arguments: list[tuple[int, Symbol]]
    """The tensors the step was called with that it reads: their number, and their symbol."""
    cells: list[tuple[Tensor, Any]]
    """Tensors from elsewhere that it reads: the cell, and what stands for its value in the steps."""
    options: list[Option]
    updates: list[tuple[Tensor, Any]]
    """Cells that are rebound: to this value."""
    argument_updates: list[tuple[int, Any]]
    grads: list[Tensor]
    """Tensors whose ``.grad`` is another one after the step."""
    results: Any
    """What the step returned, with a `Slot` in place of every tensor."""
    values: list[Any]
    """The value that each Slot stands for."""
    deferred: list[tuple[Callable[..., Any], Any, Any]]
    guards: list[Callable[[], bool]]
    """The trace is good as long as they hold; asked when `CHANGES` has another count."""
    groups: list[Any]
    """Parameter groups that were read."""
    modules: list[Any]
    """Modules that ran."""
    optimizers: list[Any]
    """Optimizers that made a step."""
    inspections: list[Inspection]
    watched: list[tuple[int, Callable[[Any], object]]]
    """Which of `values` are indices that the step computes, and how each is checked when it has run."""
    reads: list[Any]
    """What the user's functions read outside of all tensors (`reads.Read`)."""
    alarms: list[Alarm]
    kept: list[tuple[int, Callable[[float], object]]]
    """Which of `values` are single numbers that are told to somebody after every run."""
    shown: int
    """How many of `values` are there for others, too."""


@dataclass(frozen=True)
class Inspection:
    """What is looked at before every run: an argument's or another tensor's value, after steps that only rearrange."""

    number: int
    """Of the argument; -1 for another tensor."""
    cell: Tensor | None
    steps: list[Step]
    check: Callable[[Any], object]

    def run(self, tensors: Sequence[Tensor]) -> None:
        """Raises what the check raises."""
        value = tensors[self.number].value if self.cell is None else self.cell.value
        with np.errstate(all="ignore"):
            for step in self.steps:
                value = step.op.value(np, value, **step.params)
        self.check(np.asarray(value))


@dataclass(frozen=True)
class Slot:
    """In a result: the tensor whose value has this number; `cut` when its gradient would go back into the step."""

    number: int
    cut: bool = False


def number_of(value: Any, values: list[Any]) -> int:
    """Where a value is among the values of a trace; it is put there if it is not."""
    for number, each in enumerate(values):
        if each is value:
            return number
    values.append(value)
    return len(values) - 1


def symbol(shape: Any, dtype: Any) -> Symbol:
    return Symbol(np.empty(shape, dtype))
