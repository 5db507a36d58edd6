"""What a loss makes of the rows of a batch: pairs each with every other one, or adds them up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import functions as fn
from ...explain.tape import Tape
from ...findings import FAULT, NOTE, Place
from ...graph import Node
from ...tensor import Tensor
from ..patient import Ending, Patient, answers
from ..probe import Probe, Site
from ..rule import Remedy, Suspicion, rule
from .asking import afterwards, heard, line_of, loss_of, near, refusal, said

FOLLOWS = ("too low a rate", "no overfitting of one batch", "flat place", "gradient noise")
TOO_LARGE = (
    "too high a rate", "diverging loss", "oscillating loss", "weights that move wildly", "exploding gradients",
    "gradient noise",
)  # fmt: skip


@rule("shapes that broadcast in the loss", explains=FOLLOWS, whatever=True)
def broadcast(probe: Probe) -> Iterator[Suspicion]:
    """(N, 1) against (N): every prediction is compared with every target, or the loss refuses them."""
    predictions, targets = heard(probe.patient.copy())
    if not isinstance(predictions, Tensor) or not isinstance(targets, Tensor):
        return
    ours, theirs = tuple(predictions.shape), tuple(targets.shape)
    if ours == theirs or math.prod(ours) != math.prod(theirs) or math.prod(ours) < 2:
        return
    given = probe.patient.copy()
    if probe.failed:
        yield from _refused(given, predictions, targets)
        return
    try:
        whole = np.broadcast_shapes(ours, theirs)
    except ValueError:
        return
    site = _paired(probe, predictions, whole)
    if site is None or near(loss_of(given, predictions, targets), loss_of(given, predictions.reshape(theirs), targets)):
        return

    def error(patient: Patient) -> float:
        y, t = said(patient)
        return loss_of(probe.patient, y.reshape(t.shape), t)

    yield Suspicion(
        f"predictions of shape {ours} are compared with targets of shape {theirs}: {math.prod(whole):,} pairs",
        site.place,
        {"pairs": float(math.prod(whole)), "rows": float(math.prod(ours))},
        "the shapes broadcast, so that every prediction is drawn to every target, and all of them to the mean",
        (
            Remedy(
                f"predictions.reshape({theirs}) before the loss",
                _reshape,
                None if isinstance(probe.patient.batches[0][-1], Ending) else error,
                "the loss of each with its target",
            ),
        ),
    )


def _reshape(patient: Patient) -> None:
    """Give predictions the shape of their targets before the loss."""
    inner = patient.loss
    patient.loss = lambda y, t: inner(y.reshape(answers(t).shape), t)


def _paired(probe: Probe, predictions: Tensor, whole: tuple[int, ...]) -> Site | None:
    """The first operation on the predictions whose result has an entry for every pair."""
    size = predictions.numel()
    return next(
        (s for s in afterwards(probe, predictions.numpy()) if s.value.shape == whole and s.value.size > size), None
    )


def _refused(patient: Patient, predictions: Tensor, targets: Tensor) -> Iterator[Suspicion]:
    """Shapes that the loss refuses, and would not if they were alike."""
    error = refusal(patient, predictions, targets)[1]
    if error is None or refusal(patient, predictions.reshape(targets.shape), targets)[1] is not None:
        return
    ours, theirs = tuple(predictions.shape), tuple(targets.shape)
    yield Suspicion(
        f"the loss refuses predictions of shape {ours} with targets of shape {theirs}",
        Place(module="the targets", line=line_of(patient, error)),
        {"predictions": float(math.prod(ours)), "targets": float(math.prod(theirs))},
        "there is one target for each prediction, but on another axis",
        (Remedy(f"predictions.reshape({theirs}) before the loss", _reshape),),
    )


@rule("a loss that is a sum", explains=TOO_LARGE)
def summed(probe: Probe) -> Iterator[Suspicion]:
    """A loss that doubles where the batch is there twice."""
    patient = probe.patient.copy()
    predictions, targets = said(patient)
    if not isinstance(predictions, Tensor) or not predictions.ndim or len(predictions) < 2:
        return
    rows = len(predictions)
    if isinstance(patient.batches[0][-1], Ending):
        adds = _adds(probe, predictions)
    else:
        adds = _doubles(patient, predictions, targets)
    if not adds:
        return

    def mean(given: Patient) -> None:
        inner = given.loss
        given.loss = lambda y, t: inner(y, t) / len(y)

    losses = probe.losses
    suffers = not math.isfinite(losses[-1]) or losses[-1] > losses[0]
    yield Suspicion(
        f"the loss adds up over the {rows} rows of the batch",
        probe.sites[-1].place,
        {"rows": float(rows), "rate": float(patient.optimizer.param_groups[0]["lr"])},
        "gradients grow with the batch, and the rate means another step for every batch size",
        (Remedy("take the mean: reduction='mean'", mean, lambda p: _by_row(probe, p), "the loss of a row"),),
        weight=FAULT if suffers else NOTE,
        sure=False,
    )


def _by_row(probe: Probe, given: Patient) -> float:
    """The loss of the patient as it was, for each row, of what another one says."""
    y, _ = said(given)
    return float(probe.patient.loss(y, given.batches[0][-1]).item()) / len(y)


def _doubles(patient: Patient, predictions: Tensor, targets: Any) -> bool:
    """Whether the loss of a batch twice is twice the loss."""
    if not isinstance(targets, Tensor) or not targets.ndim:
        return False
    once = loss_of(patient, predictions, targets)
    twice = loss_of(patient, fn.cat([predictions, predictions]), fn.cat([targets, targets]))
    return bool(once) and near(twice / once, 2)


def _adds(probe: Probe, predictions: Tensor) -> bool:
    """Whether the recorded loss adds up over the rows of its predictions and is not divided by their number."""
    rows, tape = len(predictions), probe.tape
    after = {site.node: site for site in afterwards(probe, predictions.numpy())}
    sums = [s for s in after.values() if not s.node.shape and s.gradient is not None and _over_rows(tape, s.node, rows)]
    if not sums:
        return False
    whole = max(sums, key=lambda site: abs(float(site.value * site.gradient)))  # a penalty may be another sum
    node = whole.node
    while node is not tape.loss:
        users = [user for user, _ in tape.consumers().get(node, []) if user in after]
        if len(users) != 1 or _divides(tape, node, users[0], rows):
            return False
        node = users[0]
    return True


def _over_rows(tape: Tape, node: Node, rows: int) -> bool:
    """Whether a node adds up an axis of rows."""
    if node.op is None or node.op.kind != "reduce":
        return False
    before = tape.inputs(node)[0].shape
    return any(before[axis] and before[axis] % rows == 0 for axis in node.params.get("axes", ()))


def _divides(tape: Tape, node: Node, user: Node, rows: int) -> bool:
    """Whether a number is divided by a multiple of the rows, or by something that was computed, such as the sum of the
    rows' weights."""
    if any(other is not node and not tape.is_leaf(other) and len(tape.inputs(user)) > 1 and _scales(tape, node, user)
           for other in tape.inputs(user)):  # fmt: skip
        return True
    slope = _slope(tape, node, user)
    times = 1 / (slope * rows) if slope else 0.0
    return times > 0.5 and abs(times - round(times)) < 1e-3 * times


def _scales(tape: Tape, node: Node, user: Node) -> bool:
    """Whether a node is multiplied or divided: its slope is not that of a sum."""
    return abs(_slope(tape, node, user) - 1) > 1e-6


def _slope(tape: Tape, node: Node, user: Node) -> float:
    sent = next((e.part for e in tape.edges if e.node is user and tape.inputs(user)[e.index] is node), None)
    arrived = tape.cotangents.get(user)
    if sent is None or arrived is None or not np.any(tape.value(arrived)):
        return 0.0
    return abs(float(np.sum(tape.value(sent)) / np.sum(tape.value(arrived))))
