"""Models of sequences that see what they are to say."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as fn
from ...dispatch import no_grad
from ...tensor import Tensor
from ..patient import Batch, Patient, answers, drawing
from ..probe import FAILURES

LONG = 3
"""Of shorter sequences it is not asked."""


def sees_ahead(patient: Patient) -> int | None:
    """For targets that are the inputs moved by one place: at how many places before the last one a prediction changes
    with the last input, which those before it have yet to tell. None where targets are others, and where none does."""
    one = patient.copy()
    batch = one.batches[0]
    x, t = batch[0], answers(batch[-1])
    if not isinstance(x, Tensor) or not isinstance(t, Tensor) or x.dtype.kind not in "iu" or x.ndim != 2:
        return None
    places = x.shape[1]
    if places < LONG or t.numel() != x.numel() or t.dtype.kind not in "iu" or np.ptp(x.numpy()) == 0:
        return None
    if not np.array_equal(x.numpy()[:, 1:], t.numpy().reshape(tuple(x.shape))[:, :-1]):
        return None
    other = x.numpy().copy()
    other[:, -1] = np.where(other[:, -1] == other.min(), other.max(), other.min())
    one.model.eval()
    try:
        with no_grad(), drawing(one.seed):
            plain, changed = (one.predict(Batch.like(batch, (each, *batch[1:]))) for each in (x, fn.tensor(other)))
    except FAILURES:
        return None
    if not isinstance(plain, Tensor) or plain.numel() % x.numel():
        return None
    a, b = (_by_place(each.numpy(), tuple(x.shape)) for each in (plain, changed))
    if a is None or b is None:
        return None
    apart = np.abs(a - b).max(axis=(0, 2))[:-1] > 1e-4 * np.abs(a).max(initial=1e-30)
    return int(apart.sum()) or None


def _by_place(said: Any, shape: tuple[int, ...]) -> Any:
    """Predictions as rows, places, and what is said of each; None where it is not known which axis is the places."""
    rows, places = shape
    if said.shape[:2] == shape:
        return said.reshape(rows, places, -1)
    if said.shape[:1] == (rows * places,):
        return said.reshape(rows, places, -1)
    if said.ndim == 3 and (said.shape[0], said.shape[2]) == shape:
        return said.swapaxes(1, 2)
    return None
