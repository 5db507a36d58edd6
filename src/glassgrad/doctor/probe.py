"""What is measured of a patient: one recorded step, where its numbers are, and how the loss goes on from there.

Everything is measured when it is first asked for, on copies, so that a rule costs what it looks at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..engine.trace import flatten
from ..explain.tape import Tape, record
from ..findings import Place
from ..graph import Node
from ..spec import numel
from ..tensor import Tensor
from .courses import LOOKED_AT, Standing, standing
from .patient import Patient, drawing
from .trouble import OVERFLOW, UNDERFLOW, Trouble, trouble_of

LEAST, MOST, SECONDS = 30, 400, 1.0
"""How many steps a trial has: at least, at most, and otherwise about as many as there are in these seconds; up to three
times as many where the user's own loop has them."""
NODE, ENTRY, OPERATION = 5e-6, 2e-9, 2e-11
"""Seconds for a node, an entry of its value and a floating-point operation, about. Counted and not measured, so
that a diagnosis is the same on every machine, and beside other work."""
FAILURES = (Exception,)
"""What a step raises that cannot be taken: a loss and a model are the user's code, and may raise anything."""
WILD = 10.0
"""By what factor the size of weights grows where steps run away."""
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
        self.left_out: dict[str, Exception] = {}
        """By the fault of a rule that could not look, why not."""
        self.number = 0
        """How many steps of training the patient has taken."""

    @cached_property
    def tape(self) -> Tape:
        """One step, recorded; up to where it failed, if it did."""
        one = self.once = self.patient.copy()
        with drawing(one.seed), record() as tape:
            try:
                one.step(one.batches[0])
            except FAILURES as error:
                self.error = error
        return tape

    @property
    def failed(self) -> bool:
        """Whether the recorded step raised an error."""
        self.tape  # noqa: B018 - takes the step
        return self.error is not None

    @cached_property
    def fails(self) -> bool:
        """Whether a step raises an error, that of the first batch or of a later one."""
        try:
            return self.failed or not self.losses
        except FAILURES:
            return True

    @cached_property
    def late(self) -> Patient:
        """The patient after the user's own loop, or after a trial, as it is."""
        if self.patient.after is not None:
            return self.patient.after
        return self._trial[0]

    @cached_property
    def losses(self) -> list[float]:
        """Of a trial as the patient is."""
        return self._trial[1]

    @cached_property
    def _trial(self) -> tuple[Patient, list[float]]:
        after = self.patient.copy()
        return after, after.train(self.steps)

    @cached_property
    def broken(self) -> Probe | None:
        """The first step of a trial that gives a loss or weights that are not finite, with its number; None if none."""
        last = len(self.losses) - 1
        if math.isfinite(self.losses[-1]) and self.late.finite:
            return None
        one = self.patient.later(last)
        if last and not one.finite:  # what was made by the step before
            one = self.patient.later(last := last - 1)
        made = Probe(one, self._steps)
        made.number = last
        return made

    @cached_property
    def trouble(self) -> Trouble | None:
        """What is to blame for numbers that are not finite, in the first step or after steps that went well; None
        where there are none, and where the steps run away until numbers end."""
        found = trouble_of(self.tape)
        if found is not None and self.tape.in_rule(found.node) and self._lower_rate_is_finite():
            return None
        if found is not None and found.kind == UNDERFLOW:
            return self._overflowing() or found
        if found is not None or self.failed:
            return found
        if not math.isfinite(self.start.mean):  # a batch that comes later
            others = [Probe(replace(self.patient.copy(), batches=[each])) for each in self.patient.batches[1:LOOKED_AT]]
            return next((made for made in (trouble_of(other.tape) for other in others) if made is not None), None)
        if self.patient.broken is not None:
            after, tape = self.patient.broken[0] - 1, self.patient.broken[1]
            losses = self.patient.loop.losses if self.patient.loop is not None else []
        elif self.broken is not None:
            after, tape, losses = self.broken.number, self.broken.tape, self.losses
        else:
            return None
        found = trouble_of(tape)
        return None if found is None or self._ran_away(losses) else replace(found, after=after)

    def _overflowing(self) -> Trouble | None:
        """An overflow of another batch, where one batch underflows: the same numbers are too far apart."""
        for each in self.patient.batches[1:LOOKED_AT]:
            other = trouble_of(Probe(replace(self.patient.copy(), batches=[each])).tape)
            if other is not None and other.kind == OVERFLOW:
                return other
        return None

    def _ran_away(self, losses: Sequence[float]) -> bool:
        """Whether a course that ends with a number that is none grew before, or its weights did."""
        known = [each for each in losses if math.isfinite(each)]
        if known and max(known) > 3 * abs(known[0]):
            return True
        after = self.broken.patient if self.broken is not None else self.late
        pairs = zip(self._cells(after), self._cells(self.patient), strict=True)
        sizes = [(norm(new.detach()), norm(old.detach())) for new, old in pairs if old.ndim > 1]
        return any(new > WILD * old > 0 for new, old in sizes)

    def _lower_rate_is_finite(self) -> bool:
        for factor in (0.1, 0.01, 1e-3):
            one = self.patient.copy()
            for group in one.optimizer.param_groups:
                group["lr"] = group["lr"] * factor
            if math.isfinite(one.train(self.steps)[-1]):
                return True
        return False

    @cached_property
    def steps(self) -> int:
        """How many a trial has."""
        if self._steps is not None:
            return self._steps
        if self.failed:
            return LEAST
        made = [node for node in self.tape.records if not self.tape.is_leaf(node)]
        usual = int(min(max(SECONDS / sum(_seconds(self.tape, node) for node in made), LEAST), MOST)) if made else LEAST
        own = len(self.patient.loop.losses) if self.patient.loop is not None else 0
        usual = min(max(usual, min(own, 3 * usual)), MOST)
        if own and self._same_batch:  # then a trial is the user's own course, step for step
            usual = min(usual, max(own, LEAST))
        return min(max(usual, self._runs_away_at + 10), 5 * usual, MOST) if self._runs_away_at else usual

    @cached_property
    def _same_batch(self) -> bool:
        """Whether all steps see the same batch."""
        first, *others = ([t.numpy() for t in flatten(list(each))] for each in self.patient.batches)
        pairs = (zip(first, each, strict=True) for each in others if len(each) == len(first))
        alike = [all(np.array_equal(a, b) for a, b in pair) for pair in pairs]
        return bool(alike) and len(alike) == len(others) and all(alike)

    @cached_property
    def _runs_away_at(self) -> int:
        """At which step the loss of the user's own loop ran away, so that a trial can get there; 0 if it did not."""
        losses = self.patient.loop.losses if self.patient.loop is not None else []
        far = (n for n, loss in enumerate(losses) if not abs(loss) < 10 * max(abs(losses[0]), 1.0))
        return next(far, 0)

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
        names = {id(cell): name for name, cell in self.once.model.named_parameters()}
        for number, cell in enumerate(self.once.parameters):
            names.setdefault(id(cell), f"parameter {number}")
        before = {id(cell): p for cell, p in zip(self._cells(self.once), self._cells(self.patient), strict=True)}
        found = []
        for cell in self._cells(self.once):
            gradient = None if cell.grad is None else cell.grad.numpy()
            old, new = before[id(cell)].detach().numpy(), cell.detach().numpy()
            found.append(Weight(names[id(cell)], cell, old, gradient, new))
        return found

    @cached_property
    def start(self) -> Standing:
        """The loss before anything is learned."""
        return standing(self.patient)

    @cached_property
    def strides(self) -> dict[str, float]:
        """By the name of each parameter of at least two axes: the size of an update against that of the weights, the
        mean of some steps, in which momentum comes up to its speed."""
        one, count = self.patient.copy(), min(self.steps, 20)
        held = [(name, p) for name, p in zip(self.rates, one.parameters, strict=True) if p.ndim > 1]
        ways: dict[str, float] = dict.fromkeys((name for name, _ in held), 0.0)
        with drawing(one.seed), np.errstate(all="ignore"):
            for step in range(count):
                before = [(p.detach().numpy().copy(), norm(p.detach().numpy())) for _, p in held]
                with one.rated(step):
                    one.step(one.batches[step % len(one.batches)])
                for (name, p), (old, size) in zip(held, before, strict=True):
                    ways[name] += norm(p.detach().numpy() - old) / size / count if size else 0.0
        return ways

    @cached_property
    def rates(self) -> dict[str, float]:
        """The rate of every parameter of the optimizer, by name, in its order."""
        names = {id(cell): name for name, cell in self.patient.model.named_parameters()}
        groups = self.patient.optimizer.param_groups
        held = [(p, float(group.get("lr", 0.0))) for group in groups for p in group["params"]]
        return {names.get(id(p), f"parameter {number}"): rate for number, (p, rate) in enumerate(held)}

    def slopes(self, site: Site) -> Any:
        """For an elementwise op of one operand its slope at every entry; None for others, and without a gradient."""
        node = site.node
        assert node.op is not None
        part = self._sent.get(node)
        if node.op.kind != "elementwise" or len(self.tape.inputs(node)) != 1 or site.gradient is None or part is None:
            return None
        with np.errstate(all="ignore"):
            return self.tape.value(part) / np.where(site.gradient == 0, np.nan, site.gradient)

    def sent_by(self, site: Site) -> Any:
        """What backward sent from an operation to its first operand; None if nothing."""
        part = self._sent.get(site.node)
        return None if part is None else self.tape.value(part)

    @cached_property
    def _sent(self) -> dict[Node, Node]:
        """What backward sent to the first operand of each node."""
        return {edge.node: edge.part for edge in self.tape.edges if edge.index == 0}

    @staticmethod
    def _cells(patient: Patient) -> list[Tensor]:
        cells = {id(p): p for p in [*patient.model.parameters(), *patient.parameters]}
        return list(cells.values())


def _seconds(tape: Tape, node: Node) -> float:
    """About how long it takes to make a node."""
    op: Any = node.op
    work = op.operations(node.spec, *(x.spec for x in tape.inputs(node)), **node.params)
    return NODE + ENTRY * numel(node.shape) + OPERATION * float(work)


def norm(array: Any) -> float:
    """The square root of the sum of squares, in float64."""
    return float(np.linalg.norm(np.asarray(array, np.float64).ravel()))


def rms(array: Any) -> float:
    """The root of the mean square."""
    return norm(array) / math.sqrt(max(1, np.size(array)))
