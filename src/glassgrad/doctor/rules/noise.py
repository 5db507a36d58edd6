"""Gradients of single batches that have little in common."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ...findings import FAULT, NOTE, Place
from ..courses import level, over_batches
from ..noise import measured, merged, rows_of
from ..patient import Patient
from ..probe import Probe
from ..ranges import at, rate_of
from ..remedies import rate
from ..rule import Remedy, Suspicion, rule
from ..trends import fell

LOUD = 10.0
"""A batch of less than its noise scale by this factor follows the noise more than the slope."""
BETTER, LEARNED, STUCK = 0.5, 0.5, 0.2
"""To which share of the loss larger batches have to bring it; below which share of the start it has been learned enough
to be let be; and a loss that falls by less than this share does not learn."""


def stalled(probe: Probe) -> bool:
    """Whether the loss of the last third of a trial is that of the third before."""
    third = len(probe.losses) // 3
    before, after = probe.losses[third : 2 * third], probe.losses[2 * third :]
    if third < 2 * len(probe.patient.batches) or not all(map(math.isfinite, probe.losses)):
        return False
    return float(np.mean(before) - np.mean(after)) < 0.05 * probe.start.scale


@rule("gradient noise")
def noisy(probe: Probe) -> Iterator[Suspicion]:
    """Batches that are small against the noise scale, of a training that larger ones bring much further."""
    patient = probe.patient
    count, rows = len(patient.batches), rows_of(patient.batches[0])
    if count < 4 or rows is None or any(rows_of(each) is None for each in patient.batches):
        return
    found = measured(probe.late)
    if found is None or found[0].scale < LOUD * rows:
        return
    many = min(count, 16)
    after = patient.copy()
    after.train(probe.steps)
    end = over_batches(after)
    if end < LEARNED * probe.start.mean or not stalled(probe):
        return

    def merge(other: Patient) -> None:
        batches = list(other.batches)
        other.batches = [merged(batches[i : i + many]) for i in range(0, len(batches) - many + 1, many)]

    remedies = (
        Remedy(f"larger batches: {rows * many} rows instead of {rows}", merge, over_batches, "the loss of all batches"),
    )
    better = []
    for remedy in remedies:
        treated = remedy.treated(patient)
        treated.train(probe.steps)
        if over_batches(treated) < BETTER * end:
            better.append(remedy)
    slower = at(patient, 0.1)
    slower.train(probe.steps)
    if over_batches(slower) < BETTER * end:
        current = rate_of(patient)
        better.append(rate(0.1, f"a lower rate, at which more batches are averaged: {current / 10:.2g}"))
    if not better:
        return
    yield Suspicion(
        f"a batch of {rows} says little of the slope: its noise is {found[0].scale / rows:.3g} times the signal",
        Place(module="the batches"),
        {
            "rows of a batch": float(rows),
            "noise scale, in rows": found[0].scale,
            "loss of all batches at the end": end,
            "loss of the last steps": level(probe.losses, count),
        },
        "each step follows what its few rows happen to have in common, and the next one undoes it: noise falls with "
        "the root of the rows, or with the steps that a lower rate averages over",
        tuple(better),
        weight=FAULT if fell(probe) < STUCK else NOTE,
        sure=False,
    )
