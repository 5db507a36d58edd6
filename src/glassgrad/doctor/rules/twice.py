"""Sigmoids of what is a probability already, found on the tape whatever the form of the loss."""

from __future__ import annotations

import math

import numpy as np

from ...explain.tape import Tape
from ...graph import Node
from ..probe import Probe, Site
from ..rectifiers import squashed

BETWEEN = 2
"""Over so many turns of sign and changes of shape a number is followed."""
FAR = 30.0
"""Where a sigmoid is 0 or 1, and softplus 0 or its operand."""


def second_sigmoid(probe: Probe) -> Site | None:
    """What gives numbers between 0 and 1, of which a sigmoid is taken, or the softplus of a loss that takes logits."""
    tape = probe.tape
    for site in probe.sites:
        value = site.value
        if value.size == 0 or value.min() < 0 or value.max() > 1 or squashed(tape, site) is None:
            continue
        front = [site.node]
        for _ in range(BETWEEN + 1):
            users = [user for node in front for user, _ in tape.consumers().get(node, []) if user.op is not None]
            users = [user for user in users if tape.phase(user) in ("forward", "loss")]
            if any(_takes_logits(tape, user) for user in users):
                return site
            front = [
                user for user in users if user.op is not None and (user.op.kind == "structural" or _turns(tape, user))
            ]
    return None


def _curve(tape: Tape, node: Node, *at: float) -> list[float] | None:
    """What an elementwise operation of one operand makes of some numbers."""
    if node.op is None or node.op.kind != "elementwise" or len(tape.inputs(node)) != 1:
        return None
    with np.errstate(all="ignore"):
        return [float(each) for each in node.op.value(np, np.array(at), **node.params)]


def _takes_logits(tape: Tape, node: Node) -> bool:
    """Whether it is a sigmoid, its logarithm, or softplus."""
    made = _curve(tape, node, 0.0, FAR, -FAR)
    if made is None:
        return False
    shapes = ((0.5, 1.0, 0.0), (math.log(2), FAR, 0.0), (-math.log(2), 0.0, -FAR))
    return any(all(abs(a - b) < 1e-6 * FAR for a, b in zip(made, shape, strict=True)) for shape in shapes)


def _turns(tape: Tape, node: Node) -> bool:
    """Whether it is the operand with its sign turned, or its shape changed."""
    if node.op is not None and node.op.kind == "structural":
        return True
    made = _curve(tape, node, 1.0, -2.0)
    return made == [-1.0, 2.0]
