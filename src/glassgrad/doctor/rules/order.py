"""Batches of rows that stand in the order of their targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import functions as fn
from ...findings import Place
from ...tensor import Tensor
from ..courses import over_batches
from ..patient import Batch, Ending, Patient, answered, answers
from ..probe import Probe
from ..rule import Remedy, Suspicion
from .classes import ROWS, labels_of

APART, FEW = 0.6, 4
"""A share of the variance of numbers that lies between the batches, of at least so many: by chance it is one over the
rows of a batch."""


def in_order(probe: Probe) -> Iterator[Suspicion]:
    """Each batch has other targets than the one before it: the loss jumps with every batch."""
    share, what = _one_class(probe.patient), "nearly one class"
    if share is None:
        share, what = _alike(probe.patient), "targets that are much alike"
    if share is None:
        return
    yield Suspicion(
        f"a batch holds {what}, and the next one others",
        Place(module="the targets"),
        {"share of a batch that is of one kind": share},
        "rows in the order of their targets: each step learns to say those of its batch, and unlearns those before",
        (
            Remedy(
                "shuffle the rows: DataLoader(..., shuffle=True)", _shuffled, over_batches, "the loss of all batches"
            ),
        ),
        sure=False,
    )


def _one_class(patient: Patient) -> float | None:
    """The share of one class in the batch in the middle, if batches have far more of one than all together."""
    found = labels_of(patient)
    return None if found is None or not found.inputs else found.in_order


def _alike(patient: Patient) -> float | None:
    """Which share of the variance of the targets lies between the batches, if it is most of it."""
    held = [answers(batch[-1]) for batch in patient.batches]
    if len(held) < FEW or any(not isinstance(t, Tensor) or not t.ndim or t.dtype.kind != "f" for t in held):
        return None
    if any(isinstance(batch[-1], Ending) and batch[-1].weighed for batch in patient.batches):
        return None
    firsts = [t.numpy().reshape(len(t), -1)[:, 0].astype(np.float64) for t in held]
    whole = np.concatenate(firsts)
    if min(map(len, firsts)) < ROWS or not np.all(np.isfinite(whole)) or whole.var() <= 0:
        return None
    share = float(np.var([each.mean() for each in firsts]) / whole.var())
    return share if share > APART else None


def _shuffled(patient: Patient) -> None:
    """The rows of all batches in another order."""
    sizes = [len(batch[0]) for batch in patient.batches]
    order = np.random.default_rng(0).permutation(sum(sizes))
    count = len(patient.batches[0]) - 1
    inputs = [np.concatenate([_rows(batch[n]) for batch in patient.batches]) for n in range(count)]
    targets, made = np.concatenate([_rows(answers(batch[-1])) for batch in patient.batches]), []
    for old, at in zip(patient.batches, np.split(order, np.cumsum(sizes)[:-1]), strict=True):
        made.append(Batch.like(old, (*(fn.tensor(x[at]) for x in inputs), answered(old[-1], fn.tensor(targets[at])))))
    patient.batches = made


def _rows(tensor: Any) -> Any:
    return tensor.detach().numpy()
