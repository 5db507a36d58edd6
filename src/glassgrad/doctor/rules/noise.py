"""Gradients of single batches that have little in common."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ...findings import FAULT, NOTE, Place
from ..courses import over_batches
from ..noise import measured, merged, rows_of
from ..patient import Patient
from ..probe import FAILURES, Probe
from ..ranges import rate_of
from ..remedies import rate
from ..rule import Remedy, Suspicion, rule

LOUD = 10.0
"""A batch of less than its noise scale by this factor follows the noise more than the slope."""
FEW, FAR, BETTER = 4, 0.3, 0.5
"""Batches of at most so many rows are few in any case: then larger ones have to bring the loss to the first of these
shares. Of others it is asked only where the loss stands still above the second share of its start, and then they have
to bring it to the second share of that."""


def stalled(probe: Probe) -> bool:
    """Whether the loss of the last third of a trial is that of the third before."""
    third = len(probe.losses) // 3
    before, after = probe.losses[third : 2 * third], probe.losses[2 * third :]
    if third < 2 * len(probe.patient.batches) or not all(map(math.isfinite, probe.losses)):
        return False
    return float(np.mean(before) - np.mean(after)) < 0.05 * probe.start.scale


@rule("gradient noise", explains=("too high a rate", "oscillating loss"))
def noisy(probe: Probe) -> Iterator[Suspicion]:
    """Batches that are small against the noise scale, of a training that larger ones bring much further."""
    patient = probe.patient
    count, rows = len(patient.batches), rows_of(patient.batches[0])
    if count < 4 or rows is None or any(rows_of(each) is None for each in patient.batches):
        return
    scales = [each[0].scale for each in (measured(patient), measured(probe.late)) if each is not None]
    if max(scales, default=0.0) < LOUD * rows:
        return
    found = max((scale for scale in scales if math.isfinite(scale)), default=math.inf)
    plain = patient.copy()
    plain.train(probe.steps)
    end = over_batches(plain)
    if rows > FEW and (end < BETTER * probe.start.mean or not stalled(probe)):
        return

    def merge(other: Patient) -> None:
        other.batches = [merged(other.batches)]

    larger = Remedy(
        f"larger batches: {rows * count} rows instead of {rows}", merge, over_batches, "the mean loss of all"
    )
    try:
        treated = larger.treated(patient)
        treated.train(probe.steps)
        reached, share = over_batches(treated), FAR if rows <= FEW else BETTER
    except FAILURES:  # a model, or a recorded loss, for so many rows and no others
        return
    if not reached < share * (end if math.isfinite(end) else probe.start.mean):
        return
    current = rate_of(patient)
    slower = rate(0.1, f"a lower rate, which averages over more batches: {current / 10:.2g} instead of {current:.2g}")
    yield Suspicion(
        f"a batch of {rows} says little of the slope: "
        + (f"it takes {found:.3g} rows for as much signal as noise" if math.isfinite(found) else "it is all noise"),
        Place(),
        {
            "rows of a batch": float(rows),
            "noise scale, in rows": found,
            "mean loss of all batches at the end": end,
            f"the same with batches of {rows * count}": reached,
        },
        "each step follows what its few rows happen to have in common, and the next one undoes it: noise falls with "
        "the root of the rows, or with the steps that a lower rate averages over",
        (larger, slower),
        weight=NOTE if end < FAR * probe.start.mean else FAULT,
        sure=False,
    )
