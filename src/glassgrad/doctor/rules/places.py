"""Where a training stands when its loss does not fall: on a saddle, in a minimum, on a flat."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...errors import GlassgradError
from ...findings import Place
from ..courses import level
from ..curvature import hessian_of, spectrum
from ..noise import gradients, split
from ..patient import Patient
from ..probe import Probe, norm
from ..ranges import rate_of
from ..remedies import rate, wider_start
from ..rule import Suspicion, rule
from ..trends import fell

STILL = 0.02
"""A loss that has fallen by less than this share stands still."""
CANCEL = 0.1
"""The rows' gradients cancel where their mean is below this share of what it would be if they were drawn at random."""
NONE = 1e-6
"""Curvatures below this share of the largest one are none: so far float32 tells them from 0."""
FACTORS = (10.0, 50.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Ground:
    """What the loss is like around a point."""

    gradient: float
    spread: float
    """The size that the gradient would have if the rows' gradients had nothing in common."""
    low: float
    high: float
    """The least and the largest curvature."""

    @property
    def stationary(self) -> bool:
        """Whether the gradient is next to nothing."""
        return self.gradient < CANCEL * self.spread

    @property
    def kind(self) -> str:
        if self.low < -NONE * max(self.high, 1e-12):
            return "a saddle"
        return "a minimum" if self.low > NONE * self.high else "a flat"


def ground(patient: Patient) -> Ground | None:
    """Measure the gradient, its spread over the rows, and the ends of the Hessian's spectrum; None where an operation
    has no second derivative, or the rows of the batch are not known."""
    batch = patient.batches[0]
    parts = split(batch)
    if not parts:
        return None
    try:
        slopes = gradients(patient, parts)
        times, gradient = hessian_of(patient)
        values, _ = spectrum(times, len(gradient), steps=60)
    except (GlassgradError, ValueError, RuntimeError):
        return None
    spread = math.sqrt(float(np.mean(np.sum(slopes**2, 1))) / len(parts))
    return Ground(norm(gradient), spread, float(values[0]), float(values[-1]))


@rule("flat place", explains=("too low a rate", "weights that barely move", "gradient noise"))
def flat(probe: Probe) -> Iterator[Suspicion]:
    """The loss stands still though it could be lower; the eigenvalues of the Hessian say what it stands on."""
    losses, start = probe.losses, probe.start
    if len(losses) <= probe.steps or not all(map(math.isfinite, losses)):
        return
    end = level(losses, len(probe.patient.batches))
    if fell(probe) > STILL or end > start.mean + STILL * start.scale or end <= 1e-6:
        return
    here = ground(probe.late)
    if here is None or not here.stationary:
        return
    current = rate_of(probe.patient)
    saddle = here.kind == "a saddle"
    leaving = math.log(10) / (current * -here.low) if saddle and current else math.inf
    why = (
        f"one direction has negative curvature ({here.low:.2g}): this is no local optimum, and there is a way down, "
        f"but at this rate a deviation along it grows tenfold in {leaving:,.0f} steps"
        if saddle
        else "no direction has negative curvature: nothing near is lower"
    )
    yield Suspicion(
        f"the loss stands still at {end:.4g}: {here.kind}",
        Place(),
        {
            "loss at the start": start.mean,
            "loss after the trial": end,
            "size of the gradient": here.gradient,
            "its size if the rows' gradients were drawn at random": here.spread,
            "least curvature": here.low,
            "largest curvature": here.high,
            "rate": current,
        },
        f"{why}; the rows pull in opposite directions, so that their gradients cancel",
        (*(rate(f, f"a higher rate: {current * f:.3g} instead of {current:.3g}") for f in FACTORS), wider_start()),
        sure=False,
    )
