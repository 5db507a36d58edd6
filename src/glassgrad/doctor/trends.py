"""How the loss of a patient goes on: what the rules about rates, places and noise ask first."""

from __future__ import annotations

import math

import numpy as np

from .courses import level, standing, swing
from .curvature import headroom
from .probe import Probe

SWINGS, RISES = 0.1, 0.3
"""A loss that moves by this share of its level in each step, and this share of its way upwards, swings."""


def fell(probe: Probe) -> float:
    """By which share the loss falls: in the trial, or in the user's own loop, whichever saw it fall further."""
    start = probe.start
    shares = [(start.mean - level(probe.losses, len(probe.patient.batches))) / start.scale, fell_in_loop(probe)]
    return max((share for share in shares if math.isfinite(share)), default=-math.inf)


def fell_in_loop(probe: Probe) -> float:
    """By which share the loss falls in the user's own loop; NaN without one."""
    loop = probe.patient.loop
    if loop is None or len(loop.losses) <= 3:
        return math.nan
    tenth = max(3, len(loop.losses) // 10)
    first = float(np.mean(loop.losses[:tenth]))
    return (first - float(np.mean(loop.losses[-tenth:]))) / max(abs(first), 1e-12)


def restless(probe: Probe) -> str:
    """How the loss goes wrong: it "grows" or "swings"; else nothing."""
    losses, batches = probe.losses, len(probe.patient.batches)
    start, scale, noise = probe.start.mean, probe.start.scale, probe.start.scatter
    end = level(losses, batches)
    if (
        not math.isfinite(end)
        or end > start + 0.05 * scale + 3 * noise
        or max(losses) > start + 0.5 * scale + 4 * noise
    ):
        return "grows"
    size, rises = swings(probe)
    return "swings" if size > SWINGS and rises > RISES else ""


def swings(probe: Probe) -> tuple[float, float]:
    """How far the loss moves from step to step in the end, and which share of that is upwards; what dropout draws, and
    what is small against the loss at the start, is no swing."""
    drawn = max(probe.start.drawn, standing(probe.late).drawn)
    return swing(probe.losses, len(probe.patient.batches), max(0.1 * probe.start.scale, 30 * drawn))


def highest_stable(probe: Probe) -> dict[str, float]:
    """The rate above which the curvature at the start makes steps overshoot, where it is known."""
    room = headroom(probe.patient)
    current = float(probe.patient.optimizer.param_groups[0]["lr"])
    held = any(float(group.get("momentum", 0)) > 0 for group in probe.patient.optimizer.param_groups)
    name = "2 (1 + momentum) / the largest curvature" if held else "2 / the largest curvature"
    return {} if room is None else {name: current * room}
