"""Rates: above what the curvature allows, or so low that nothing moves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from inspect import signature

import numpy as np

from ...findings import FAULT, NOTE, Place
from ..courses import level, standing
from ..curvature import headroom
from ..patient import Patient
from ..probe import Probe
from ..ranges import at, range_test, rate_of
from ..remedies import fresh_start, rate
from ..rule import Remedy, Suspicion, rule
from ..trends import fell, fell_in_loop, highest_stable, restless

FURTHER, LOWERED = 0.7, 0.5
"""To which share of the loss another rate has to bring it, in a trial; and a lower one."""
HARDLY, FEW = ((0.01, 0.05), (0.03, 0.005)), 0.003
"""Weights that go less far than this share of their size in the whole trial, and a loss that falls by less than this
share: usual are updates of 0.001 of the weights in every step (A. Karpathy, "CS231n", part 3). Weights that go even
less far than the last one are too slow if anything is gained at a higher rate, others if much is."""
IN_LOOP = (0.03, 0.04)
"""The same of a user's own loop, which is all the training that there is."""
SLOWLY, CALM, ROOM = 0.2, 6e-4, 1000.0
"""A loss that falls by less than this share, updates below this share of the weights, and a rate that is so far below
what the curvature bears: usual are 10 to 100."""
MUCH, FAR_IN_TRIAL, FAR_BEST, HALF = 0.3, 0.6, 90.0, 0.6
"""A loss that falls by less than this share in the user's own loop, and than that in a trial; a rate so many times as
high at which short trials end best, and to which share of the loss at the end it brings a whole trial: too low, however
far it comes by then."""
NONE = 1e-7
"""A rate below this is as good as none."""
WHOLE = 60
"""So many steps of the user's are a training."""
ENOUGH = 20
"""Of fewer steps a loop says little."""
GROWS, STAYS = 0.2, 0.02
"""A loss that ends by the first share above its start has grown; by the second, it has stayed."""
HIGH = 0.25
"""Above this share of the loss at the start there is much to gain."""
LEARNED = 0.1
"""Below this share of the loss of fresh weights a net has learned already."""
LOWER = tuple(10.0 ** (-k / 2) for k in range(13))
HIGHER = tuple(10.0 ** (k / 2) for k in range(15))


def other_rates(probe: Probe, factors: Iterable[float], kind: str) -> tuple[Remedy, ...]:
    """Remedies at multiples of the rate."""
    current, rates = rate_of(probe.patient), probe.patient.rates
    found = [rate(f, f"a {kind} rate: {current * f:.2g} instead of {current:.2g}") for f in factors]
    if kind == "lower" and rates and max(rates) > 3 * rates[0] > 0:
        found.append(Remedy(f"leave out the schedule: a rate of {current * rates[0] / max(rates):.2g}", _constant))
    return tuple(found)


def _constant(patient: Patient) -> None:
    """The rate of the first step in all of them."""
    for group in patient.optimizer.param_groups:
        group["lr"] = float(group["lr"]) * patient.rates[0]
    patient.rates = ()


@rule("too high a rate", explains=("oscillating loss", "diverging loss", "weights that move wildly"))
def too_high(probe: Probe) -> Iterator[Suspicion]:
    """The loss grows or swings, and falls far at a lower rate."""
    losses, start, batches = probe.losses, probe.start, len(probe.patient.batches)
    how = restless(probe) or _ends_high(probe)
    if not how:
        return
    current = rate_of(probe.patient)
    found = range_test(probe.patient, LOWER, probe.steps, start)
    end = level(losses, batches)
    lower = [f for f in found.falls if f < 1]
    if not lower and end > start.mean + GROWS * start.scale:  # of rates that keep it where it was
        lower = [f for f, reached in found.ends.items() if f < 1 and reached < start.mean + STAYS * start.scale]
    if not lower:
        return
    best = min(lower, key=lambda factor: found.ends[factor])
    tries = (best, best / math.sqrt(10), best / 10, best / 100)
    helps = next((f for f in tries if _far_lower(probe, f, end, LOWERED)), None)
    if helps is None:
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
        other_rates(probe, (helps, helps / math.sqrt(10), helps / 10), "lower"),
        sure=False,
    )


def _far_lower(probe: Probe, factor: float, end: float, share: float = FURTHER) -> bool:
    """Whether a whole trial at another rate ends far below where this one ends, or at least falls where that grows."""
    start, new = probe.start, _reaches(probe, factor)
    if math.isfinite(end) and end < start.mean - 0.05 * start.scale:
        return end - new > (1 - share) * abs(end)
    grows = not math.isfinite(end) or end > start.mean + GROWS * start.scale
    return new < start.mean + (STAYS if grows else -0.05) * start.scale


