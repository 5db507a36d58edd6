"""A recorded computation run again on other values, as tensors: it can be differentiated, and shapes may be others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import eq
from typing import Any

import numpy as np

from ..dispatch import STATE, apply, leaf
from ..explain.tape import Tape
from ..functions.register import aligned
from ..graph import Node, Operation, Origin
from ..ops.shape import expand, reshape
from ..spec import numel
from ..tensor import Tensor, wrap

Shape = tuple[int, ...]


@dataclass
class Line:
    """One operation, with where its operands and its result stand among all values."""

    op: Operation
    params: Mapping[str, Any]
    operands: tuple[int, ...]
    shapes: tuple[Shape, ...]
    """Of the operands, as recorded."""
    result: int
    origin: Origin


class Replay:
    """What led from some recorded values to a result. Random draws stay what they were.

    `changeable` is data that others may take the place of, so that what is made of it runs again, too.
    """

    def __init__(self, tape: Tape, given: Sequence[Node], result: Node, changeable: Node | None = None) -> None:
        self.given = list(range(len(given)))
        places = {node: place for place, node in reversed([*enumerate(given)])}
        self.fixed: dict[int, Node] = {}
        """Data, by its place among the values."""
        self.leaves: dict[int, Node] = {}
        """The recorded nodes that these are of."""
        self.lines: list[Line] = []
        lines, fixed = changing(tape, given, result, changeable)
        places.update((node, place) for place, node in enumerate([*fixed, *lines], len(given)) if node not in places)
        for node in fixed:
            self.fixed[places[node]], self.leaves[places[node]] = leaf(tape.value(node)), node
        for node in lines:
            assert node.op is not None
            operands, made = tape.inputs(node), node.origin
            origin = Origin(None, None) if made is None else Origin(made.where, made.scope)
            where, shapes = tuple(places[x] for x in operands), tuple(x.shape for x in operands)
            self.lines.append(Line(node.op, node.params, where, shapes, places[node], origin))
        self.result = places[result]

    def run(self, given: Sequence[Tensor], changed: Mapping[int, Tensor] | None = None) -> Tensor:
        """The result for these values, and with others in place of some fixed ones."""
        held = dict(self.fixed)
        held.update((place, tensor.node) for place, tensor in (changed or {}).items())
        held.update((place, tensor.node) for place, tensor in zip(self.given, given, strict=True))
        counts: dict[int, tuple[int, int]] = {}
        for line in self.lines:
            with _coming_from(line.origin):
                held[line.result] = _again(line, held, counts)
        return wrap(held[self.result])


def _again(line: Line, held: Mapping[int, Node], counts: dict[int, tuple[int, int]]) -> Node:
    """One line again. Operands of other shapes are repeated as the line needs it, summed over the axes that they have;
    `counts` has for sums of how many entries they were, and are."""
    operands, params = [held[x] for x in line.operands], dict(line.params)
    before, now = line.shapes, [x.shape for x in operands]
    if all(map(eq, now, before)):
        if not any(place in counts for place in line.operands):
            return apply(line.op, tuple(operands), params)
    elif line.op is expand:
        return operands[0]
    elif line.op is reshape:
        params["shape"] = _scaled(params["shape"], before[0], now[0])
    elif line.op.kind == "reduce":
        axes = params["axes"]
        if len(axes) == len(before[0]):
            params["axes"] = tuple(range(len(now[0])))
        made = apply(line.op, tuple(operands), params)
        counts[line.result] = _size(before[0], axes), _size(now[0], params["axes"])
        return made
    if line.op.kind == "elementwise":
        known = next((counts[place] for place in line.operands if place in counts), None)
        if known is not None:  # a mean divides by how many there are
            operands = [_counted(x, *known) for x in operands]
        operands = list(aligned(tuple(wrap(x) for x in operands)))
    return apply(line.op, tuple(operands), params)


def _size(shape: Shape, axes: Sequence[int]) -> int:
    return math.prod(shape[axis] for axis in axes)


def _counted(node: Node, before: int, now: int) -> Node:
    """A number that is a count of entries, or one over it, for another count."""
    if node.shape or node.op is not None or not before or not now:
        return node
    for told, right in ((before, now), (1 / before, 1 / now)):
        if abs(float(node.value) - told) <= 1e-6 * told:
            return leaf(np.array(right, node.dtype))
    return node


def leading(tape: Tape, given: Sequence[Node], result: Node) -> set[Node]:
    """The recorded nodes between some values and a result, without the values."""
    found: set[Node] = set()
    stack = [result]
    while stack:
        node = stack.pop()
        if node in found or node in given:
            continue
        found.add(node)
        if not tape.is_leaf(node):
            stack.extend(tape.inputs(node))
    return found


def changing(
    tape: Tape,
    given: Sequence[Node],
    result: Node,
    changeable: Node | None = None,
) -> tuple[list[Node], list[Node]]:
    """What of it depends on the values or on parameters, in order; and what else that is made of."""
    moved, fixed = set(given), dict[Node, None]()
    lines = []
    for node in sorted(leading(tape, given, result), key=lambda each: each.id):
        if tape.is_leaf(node) or node is changeable:
            if node.requires_grad or node is changeable:
                moved.add(node)
            fixed[node] = None
        elif moved.isdisjoint(tape.inputs(node)):
            fixed[node] = None
        else:
            moved.add(node)
            lines.append(node)
    used = {x for node in lines for x in tape.inputs(node)} | {result}
    return lines, [node for node in fixed if node in used]


def _scaled(shape: Shape, before: Shape, now: Shape) -> Shape:
    """A shape to which a value is put, for a value that has more or fewer rows than it had."""
    if numel(shape) == numel(now) or not before or not now or before[0] in (0, now[0]):
        return shape
    return tuple(now[0] if size == before[0] else size * now[0] // before[0] if size > before[0] else size
                 for size in shape)  # fmt: skip


@contextmanager
def _coming_from(origin: Origin) -> Iterator[None]:
    """What is made now was made by the user's line of then."""
    outer, STATE.origin = STATE.origin, origin
    try:
        yield
    finally:
        STATE.origin = outer
