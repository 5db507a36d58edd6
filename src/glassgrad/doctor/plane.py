"""Directions in the space of weights, measured in the sizes of filters, and the plane that they span.

A net of rectifiers computes the same when one layer is ten times as large and the next a tenth. A step of some length
is large for a small filter and small for a large one, so that plain distances make the one net's landscape look sharp
and the other's flat. Here every filter is measured in its own size. Li et al., "Visualizing the Loss Landscape of
Neural Nets" (NeurIPS 2018).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from .patient import Patient

SMALLEST = 1e-3
"""A filter counts as at least so large, against the root mean square of its tensor's."""
STRAIGHT = 1e-9
"""A second direction with a smaller share of the movement is nothing but rounding."""


@dataclass
class Filters:
    """What the weights of a net are filters of: rows of matrices, output channels of kernels. A tensor of fewer than
    two dimensions, such as a bias, is one group as a whole.
    """

    group: Any
    """For each weight, the number of its group."""
    sizes: Any
    """The size of each group."""
    real: Any
    """For each weight, whether it is of a filter: not of a bias or of a norm's factors."""
    count: int
    """How many filters there are."""

    @property
    def scale(self) -> Any:
        """For each weight, in what it is measured: the size of its group."""
        return self.sizes[self.group]


def filters(patient: Patient, weights: Any) -> Filters:
    """The filters of a patient, with the sizes that they have at these weights."""
    cells = patient.parameters
    ends = list(itertools.accumulate((cell.numel() for cell in cells), initial=0))
    group, real, sizes, first = np.zeros(ends[-1], np.int64), np.zeros(ends[-1], bool), [], 0
    for cell, begin, end in zip(cells, ends, ends[1:], strict=False):
        matrix = cell.ndim > 1
        rows = max(1, cell.shape[0]) if matrix else 1
        own = np.repeat(np.arange(rows), (end - begin) // rows)
        lengths = np.sqrt(np.bincount(own, np.square(weights[begin:end], dtype=np.float64), rows))
        least = SMALLEST * float(np.sqrt(np.mean(lengths**2))) or 1.0
        group[begin:end], real[begin:end] = own + first, matrix
        sizes.append(np.maximum(lengths, least))
        first += rows
    count = len(np.unique(group[real] if real.any() else group))
    return Filters(group, np.concatenate(sizes), real if real.any() else ~real, count)


def random_direction(known: Filters, random: Any) -> Any:
    """Li et al.: every filter of a random direction is as large as the weights' filter, and nothing else moves. In the
    unit of `Filters.scale`."""
    drawn = np.where(known.real, random.standard_normal(len(known.group)), 0.0)
    lengths = np.sqrt(np.bincount(known.group, drawn**2, len(known.sizes)))
    return drawn / np.where(lengths > 0, lengths, 1.0)[known.group]


def principal_directions(moves: Any, count: int) -> list[Any]:
    """The at most two directions along which most of the movement lies, seen from the end; each of length sqrt(count),
    the first one away from the end, so that the path comes from the right.

    Args:
        moves: (snapshots, weights), how far each snapshot is from the end, in the unit of `Filters.scale`.
        count: of filters.
    """
    if not len(moves):
        return []
    values, vectors = np.linalg.eigh((moves @ moves.T).astype(np.float64))
    found = []
    for value, vector in list(zip(values, vectors.T, strict=True))[:-3:-1]:
        if value > STRAIGHT * values[-1] and value > 0:
            direction = vector.astype(moves.dtype) @ moves * (np.sqrt(count) / np.sqrt(value))
            most = np.argmax(np.abs(vector))
            found.append(direction if vector[most] > 0 else -direction)
    return found


def beside(direction: Any, other: Any) -> Any:
    """What of another direction is at a right angle to the first one, as long as it is."""
    rest = other - direction * (direction @ other) / (direction @ direction)
    return rest * np.sqrt((direction @ direction) / (rest @ rest))


def shadows(moves: Any, directions: list[Any], count: int) -> tuple[Any, Any]:
    """For each move the coordinates of the nearest point of the plane, and how far from that it is."""
    axes = np.stack(directions)
    places = np.linalg.solve((axes @ axes.T).astype(np.float64), (axes @ moves.T).astype(np.float64)).T
    rest = moves - places.astype(moves.dtype) @ axes
    return places, np.sqrt(np.sum(np.square(rest, dtype=np.float64), 1) / count)
