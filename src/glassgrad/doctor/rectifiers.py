"""Activations, found by what they do. A rectifier has a slope of 0 on one side, however near to the corner; what
squashes is bounded on both sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..dispatch import leaf
from ..explain.recording import unseen
from ..explain.tape import Tape
from ..graph import Node
from .layers import weights_in
from .probe import Probe, Site

NEAR = 1e-3
"""How near to 0 a curve that is flat far out has a slope again, and a rectifier has none."""
SOMEWHERE = 0.1
"""Where everything that squashes has a slope."""
FAR, BOUND = 1e6, 100.0
"""What squashes keeps numbers as large as these within such a bound."""
FEW = 8
"""Below so many rows a unit is silent by chance."""
SELDOM = 0.99
"""A unit without a slope at so many of its entries is as good as dead."""
HALF, ALL, DEEP = 0.45, 0.9, 3.0
"""About half of the units; about all; and how far below 0 a unit lies that no chance has put there."""


@dataclass(frozen=True)
class Rectifier:
    """An operation that is flat on one side, and which of its units are flat at all rows."""

    site: Site
    dead: Any
    """For each unit, whether next to none of its entries has a slope."""
    largest: Any
    """For each unit the largest number that it is given."""

    def with_rows(self, other: Rectifier | None) -> Rectifier:
        """The same with further rows; None for such at which nothing is flat."""
        if other is None:
            return replace(self, dead=np.zeros_like(self.dead))
        return replace(self, dead=self.dead & other.dead, largest=np.maximum(self.largest, other.largest))

    @property
    def share(self) -> float:
        return float(np.mean(self.dead))

    @property
    def fallen(self) -> bool:
        """Whether more units are dead than are by chance. Where all rows are much alike, as deep in a net, each unit
        is on or off for all of them, and half are off: so it takes clearly more, or units that lie far below 0."""
        if self.share >= min(ALL, 0.5 + 1.25 / math.sqrt(self.dead.size)):
            return True
        alive = self.largest[~self.dead]
        return float(np.mean(self.largest < -DEEP * np.abs(alive).mean())) >= HALF


def rectifiers(probe: Probe, batches: int = 1) -> list[Rectifier]:
    """All rectifiers of the forward pass that are flat somewhere; a unit is dead if it is at every row of these first
    batches."""
    found = _of_one(probe)
    for number in range(1, min(batches, len(probe.patient.batches))):
        if not any(np.any(each.dead) for each in found.values()):
            break
        other = Probe(replace(probe.patient.copy(), batches=[probe.patient.batches[number]]), probe.steps)
        if len(other.sites) == len(probe.sites):
            there = _of_one(other)
            found = {place: each.with_rows(there.get(place)) for place, each in found.items()}
    return list(found.values())


def _of_one(probe: Probe) -> dict[int, Rectifier]:
    """By the number of the operation, those of the recorded batch."""
    weights, found = weights_in(probe.tape), {}
    axes: dict[Node, int] = {}
    for number, site in enumerate(probe.sites):
        axes[site.node] = axis = _axis(probe.tape, site.node, weights, axes)
        flat = flat_entries(probe.tape, site) if len(site.node.shape) > 1 else None
        if flat is None:
            continue
        others = tuple(each for each in range(flat.ndim) if each != axis)
        if math.prod(flat.shape[each] for each in others) >= FEW:
            operand = next(each for each in probe.tape.inputs(site.node) if each.requires_grad)
            dead = flat.mean(axis=others) >= SELDOM
            found[number] = Rectifier(site, dead, probe.tape.value(operand).max(axis=others))
    return found


def flat_entries(tape: Tape, site: Site) -> Any:
    """At which entries a rectifier has no slope; None for other operations."""
    node = site.node
    assert node.op is not None
    inputs = tape.inputs(node)
    moving = [index for index, each in enumerate(inputs) if each.requires_grad]
    if node.op.kind != "elementwise" or len(moving) != 1 or not node.requires_grad:
        return None
    index = moving[0]
    values = [tape.value(each) for each in inputs]
    if values[index].shape != node.shape or not np.all(np.isfinite(values[index])):
        return None
    users = {user for user, _ in tape.consumers().get(inputs[index], []) if user.requires_grad}
    if sum(tape.phase(user) in ("forward", "loss") for user in users) > 1:
        return None  # one branch of several: what it does not let through goes another way
    x = inputs[index]
    for other in inputs:
        laid_over = other is not x and other.shape and x not in tape.leading_to([other])
        if laid_over and np.ptp(tape.value(other).astype(np.float64)) > 0:
            return None  # a mask, that has nothing to do with what it is laid over
    flat = _slope(node, index, values) == 0
    if not np.any(flat):
        return None
    beside = (np.sign(values[index]) * np.asarray(NEAR, x.dtype), -values[index])
    near, across = (_slope(node, index, _with(tape, node, x, each)) for each in beside)
    corner = values[index] == 0
    return flat if np.all((near == 0)[flat]) and np.all((across != 0)[flat & ~corner]) else None


def _with(tape: Tape, node: Node, x: Node, value: Any) -> list[Any]:
    """The operands of a node if one of them were something else; what was made of it follows, such as a mask."""
    values = {x: value}
    for each in sorted(tape.leading_to(tape.inputs(node)), key=lambda each: each.id):
        inputs = tape.inputs(each)
        if each is not x and not tape.is_leaf(each) and any(source in values for source in inputs):
            assert each.op is not None
            given = [values[source] if source in values else tape.value(source) for source in inputs]
            values[each] = each.op.value(np, *given, **each.params)
    return [values[each] if each in values else tape.value(each) for each in tape.inputs(node)]


def squashed(tape: Tape, site: Site) -> Any:
    """The sizes of the slopes of an activation that squashes, such as tanh, at every entry; None for others."""
    node = site.node
    assert node.op is not None
    inputs = tape.inputs(node)
    if node.op.kind != "elementwise" or len(inputs) != 1 or not node.requires_grad:
        return None
    ends = np.array([-FAR, FAR], node.dtype)
    with np.errstate(all="ignore"):
        if not np.all(np.abs(node.op.value(np, ends, **node.params)) < BOUND):
            return None
    middle = np.full(node.shape, SOMEWHERE, node.dtype)
    if not np.any(_slope(node, 0, [middle])):
        return None  # steps, such as those of sign and round, have no slope anywhere
    slopes = np.abs(_slope(node, 0, [tape.value(inputs[0])]))
    return slopes[np.isfinite(slopes)]


def _slope(node: Node, index: int, values: list[Any]) -> Any:
    """The derivative of an elementwise operation by an operand, at these values."""
    op = node.op
    assert op is not None
    rule = op.rule(index)
    if rule is None:
        return np.zeros(node.shape)
    with unseen(), np.errstate(all="ignore"):
        result = op.value(np, *values, **node.params)
        return rule(leaf(np.ones_like(result)), leaf(result), *map(leaf, values), **node.params).value


def _axis(tape: Tape, node: Node, weights: dict[Node, Node], axes: dict[Node, int]) -> int:
    """Along which axis the units of a result lie: that of the channels behind a convolution, else the last one."""
    operands = tape.inputs(node)
    used = next((each for each in operands if each in weights), None)
    if used is not None and node.op is not None and node.op.kind == "conv":
        return 1
    if used is not None:
        return len(node.shape) - 1
    last = len(node.shape) - 1
    before = [axes[each] for each in operands if each in axes and len(each.shape) == len(node.shape)]
    return min(before, default=last) if node.op is not None and node.op.kind != "structural" else last
