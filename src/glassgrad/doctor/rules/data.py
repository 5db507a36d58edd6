"""What the inputs are like: scales, columns that say nothing or say it twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ... import nn
from ...findings import NOTE, Place, count
from ..courses import standing
from ..layers import judged
from ..mending import LARGE, features, scaled_inputs
from ..patient import Patient
from ..probe import Probe
from ..rule import Suspicion, rule

APART, SHIFTED = 100.0, 10.0
"""A ratio of the sizes of columns, and a mean against the deviation, that make steps hard."""
FAR = 5.0
"""So many times the loss of scaled inputs, at the start, is far."""
FEW, CHANCE = 8, 0.01
"""With fewer rows columns may be equal, or never change, by chance; and how many that do so by chance are let be. Words
that are rare and pixels that are hardly ever inked are many."""
WIDEST = 512
"""So many columns are compared with each other."""
FOLLOWS = (
    "too high a rate", "too low a rate", "oscillating loss", "diverging loss", "flat place", "saturated activations",
    "dead rectifiers", "exploding gradients", "vanishing gradients", "too large a start", "weights that move wildly",
    "weights that barely move", "gradient noise", "no overfitting of one batch",
)  # fmt: skip


def columns(patient: Patient) -> dict[int, Any]:
    """The inputs as columns, by their place: those of a table, what a sequence has at each place, or the channels of
    what goes into a convolution, if there are several."""
    made = {place: _as_columns(patient, x) for place, x in features(patient).items()}
    return {place: x for place, x in made.items() if x is not None and len(x) >= FEW}


def which(place: int) -> dict[str, float]:
    """Which of several inputs it is, where it is not the first."""
    return {"input, counted from 1": place + 1.0} if place else {}


def _as_columns(patient: Patient, x: Any) -> Any:
    if x.ndim not in (2, 3, 4):
        return None
    if x.ndim == 4 or (x.ndim == 3 and _convolves(patient)):
        return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]) if x.shape[1] > 1 else None
    return x.reshape(-1, x.shape[-1])


def _convolves(patient: Patient) -> bool:
    return any(isinstance(module, nn.Conv1d) for module in patient.model.modules())


@rule("unscaled inputs", explains=FOLLOWS)
def unscaled(probe: Probe) -> Iterator[Suspicion]:
    """Inputs far from a mean of 0 and a deviation of 1."""
    for place, found in features(probe.patient).items():
        scaled = (scaled_inputs([place]),)
        for each in _unscaled(found, place):
            usual = standing(scaled[0].treated(probe.patient)).mean
            far = probe.start.mean > FAR * abs(usual)  # then it is a matter of the first steps, too
            yield replace(each, remedies=(*scaled, *(judged(*scaled) if far else ())))


def _unscaled(found: Any, place: int) -> Iterator[Suspicion]:
    x = found.reshape(-1, found.shape[-1]) if found.ndim == 3 else found.reshape(len(found), -1)
    x = x.astype(np.float64)
    deviation, size = x.std(0), float(np.abs(x).max())
    moving = deviation > 1e-9 * max(size, 1e-300)
    if not moving.any():
        return
    sizes = np.sort(deviation[moving])
    apart, shifted = float(sizes[-1] / sizes[0]), float(np.median(np.abs(x.mean(0)[moving]) / deviation[moving]))
    uneven = apart > APART and sizes[(len(sizes) - 1) // 2] < sizes[-1] / APART
    if size < LARGE and not uneven and shifted < SHIFTED:
        return
    yield Suspicion(
        f"the inputs reach {size:.4g}, and their columns differ in size by a factor of {apart:.4g}",
        Place(module="the inputs", entry=(int(np.argmax(np.abs(x).max(0))),)),
        {
            "largest input": size,
            "largest deviation against the least": apart,
            "mean against deviation, of the column in the middle": shifted,
        }
        | which(place),
        "a gradient of the first layer is a product with its input: large columns get large steps, small ones hardly "
        "any, and no rate is right for both",
        sure=False,
    )


@rule("constant features")
def constant(probe: Probe) -> Iterator[Suspicion]:
    """Columns that are the same number in every row."""
    for place, x in columns(probe.patient).items():
        same = _by_no_chance(x, np.flatnonzero(np.ptp(x, 0) == 0))
        if not len(same):
            continue
        yield Suspicion(
            f"{len(same)} of {count(x.shape[1], 'column')} of the inputs never change" + "s" * (len(same) == 1),
            Place(module="the inputs", entry=(int(same[0]),)),
            {"constant columns": float(len(same)), "first of them": float(same[0])} | which(place),
            "a column that never changes is a bias that the layer has already",
            weight=NOTE,
        )


@rule("duplicate features")
def duplicate(probe: Probe) -> Iterator[Suspicion]:
    """Columns that are another one, in the same measure or in another."""
    for place, x in columns(probe.patient).items():
        pairs = _alike(x) if x.shape[1] <= WIDEST else []
        if not len(pairs):
            continue
        copies = len({int(second) for _, second in pairs})
        first, second = (int(column) for column in pairs[0])
        yield Suspicion(
            f"{count(copies, 'column')} of the inputs " + ("is a copy of another", "are copies of others")[copies > 1],
            Place(module="the inputs", entry=(second,)),
            {"copies": float(copies), "first copy": float(second), "of column": float(first)} | which(place),
            "what the net learns of one column it spreads over its copies: their weights cannot be told apart",
            weight=NOTE,
        )


def _by_no_chance(x: Any, same: Any) -> Any:
    """Of columns that never change those that would not do so if they were like the one that has their number the
    most often of all that change."""
    moving = x[:, np.ptp(x, 0) > 0]
    told = []
    for column in same:
        often = int((moving == x[0, column]).sum(0).max(initial=0))
        by_chance = len(x) * np.log((often + 1) / (len(x) + 2)) + np.log(x.shape[1])
        if by_chance < np.log(CHANCE):
            told.append(column)
    return np.asarray(told, np.int64)


def _alike(x: Any) -> Any:
    """The pairs of columns of which one is a multiple of the other, but for a shift. A column that is nearly always the
    same number is like another by chance: it has as many orders as exp(rows * entropy)."""
    least = np.log(max(1, x.shape[1] * (x.shape[1] - 1) // 2) / CHANCE)
    told = [column for column in np.flatnonzero(np.ptp(x, 0) > 0) if len(x) * _entropy(x[:, column]) > least]
    moving = np.asarray(told, np.int64)
    z = x[:, moving].astype(np.float64)
    z = (z - z.mean(0)) / z.std(0)
    alike = np.triu(z.T @ z / len(z) > 1 - 1e-9 if x.dtype == np.float64 else z.T @ z / len(z) > 1 - 1e-6, 1)
    return moving[np.argwhere(alike)]


def _entropy(column: Any) -> float:
    """Of the numbers of a column, in nats."""
    _, counts = np.unique(column, return_counts=True)
    shares = counts / len(column)
    return float(-(shares * np.log(shares)).sum())
