"""Rates: above what the curvature allows, or so low that nothing moves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from ...findings import Place
from ..courses import level, standing, swing
from ..curvature import headroom
from ..probe import Probe
from ..ranges import at, range_test, rate_of
from ..remedies import rate
from ..rule import Remedy, Suspicion, rule

SWINGS, RISES = 0.1, 0.3
"""A loss that moves by this share of its level in each step, and this share of its way upwards, swings."""
FURTHER = 0.7
"""To which share of the loss another rate has to bring it, in a short trial."""
HARDLY, FEW = ((0.01, 0.05), (0.03, 0.005)), 0.003
"""Weights that go less far than this share of their size in the whole trial, and a loss that falls by less than this
share: usual are updates of 0.001 of the weights in every step (A. Karpathy, "CS231n", part 3). Weights that go even
less far than the last one are too slow if anything is gained at a higher rate, others if much is."""
LOWER = tuple(10.0 ** (-k / 2) for k in range(13))
HIGHER = tuple(10.0 ** (k / 2) for k in range(15))


def fell(probe: Probe) -> float:
    """By which share the loss falls: in the trial, or in the user's own loop, whichever saw it fall further."""
    start = probe.start
    shares = [(start.mean - level(probe.losses, len(probe.patient.batches))) / start.scale]
    loop = probe.patient.loop
    if loop is not None and len(loop.losses) > 3:
        tenth = max(3, len(loop.losses) // 10)
        first = float(np.mean(loop.losses[:tenth]))
        shares.append((first - float(np.mean(loop.losses[-tenth:]))) / max(abs(first), 1e-12))
    return max(shares, key=lambda share: share if math.isfinite(share) else -math.inf)


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


def other_rates(probe: Probe, factors: Iterable[float], kind: str) -> tuple[Remedy, ...]:
    """Remedies at multiples of the rate."""
    current = rate_of(probe.patient)
    return tuple(rate(f, f"a {kind} rate: {current * f:.2g} instead of {current:.2g}") for f in factors)


@rule("too high a rate", explains=("oscillating loss", "diverging loss", "weights that move wildly", "gradient noise"))
def too_high(probe: Probe) -> Iterator[Suspicion]:
    """The loss grows or swings, and falls far at a lower rate."""
    losses, start, batches = probe.losses, probe.start, len(probe.patient.batches)
    how = restless(probe)
    if not how:
        return
    current = rate_of(probe.patient)
    found = range_test(probe.patient, LOWER, probe.steps, start.mean, start.scatter)
    end = level(losses, batches)
    lower = [f for f in found.falls if f < 1]
    if not lower:
        return
    best = min(lower, key=lambda factor: found.ends[factor])
    helping = [f for f in (best, best / math.sqrt(10), best / 10, best / 100) if _far_lower(probe, f, end)]
    if not helping:
        return
    yield Suspicion(
        f"the loss {how}",
        Place(),
        {
            "loss at the start": start.mean,
            "loss at the end": end,
            "rate": current,
            **highest_stable(probe),
            **found.evidence(current),
        },
        "a step along the gradient overshoots where the curvature is above what the rate allows: each one lands higher "
        "on the other side",
        other_rates(probe, helping, "lower"),
        sure=False,
    )


def _far_lower(probe: Probe, factor: float, end: float) -> bool:
    """Whether a whole trial at another rate ends far below where this one ends, or at least falls where that grows."""
    start, batches = probe.start, len(probe.patient.batches)
    new = level(at(probe.patient, factor).train(probe.steps), batches)
    if math.isfinite(end) and end < start.mean - 0.05 * start.scale:
        return end - new > (1 - FURTHER) * abs(end) + start.scatter / 2
    return new < start.mean - 0.05 * start.scale


@rule("too low a rate", explains=("weights that barely move", "no overfitting of one batch"))
def too_low(probe: Probe) -> Iterator[Suspicion]:
    """The loss hardly falls, the updates are small, and it falls far at a rate that is much higher."""
    losses, start = probe.losses, probe.start
    if not all(map(math.isfinite, losses)) or _begins_low(probe):
        return
    moved = [share for share in probe.strides.values() if 0 < share < math.inf]
    way = float(np.median(moved)) * probe.steps if moved else math.inf
    if not any(way < most and fell(probe) < share for most, share in HARDLY):
        return
    current = rate_of(probe.patient)
    found = range_test(probe.patient, HIGHER, probe.steps, start.mean, start.scatter)
    best = found.best
    tries = (best / math.sqrt(10), best, best / 10)
    if best < 10 or (way > FEW and not any(_far_lower(probe, f, start.mean - 0.1 * start.scale) for f in tries)):
        return
    yield Suspicion(
        f"the loss falls by {fell(probe):.2%} in {len(losses) - 1} steps",
        Place(),
        {
            "loss at the start": start.mean,
            "loss at the end": losses[-1],
            "rate": current,
            **highest_stable(probe),
            **found.evidence(current),
            "median update against weights": float(np.median(moved)),
        },
        "the updates are small against the weights: the gradient points the way, and the rate hardly follows",
        other_rates(probe, tries, "higher"),
        sure=False,
    )


def _begins_low(probe: Probe) -> bool:
    """Whether a schedule raises the rate far above that of the trial's steps."""
    patient = probe.patient
    seen = patient.rates[: probe.steps]
    lr = float(patient.optimizer.param_groups[0]["lr"]) * (float(np.mean(seen)) if seen else 1.0)
    return rate_of(patient) > 2 * lr
