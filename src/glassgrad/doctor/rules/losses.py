"""Losses that are given something else than they take: probabilities for logits, shapes that broadcast, sums for means.

A loss is a function of the user's, so it is not asked for its name but tried: what does it say of other predictions?
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import functions as fn
from ... import nn
from ...dispatch import no_grad
from ...errors import GlassgradError
from ...findings import NOTE, Place
from ...tensor import Tensor
from ..patient import Patient, answered, answers
from ..probe import Probe
from ..rule import Remedy, Suspicion, rule


def said(patient: Patient) -> tuple[Any, Any]:
    """Predictions for the first batch, and its targets."""
    batch = patient.batches[0]
    with no_grad():
        return patient.predict(batch), answers(batch[-1])


def loss_of(patient: Patient, predictions: Any, targets: Any) -> float:
    """What the loss says of other predictions and targets than those of the first batch; NaN where it refuses."""
    try:
        with no_grad():
            return float(patient.loss(predictions, answered(patient.batches[0][-1], targets)).item())
    except (GlassgradError, ValueError, RuntimeError, IndexError, TypeError):
        return math.nan


def near(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-4 * max(1.0, abs(a), abs(b))


@rule("softmax before a loss that has one", explains=("too low a rate", "no overfitting of one batch"))
def softmax_twice(probe: Probe) -> Iterator[Suspicion]:
    """Predictions that are probabilities already, for a loss that makes probabilities of them itself."""
    patient = probe.patient.copy()
    predictions, targets = said(patient)
    if not isinstance(predictions, Tensor) or predictions.ndim < 2 or predictions.shape[1] < 2:
        return
    p = predictions.numpy()
    if p.dtype.kind != "f" or p.min() < 0 or not np.allclose(p.sum(1), 1, atol=1e-4):
        return
    plain = loss_of(patient, predictions, targets)
    if not near(plain, loss_of(patient, predictions + 3.0, targets)):  # a loss of probabilities changes
        return
    yield Suspicion(
        "the model ends with a softmax, and the loss begins with another",
        _last(probe),
        {"largest prediction": float(p.max()), "least loss there can be": math.log1p((p.shape[1] - 1) / math.e)},
        "softmax of numbers between 0 and 1 is nearly uniform: the loss cannot fall to 0, and the gradient passes two "
        "flat softmaxes",
        (_without_last(probe, "softmax", lambda y: (y + 1e-30).log()),),
    )


@rule("sigmoid before a loss that has one", explains=("too low a rate", "no overfitting of one batch"))
def sigmoid_twice(probe: Probe) -> Iterator[Suspicion]:
    """Predictions between 0 and 1, for a loss that takes logits."""
    patient = probe.patient.copy()
    predictions, targets = said(patient)
    if not isinstance(predictions, Tensor) or not isinstance(targets, Tensor) or predictions.shape != targets.shape:
        return
    p, t = predictions.numpy(), targets.numpy()
    if p.dtype.kind != "f" or p.min() <= 0 or p.max() >= 1 or t.min() < 0 or t.max() > 1:
        return
    made = [site for site in probe.sites if site.value.shape == p.shape and np.array_equal(site.value, p)]
    slopes = probe.slopes(made[-1]) if made else None
    if slopes is None or not np.allclose(slopes, p * (1 - p), rtol=1e-3, atol=1e-6, equal_nan=False):
        return
    zeros = fn.zeros_like(predictions)
    logits = near(loss_of(patient, zeros, targets) / math.log(2) % 1, 0) and near(
        loss_of(patient, zeros, targets), loss_of(patient, zeros, 1 - targets)
    )
    if not logits or near(loss_of(patient, zeros + 0.5, targets), loss_of(patient, zeros, targets)):
        return
    yield Suspicion(
        "the model ends with a sigmoid, and the loss begins with another",
        _last(probe),
        {"least prediction": float(p.min()), "largest prediction": float(p.max())},
        "a logit between 0 and 1 is a probability between 0.5 and 0.73: no 0 can be said, and two slopes of at most "
        "1/4 multiply",
        (_without_last(probe, "sigmoid", lambda y: (y / (1 - y)).log()),),
    )


@rule("shapes that broadcast in the loss", explains=("too low a rate", "no overfitting of one batch"))
def broadcast(probe: Probe) -> Iterator[Suspicion]:
    """(N, 1) against (N): every prediction is compared with every target."""
    predictions, targets = said(probe.patient.copy())
    if not isinstance(predictions, Tensor) or not isinstance(targets, Tensor) or targets.dtype.kind != "f":
        return
    ours, theirs = tuple(predictions.shape), tuple(targets.shape)
    if ours == theirs or math.prod(ours) != math.prod(theirs) or math.prod(ours) < 2:
        return
    try:
        whole = np.broadcast_shapes(ours, theirs)
    except ValueError:
        return
    site = next((each for each in probe.sites if tuple(each.value.shape) == whole), None)
    if site is None:
        return

    def reshape(patient: Patient) -> None:
        inner = patient.loss
        patient.loss = lambda y, t: inner(y.reshape(answers(t).shape), t)

    def error(patient: Patient) -> float:
        y, t = said(patient)
        return loss_of(probe.patient, y.reshape(t.shape), t)

    yield Suspicion(
        f"predictions of shape {ours} are compared with targets of shape {theirs}: {math.prod(whole):,} pairs",
        site.place,
        {"pairs": float(math.prod(whole)), "rows": float(math.prod(ours))},
        "the shapes broadcast, so that every prediction is drawn to every target, and all of them to the mean",
        (Remedy(f"predictions.reshape({theirs}) before the loss", reshape, error, "the loss of each with its target"),),
    )


@rule("a loss that is a sum")
def summed(probe: Probe) -> Iterator[Suspicion]:
    """A loss that doubles where the batch is there twice."""
    patient = probe.patient.copy()
    predictions, targets = said(patient)
    if not all(isinstance(each, Tensor) and each.ndim for each in (predictions, targets)):
        return
    once = loss_of(patient, predictions, targets)
    twice = loss_of(patient, fn.cat([predictions, predictions]), fn.cat([targets, targets]))
    rows = len(predictions)
    if not once or not near(twice / once, 2) or rows < 2:
        return

    def mean(given: Patient) -> None:
        inner = given.loss
        given.loss = lambda y, t: inner(y, t) / len(y)

    yield Suspicion(
        f"the loss adds up over the {rows} rows of the batch",
        probe.sites[-1].place,
        {"rows": float(rows)},
        "gradients grow with the batch, and the rate means another step for every batch size",
        (Remedy("take the mean: reduction='mean'", mean, lambda p: loss_of(probe.patient, *said(p))),),
        weight=NOTE,
        sure=False,
    )


def _last(probe: Probe) -> Place:
    """The operation that made the predictions."""
    inside = [site for site in probe.sites if site.place.module and probe.tape.phase(site.node) == "forward"]
    return inside[-1].place if inside else Place()


def _without_last(probe: Probe, name: str, logits: Any) -> Remedy:
    """Leave out the model's last module, if that is the one."""

    def apply(patient: Patient) -> None:
        path = _last(probe).module
        owner, _, child = path.rpartition(".")
        setattr(patient.model.get_submodule(owner), child, nn.Identity())

    def measure(patient: Patient) -> float:
        y, t = said(patient)
        inside = y.numpy().min() >= 0 and y.numpy().max() <= 1
        return loss_of(patient, logits(y) if inside else y, t)

    return Remedy(f"leave out the {name} at the end of the model", apply, measure, "the loss of the logits")
