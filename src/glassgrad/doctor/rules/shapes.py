"""What a loss makes of the rows of a batch: pairs each with every other one, or adds them up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import functions as fn
from ...engine.trace import flatten
from ...explain.tape import Tape
from ...findings import FAULT, NOTE, Place
from ...graph import Node
from ...spec import numel
from ...tensor import Tensor
from ..patient import Ending, Patient, answers
from ..probe import Probe, Site
from ..rule import Remedy, Suspicion, rule
from .asking import afterwards, heard, line_of, loss_of, maker, refusal, said

FOLLOWS = ("too low a rate", "no overfitting of one batch", "flat place", "gradient noise")
TOO_LARGE = (
    "too high a rate", "diverging loss", "oscillating loss", "weights that move wildly", "exploding gradients",
    "gradient noise",
)  # fmt: skip

DOUBLE = (1.6, 2.4)
"""By how much the loss of a batch that is there twice is larger: by twice, where a penalty is a mean."""
MANY = 8
"""Of fewer terms a sum may be one of several losses."""


@dataclass
class Pairs:
    """Predictions and targets that are repeated, so that there is an entry for every pair of them."""

    site: Site
    """What repeats the predictions."""
    ours: tuple[int, ...]
    theirs: tuple[int, ...]
    """The shapes that were repeated."""


@rule("shapes that broadcast in the loss", explains=FOLLOWS, whatever=True)
def broadcast(probe: Probe) -> Iterator[Suspicion]:
    """(N, 1) against (N): every prediction is compared with every target, or the loss refuses them."""
    predictions, targets = heard(probe.patient.copy())
    if probe.failed:
        yield from _refused(probe.patient.copy(), predictions, targets)
        return
    found = _paired(probe, flatten(predictions))
    if found is None:
        return
    rows, whole = math.prod(found.ours), found.site.value.size
    yield Suspicion(
        f"predictions of shape {found.ours} are compared with targets of shape {found.theirs}: {whole:,} pairs",
        found.site.place,
        {"pairs": float(whole), "rows": float(rows)},
        "the shapes broadcast, so that every prediction is drawn to every target, and all of them to the mean",
        _reshaped(probe, found, predictions, targets),
    )


def _paired(probe: Probe, predictions: Sequence[Tensor]) -> Pairs | None:
    """The first operation whose operands are predictions and something else as large, both repeated, and one of them
    along an axis that it did not have: who means pairs gives both their axes."""
    tape = probe.tape
    after = afterwards(probe, *(y.numpy() for y in predictions))
    made = {site.node for site in after} | {each.node for y in predictions if (each := maker(probe, y.numpy()))}
    for site in after:
        operands = tape.inputs(site.node)
        if len(operands) != 2 or sum(each in made for each in operands) != 1:
            continue
        ours, theirs = (_repeated(tape, each) for each in sorted(operands, key=lambda each: each not in made))
        small = math.prod(ours)
        grown = math.prod(theirs) == small > 1 and site.value.size > small
        if grown and ours != theirs and min(len(ours), len(theirs)) < site.value.ndim:
            repeats = next((other for other in after if other.node in operands), site)
            return Pairs(repeats, ours, theirs)
    return None


def _repeated(tape: Tape, node: Node) -> tuple[int, ...]:
    """The shape of what was repeated to make a node; its own if nothing was."""
    value = tape.value(node)
    if tape.is_leaf(node) and value.ndim > 1 and len(value) > 1 and value.size and np.ptp(value) > 0:
        return node.shape[1:] if not np.any(np.ptp(value, axis=0)) else node.shape  # a constant, repeated before
    if tape.is_leaf(node) or node.op is None or node.op.kind != "structural":
        return node.shape
    operands = tape.inputs(node)
    small = len(operands) == 1 and math.prod(operands[0].shape) < math.prod(node.shape)
    return operands[0].shape if small else node.shape


def _reshaped(probe: Probe, found: Pairs, predictions: Any, targets: Any) -> tuple[Remedy, ...]:
    """Predictions in the shape of their targets, where a model gives nothing else."""
    if not isinstance(predictions, Tensor) or predictions.numel() != math.prod(found.ours):
        return ()
    known = isinstance(targets, Tensor) and not isinstance(probe.patient.batches[0][-1], Ending)

    def shape(y: Tensor) -> tuple[int, ...]:
        return tuple(len(y) if size == len(predictions) else size for size in found.theirs)

    def apply(patient: Patient) -> None:
        inner = patient.loss
        patient.loss = lambda y, t: inner(y.reshape(shape(y)), t)

    def error(patient: Patient) -> float:
        y, t = said(patient)
        return loss_of(probe.patient, y.reshape(shape(y)), t)

    text = f"predictions.reshape({found.theirs}) before the loss"
    return (Remedy(text, apply, error if known else None, "the loss of each with its target"),)


def _reshape(patient: Patient) -> None:
    """Give predictions the shape of their targets before the loss."""
    inner = patient.loss
    patient.loss = lambda y, t: inner(y.reshape(answers(t).shape), t)


def _refused(patient: Patient, predictions: Any, targets: Any) -> Iterator[Suspicion]:
    """Shapes that the loss refuses, and would not if they were alike."""
    if not isinstance(predictions, Tensor) or not isinstance(targets, Tensor):
        return
    if predictions.shape == targets.shape or predictions.numel() != targets.numel() or targets.numel() < 2:
        return
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

    def by_row(given: Patient) -> float:
        return _by_row(probe, given)

    def mean(given: Patient) -> None:
        inner = given.loss
        given.loss = lambda y, t: inner(y, t) / len(y)

    def entries(given: Patient) -> None:
        inner = given.loss
        given.loss = lambda y, t: inner(y, t) / y.numel()

    losses = probe.losses
    suffers = not math.isfinite(losses[-1]) or losses[-1] > losses[0]
    yield Suspicion(
        f"the loss adds up over the {rows} rows of the batch",
        probe.sites[-1].place,
        {"rows": float(rows), "rate": float(patient.optimizer.param_groups[0]["lr"])},
        "gradients grow with the batch, and the rate means another step for every batch size",
        tuple(Remedy("take the mean: reduction='mean'", each, by_row, "the loss of a row") for each in (mean, entries)),
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
    return bool(once) and DOUBLE[0] < twice / once < DOUBLE[1]


def _adds(probe: Probe, predictions: Tensor) -> bool:
    """Whether the recorded loss adds up over the rows of its predictions, and is not divided by a multiple of their
    number when all is done."""
    tape, known = probe.tape, answers(probe.patient.batches[0][-1])
    rows = len(predictions)
    of = {rows, len(known)} if isinstance(known, Tensor) and known.ndim and len(known) > 1 else {rows}
    after = {site.node: site for site in afterwards(probe, predictions.numpy())}
    of |= {s.node.shape[0] for s in after.values() if s.node.shape[1:] == predictions.shape[1:] and s.node.shape[:1]}
    one = [s for s in after.values() if numel(s.node.shape) == 1 and s.gradient is not None]
    sums = [s for s in one if any(_over_rows(tape, s.node, each) for each in of)]
    if not sums:
        return _added_one_by_one(tape, rows)
    whole = max(sums, key=lambda site: abs(float((site.value * site.gradient).sum())))  # a penalty may be another sum
    node, total, divided = whole.node, 1.0, False
    while node is not tape.loss:
        users = [user for user, _ in tape.consumers().get(node, []) if user in after]
        if len(users) != 1 or _weighed(tape, node, users[0]):
            return False
        slope = _slope(tape, node, users[0])
        total, divided = total * slope, divided or _is_share(slope * rows) or _is_mean(slope, rows)
        node = users[0]
    return not divided or (_is_share(total) and not _is_share(total * rows) and not _is_mean(total, rows))


def _added_one_by_one(tape: Tape, rows: int) -> bool:
    """Whether a loss is the sum of a number for each row, which a loop has added to those before."""
    stack, terms = [tape.loss], 0
    while stack:
        node = stack.pop()
        operands = [] if tape.is_leaf(node) else [each for each in tape.inputs(node) if each.requires_grad]
        adds = node.op is not None and node.op.kind == "elementwise" and len(tape.inputs(node)) == 2 and not node.shape
        if adds and operands and all(abs(_slope(tape, each, node) - 1) < 1e-6 for each in operands):
            stack.extend(operands)
        else:
            terms += 1
    return terms >= max(rows, MANY)


def _over_rows(tape: Tape, node: Node, rows: int) -> bool:
    """Whether a node adds up an axis of rows."""
    if (
        node.op is not None and node.op.kind == "linalg" and numel(node.shape) == 1
    ):  # the product of a vector with itself
        return all(numel(each.shape) % rows == 0 for each in tape.inputs(node))
    if node.op is None or node.op.kind != "reduce":
        return False
    before = tape.inputs(node)[0].shape
    return any(before[axis] and before[axis] % rows == 0 for axis in node.params.get("axes", ()))


def _is_mean(slope: float, rows: int) -> bool:
    """Whether a sum is divided by a whole number that may be that of the rows that count."""
    return _is_share(slope) and max(MANY / 2, rows / 16) <= round(1 / slope) <= rows


def _is_share(number: float) -> bool:
    """Whether a number is one over a whole one."""
    times = 1 / number if number else 0.0
    return times > 0.5 and abs(times - round(times)) < 1e-3 * times


def _weighed(tape: Tape, node: Node, user: Node) -> bool:
    """Whether a number is divided by something that was computed, such as the sum of the rows' weights."""
    return any(
        other is not node and not tape.is_leaf(other) and len(tape.inputs(user)) > 1 and _scales(tape, node, user)
        for other in tape.inputs(user)
    )


def _scales(tape: Tape, node: Node, user: Node) -> bool:
    """Whether a node is multiplied or divided: its slope is not that of a sum."""
    return abs(_slope(tape, node, user) - 1) > 1e-6


def _slope(tape: Tape, node: Node, user: Node) -> float:
    sent = next((e.part for e in tape.edges if e.node is user and tape.inputs(user)[e.index] is node), None)
    arrived = tape.cotangents.get(user)
    if sent is None or arrived is None or not np.any(tape.value(arrived)):
        return 0.0
    return abs(float(np.sum(tape.value(sent)) / np.sum(tape.value(arrived))))
