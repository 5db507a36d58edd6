"""A patient out of steps that were watched: the model that was called, on what, and what made its loss of the result.

Several forms, the closest first: a loss that is one call of a module or a function of (predictions, targets); a loss
that is written by hand, whose recorded operations run again; and, where no single call of a module makes the
predictions, the whole step run again from its parameters, cut at the predictions where they are one value.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from .. import functions as fn
from ..dispatch import leaf
from ..engine.trace import flatten
from ..explain.recording import unseen
from ..nn import Module
from ..optim import SGD, Optimizer
from ..tensor import Tensor, wrap
from .calls import Call, has_parameters, own
from .copies import Copies
from .endings import Replayed, ended, ending
from .loop import Loop
from .patient import Batch, Loss, Patient, held_by, with_rates
from .replayed import leading
from .visit import Start, Visit
from .whole import Halved, Wholly


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
            known = Severed.of(self.start, visit) or Called.of(self.start, visit)
            self.form = known or Halved.of(self.start, visit) or Wholly(self.start)
            self.rate = _rate(visit)
        batch = self.form.batch(visit)
        if batch is not None:
            self.batches.append(batch)

    def patient(self, loop: Loop, clip_norm: float | None = None) -> Patient | None:
        """The patient as it was before its first step; None if there was no step."""
        if self.form is None or not self.batches:
            return None
        cells = self.form.cells or [wrap(leaf(np.zeros(1), True))]  # of a step that hangs on no parameter
        by_hand = SGD(cells, lr=abs(self.rate), maximize=self.rate < 0)
        rule = with_rates(self.start.optimizer or by_hand)
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


class Severed(Called):
    """Steps whose loss is a number that was made anew of another one, and hangs on nothing."""

    @classmethod
    def of(cls, start: Start, visit: Visit) -> Severed | None:
        called = _models(visit)
        if not called or not start.has(called[-1].of):
            return None
        if visit.root.op is not None and not _hangs_on_nothing(visit, called):
            return None
        value, wants = np.array(visit.root.value), visit.root.requires_grad and visit.root.op is None
        made = cls(start, called[-1].of, None)  # type: ignore[arg-type]
        made.loss = lambda _, __: wrap(leaf(value.copy(), wants)) * 1
        return made

    def batch(self, visit: Visit) -> Batch | None:
        found = [call for call in _models(visit) if call.of is self.called]
        return found[-1].batch(None) if found else None


def _hangs_on_nothing(visit: Visit, called: list[Call]) -> bool:
    """Whether no gradient of the loss gets to any parameter of what was called, nor to any that the optimizer holds,
    though one gets to something else."""
    cells: list[Tensor] = [p for call in called if isinstance(call.of, Module) for p in call.of.parameters()]
    cells += held_by(visit.optimizer) if visit.optimizer is not None else []
    known = visit.tape.cells
    ends = {known[id(p)][1] for p in cells if id(p) in known and p.requires_grad}
    stack, seen = [visit.root], {visit.root}
    while stack:
        node = stack.pop()
        if node in ends:
            return False
        before = [] if visit.tape.is_leaf(node) else visit.tape.inputs(node)
        new = [each for each in before if each.requires_grad and each not in seen]
        seen.update(new)
        stack.extend(new)
    return bool(ends) and visit.root.requires_grad


def _models(visit: Visit) -> list[Call]:
    """The calls of modules with parameters."""
    return [call for call in visit.calls if isinstance(call.of, Module) and has_parameters(call.of)]


def main_call(visit: Visit) -> Call | None:
    """The one call of a module with parameters that leads to the loss."""
    lead = leading(visit.tape, [], visit.root)
    found = [call for call in _models(visit) if any(tensor.node in lead for tensor in flatten(call.result))]
    return found[0] if len(found) == 1 else None


def _ending(visit: Visit, main: Call) -> Replayed | None:
    """What is behind the predictions of a call."""
    outputs = [tensor.node for tensor in flatten(main.result)]
    return ending(visit, outputs)


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


def _rate(visit: Visit) -> float:
    """The rate of updates that are made by hand: how far against the gradient the weights went."""
    tape = visit.tape
    for cell, node in tape.cells.values():
        arrived = tape.cotangents.get(node)
        if arrived is None or cell.node is node:
            continue
        slope = np.asarray(tape.value(arrived), np.float64)
        moved = np.asarray(cell.detach().numpy(), np.float64) - np.asarray(tape.value(node), np.float64)
        size = float((slope * slope).sum())
        if size and moved.shape == slope.shape:
            rate = float(-(moved * slope).sum() / size)
            return rate if math.isfinite(rate) else 0.0
    return 0.0
