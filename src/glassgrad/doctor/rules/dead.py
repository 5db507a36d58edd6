"""Rectifiers that have died: units that are 0 for every row, so that no gradient gets through them any more."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..mending import LARGE, features, leaky, scaled_inputs, zero_biases
from ..probe import Probe
from ..rectifiers import Rectifier, rectifiers
from ..remedies import fitted_start, fresh_start, rate
from ..rule import Remedy, Suspicion, rule

BATCHES = 8
"""A unit is dead if it is so on all of these."""
LEARNED = 0.05
"""A loss that has fallen to this share has been learned, whatever died on the way."""
FOLLOWS = (
    "zero gradient", "no gradient", "vanishing gradients", "saturated activations", "flat place", "too low a rate",
    "too high a rate", "oscillating loss", "no overfitting of one batch", "weights that barely move",
    "too small a start", "too large a start",
)  # fmt: skip


@rule("dead rectifiers", explains=FOLLOWS)
def dead(probe: Probe) -> Iterator[Suspicion]:
    """At least about half of a layer's rectifiers have no slope at any row: at the start, or after some steps."""
    before = rectifiers(probe, BATCHES)
    fallen = [each for each in before if each.fallen]
    if fallen and _by_inputs(probe):
        return
    if fallen:
        yield _suspicion(
            fallen,
            "begin dead: they give 0 at every row",
            {},
            "their slope is 0 where they are given less than 0, so that no gradient reaches what would lift them: the "
            "start of the weights and biases before them puts all rows below 0",
            (zero_biases(), fresh_start(), fitted_start(), leaky([each.site.place.module for each in fallen])),
            sure=any(each.dead.all() for each in fallen),
        )
        return
    losses, start = probe.losses, probe.start
    if not before or not all(map(math.isfinite, losses)) or losses[-1] < LEARNED * abs(start.mean):
        return
    if max(losses) > start.mean + 0.5 * start.scale + 4 * start.scatter:
        return  # it ran away, and died on the way
    after = rectifiers(Probe(probe.late, probe.steps), BATCHES)
    if len(after) != len(before):
        return
    died = [new for old, new in zip(before, after, strict=True) if new.fallen and old.share < new.share / 2]
    if died and not _by_inputs(probe, late=True):
        lr = float(probe.patient.optimizer.param_groups[0]["lr"])
        was = next(old.share for old, new in zip(before, after, strict=True) if new is died[0])
        yield _suspicion(
            died,
            f"have died within {len(losses) - 1} steps",
            {"share of dead units at the start": was, "rate": lr},
            "a step that is too large has put all rows below 0, where the slope is 0 and nothing lifts them again: the "
            "rate is too high",
            (
                *(rate(by, f"a lower rate: {lr * by:.3g} instead of {lr:.3g}") for by in (0.1, 0.01)),
                leaky([each.site.place.module for each in died]),
            ),
            sure=False,
        )


def _by_inputs(probe: Probe, late: bool = False) -> bool:
    """Whether it is inputs far from 0 that put the rows there: of scaled ones no more units are dead than by chance, at
    the start or after some steps."""
    largest = max((float(np.abs(x).max()) for x in features(probe.patient).values()), default=0.0)
    treated = scaled_inputs().treated(probe.patient) if largest > LARGE else None
    if treated is None:
        return False
    if late:
        treated.train(probe.steps)
    return not any(each.fallen for each in rectifiers(Probe(treated, probe.steps), BATCHES))


def _suspicion(
    found: list[Rectifier], what: str, also: dict[str, float], why: str, remedies: tuple[Remedy, ...], *, sure: bool
) -> Suspicion:
    first = found[0]
    units, count = first.dead.size, int(first.dead.sum())
    return Suspicion(
        f"{count} of {units} units of {first.site.name} {what}",
        first.site.place,
        {"share of dead units": first.share, **also, "layers with dead units": float(len(found))},
        f"{why}. The first dead units: {', '.join(str(n) for n in first.dead.nonzero()[0][:8])}",
        remedies,
        sure=sure,
        also=tuple(each.site.place for each in found[1:]),
    )
