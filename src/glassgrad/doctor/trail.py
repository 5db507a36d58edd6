"""The path of a training: snapshots of its weights, taken while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from ..explain.script import Run
from ..optim import SGD
from ..tensor import Tensor
from .capture import Called
from .landscape import Landscape, landscape
from .patient import Patient, held_by
from .rounds import Rounds
from .script import patient_of

MOST, LEAST = 60, 8
"""Snapshots of a path: at most, and, of a large net, at least."""
ROOM = 4e8
"""Bytes that they may take."""


class Trail:
    """Snapshots of weights along a training of unknown length: a few, spread evenly, the first and the last among them.

    Args:
        most: how many; fewer of a large net. When there are more, every second one is dropped, and from then on only
            every second step is looked at.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.path: list[Any] = []
        self.steps: list[int] = []
        self.taken = 0
        """Steps that were told of."""
        self._every = 1

    @property
    def due(self) -> bool:
        """Whether the next step is one that is looked at."""
        return self.taken % self._every == 0

    def take(self, cells: Iterable[Any]) -> None:
        """The weights before the next step."""
        if self.due:
            self._keep(cells)
            fits = max(LEAST, int(ROOM / max(1, self.path[-1].nbytes)))
            if len(self.path) >= max(2, min(self.most, fits)):
                self.path, self.steps, self._every = self.path[::2], self.steps[::2], 2 * self._every
        self.taken += 1

    def end(self, cells: Iterable[Any]) -> None:
        """The weights after the last step."""
        if not self.steps or self.steps[-1] != self.taken:
            self._keep(cells)

    def _keep(self, cells: Iterable[Any]) -> None:
        self.path.append(row(cells))
        self.steps.append(self.taken)


def row(cells: Iterable[Any]) -> Any:
    """All numbers of some tensors or arrays, one after another, as they are now."""
    arrays = [cell.detach().numpy() if isinstance(cell, Tensor) else cell for cell in cells]
    return np.concatenate([np.ravel(each) for each in arrays]) if arrays else np.zeros(0)


class Trailed(Rounds):
    """Watches a script's training, and takes snapshots of what its patient is a copy of."""

    def __init__(self, at_step: int) -> None:
        super().__init__(at_step)
        self.trail = Trail()
        self.last: list[Any] = []
        """The parameters of the last step that no optimizer took."""

    def stepping(self, optimizer: Any) -> None:
        super().stepping(optimizer)
        if self.original is not None and self.originals[-1] is optimizer:
            self.trail.take(held_by(self.original))

    def runs(self, compiled: Any, args: Any, kwargs: Any) -> Any:
        taken, steps = self.trail.taken, self.loop.steps
        before = [row(held_by(self.original))] if self.original is not None and self.trail.due else []
        found = super().runs(compiled, args, kwargs)
        if self.loop.steps > steps and self.trail.taken == taken:  # as compiled code, which tells of no optimizer
            self.trail.take(before)
        return found

    def _visit(self) -> None:
        super()._visit()
        if self.original is None and self.capture.form is not None:
            self.trail.taken = self.loop.backwards - 1  # not every step is visited
            self.trail.take(self._by_hand() if self.trail.due else ())

    def _by_hand(self) -> list[Any]:
        """The parameters of a step that no optimizer took, as they were before it."""
        form, tape = self.capture.form, self.tape
        cells = list(tape.cells.values())
        if isinstance(form, Called):
            before = {id(cell): tape.value(node) for cell, node in cells}
            self.last = [p for p in form.called.parameters() if p.requires_grad]
            return [before.get(id(p), p) for p in self.last]
        named = {tape.records[node].name or tape.symbols.text(node): (cell, node) for cell, node in cells}
        known = [named[name] for name in form.model._parameters if name in named] if form is not None else []
        self.last = [cell for cell, _ in known]
        return [tape.value(node) for _, node in known]

    def walked(self) -> tuple[Patient, list[Any], list[int]] | None:
        """The patient, and the way that its parameters went; None if there was no step."""
        patient = self.patient()
        if patient is None:
            return None
        if self.original is None and self.capture.form is not None:
            patient.optimizer = SGD(self.capture.form.cells, lr=self.capture.rate)
            self.trail.taken = self.loop.backwards
        self.trail.end(held_by(self.original) if self.original is not None else self.last)
        size = sum(cell.numel() for cell in patient.parameters)
        whole = [k for k, each in enumerate(self.trail.path) if len(each) == size]  # parameters may join later
        if not whole:
            return patient, [row(patient.parameters)], [0]
        return patient, [self.trail.path[k] for k in whole], [self.trail.steps[k] for k in whole]


def surveyed(run: Run, **options: Any) -> Landscape:
    """The landscape of the training that a script's run has seen; see `landscape` for the options.

    Raises ArgumentError if it has seen none.
    """
    assert isinstance(run.watch, Trailed)
    patient, path, steps = run.watch.walked() or (patient_of(run), [], [])
    made = landscape(patient, path, steps, **options)
    if run.error is not None:
        said = f"The script stopped with {type(run.error).__name__}: {run.error}".rstrip(": ")
        made = replace(made, notes=(said, *made.notes))
    return made
