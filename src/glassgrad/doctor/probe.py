"""What is measured of a patient: one recorded step, where its numbers are, and how the loss goes on from there.

Everything is measured when it is first asked for, on copies, so that a rule costs what it looks at.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import GlassgradError
from ..explain.tape import Tape, record
from ..findings import Place
from ..graph import Node
from ..tensor import Tensor
from .patient import Patient, drawing

LEAST, MOST, SECONDS = 30, 400, 1.0
"""How many steps a trial has: at least, at most, and otherwise as many as there are in these seconds."""
FLAT = 0.01
"""A slope below this lets next to nothing through."""


@dataclass
class Site:
    """An operation of the forward pass, with what came out of it and what came back to it."""

    node: Node
    value: Any
    gradient: Any
    """Of the loss by its value; None where none arrived."""
    place: Place

    @property
    def name(self) -> str:
        assert self.node.op is not None
        return self.node.op.name


@dataclass
class Weight:
    """A parameter, with its gradient in the recorded step and what the update made of it."""

    name: str
    cell: Tensor
    before: Any
    gradient: Any
    after: Any

    @property
    def moved(self) -> float:
        """The size of the update against that of the weights."""
        size = norm(self.before)
        return norm(self.after - self.before) / size if size else math.inf

    @property
    def place(self) -> Place:
        return Place(module=self.name)


class Probe:
    """The measurements of a patient."""

    def __init__(self, patient: Patient, steps: int | None = None) -> None:
        self.patient, self._steps = patient, steps
        self.error: Exception | None = None
        """What the step raised."""

    @cached_property
    def tape(self) -> Tape:
        """One step, recorded; up to where it failed, if it did."""
        one = self._once = self.patient.copy()
        with drawing(one.seed), record() as tape:
            try:
                one.step(one.batches[0])
            except (GlassgradError, ValueError, IndexError, RuntimeError, TypeError) as error:
                self.error = error
        return tape

    @property
    def failed(self) -> bool:
        """Whether the recorded step raised an error."""
        self.tape  # noqa: B018 - takes the step
        return self.error is not None

    @cached_property
    def late(self) -> Patient:
        """The patient after a trial, as it is."""
        after = self.patient.copy()
        after.train(self.steps)
        return after

    @cached_property
    def steps(self) -> int:
        """How many a trial has."""
        if self._steps is not None:
            return self._steps
        began = time.perf_counter()
        self.patient.copy().train(3)
        taken = (time.perf_counter() - began) / 3
        return int(min(max(SECONDS / max(taken, 1e-6), LEAST), MOST))

    @cached_property
    def sites(self) -> list[Site]:
        """The operations of the forward pass and the loss, in order, that have float results."""
        tape = self.tape
        found = []
        for node, held in tape.records.items():
            if tape.is_leaf(node) or node.dtype.kind != "f" or tape.phase(node) not in ("forward", "loss"):
                continue
            arrived = tape.cotangents.get(node)
            gradient = None if arrived is None else tape.value(arrived)
            assert node.op is not None
            place = Place(node.op.name, held.path, node.where)
            found.append(Site(node, tape.value(node), gradient, place))
        return found

    @cached_property
    def weights(self) -> list[Weight]:
        """All parameters of the model and of the optimizer, in the recorded step."""
        self.tape  # noqa: B018 - takes the step
        names = {id(cell): name for name, cell in self._once.model.named_parameters()}
        for number, cell in enumerate(self._once.parameters):
            names.setdefault(id(cell), f"parameter {number}")
        before = {id(cell): p for cell, p in zip(self._cells(self._once), self._cells(self.patient), strict=True)}
        found = []
        for cell in self._cells(self._once):
            gradient = None if cell.grad is None else cell.grad.numpy()
            old, new = before[id(cell)].detach().numpy(), cell.detach().numpy()
            found.append(Weight(names[id(cell)], cell, old, gradient, new))
        return found

    @cached_property
    def losses(self) -> list[float]:
        """Of a trial as the patient is."""
        return self.patient.copy().train(self.steps)

    def slopes(self, site: Site) -> Any:
        """For an elementwise op of one operand its slope at every entry; None for others, and without a gradient."""
        node = site.node
        assert node.op is not None
        part = self._sent.get(node)
        if node.op.kind != "elementwise" or len(self.tape.inputs(node)) != 1 or site.gradient is None or part is None:
            return None
        with np.errstate(all="ignore"):
            return self.tape.value(part) / np.where(site.gradient == 0, np.nan, site.gradient)

    @cached_property
    def _sent(self) -> dict[Node, Node]:
        """What backward sent to the first operand of each node."""
        return {edge.node: edge.part for edge in self.tape.edges if edge.index == 0}

    @staticmethod
    def _cells(patient: Patient) -> list[Tensor]:
        cells = {id(p): p for p in [*patient.model.parameters(), *patient.parameters]}
        return list(cells.values())


def norm(array: Any) -> float:
    """The square root of the sum of squares, in float64."""
    return float(np.linalg.norm(np.asarray(array, np.float64).ravel()))


def rms(array: Any) -> float:
    """The root of the mean square."""
    return norm(array) / math.sqrt(max(1, np.size(array)))
