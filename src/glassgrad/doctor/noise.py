"""Noise of gradients: how far those of single batches lie apart, against what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import functions as fn
from ..autograd import grad
from ..tensor import Tensor
from .patient import Batch, Patient, answered, answers, drawing
from .probe import FAILURES

PARTS = 16
"""Into how many parts a batch is split at most, and how many batches are looked at."""


@dataclass(frozen=True)
class Noise:
    """What the gradients of parts of some rows say of their mean."""

    common: float
    """The squared size of the mean gradient, as the parts let one estimate it; at 0 they have nothing in common."""
    apart: float
    """The sum of the variances of one row's gradient: the trace of its covariance."""

    @property
    def scale(self) -> float:
        """The batch of which noise and signal are equal: S. McCandlish, J. Kaplan, D. Amodei, "An Empirical Model of
        Large-Batch Training" (2018), the simple noise scale."""
        return self.apart / self.common if self.common > 0 else float("inf")


def rows_of(batch: Sequence[Any]) -> int | None:
    """How many rows a batch has: the common length of its tensors; None where they have none."""
    parts = [*batch[:-1], answers(batch[-1])]
    if any(not isinstance(each, Tensor) or not each.ndim for each in parts) or getattr(batch, "named", None):
        return None
    lengths = {len(each) for each in parts}
    return lengths.pop() if len(lengths) == 1 else None


def of_rows(batch: Sequence[Any], pick: Callable[[Tensor], Tensor]) -> Batch:
    """A batch of other rows."""
    *inputs, targets = batch
    return Batch((*map(pick, inputs), answered(targets, pick(answers(targets)))))


def split(batch: Sequence[Any], parts: int = PARTS, least: int = 1) -> list[Batch]:
    """A batch's rows in parts of equal length, the rest left out; empty where it has too few or none."""
    rows = rows_of(batch)
    size = 0 if rows is None else max(least, rows // parts)
    if rows is None or rows < 2 * size:
        return []
    return [of_rows(batch, lambda t, at=at: t[at * size : (at + 1) * size]) for at in range(rows // size)]  # type: ignore[misc]


def merged(batches: Sequence[Sequence[Any]]) -> Batch:
    """One batch of the rows of several."""
    inputs = (fn.cat(list(each), 0) for each in zip(*(batch[:-1] for batch in batches), strict=True))
    targets = fn.cat([answers(batch[-1]) for batch in batches], 0)
    return Batch((*inputs, answered(batches[0][-1], targets)))


def gathered(batches: Sequence[Sequence[Any]]) -> Batch:
    """Several batches for one step, by the mean of their losses: as if gradients were accumulated."""
    made = Batch.like(batches[0], batches[0])
    made.beside = [Batch.like(each, each) for each in batches[1:]]
    return made


def gradients(patient: Patient, batches: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """The gradient of each batch at the same weights, by all parameters in one row."""
    one = patient.copy()
    cells = [p for p in one.parameters if p.requires_grad]
    for batch in batches:
        with drawing(one.seed):
            slopes = grad(one.value(batch), cells, allow_unused=True)
        yield np.concatenate([np.zeros(p.numel()) if g is None else g.numpy().ravel() for p, g in zip(
            cells, slopes, strict=True)])  # fmt: skip


@dataclass
class Sums:
    """What is kept of some rows, of which each may be as long as a net is large: never two of them at once."""

    first: Any
    """The first row. Sums are of what the others are apart from it, so that no digits are lost."""
    total: Any
    apart: float
    """The sum of the squares of those."""
    squares: float
    """The sum of the squares of the rows themselves."""
    count: int

    @classmethod
    def of(cls, rows: Iterable[Any]) -> Sums:
        found: Sums | None = None
        for row in (np.asarray(each, np.float64) for each in rows):
            found = found or cls(row, np.zeros_like(row), 0.0, 0.0, 0)
            away = row - found.first
            found.total += away
            found.apart += float(away @ away)
            found.squares += float(row @ row)
            found.count += 1
        assert found is not None
        return found


def noise_of(slopes: Iterable[Any], rows: int) -> Noise:
    """The noise of gradients of parts of so many rows each: unbiased, by the sizes of single ones and of their mean."""
    seen = Sums.of(slopes)
    count, away = seen.count, seen.total / seen.count
    mean = seen.first + away
    variance = max(seen.apart - count * float(away @ away), 0.0) / (count - 1)
    return Noise(float(mean @ mean) - variance / count, variance * rows)


def _of_batches(patient: Patient, batches: Sequence[Sequence[Any]]) -> tuple[Noise, int] | None:
    """The same where nothing is known of rows: each batch is taken for one."""
    try:
        return (noise_of(gradients(patient, batches), 1), 1) if len(batches) > 3 else None
    except FAILURES:
        return None


def measured(patient: Patient) -> tuple[Noise, int] | None:
    """The noise of the gradient of a patient as it stands and the rows that a step sees; None where rows are unknown,
    or where a part of a batch cannot be computed by itself."""
    batches = patient.batches[:PARTS]
    rows = rows_of(batches[0])
    if rows is None:
        return _of_batches(patient, batches)
    parts = [b for b in batches if rows_of(b) == rows] if len(batches) > 3 else split(batches[0], least=2)
    if len(parts) < 2:
        return None
    try:
        return noise_of(gradients(patient, parts), rows_of(parts[0]) or 1), rows
    except FAILURES:
        return None
