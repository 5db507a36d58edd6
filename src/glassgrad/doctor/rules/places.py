"""Where a training stands when its loss does not fall: on a saddle, in a minimum, on a flat."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...findings import Place, Proof
from ..courses import level, standing
from ..curvature import LEAST, fitting, hessian_of, spectrum
from ..mending import zero_biases
from ..noise import Sums, gradients, split
from ..patient import Patient
from ..probe import FAILURES, Probe, norm
from ..ranges import rate_of
from ..remedies import fresh_start, rate, wider_start
from ..rule import Suspicion, rule
from ..trends import fell
from ..trial import tried

STILL, HIGH, FURTHER = 0.02, 0.3, 0.7
"""A loss that has fallen by less than this share stands still; one that fell before and stands above this share of its
start may still be too high; and to which share of it a remedy has to bring it then."""
CANCEL, WEAK = 0.1, 1e-3
"""The rows' gradients cancel where their mean is below this share of what it would be if they were drawn at random. The
gradient is weak where following it over a way as long as the weights would change the loss by less than this share."""
NONE = 1e-6
"""Curvatures below this share of the largest one are none: so far float32 tells them from 0."""
CHANCE = "its size if the rows' gradients were drawn at random"
FACTORS = (10.0, 50.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Ground:
    """What the loss is like around a point."""

    gradient: float
    spread: float
    """The size that the gradient would have if the rows' gradients had nothing in common; infinite where unknown."""
    way: float
    """The size of the weights, against the loss."""
    low: float
    high: float
    """The least and the largest curvature."""

    @property
    def cancels(self) -> bool:
        """Whether the rows pull in opposite directions."""
        return self.gradient < CANCEL * self.spread < math.inf

    @property
    def weak(self) -> bool:
        """Whether no row pulls at all."""
        return self.gradient * self.way < WEAK

    @property
    def kind(self) -> str:
        if self.low < -NONE * max(self.high, 1e-12):
            return "a saddle"
        return "a minimum" if self.low > NONE * self.high else "a flat"


def ground(patient: Patient) -> Ground | None:
    """Measure the gradient, its spread over the rows, and the ends of the Hessian's spectrum; None where an operation
    has no second derivative, and for more parameters than there is room for."""
    if fitting(sum(p.numel() for p in patient.parameters)) < LEAST:
        return None
    parts = split(patient.batches[0])
    try:
        times, gradient = hessian_of(patient)
        values, _ = spectrum(times, len(gradient), steps=60)
        loss = abs(standing(patient, 1).mean)
        seen = Sums.of(gradients(patient, parts)) if parts else None
    except FAILURES:
        return None
    spread = math.inf if seen is None else math.sqrt(seen.squares) / seen.count
    way = math.sqrt(sum(norm(p.detach().numpy()) ** 2 for p in patient.parameters)) / max(loss, 1e-12)
    return Ground(norm(gradient), spread, way, float(values[0]), float(values[-1]))


def stands(probe: Probe) -> str:
    """Whether the loss stands still: in the "whole" trial, or in its "end", far from 0; else nothing."""
    losses, start, batches = probe.losses, probe.start, len(probe.patient.batches)
    if len(losses) <= probe.steps or not all(map(math.isfinite, losses)):
        return ""
    end = level(losses, batches)
    if end > start.mean + STILL * start.scale or end <= 1e-6:
        return ""
    if fell(probe) <= STILL:
        return "whole"
    loop = probe.patient.loop
    course = loop.losses if loop is not None and len(loop.losses) > len(losses) else losses
    if not all(map(math.isfinite, course)):
        return ""
    third = len(course) // 3
    middle, last = float(np.mean(course[third : 2 * third])), float(np.mean(course[2 * third :]))
    return "end" if last > HIGH * start.mean and middle - last < STILL * start.scale else ""


@rule(
    "flat place",
    explains=("too low a rate", "weights that barely move", "gradient noise", "no overfitting of one batch"),
)
def flat(probe: Probe) -> Iterator[Suspicion]:
    """The loss stands still though it could be lower; the eigenvalues of the Hessian say what it stands on."""
    still = stands(probe)
    here = ground(probe.late) if still else None
    if here is None or not (here.cancels or here.weak):
        return
    end = level(probe.losses, len(probe.patient.batches))
    current = rate_of(probe.patient)
    saddle = here.kind == "a saddle"
    leaving = math.log(10) / (current * -here.low) if saddle and current else math.inf
    down = (
        f"one direction has negative curvature ({here.low:.2g}): this is no local optimum, and there is a way down, "
        f"but at this rate a deviation along it grows tenfold in {leaving:,.0f} steps"
        if saddle
        else "no direction has negative curvature: nothing near is lower"
    )
    pull = "the rows pull in opposite directions, so that their gradients cancel" if here.cancels else "no row pulls"
    remedies = (
        *(rate(f, f"a higher rate: {current * f:.3g} instead of {current:.3g}") for f in FACTORS),
        wider_start(),
        zero_biases(),
        fresh_start(),
    )
    if still == "end" or not here.cancels:
        remedies = tuple(each for each in remedies if _much(tried(probe, each), end, len(probe.patient.batches)))
    yield Suspicion(
        f"the loss stands still at {end:.4g}: {here.kind}",
        Place(),
        {
            "loss at the start": probe.start.mean,
            "loss after the trial": end,
            "size of the gradient": here.gradient,
            **({CHANCE: here.spread} if math.isfinite(here.spread) else {}),
            "least curvature": here.low,
            "largest curvature": here.high,
            "rate": current,
        },
        f"{down}; {pull}",
        remedies,
        sure=False,
    )


def _much(proof: Proof, end: float, batches: int) -> bool:
    """Whether a remedy brings the loss far below where it stands."""
    return proof.holds and level(proof.after, batches) < FURTHER * end
