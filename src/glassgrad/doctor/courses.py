"""The course of a loss: where it ends, whether it swings or runs away, apart from the noise of batches and draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..dispatch import no_grad
from .patient import Patient, drawing

LOOKED_AT, DRAWS = 8, 3
"""How many batches are looked at to see how far they differ, and how often each. The same ones each time, so that what
is learned is not hidden by how they differ."""


@dataclass(frozen=True)
class Standing:
    """The loss of a patient as it stands, over its batches and its random draws."""

    mean: float
    scatter: float
    """By how far the loss of one step differs from the mean, though nothing was learned."""
    drawn: float
    """By how far it differs from draw to draw of the same batch: that of dropout."""

    @property
    def scale(self) -> float:
        """What a change of the loss is large or small against."""
        return max(abs(self.mean), self.scatter, 1e-12)


def standing(patient: Patient, draws: int = DRAWS) -> Standing:
    """Measure a patient as it stands; nothing is learned."""
    one = patient.copy()
    with no_grad(), drawing(one.seed):
        found = np.array([[one.value(batch).item() for _ in range(draws)] for batch in one.batches[:LOOKED_AT]])
    with np.errstate(all="ignore"):
        return Standing(float(found.mean()), float(found.std()), float(np.sqrt(found.var(1).mean())))


def over_batches(patient: Patient) -> float:
    """The mean loss of all batches at the weights as they are; nothing is learned."""
    one = patient.copy()
    with no_grad(), drawing(one.seed):
        return float(np.mean([one.value(batch).item() for batch in one.batches]))


def window(losses: Sequence[float], batches: int) -> int:
    """How many steps of the end are taken together: as many as there are batches where that is possible."""
    return min(len(losses), max(3, min(batches, len(losses) // 4)))


def level(losses: Sequence[float], batches: int = 1) -> float:
    """Where a course ends: the mean of the last steps."""
    return float(np.mean(losses[-window(losses, batches) :]))


def levels(losses: Sequence[float], parts: int = 10) -> list[float]:
    """The means of a course's tenths."""
    return [float(np.mean(each)) for each in np.array_split(np.asarray(losses), parts) if len(each)]


def steady(losses: Sequence[float], batches: int, noise: float) -> bool:
    """Whether a course ends about as low as it has been: what falls at first and then runs away does not."""
    if not all(map(math.isfinite, losses)):
        return False
    parts = levels(losses[1:], min(10, max(1, len(losses) // max(4, batches))))
    lowest = min(parts)
    return level(losses, batches) <= lowest + max(0.5 * abs(lowest), 0.1 * (max(parts) - lowest), 3 * noise)


def swing(losses: Sequence[float], batches: int, floor: float) -> tuple[float, float]:
    """In the later half: how far the loss of a batch moves from one time to the next against its level, and which
    share of that is upwards. Levels below the floor count as the floor."""
    late = np.asarray(losses[len(losses) // 2 :])
    if len(late) < batches + 4 or not np.all(np.isfinite(late)):
        return 0.0, 0.0
    moves = late[batches:] - late[:-batches]
    ways = float(np.abs(moves).sum())
    size = float(np.abs(moves).mean()) / max(abs(float(np.median(late))), floor, 1e-300)
    return size, float(moves[moves > 0].sum()) / ways if ways else 0.0
