"""A patient out of steps that were watched: the model that was called, on what, and what made its loss of the result.

Three forms, the closest first: a loss that is one call of a module or a function of (predictions, targets); a loss
that is written by hand, whose recorded operations run again; and, where no single call of a module makes the
predictions, the whole step run again from its parameters.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import functions as fn
from ..dispatch import leaf
from ..engine.trace import flatten
from ..explain.recording import unseen
from ..explain.tape import Tape
from ..graph import Node
from ..nn import Module
from ..optim import SGD, Optimizer
from ..tensor import Tensor, wrap
from .calls import Call, has_parameters, own
from .copies import Copies
from .loop import Loop
from .patient import Batch, Ending, Loss, Patient, with_rates
from .replayed import Replay, leading


@dataclass
class Visit:
    """One step as it was watched."""

    tape: Tape
    root: Node
    """What backward began from."""
    calls: list[Call]
    """Of modules, gradients on, in order; and of functions on what those gave."""
    optimizer: Optimizer | None = None
    """The one that took its step."""


@dataclass
class Start:
    """Copies of what a training began with. They share what their originals share."""

    memo: dict[int, Any] = field(default_factory=dict)
    optimizer: Optimizer | None = None
    seed: Tensor | None = None

    def of(self, what: Any) -> Any:
        """The copy of a module, an optimizer or a parameter: made now, if there is none yet."""
        return Copies(self.memo).of(what)

    def put(self, what: Any, made: Tensor) -> Tensor:
        """Have something for the copy; what it is one of has to stay, so that nothing else gets its identity."""
        self.memo[id(what)] = made
        self.memo.setdefault(id(self.memo), []).append(what)
        return made

    def has(self, what: Any) -> bool:
        return id(what) in self.memo

    def forget(self) -> None:
        """Begin anew: what was copied was changed before a step was taken."""
        self.memo.clear()


class Known:
    """A loss that is one call of (predictions, targets)."""

    def __init__(self, call: Call, said: Any) -> None:
        given = call.by_key()
        self.function = call.of
        self.at = next(key for key, value in given.items() if value is said)
        others = [key for key, value in given.items() if isinstance(value, Tensor) and key != self.at]
        self.to: Any = "target" if "target" in others else others[0] if others else None
        self.given = {key: None if key in (self.at, self.to) else own(value) for key, value in given.items()}

    def __call__(self, predictions: Any, targets: Any) -> Tensor:
        given = {**self.given, self.at: predictions}
        if self.to is not None:
            given[self.to] = targets
        args = [given.pop(key) for key in sorted(key for key in given if isinstance(key, int))]
        return self.function(*args, **given)  # type: ignore[no-any-return]

    def targets(self, call: Call) -> Any:
        """The targets of another call of the same kind."""
        return None if self.to is None else call.by_key().get(self.to)


class Replayed(Ending):
    """What was recorded from the predictions to the loss."""

    def __init__(self, replay: Replay, outputs: int, answer: int | None, other: Tensor | None = None) -> None:
        self.replay, self.outputs, self.answer, self.other = replay, outputs, answer, other
        rows = () if answer is None else replay.fixed[answer].shape[:1]
        beside = [node.value for place, node in replay.fixed.items() if place != answer and node.shape[:1] == rows]
        self.weighed = any(_tells_rows_apart(value) for value in beside if rows)

    @property
    def answers(self) -> Tensor | None:  # type: ignore[override]
        if self.other is not None or self.answer is None:
            return self.other
        return wrap(self.replay.fixed[self.answer])

    def answered(self, answers: Tensor) -> Replayed:
        return Replayed(self.replay, self.outputs, self.answer, answers)

    def __call__(self, predictions: Any) -> Tensor:
        changed = {} if self.other is None or self.answer is None else {self.answer: self.other}
        return self.replay.run(flatten(predictions), changed)


class Recorded(Module):
    """Whole recorded steps as a module: maps one of them to its loss."""

    def forward(self, step: Whole) -> Tensor:
        held: dict[str, Any] = dict(self._parameters)
        return step.replay.run([], {place: held[name] for place, name in step.names.items()})


@dataclass
class Whole:
    """A recorded step, and which of its leaves are which parameters."""

    replay: Replay
    names: dict[int, str]


def ended(predictions: Any, targets: Any) -> Tensor:
    """The loss of targets that know theirs."""
    return targets(predictions)  # type: ignore[no-any-return]


def same(predictions: Any, _: Any) -> Any:
    """What the model gives is the loss."""
    return predictions


class Capture:
    """Makes a patient of steps that are shown to it one after another; of each it keeps what it needs."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.batches: list[Batch] = []
        self.form: Called | Wholly | None = None
        self.rate = 0.0
        """Of updates that are made by hand."""

    def take(self, visit: Visit) -> None:
        """Another step, when it is over; the first one decides on the form."""
        if self.form is None:
            self.form = Called.of(self.start, visit) or Wholly(self.start)
            self.rate = _rate(visit)
        batch = self.form.batch(visit)
        if batch is not None:
            self.batches.append(batch)

    def patient(self, loop: Loop, clip_norm: float | None = None) -> Patient | None:
        """The patient as it was before its first step; None if there was no step."""
        if self.form is None or not self.batches:
            return None
        rule = with_rates(self.start.optimizer or SGD(self.form.cells, lr=self.rate))
        made = Patient(self.form.model, self.form.loss, rule, self.batches, clip_norm=clip_norm, loop=loop)
        if self.start.seed is not None:
            made.seed = self.start.seed
        return made

    def after(self, before: Patient, optimizer: Optimizer) -> Patient | None:
        """The patient as its training left it."""
        if not isinstance(self.form, Called):
            return None
        copies = Copies()
        model, rule = copies.of(self.form.called), copies.of(optimizer)
        return replace(before, model=model, optimizer=with_rates(rule), loop=None, seed=fn.get_rng_state())

    def failed(self, calls: list[Call]) -> None:
        """A step that raised an error comes first, of those before it only what is of its form: its model, and its
        loss if it came so far."""
        found = [(call, call.of) for call in calls if isinstance(call.of, Module) and has_parameters(call.of)]
        if not found or not self.start.has(found[-1][1]):
            return
        main, called = found[-1]
        loss = next((call for call in reversed(calls) if main.result is not None and call.takes(main.result)), None)
        known = None if loss is None else Known(self._copied(loss), main.result)
        targets = None if known is None or loss is None else own(known.targets(loss))
        before = self.form if isinstance(self.form, Called) and self.form.called is called else None
        if before is not None and main.result is None:  # it did not come to its loss
            known = before.known
        others = self.batches if before is not None and (before.known is None) == (known is None) else []
        self.form, self.batches = Called(self.start, called, known), [main.batch(targets), *others]

    def _copied(self, call: Call) -> Call:
        return Call(self.start.of(call.of), call.args, call.named)


