"""Gradients of single batches that have little in common."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import nn
from ...dispatch import no_grad
from ...findings import FAULT, NOTE, Place
from ...tensor import Tensor
from ..courses import over_batches
from ..loop import Loop
from ..noise import Noise, gathered, measured, merged, rows_of
from ..patient import Patient, drawing
from ..probe import FAILURES, Probe
from ..ranges import at, rate_of
from ..remedies import rate
from ..rule import Remedy, Suspicion, rule

LOUD, LOUDER = 10.0, 3.0
"""A batch of less than its noise scale by this factor follows the noise more than the slope; the second for batches of
few rows."""
TOGETHER = 16
"""So many batches make a step where nothing is known of their rows, so that they cannot be made one."""
NEARLY = 1.5
"""A loss of up to so many times another is nearly as low."""
SOME = 40
"""So many steps of the user's own are a training."""
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


def _length(first: Any) -> int:
    return len(first) if isinstance(first, Tensor) and first.ndim else 0


def time_comes_first(patient: Patient) -> bool:
    """Whether the rows of a batch are its second axis, as recurrent layers have it unless they are told otherwise."""
    recurrent = [module for module in patient.model.modules() if isinstance(module, nn.RNN | nn.GRU | nn.LSTM)]
    first = patient.batches[0][0]
    told = any(module.batch_first for module in recurrent)
    return bool(recurrent) and not told and isinstance(first, Tensor) and first.ndim == 3


def _noises(probe: Probe) -> list[tuple[Noise, int]]:
    """At the start of a trial and at its end."""
    return [found for found in (measured(probe.patient), measured(probe.late)) if found is not None]


def _own_end(probe: Probe, rows: int) -> float:
    """Where the user's own loop ends, whose batches a trial knows by heart when they have few rows."""
    losses = probe.patient.loop.losses if probe.patient.loop is not None else []
    if rows > FEW or len(losses) < SOME or not all(map(math.isfinite, losses)):
        return 0.0
    return float(np.mean(losses[-len(losses) // 3 :]))


def _reaches(probe: Probe, factor: float) -> float:
    """The mean loss of all batches after a trial at another rate."""
    other = at(probe.patient, factor)
    other.train(probe.steps)
    end = over_batches(other)
    return end if math.isfinite(end) else math.inf


def _takes(patient: Patient, batch: Any) -> bool:
    """Whether a loss can be computed of so many rows: a recorded one knows those of its own batch."""
    one = patient.copy()
    try:
        with no_grad(), drawing(one.seed):
            return math.isfinite(one.value(batch).item())
    except FAILURES:
        return False


def _disturbed(probe: Probe, loop: Loop) -> Iterator[Suspicion]:
    """Gradients that are changed at random on their way to the step, without which the same steps come further."""
    own = loop.end
    plain = probe.patient.copy()
    plain.train(probe.steps)
    reached = over_batches(plain)
    if not math.isfinite(own) or reached < BETTER * own:
        yield Suspicion(
            "the gradients that the optimizer is given are not those of the loss: up to "
            f"{loop.disturbance:.2g} times as much was added to them",
            loop.disturbed.place,
            {
                "what was added, against the gradient": loop.disturbance,
                "loss at the end": own,
                "loss at the end with the gradients as they are": reached,
            },
            "noise that is added to gradients is there in every step, however large the batch: the weights wander "
            "about as far as the rate lets them",
        )


@rule("gradient noise", explains=("too high a rate", "oscillating loss"))
def noisy(probe: Probe) -> Iterator[Suspicion]:
    """Batches that are small against the noise scale, of a training that larger ones bring much further."""
    patient = probe.patient
    if patient.loop is not None and patient.loop.mostly(patient.loop.disturbed):
        yield from _disturbed(probe, patient.loop)
        return
    across = time_comes_first(patient)
    count, known = len(patient.batches), not across and all(rows_of(each) is not None for each in patient.batches)
    first = patient.batches[0][0]
    rows = rows_of(patient.batches[0]) if known else first.shape[1] if across else _length(first)
    if count < 4 or not rows or not (known or rows <= FEW):
        return
    scales = [found.scale * (1 if known else rows) for found, _ in _noises(probe)]
    if max(scales, default=0.0) < (LOUDER if rows <= FEW else LOUD) * rows:
        return
    found = max((scale for scale in scales if math.isfinite(scale)), default=math.inf)
    plain = patient.copy()
    plain.train(probe.steps)
    end = over_batches(plain)
    if rows > FEW and (end < BETTER * probe.start.mean or not stalled(probe)):
        return

    whole = known and _takes(patient, merged(patient.batches))
    together = count if whole else TOGETHER

    def merge(other: Patient) -> None:
        parts = [other.batches[at : at + TOGETHER] for at in range(0, count, TOGETHER)]
        other.batches = [merged(other.batches)] if whole else [gathered(each) for each in parts]

    larger = Remedy(
        f"larger batches: {rows * together} rows instead of {rows}", merge, over_batches, "the mean loss of all"
    )
    try:
        treated = larger.treated(patient)
        treated.train(probe.steps)
        reached, share = over_batches(treated), FAR if rows <= FEW else BETTER
    except FAILURES:  # a model, or a recorded loss, for so many rows and no others
        return
    if not reached < share * max(end if math.isfinite(end) else probe.start.mean, _own_end(probe, rows)):
        return
    if rows > FEW and any(_reaches(probe, by) < NEARLY * reached for by in (0.1, 0.01)):
        return  # it is the rate
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
            f"the same with batches of {rows * together}": reached,
        },
        "each step follows what its few rows happen to have in common, and the next one undoes it: noise falls with "
        "the root of the rows, or with the steps that a lower rate averages over",
        (larger, slower),
        weight=NOTE if max(end, _own_end(probe, rows)) < FAR * probe.start.mean else FAULT,
        sure=False,
    )
