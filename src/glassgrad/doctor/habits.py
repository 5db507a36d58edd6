"""What the steps of a whole training have in common: how its rate goes, and the mode that it has lapsed into."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..explain.tape import Tape
from ..nn import Module
from ..optim import Optimizer
from ..tensor import Tensor
from .loop import Loop

AGAINST = 0.9
"""Minus the cosine of the angle from which on gradients point the other way."""
GROWN = 0.2
"""Clipping makes entries smaller: at least this share of them has grown."""
LONGEST = 1000
"""Of how many steps the rate is kept, where a schedule changes it."""


DISTURBED = 0.3
"""A difference of gradients above this share of their size is no rounding."""


def arrivals(tape: Tape, grads: Mapping[int, Tensor]) -> list[tuple[Any, Any, Any]]:
    """For each parameter what has arrived at it, what a step is given, and its numbers; gradients by the parameter's
    identity."""
    held = [(tape.cotangents.get(node), grads.get(id(cell)), node) for cell, node in tape.cells.values()]
    return [
        (tape.value(arrived), grad.node.value, tape.value(node))
        for arrived, grad, node in held
        if arrived is not None and grad is not None
    ]


def disturbance(steps: Sequence[tuple[Any, Any, Any]]) -> float:
    """How far gradients that a step is given are from those that arrived, against their size, where they are neither
    clipped ones nor have a part along the weights, as a decay of the weights adds.

    Args:
        steps: for each parameter what arrived, what is given, and the weights.
    """
    if not steps:
        return 0.0
    given = [np.concatenate([np.asarray(each[n], np.float64).ravel() for each in steps]) for n in range(3)]
    arrived, used, weights = given
    size = float(np.linalg.norm(arrived)) if all(map(np.all, map(np.isfinite, given))) else 0.0
    if not size or np.mean((np.abs(used) > 1.01 * np.abs(arrived))[arrived != 0]) < GROWN:
        return 0.0
    apart = used - arrived
    basis, _ = np.linalg.qr(np.stack([arrived, weights, np.sign(weights)], 1))
    return float(np.linalg.norm(apart - basis @ (basis.T @ apart))) / size


def turned(steps: Sequence[tuple[Any, Any, Any]]) -> bool:
    """Whether gradients that a step is given point against those that arrived."""
    with np.errstate(all="ignore"):
        along = sum(float(np.sum(np.asarray(used, np.float64) * arrived)) for arrived, used, _ in steps)
        squares = [sum(float(np.sum(np.square(each[n], dtype=np.float64))) for each in steps) for n in (0, 1)]
    sizes = [math.sqrt(each) for each in squares]
    return along < -AGAINST * sizes[0] * sizes[1]


def lapsed(loop: Loop, model: Module) -> tuple[int, Sequence[str]]:
    """Which modules are in evaluation mode from which step on, though not in the first."""
    inside = dict(model.named_modules())
    late = {n: s for n, s in loop.evaluating.items() if n in inside and s.first > 1 and loop.lasting(s)}
    return min((seen.first - 1 for seen in late.values()), default=0), list(late)


def schedule(rates: Sequence[float], optimizer: Optimizer) -> list[float]:
    """The rate of each step against the highest, which the optimizer is given; nothing if it is always the same."""
    peak = max(rates, default=0.0)
    if not peak or min(rates) == peak:
        return []
    first = rates[0]
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * peak / first if first else group.get("initial_lr", peak)
    return [rate / peak for rate in rates[:LONGEST]]
