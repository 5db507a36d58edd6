"""Steps without one call of a module that makes their predictions: run again from their parameters on, whole or cut
where the predictions are made."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dispatch import leaf
from ..explain.tape import Tape
from ..graph import Node
from ..nn import Module
from ..tensor import Tensor, wrap
from .endings import Replayed, ended, ending
from .patient import Batch, Loss
from .replayed import Replay, changing
from .visit import Start, Visit


class Recorded(Module):
    """Recorded steps as a module: maps one of them, with its inputs if known, to its predictions or loss."""

    def forward(self, *given: Any) -> Tensor:
        *inputs, step = given
        held: dict[str, Any] = dict(self._parameters)
        return step.replay.run(inputs, {place: held[name] for place, name in step.names.items()})  # type: ignore[no-any-return]


@dataclass
class Whole:
    """A recorded step, and which of its leaves are which parameters."""

    replay: Replay
    names: dict[int, str]


def same(predictions: Any, _: Any) -> Any:
    """What the model gives is the loss."""
    return predictions


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

    def batch(self, visit: Visit) -> Batch | None:
        """A whole step; the parameters that it is the first to use join the model."""
        return Batch((self.whole(visit, Replay(visit.tape, [], visit.root)), None))

    def whole(self, visit: Visit, replay: Replay) -> Whole:
        """A recorded part of a step, with its parameters."""
        names = {}
        for place, node in replay.leaves.items():
            cell = None if node.cell is None else node.cell()
            if not node.requires_grad or cell is None:
                continue
            if id(cell) not in self.names:
                name = self._free(visit.tape.records[node].name or visit.tape.symbols.text(node))
                made = _copied(self.start, cell, visit.tape.value(node))
                self.names[id(cell)], self.model._parameters[name] = name, made  # type: ignore[assignment]
            names[place] = self.names[id(cell)]
        return Whole(replay, names)

    def _free(self, name: str) -> str:
        """The name, or for one that is taken another."""
        taken = self.model._parameters
        others = (f"{name} {number}" for number in itertools.count(2))
        return next(each for each in itertools.chain([name], others) if each not in taken)


class Halved(Wholly):
    """Steps of functions of parameters in lists, without a module, cut where their predictions are made: what is before
    stands for the model, what is behind for the loss."""

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self.loss = ended

    @classmethod
    def of(cls, start: Start, visit: Visit) -> Halved | None:
        """The form of this step, if all that parameters say goes through one value that has rows."""
        made = cls(start)
        return made if made._halves(visit) is not None else None

    def batch(self, visit: Visit) -> Batch | None:
        halves = self._halves(visit)
        if halves is None:
            return None
        said, behind = halves
        plain = Replay(visit.tape, [], said)
        rows = [node for node in plain.leaves.values() if not node.requires_grad and node.shape[:1] == said.shape[:1]]
        read = rows if len(rows) == 1 else []  # a sequence may be read in parts, of which none is all of it
        first = [wrap(leaf(np.array(visit.tape.value(node)))) for node in read]
        return Batch((*first, self.whole(visit, Replay(visit.tape, read, said)), behind))

    @staticmethod
    def _halves(visit: Visit) -> tuple[Node, Replayed] | None:
        said = narrows(visit.tape, visit.root)
        behind = None if said is None or len(said.shape) < 1 else ending(visit, [said])
        return None if said is None or behind is None or behind.answers is None else (said, behind)


def narrows(tape: Tape, root: Node) -> Node | None:
    """The first node of which alone hangs what parameters have to do with the result, and which is not the result."""
    lines, _ = changing(tape, [], root)
    moved = set(lines)
    last: dict[Node, int] = {}
    for number, node in enumerate(lines):
        for operand in tape.inputs(node):
            if operand in moved or (tape.is_leaf(operand) and operand.requires_grad):
                last[operand] = number
    read = max((at for node, at in last.items() if tape.is_leaf(node)), default=0)
    until = read
    for number in range(read):
        until = max(until, last.get(lines[number], -1))
    for number in range(read, len(lines) - 1):
        if until <= number:
            return _shaped(tape, lines, number)
        until = max(until, last.get(lines[number], -1))
    return None


def _shaped(tape: Tape, lines: list[Node], number: int) -> Node:
    """That node, or what only its shape is changed to."""
    node = lines[number]
    for after in lines[number + 1 : -1]:
        alone = [each for each in lines[number + 1 :] if node in tape.inputs(each)] == [after]
        if not alone or after.op is None or after.op.kind != "structural" or not after.shape:
            return node
        if after.shape[0] != node.shape[0]:
            return node
        node = after
    return node


def _copied(start: Start, cell: Tensor, value: Any) -> Tensor:
    """A parameter as it was in the step that used it first."""
    if start.has(cell):
        return start.of(cell)  # type: ignore[no-any-return]
    return start.put(cell, wrap(leaf(np.array(value), True)))
