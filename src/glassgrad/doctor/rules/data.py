"""What the data is like: scales, columns that say nothing, labels that say too much or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import functions as fn
from ...findings import NOTE, Place
from ...tensor import Tensor
from ..patient import Patient, answers
from ..probe import Probe
from ..rule import Remedy, Suspicion, rule

LARGE, APART = 30.0, 100.0
"""A size of inputs, and a ratio of the sizes of columns, that make steps hard."""


def table(patient: Patient) -> tuple[Any, Any] | None:
    """The rows of all batches as columns of numbers, and their targets; None for other data."""
    rows, targets = [], []
    for batch in patient.batches:
        x, t = batch[0], answers(batch[-1])
        if len(batch) != 2 or not isinstance(x, Tensor) or not isinstance(t, Tensor):
            return None
        if x.dtype.kind != "f" or x.ndim < 2 or not t.ndim or len(x) != len(t):
            return None
        rows.append(x.detach().numpy().reshape(len(x), -1))
        targets.append(t.detach().numpy())
    x, t = np.concatenate(rows), np.concatenate(targets)
    return (x, t) if len(x) > 1 and np.all(np.isfinite(x)) else None


@rule("unscaled inputs", explains=("too high a rate", "saturated activations", "exploding gradients", "flat place"))
def unscaled(probe: Probe) -> Iterator[Suspicion]:
    """Inputs far from a mean of 0 and a deviation of 1."""
    found = table(probe.patient)
    if found is None or found[0].shape[1] < 2:
        return
    x, _ = found
    deviation, size = x.std(0), np.abs(x).max()
    moving = deviation[deviation > 1e-12 * max(size, 1e-300)]
    if not len(moving):
        return
    apart = float(moving.max() / moving.min())
    shifted = float(np.abs(x.mean(0)).max() / moving.max())
    if size < LARGE and not (apart > APART and np.median(moving) < moving.max() / APART):
        return

    def scale(patient: Patient) -> None:
        mean, by = fn.tensor(x.mean(0)), fn.tensor(np.where(deviation > 0, deviation, 1).astype(x.dtype))
        patient.batches = [
            (((b[0].flatten(1) - mean.to(b[0].dtype)) / by.to(b[0].dtype)).reshape(b[0].shape), b[1])
            for b in patient.batches
        ]

    yield Suspicion(
        f"the inputs reach {size:.4g}, and their columns differ in size by a factor of {apart:.4g}",
        Place(module="the inputs"),
        {"largest input": float(size), "largest deviation against the least": apart, "mean against deviation": shifted},
        "a gradient of the first layer is a product with its input: large columns get large steps, small ones hardly "
        "any, and no rate is right for both",
        (Remedy("standardise the inputs by mean and deviation of the training data", scale),),
        sure=False,
    )


@rule("constant features")
def constant(probe: Probe) -> Iterator[Suspicion]:
    """Columns that are the same number in every row."""
    found = table(probe.patient)
    if found is None or found[0].ndim != 2 or len(found[0]) < 8 or probe.patient.batches[0][0].ndim != 2:
        return
    same = np.flatnonzero(np.ptp(found[0], 0) == 0)
    if len(same):
        yield Suspicion(
            f"{len(same)} of {found[0].shape[1]} columns of the inputs never change",
            Place(module="the inputs", entry=(int(same[0]),)),
            {"constant columns": float(len(same))},
            "a column that never changes is a bias that the layer has already",
            weight=NOTE,
        )


@rule("duplicate features")
def duplicate(probe: Probe) -> Iterator[Suspicion]:
    """Columns that are equal to another one."""
    found = table(probe.patient)
    if found is None or probe.patient.batches[0][0].ndim != 2 or len(found[0]) < 8:
        return
    x = found[0][:, np.ptp(found[0], 0) > 0]
    equal = x.shape[1] - np.unique(x, axis=1).shape[1]
    if equal:
        yield Suspicion(
            f"{equal} columns of the inputs are copies of others",
            Place(module="the inputs"),
            {"copies": float(equal)},
            "what the net learns of one column it spreads over its copies: their weights cannot be told apart",
            weight=NOTE,
        )


@rule("leaking label")
def leak(probe: Probe) -> Iterator[Suspicion]:
    """A column that is the label, or tells it without error."""
    found = table(probe.patient)
    if found is None or probe.patient.batches[0][0].ndim != 2:
        return
    x, t = found
    t = t.reshape(len(t), -1)
    if len(x) < 16 or t.shape[1] != 1 or np.ptp(t) == 0:
        return
    for column in range(x.shape[1]):
        if np.ptp(x[:, column]) and abs(np.corrcoef(x[:, column], t[:, 0])[0, 1]) > 0.9999:
            yield Suspicion(
                f"column {column} of the inputs is the label",
                Place(module="the inputs", entry=(column,)),
                {"correlation with the label": float(np.corrcoef(x[:, column], t[:, 0])[0, 1])},
                "the net learns to read the answer off, and fails where it is not written there",
            )
            return


@rule("class imbalance")
def imbalance(probe: Probe) -> Iterator[Suspicion]:
    """One class that is nearly all there is."""
    found = table(probe.patient)
    if found is None or found[1].dtype.kind not in "iu" or found[1].ndim != 1 or len(found[1]) < 20:
        return
    counts = np.bincount(found[1] - found[1].min())
    share = counts.max() / counts.sum()
    if 0.9 <= share < 1:
        yield Suspicion(
            f"{share:.0%} of the labels are class {int(counts.argmax() + found[1].min())}",
            Place(module="the targets"),
            {"share of the largest class": float(share)},
            "a net that always says this class is right so often: the loss is low before anything is learned",
            weight=NOTE,
        )