@rule("too low a rate", explains=("weights that barely move", "no overfitting of one batch"))
def too_low(probe: Probe) -> Iterator[Suspicion]:
    """The loss hardly falls, the updates are small, and it falls far at a rate that is much higher."""
    losses, start = probe.losses, probe.start
    if not all(map(math.isfinite, losses)):
        return
    if _moves_nothing(probe):
        yield _nothing(probe)
        return
    if _begins_low(probe):
        return
    moved = [share for share in probe.strides.values() if 0 < share < math.inf]
    way = float(np.median(moved)) * probe.steps if moved else math.inf
    hardly = _hardly(way, fell(probe)) or _hardly_in_loop(probe, way)
    little = _falls_little(probe)
    if (not hardly and not little and not (moved and _far_below(probe, moved))) or _has_learned(probe):
        return
    current = rate_of(probe.patient)
    found = range_test(probe.patient, HIGHER, probe.steps, start)
    best = found.best
    tries = (best / math.sqrt(10), best, best / 10)
    if little and best > FAR_BEST:
        end = HALF * level(losses, len(probe.patient.batches))
        hardly = hardly or any(_reaches(probe, factor) < end for factor in tries)
    elif not hardly and not (moved and _far_below(probe, moved)):
        return
    if best < 10 or (way > FEW and not any(_far_lower(probe, f, start.mean - 0.1 * start.scale) for f in tries)):
        return
    loop = probe.patient.loop
    share, count = fell(probe), len(losses) - 1
    if loop is not None and ENOUGH <= len(loop.losses) < count:
        share, count = fell_in_loop(probe), len(loop.losses)
    yield Suspicion(
        f"the loss falls by {share:.2%} in {count} steps",
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
        weight=FAULT if hardly else NOTE,
        sure=False,
    )


def _moves_nothing(probe: Probe) -> bool:
    """Whether the steps change no weight though there are gradients."""
    patient = probe.patient
    given = any(w.gradient is not None and np.any(w.gradient) for w in probe.weights)
    loop = patient.loop
    own = loop is not None and loop.moves
    rates = [float(group.get("lr", 1.0)) for group in patient.optimizer.param_groups]
    still = bool(probe.strides) and not any(probe.strides.values()) and max(rates) < NONE
    return given and still and not (patient.still or own)


def _nothing(probe: Probe) -> Suspicion:
    patient = probe.patient
    current = float(patient.optimizer.param_groups[0].get("lr", 0.0))
    meant = float(patient.optimizer.param_groups[0].get("initial_lr", 0.0))
    usual = signature(type(patient.optimizer)).parameters.get("lr")
    default = float(usual.default) if usual is not None and isinstance(usual.default, int | float) else 1e-3

    def put(lr: float) -> Remedy:
        def apply(other: Patient) -> None:
            other.rates = ()
            for group in other.optimizer.param_groups:
                group["lr"] = lr

        return Remedy(f"a rate of {lr:.2g} instead of {current:.2g}", apply)

    return Suspicion(
        "no step changes any weight",
        Place(),
        {"rate": current, "rate that the optimizer was made with": meant or current},
        "the rate is 0 in every step: the schedule never lets it come up"
        if not current
        else "what a step adds is less than the last digit of a weight",
        tuple(put(lr) for lr in dict.fromkeys((meant, default, 10 * default)) if lr > current),
    )


def _falls_little(probe: Probe) -> bool:
    """Whether the loss of the user's own loop has not fallen far, if that is a training and no few steps."""
    loop = probe.patient.loop
    whole = loop is not None and len(loop.losses) >= WHOLE
    return whole and fell(probe) < FAR_IN_TRIAL and fell_in_loop(probe) < MUCH


def _reaches(probe: Probe, factor: float) -> float:
    """Where a whole trial at another rate ends."""
    other = at(probe.patient, factor)
    return level(other.train(probe.steps), len(other.batches))


def _has_learned(probe: Probe) -> bool:
    """Whether the loss is nearly nothing against that of the same net with fresh weights: it goes on from there."""
    fresh = fresh_start().treated(probe.patient)
    return 0 <= probe.start.mean < LEARNED * standing(fresh).mean


def _hardly(way: float, share: float) -> bool:
    """Whether weights and loss go next to nowhere."""
    return any(way < most and share < least for most, least in HARDLY)


def _hardly_in_loop(probe: Probe, way: float) -> bool:
    """Whether they do in the user's own loop, that has fewer steps than the trial."""
    loop = probe.patient.loop
    if loop is None or not ENOUGH <= len(loop.losses) < probe.steps:
        return False
    way, share = way * len(loop.losses) / probe.steps, fell_in_loop(probe)
    return _hardly(way, share) or (way < IN_LOOP[0] and share < IN_LOOP[1])


def _ends_high(probe: Probe) -> str:
    """Whether the loss has not fallen far, and ends below half of that at a lower rate; how that is said."""
    end, start = level(probe.losses, len(probe.patient.batches)), probe.start
    if end < HIGH * start.mean or end > start.mean - 0.05 * start.scale:
        return ""
    for factor in (1 / math.sqrt(10), 0.1):
        if _reaches(probe, factor) < 0.5 * end:
            return "is thrown about, and ends far above what a lower rate reaches"
    return ""


def _far_below(probe: Probe, moved: list[float]) -> bool:
    """Whether the curvature would bear a rate beyond all measure higher, and the loss has not fallen far."""
    share = fell_in_loop(probe)
    if (fell(probe) if math.isnan(share) else share) > SLOWLY or float(np.median(moved)) > CALM:
        return False
    room = headroom(probe.patient)
    return room is not None and room > ROOM


def _begins_low(probe: Probe) -> bool:
    """Whether a schedule raises the rate far above that of the trial's steps."""
    patient = probe.patient
    seen = patient.rates[: probe.steps]
    lr = float(patient.optimizer.param_groups[0]["lr"]) * (float(np.mean(seen)) if seen else 1.0)
    return rate_of(patient) > 2 * lr
