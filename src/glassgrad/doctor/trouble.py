"""Where numbers stop being finite: the first operation that is to blame, and what for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..explain.recording import UPDATE
from ..explain.tape import Tape
from ..graph import Node

GIVEN, MASKED, OVERFLOW, UNDERFLOW, UNDEFINED = ("given", "masked", "overflow", "underflow", "undefined")
"""A number that was none before anything was computed; infinities that were put in on purpose, and where nothing else
was left; a result too large for its dtype; one too small for it; one that does not exist: log of 0, 0 / 0."""
SOME, NUDGE = 0.7, 1e-3
"""An operand of a usual size; and how far operands are moved to see whether an infinity is a pole, which is one point,
or stands for a large number."""


@dataclass(frozen=True)
class Trouble:
    """The operation that is to blame."""

    tape: Tape
    node: Node
    entry: tuple[int, ...]
    kind: str
    after: int = 0
    """How many steps of training went well before."""
    led_to: Node | None = None
    """What an underflow made of the zero."""

    @property
    def operands(self) -> list[Any]:
        return [self.tape.value(each) for each in self.tape.inputs(self.node)]

    @property
    def bad(self) -> int:
        """How many entries are not finite, or were lost."""
        lost = vanished(self.tape, self.node) if self.kind == UNDERFLOW else ~np.isfinite(self.tape.value(self.node))
        return int(np.sum(lost))


def trouble_of(tape: Tape) -> Trouble | None:
    """The first operation of a step that is to blame for a loss, a gradient or an update that is not finite; None
    where all of these are. Infinities that come to nothing, such as those of a mask, are let be."""
    ends = [end for end in _ends(tape) if _bad(tape, end)]
    reached, stack = set[Node](), ends
    while stack:
        node = tape.source(stack.pop())
        if node not in reached:
            reached.add(node)
            stack.extend(each for each in tape.inputs(node) if not tape.is_leaf(node) and _bad(tape, each))
    data = {leaf for _, leaf in tape.cells.values()}
    masks = set[Node]()
    for node in sorted(reached, key=lambda each: each.id):
        value = tape.value(node)
        entry = first_bad(value)
        assert entry is not None
        if tape.is_leaf(node):
            if node in data or np.any(np.isnan(value)):
                return Trouble(tape, node, entry, GIVEN)
            masks.add(node)
            continue
        sources = [tape.source(each) for each in tape.inputs(node) if _bad(tape, each)]
        if all(each in masks for each in sources) and sources:
            if np.any(np.isnan(value)):
                return Trouble(tape, node, entry, MASKED)
            masks.add(node)
        elif not sources or _is_new(tape, node, entry):
            return _classified(tape, node, entry)
    if tape.roots and _bad(tape, tape.loss):  # what was masked is all that the loss is made of
        first = min((each for each in masks if not tape.is_leaf(each)), key=lambda each: each.id, default=None)
        entry = None if first is None else first_bad(tape.value(first))
        return None if first is None or entry is None else Trouble(tape, first, entry, MASKED)
    return None


def _ends(tape: Tape) -> list[Node]:
    """What has to be finite: the loss, the gradients of what is trained, what clips them, and what the update makes."""
    if not tape.roots:  # the step failed on its way
        return list(tape.records)
    leaves = [leaf for _, leaf in tape.cells.values() if leaf.requires_grad]
    after = [cell.node for cell, _ in tape.cells.values() if id(cell.node.value) in tape.producers]
    clipped = [each for each in tape.records if tape.phase(each) == UPDATE and not tape.in_rule(each)]
    return [tape.loss, *clipped, *(tape.cotangents[leaf] for leaf in leaves if leaf in tape.cotangents), *after]


def _bad(tape: Tape, node: Node) -> bool:
    return first_bad(tape.value(node)) is not None


def first_bad(array: Any) -> tuple[int, ...] | None:
    """The first entry that is not finite."""
    if array.dtype.kind != "f" or bool(np.all(np.isfinite(array))):
        return None
    place = int(np.flatnonzero(~np.isfinite(array))[0])
    return tuple(int(i) for i in np.unravel_index(place, array.shape))


def _is_new(tape: Tape, node: Node, entry: tuple[int, ...]) -> bool:
    """Whether an elementwise operation is given finite numbers at an entry, whatever it is given at others."""
    assert node.op is not None
    if node.op.kind != "elementwise":
        return False
    given = [tape.value(each) for each in tape.inputs(node)]
    return all(np.isfinite(each[entry] if each.shape == node.shape else each).all() for each in given)


def _classified(tape: Tape, node: Node, entry: tuple[int, ...]) -> Trouble:
    found = Trouble(tape, node, entry, UNDEFINED)
    wide = _run(tape, node, widest(node))
    lost = _lost_before(tape, node, entry)
    if wide is not None and np.isfinite(wide[entry]) and lost is None:
        return replace(found, kind=OVERFLOW)
    if np.isinf(tape.value(node)[entry]):
        moved = [_run(tape, node, widest(node), partial(_nudged, by=by)) for by in (NUDGE, -NUDGE)]
        if all(each is not None and np.isinf(each[entry]) for each in moved):
            return replace(found, kind=OVERFLOW)
    if lost is not None:
        where = np.flatnonzero(vanished(tape, lost))[0]
        at = tuple(int(i) for i in np.unravel_index(where, lost.shape))
        return replace(found, node=lost, entry=at, kind=UNDERFLOW, led_to=node)
    return found


def _lost_before(tape: Tape, node: Node, entry: tuple[int, ...]) -> Node | None:
    """The first operation that lost a small number, of those that made a 0, or next to it, which a node was given."""
    stack: list[tuple[Node, tuple[int, ...] | None]] = [(node, entry)]
    seen, found = set[Node](), []
    while stack:
        made, at = stack.pop()
        for each in map(tape.source, tape.inputs(made)):
            value = tape.value(each)
            here = at if value.shape == made.shape and made.op is not None and made.op.kind == "elementwise" else None
            part = value if here is None else value[here]
            if each in seen or tape.is_leaf(each) or value.dtype.kind != "f" or not np.any(_faint(part)):
                continue
            seen.add(each)
            lost = vanished(tape, each)
            if np.any(lost if here is None else lost[here]):
                found.append(each)
            stack.append((each, here))
    return min(found, key=lambda each: each.id, default=None)


def vanished(tape: Tape, node: Node) -> Any:
    """At which entries a result is 0, or has lost digits, because the number is too small for its dtype."""
    value = tape.value(node)
    faint = _faint(value)
    wide = _run(tape, node, widest(node)) if np.any(faint) else None
    if wide is None or wide.shape != value.shape:
        return np.zeros(node.shape, bool)
    lost = faint & (wide != 0) & (np.abs(wide) < np.finfo(value.dtype).tiny)
    return lost | (faint & (wide == 0) & _fades(tape, node)) if np.any(wide[faint] == 0) else lost


def _fades(tape: Tape, node: Node) -> Any:
    """Where a curve of one operand is 0 all around, and rises or falls for one of the same sign and a usual size."""
    shown = np.zeros(node.shape, bool)
    assert node.op is not None
    if node.op.kind != "elementwise" or len(tape.inputs(node)) != 1:
        return shown
    around = [_run(tape, node, widest(node), partial(_nudged, by=by)) for by in (NUDGE, -NUDGE)]
    near, beside = (_run(tape, node, widest(node), partial(_sized, size=size)) for size in (SOME, SOME + NUDGE))
    if near is None or any(each is None for each in around):
        return shown
    rises = near != beside  # no step, such as that of round
    return (around[0] == 0) & (around[1] == 0) & (near != 0) & np.isfinite(near) & rises


def _faint(array: Any) -> Any:
    """Which entries are 0 or below the least normal number."""
    if array.dtype.kind != "f":
        return np.zeros(array.shape, bool)
    return np.abs(array) < np.finfo(array.dtype).tiny


def widest(node: Node) -> Any:
    """The dtype to compute a value in once more. Products of matrices are quick only in float64."""
    assert node.op is not None
    return np.longdouble if node.op.kind in ("elementwise", "reduce") or node.dtype.itemsize > 4 else np.float64


def _sized(x: Any, size: float) -> Any:
    return size * np.sign(x)


def _nudged(x: Any, by: float) -> Any:
    return x + by * np.maximum(1, np.abs(x))


def _run(tape: Tape, node: Node, dtype: Any, change: Callable[[Any], Any] | None = None) -> Any:
    """The value of a node computed in another dtype, of operands that are changed; None where it cannot be."""
    given = [tape.value(each) for each in tape.inputs(node)]
    wide = [each.astype(dtype) if each.dtype.kind == "f" else each for each in given]
    if change is not None:
        wide = [change(each) if each.dtype.kind == "f" else each for each in wide]
    assert node.op is not None
    try:
        with np.errstate(all="ignore"):
            return node.op.value(np, *wide, **node.params)
    except (TypeError, ValueError):  # a rule that is for its own dtypes alone
        return None
