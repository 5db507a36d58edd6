"""Rates: above what the curvature allows, or so low that nothing moves."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ...findings import Place
from ..curvature import sharpness
from ..probe import Probe
from ..remedies import rate
from ..rule import Suspicion, rule

USUAL = 3e-3
"""The size of an update against that of the weights, in trainings that go well: A. Karpathy, "CS231n", part 3."""


@rule("too high a rate", explains=("oscillating loss", "diverging loss", "weights that move wildly"))
def too_high(probe: Probe) -> Iterator[Suspicion]:
    """The loss grows or swings, and does not at a lower rate."""
    losses = probe.losses
    start, end = losses[0], losses[-1]
    ups = np.mean(np.diff(losses) > 0) if len(losses) > 2 else 0.0
    grew = not math.isfinite(end) or end > 1.05 * start or max(losses) > 3 * abs(start) + 1e-12
    swings = ups > 0.3 and np.ptp(losses[len(losses) // 2 :]) > 0.2 * (abs(start) + 1e-12)
    if not (grew or swings):
        return
    current = float(probe.patient.optimizer.param_groups[0]["lr"])
    steep = sharpness(probe.patient)
    yield Suspicion(
        "the loss grows" if grew else "the loss swings",
        Place(),
        {
            "loss at the start": start,
            "loss at the end": end,
            "rate": current,
            "2 / the largest curvature": 2 / steep if steep > 0 else math.inf,
        },
        "a step along the gradient overshoots where the curvature is above 2 / rate",
        tuple(rate(f, f"a lower rate: {current * f:.3g} instead of {current:.3g}") for f in (0.1, 0.01, 0.001, 1e-4)),
        sure=False,
    )


@rule("too low a rate")
def too_low(probe: Probe) -> Iterator[Suspicion]:
    """The loss hardly falls, and falls far at a rate that is 100 times as high."""
    losses = probe.losses
    start, end = losses[0], losses[-1]
    if not all(map(math.isfinite, losses)) or start - end > 0.02 * abs(start):
        return
    current = float(probe.patient.optimizer.param_groups[0]["lr"])
    moved = [w.moved for w in probe.weights if w.before.ndim > 1 and 0 < w.moved < math.inf]
    if not moved:
        return
    usual = USUAL / float(np.median(moved))
    yield Suspicion(
        f"the loss falls by {(start - end) / abs(start or 1):.2%} in {len(losses) - 1} steps",
        Place(),
        {
            "loss at the start": start,
            "loss at the end": end,
            "rate": current,
            "median update against weights": float(np.median(moved)),
        },
        "the updates are small against the weights: the gradient points the way, and the rate hardly follows",
        tuple(
            rate(factor, f"a higher rate: {current * factor:.2g} instead of {current:.2g}")
            for factor in (10.0 ** round(math.log10(usual * more)) for more in (1.0, 10.0, 0.1))
            if factor > 1
        ),
        sure=False,
    )
