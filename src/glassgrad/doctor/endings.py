"""Losses that are written by hand: the recorded part of a step from its predictions on, which runs again."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dispatch import leaf
from ..engine.trace import flatten
from ..explain.tape import Tape
from ..graph import Node
from ..tensor import Tensor, wrap
from .patient import Ending
from .replayed import Replay
from .visit import Visit

KINDS = 3
"""Labels are so many times as many as there are classes; the numbers of rows are not."""


class Replayed(Ending):
    """What was recorded from the predictions to the loss."""

    def __init__(self, replay: Replay, outputs: int, answer: int | None, other: Tensor | None = None) -> None:
        self.replay, self.outputs, self.answer, self.other = replay, outputs, answer, other
        rows = () if answer is None else replay.fixed[answer].shape[:1]
        beside = [node.value for place, node in replay.fixed.items() if place != answer and node.shape[:1] == rows]
        held = [node.value.reshape(-1) for place, node in replay.fixed.items() if place != answer and _in_a_row(node)]
        self.classes = [wrap(leaf(value)) for value in held if KINDS * len(np.unique(value)) <= len(value)]
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


def ended(predictions: Any, targets: Any) -> Tensor:
    """The loss of targets that know theirs."""
    return targets(predictions)  # type: ignore[no-any-return]


def ending(visit: Visit, outputs: list[Node]) -> Replayed | None:
    """The recorded part from the predictions on; None if it needs more of the model than those."""
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


def _in_a_row(node: Node) -> bool:
    """Whether a node holds whole numbers, one after another."""
    return node.dtype.kind in "iu" and bool(node.shape) and int(np.prod(node.shape)) == node.shape[0] > 0


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
