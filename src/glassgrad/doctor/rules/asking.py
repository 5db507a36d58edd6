"""A loss is the user's function: it is not asked for its name, but what it says of other predictions and targets."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import functions as fn
from ...dispatch import no_grad
from ...tensor import Tensor
from ..patient import Patient, answered, answers, drawing
from ..probe import FAILURES, Probe, Site

REFUSALS = FAILURES
SURE = 50.0
"""A score so high that its probability is 1 in every dtype but the largest, and whose exponential is still a number."""


def said(patient: Patient, number: int = 0) -> tuple[Any, Any]:
    """Predictions for a batch, and its targets."""
    batch = patient.batches[number]
    with no_grad(), drawing(patient.seed):
        return patient.predict(batch), answers(batch[-1])


def heard(patient: Patient) -> tuple[Any, Any]:
    """The same for the first batch; nothing where the model itself fails."""
    try:
        return said(patient)
    except REFUSALS:
        return None, None


def refusal(patient: Patient, predictions: Any, targets: Any) -> tuple[float, Exception | None]:
    """What the loss says of other predictions and targets than those of the first batch, and why it says nothing."""
    try:
        with no_grad(), drawing(patient.seed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # shapes that broadcast are what is asked about
            return float(patient.loss(predictions, answered(patient.batches[0][-1], targets)).item()), None
    except REFUSALS as error:
        return math.nan, error


def loss_of(patient: Patient, predictions: Any, targets: Any) -> float:
    """The same; NaN where it refuses."""
    return refusal(patient, predictions, targets)[0]


def line_of(patient: Patient, error: Exception | None) -> str:
    """The user's line that an error is of: that of the loop that it ended, or of a loss and a model of the user's."""
    if patient.loop is None:
        return str(getattr(error, "place", ""))
    return next((each[8:] for each in patient.loop.ended.splitlines() if each.startswith("  line: ")), "")


def near(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-4 * max(1.0, abs(a), abs(b))


@dataclass
class Classes:
    """Predictions as scores or probabilities of classes, and the classes that are right."""

    axis: int
    """Of the classes."""
    count: int
    labels: Any
    """Of the shape of the predictions without that axis; None for targets that are probabilities themselves."""
    truth: Any
    """A probability for each class."""

    def cross(self, predictions: Any) -> float:
        """The mean cross entropy of predictions: of probabilities if they are that, else of scores."""
        y = np.asarray(predictions, np.float64)
        if sums_to_one(y, self.axis):
            logs = np.log(np.maximum(y, 1e-30))
        else:
            with np.errstate(invalid="ignore"):  # of predictions that are infinite
                logs = y - y.max(self.axis, keepdims=True)
            logs = logs - np.log(np.exp(logs).sum(self.axis, keepdims=True))
        return float(-(self.truth * logs).sum() / max(self.truth.sum(), 1.0))

    def sure(self, like: Tensor, height: float = SURE) -> Tensor:
        """Scores that leave no doubt about the classes that are right."""
        return fn.tensor((self.truth * height).astype(like.numpy().dtype))


def classes(patient: Patient, predictions: Any, targets: Any) -> Classes | None:
    """How predictions and targets are those of classes, if they are."""
    if not isinstance(predictions, Tensor) or not isinstance(targets, Tensor) or predictions.dtype.kind != "f":
        return None
    shape, t = tuple(predictions.shape), targets.numpy()
    if len(shape) < 2:
        return None
    if t.dtype.kind == "f":
        axes = [axis for axis in (1, len(shape) - 1) if t.shape == shape and shape[axis] > 1 and sums_to_one(t, axis)]
        return Classes(axes[0], shape[axes[0]], None, t) if axes else None
    found = []
    for axis in dict.fromkeys((1, len(shape) - 1)):
        rest = shape[:axis] + shape[axis + 1 :]
        fits = t.shape == rest or (t.size == math.prod(rest) and axis == len(shape) - 1)
        if t.dtype.kind in "iu" and fits and shape[axis] > 1:
            found.append(_indexed(t.reshape(rest), axis, shape[axis]))
    if len(found) > 1:  # as many classes as places: the loss knows which are which
        found.sort(key=lambda each: _or_infinite(loss_of(patient, each.sure(predictions), targets)))
    return found[0] if found else None


def _indexed(labels: Any, axis: int, count: int) -> Classes:
    index = np.expand_dims(labels, axis)
    shape = [1] * index.ndim
    shape[axis] = count
    return Classes(axis, count, labels, (index == np.arange(count).reshape(shape)).astype(np.float64))


def _or_infinite(number: float) -> float:
    return number if math.isfinite(number) else math.inf


def sums_to_one(p: Any, axis: int) -> bool:
    """Whether numbers are probabilities along an axis."""
    inside = p.size > 0 and p.min() >= 0 and p.max() <= 1 + 1e-4
    return bool(inside and np.allclose(p.sum(axis), 1, atol=1e-4))


def shifts(patient: Patient, predictions: Tensor, targets: Any, by: Any = 3.0) -> bool:
    """Whether a loss stays the same where all scores grow alike, as it does after a softmax."""
    return near(loss_of(patient, predictions, targets), loss_of(patient, predictions + by, targets))


def takes(patient: Patient, predictions: Tensor, targets: Tensor) -> str:
    """What a loss of yes or no takes: "logits", "probabilities", or "" if it is none.

    It falls to 0 where the right answer is given with all certainty, and is linear in the targets.
    """
    no, yes = fn.zeros_like(targets), fn.ones_like(targets)

    def at(y: float, t: Tensor) -> float:
        return loss_of(patient, fn.full_like(predictions, y), t)

    if targets.dtype.kind == "f":
        mixed = 0.75 * at(0.3, no) + 0.25 * at(0.3, yes)
        if not near(at(0.3, fn.full_like(targets, 0.25)), mixed) or near(at(0.3, no), at(0.3, yes)):
            return ""
    least = 1e-6 * abs(at(0.3, no))
    if abs(at(SURE, yes)) <= least and abs(at(-SURE, no)) <= least < abs(at(1.0, yes)):
        return "logits"
    if abs(at(1.0, yes)) <= least and abs(at(0.0, no)) <= least and targets.dtype.kind == "f":
        return "probabilities"
    return ""


def maker(probe: Probe, value: Any) -> Site | None:
    """The operation of the recorded step whose result these numbers are, if perhaps in another shape; of several the
    first."""
    flat = value.ravel()
    for site in probe.sites:
        if site.value.size == value.size and np.array_equal(site.value.ravel(), flat):
            return site
    return None


def afterwards(probe: Probe, *values: Any) -> Sequence[Site]:
    """What was computed of these numbers."""
    found = [site for site in (maker(probe, value) for value in values) if site is not None]
    first = {site.node for site in found}
    after = set(first)
    for node, held in probe.tape.records.items():
        if any(each in after for each in held.inputs):
            after.add(node)
    return [site for site in probe.sites if site.node in after and site.node not in first]