class Called:
    """Steps that call one model once, and a loss of what it gives."""

    def __init__(self, start: Start, called: Module, known: Known | None) -> None:
        self.called, self.known = called, known
        self.model: Module = start.of(called)
        self.loss: Loss = known or ended
        """`ended` knows the loss by the targets that it is given."""
        self.cells = [p for p in self.model.parameters() if p.requires_grad]

    @classmethod
    def of(cls, start: Start, visit: Visit) -> Called | None:
        """The form of this step, if it is one of this kind."""
        main = main_call(visit)
        if main is None or not start.has(main.of) or not isinstance(main.of, Module) or _ending(visit, main) is None:
            return None
        call = _loss_call(visit, main)
        known = None if call is None else Known(Call(start.of(call.of), call.args, call.named), main.result)
        return cls(start, main.of, known)

    def batch(self, visit: Visit) -> Batch | None:
        """What a step was given; None for a step of another form."""
        main = main_call(visit)
        if main is None or main.of is not self.called:
            return None
        if self.known is None:
            targets: Any = _ending(visit, main)
            if targets is None:
                return None
        else:
            call = _loss_call(visit, main)
            if call is None:
                return None
            targets = own(self.known.targets(call))
        return main.batch(targets)


class Wholly:
    """Steps of any form, run again from their parameters on."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.model = Recorded()
        self.loss: Loss = same
        self.names: dict[int, str] = {}
        """Of each parameter that joined, by its identity: a step may know it under another name than the one before."""

    @property
    def cells(self) -> list[Tensor]:
        return list(self.model.parameters())

    def batch(self, visit: Visit) -> Batch:
        """A whole step; the parameters that it is the first to use join the model."""
        replay, names = Replay(visit.tape, [], visit.root), {}
        for place, node in replay.leaves.items():
            cell = None if node.cell is None else node.cell()
            if not node.requires_grad or cell is None:
                continue
            if id(cell) not in self.names:
                name = self._free(visit.tape.records[node].name or visit.tape.symbols.text(node))
                made = _copied(self.start, cell, visit.tape.value(node))
                self.names[id(cell)], self.model._parameters[name] = name, made  # type: ignore[assignment]
            names[place] = self.names[id(cell)]
        return Batch((Whole(replay, names), None))

    def _free(self, name: str) -> str:
        """The name, or for one that is taken another."""
        taken = self.model._parameters
        others = (f"{name} {number}" for number in itertools.count(2))
        return next(each for each in itertools.chain([name], others) if each not in taken)


def main_call(visit: Visit) -> Call | None:
    """The one call of a module with parameters that leads to the loss."""
    lead = leading(visit.tape, [], visit.root)
    found = [
        call for call in visit.calls
        if isinstance(call.of, Module) and has_parameters(call.of)
        and any(tensor.node in lead for tensor in flatten(call.result))
    ]  # fmt: skip
    return found[0] if len(found) == 1 else None


def _ending(visit: Visit, main: Call) -> Replayed | None:
    """The recorded part from the predictions on; None if it needs more of the model than those."""
    outputs = [tensor.node for tensor in flatten(main.result)]
    replay = Replay(visit.tape, outputs, visit.root)
    if any(node.requires_grad for node in replay.leaves.values()):
        return None
    predictions = outputs[0] if outputs else visit.root
    fits = [node for node in replay.leaves.values() if _are_answers(node, predictions)]
    if not fits:
        return Replayed(replay, len(outputs), None)
    answer = _before(visit.tape, fits[0], predictions)
    replay = Replay(visit.tape, outputs, visit.root, answer)
    return Replayed(replay, len(outputs), next(place for place, node in replay.leaves.items() if node is answer))


def _tells_rows_apart(value: Any) -> bool:
    """Whether some numbers are others for other rows, and not only those of the rows."""
    flat = np.asarray(value).reshape(len(value), -1)
    counted = flat.shape[1] == 1 and np.array_equal(flat[:, 0], np.arange(len(flat)))
    return len(flat) > 1 and not counted and bool(np.any(flat != flat[:1]))


def _before(tape: Tape, node: Node, predictions: Node) -> Node:
    """The targets as they were given, of which a loss has made something: 1 - target, or another shape."""
    while not tape.is_leaf(node) and node.op is not None and node.op.kind in ("elementwise", "structural"):
        operands = [each for each in tape.inputs(node) if each.shape]
        if len(operands) != 1 or not _are_answers(operands[0], predictions) or _size(operands[0]) > _size(node):
            break
        node = operands[0]
    return node


def _size(node: Node) -> int:
    return int(np.prod(node.shape))


def _are_answers(node: Node, predictions: Node) -> bool:
    """Whether data that a loss uses may be the targets of predictions: a row for each, or an entry for each."""
    rows = predictions.shape[:1]
    whole = node.shape == predictions.shape or int(np.prod(node.shape)) == int(np.prod(predictions.shape[:-1]))
    return bool(node.shape) and (whole or node.shape[:1] == rows)


def _loss_call(visit: Visit, main: Call) -> Call | None:
    """The call that made the loss of the predictions, if one did: it gives the same number again."""
    for call in visit.calls:
        if call is main or not call.takes(main.result):
            continue
        if isinstance(call.of, Module):
            if has_parameters(call.of) or getattr(call.result, "node", None) is not visit.root:
                continue
            return call
        with unseen():
            try:
                again = call.of(*call.args, **call.named)
            except Exception:  # what it was given was changed meanwhile
                continue
        if isinstance(again, Tensor) and np.array_equal(again.numpy(), visit.tape.value(visit.root), equal_nan=True):
            return call
    return None


def _copied(start: Start, cell: Tensor, value: Any) -> Tensor:
    """A parameter as it was in the step that used it first."""
    if start.has(cell):
        return start.of(cell)  # type: ignore[no-any-return]
    return start.put(cell, wrap(leaf(np.array(value), True)))


def _rate(visit: Visit) -> float:
    """The rate of updates that are made by hand: how far along the gradient the weights went."""
    tape = visit.tape
    for cell, node in tape.cells.values():
        arrived = tape.cotangents.get(node)
        if arrived is None or cell.node is node:
            continue
        slope = np.asarray(tape.value(arrived), np.float64)
        moved = np.asarray(cell.detach().numpy(), np.float64) - np.asarray(tape.value(node), np.float64)
        size = float((slope * slope).sum())
        if size and moved.shape == slope.shape:
            return max(float(-(moved * slope).sum() / size), 0.0)
    return 0.0
