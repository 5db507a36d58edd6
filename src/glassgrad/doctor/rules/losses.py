"""Losses that are given something else than they take: probabilities for scores, a softmax of a softmax."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ... import functions as fn
from ... import nn
from ...findings import Place
from ...tensor import Tensor
from ..patient import Patient, answers
from ..probe import Probe, Site
from ..rule import Remedy, Suspicion, rule
from .asking import SURE, Classes, afterwards, classes, loss_of, maker, near, said, shifts, sums_to_one, takes
from .twice import second_sigmoid

FLATTENED = ("too low a rate", "no overfitting of one batch", "flat place", "weights that barely move")
"""What follows where the loss cannot fall."""
CROSS = "the cross entropy"
Undo = Callable[[Tensor], Tensor]
Measure = Callable[[Any], float]


@rule("softmax before a loss that has one", explains=(*FLATTENED, "vanishing gradients"))
def softmax_twice(probe: Probe) -> Iterator[Suspicion]:
    """A softmax more or less than the loss takes, or one over the wrong axis."""
    patient = probe.patient.copy()
    predictions, targets = said(patient)
    known = classes(patient, predictions, targets)
    if known is None:
        yield from _on_the_tape(probe)
        return
    p, scores = predictions.numpy(), shifts(patient, predictions, targets)
    over = next((axis for axis in (known.axis, *[0] * (len(p) > 1)) if sums_to_one(p, axis)), None)
    if over is not None and scores:
        yield _twice(probe, known, p, over)
    elif over == 0 or (scores and _across_rows(patient, predictions, targets)):
        yield _wrong_axis(probe, known, p)
    elif over == known.axis and known.labels is not None and _linear(patient, predictions, targets):
        yield _without_log(probe, known, p)
    elif over is None and scores and _softened(patient, known, predictions, targets):
        yield _in_the_loss(probe, known, p)
    elif known.labels is not None and _linear(patient, predictions, targets):
        yield from _unnormalised(probe, known, p)


@rule("sigmoid before a loss that has one", explains=(*FLATTENED, "vanishing gradients"))
def sigmoid_twice(probe: Probe) -> Iterator[Suspicion]:
    """Predictions between 0 and 1 for a loss that takes logits, or a sigmoid of them on the way into it."""
    found = list(_by_answers(probe))
    twice = None if found else second_sigmoid(probe)
    if twice is not None:
        p = twice.value
        found = [_of_sigmoids(probe, twice, p, math.log1p(math.exp(-float(p.max()))))]
    yield from found


def _by_answers(probe: Probe) -> Iterator[Suspicion]:
    """Told by what the loss says of other predictions."""
    patient = probe.patient.copy()
    predictions, targets = said(patient)
    if not isinstance(predictions, Tensor) or not isinstance(targets, Tensor) or predictions.dtype.kind != "f":
        return
    p, known = predictions.numpy(), classes(patient, predictions, targets)
    squashed = _is_sigmoid(probe, p)
    if known is not None and shifts(patient, predictions, targets):
        least = math.log1p((known.count - 1) / math.e)
        if squashed is not None:
            yield _of_sigmoids(probe, squashed, p, least)
        return
    if targets.numel() != predictions.numel() or targets.numpy().min() < 0 or targets.numpy().max() > 1:
        return
    yes = float(np.mean(targets.numpy(), dtype=np.float64))
    least = yes * math.log1p(1 / math.e) + (1 - yes) * math.log(2)

    if squashed is not None and takes(patient, predictions, targets) == "logits":
        yield _of_sigmoids(probe, squashed, p, least)
    elif squashed is None and _sigmoid_within(patient, predictions, targets):
        squashes = [s for s in afterwards(probe, p) if s.value.size == p.size]
        made = next((s for s in squashes if np.allclose(s.value.ravel(), _sigmoid(p).ravel(), rtol=1e-4)), None)
        yield Suspicion(
            "the loss takes the sigmoid of the predictions twice",
            Place() if made is None else made.place,
            {"least loss there can be": least},
            "a logit between 0 and 1 is a probability between 0.5 and 0.73: no 0 can be said, whatever the model says",
            (_other_loss(_bce, "the sigmoid"),),
        )


def _twice(probe: Probe, known: Classes, p: Any, over: int) -> Suspicion:
    """The model ends with a softmax, and the loss begins with another."""
    wrong = over != known.axis
    return Suspicion(
        "the model ends with a softmax"
        + (f" over axis {over}, the rows, " if wrong else ", ")
        + "and the loss begins with another",
        _place(maker(probe, p)),
        {"largest prediction": float(p.max()), "least loss there can be": math.log1p((known.count - 1) / math.e)},
        "softmax of numbers between 0 and 1 is nearly uniform: the loss cannot fall to 0, and the gradient passes two "
        "flat softmaxes" + ("; and this one makes the rows of a batch share each class among them" if wrong else ""),
        (_bare(probe, p, "softmax", lambda y: (y + 1e-30).log()),),
    )


def _on_the_tape(probe: Probe) -> Iterator[Suspicion]:
    """Log-probabilities of probabilities, in a step whose predictions cannot be told from its loss."""
    tape = probe.tape
    for site in probe.sites:
        operands = tape.inputs(site.node)
        axis = site.node.params.get("axis", -1)
        if len(operands) != 1 or not site.value.ndim or site.gradient is None or operands[0].shape != site.value.shape:
            continue
        p = tape.value(operands[0])
        if p.shape[axis] < 2 or site.value.max() > 0 or not sums_to_one(p, axis):
            continue
        if np.allclose(np.exp(np.asarray(site.value, np.float64)).sum(axis), 1, atol=1e-4):
            yield Suspicion(
                "a softmax is taken of the result of another",
                _place(maker(probe, p)),
                {"classes": float(p.shape[axis]), "least loss there can be": math.log1p((p.shape[axis] - 1) / math.e)},
                "softmax of numbers between 0 and 1 is nearly uniform: the loss cannot fall to 0, and the gradient "
                "passes two flat softmaxes; leave out the first one",
            )
            return


def _wrong_axis(probe: Probe, known: Classes, p: Any) -> Suspicion:
    """A softmax of each column, at the end of the model or in the loss."""
    made = [site for site in probe.sites if site.value.shape == p.shape and sums_to_one(site.value, 0)]
    ends = made and np.array_equal(made[-1].value, p)

    def apply(patient: Patient) -> None:
        loss = _cross_entropy(known)
        patient.loss = lambda y, t: loss((y + 1e-30).log() if ends else y, answers(t))

    return Suspicion(
        "the softmax is taken over axis 0, the rows of the batch",
        _place(made[-1] if made else None),
        {"rows": float(len(p))},
        "the rows of a batch share each class among them: a row's probabilities do not add up to 1, and depend on the "
        "other rows",
        (Remedy(f"the softmax over axis {known.axis}", apply, _cross_of(known.cross), CROSS),),
    )


def _without_log(probe: Probe, known: Classes, p: Any) -> Suspicion:
    """Probabilities, for a loss that only picks."""

    def apply(patient: Patient) -> None:
        inner = patient.loss
        patient.loss = lambda y, t: inner((y + 1e-30).log(), t)

    return Suspicion(
        "the loss takes log-probabilities, and is given probabilities",
        _place(maker(probe, p)),
        {"loss": float(probe.tape.value(probe.tape.loss)), "least loss there can be": -1.0},
        "without the logarithm a right answer of 0.01 is hardly worse than one of 0.1: the loss is negative, and its "
        "gradient nearly 0 where the net is most wrong",
        (Remedy("log_softmax in place of softmax", apply, _cross_of(known.cross), CROSS),),
    )


def _unnormalised(probe: Probe, known: Classes, y: Any) -> Iterator[Suspicion]:
    """Scores, or logarithms over the wrong axis, for a loss that only picks."""
    with np.errstate(over="ignore"):
        total = np.exp(np.asarray(y, np.float64)).sum(known.axis)
    if np.allclose(total, 1, atol=1e-3) or not len(y) > 1:
        return
    rows = sums_to_one(np.exp(np.minimum(y, 1.0)), 0)

    def apply(patient: Patient) -> None:
        inner = patient.loss
        patient.loss = lambda y, t: inner(y.log_softmax(known.axis), t)

    yield Suspicion(
        "the loss takes log-probabilities, and is given "
        + ("those of a softmax over axis 0, the rows" if rows else "scores"),
        _place(maker(probe, y)),
        {"probabilities of a row, summed": float(total.max()), "loss": float(probe.tape.value(probe.tape.loss))},
        "nothing makes the other classes less likely where one becomes more likely: all scores can grow without end",
        (Remedy(f"log_softmax(predictions, {known.axis}) before the loss", apply, _cross_of(known.cross), CROSS),),
    )


def _across_rows(patient: Patient, predictions: Tensor, targets: Tensor) -> bool:
    """Whether a loss of scores changes where those of one row grow alike."""
    first = np.zeros(predictions.shape, predictions.numpy().dtype)
    first[0] = 3.0
    return len(first) > 1 and not shifts(patient, predictions, targets, fn.tensor(first))


def _in_the_loss(probe: Probe, known: Classes, p: Any) -> Suspicion:
    """Scores, of which the loss takes the softmax twice."""
    shape = p.shape
    made = [s for s in afterwards(probe, p) if s.value.size == p.size and s.value.ndim > 1
            and sums_to_one(s.value, known.axis if s.value.shape == shape else s.value.ndim - 1)]  # fmt: skip
    return Suspicion(
        "the loss takes the softmax of the predictions twice",
        made[0].place if made else Place(),
        {"least loss there can be": math.log1p((known.count - 1) / math.e)},
        "softmax of numbers between 0 and 1 is nearly uniform: the loss cannot fall to 0, whatever the model says",
        (_other_loss(_cross_entropy(known), "the softmax"),),
    )


def _of_sigmoids(probe: Probe, made: Site, p: Any, least: float) -> Suspicion:
    return Suspicion(
        "the model ends with a sigmoid, and the loss begins with another or with a softmax",
        made.place,
        {
            "least prediction": float(p.min()),
            "largest prediction": float(p.max()),
            "least loss there can be": least,
        },
        "a logit between 0 and 1 is a probability between 0.5 and 0.73: no 0 can be said, and two slopes of at most "
        "1/4 multiply",
        (_bare(probe, p, "sigmoid", lambda y: ((y + 1e-30) / (1 - y + 1e-7)).log()),),
    )


def _linear(patient: Patient, predictions: Tensor, targets: Tensor) -> bool:
    """Whether a loss is a multiple of its predictions, and falls where they grow: it picks, and takes no logarithm."""
    at = [
        loss_of(patient, given, targets)
        for given in (predictions, predictions * 2, predictions + 1, predictions * 0 + 1)
    ]
    return near(at[1], 2 * at[0]) and near(at[2], at[0] + at[3]) and at[3] < 0


def _softened(patient: Patient, known: Classes, predictions: Tensor, targets: Tensor) -> bool:
    """Whether a loss of scores stays above 0 by just what a second softmax keeps it."""
    sure, plain = loss_of(patient, known.sure(predictions), targets), loss_of(patient, predictions, targets)
    size = loss_of(patient, predictions * 0, targets) / math.log(known.count)  # it may be a share of a loss, or a sum
    return size > 0 and near(sure / size, math.log1p((known.count - 1) / math.e)) and not near(sure, plain)


def _sigmoid_within(patient: Patient, predictions: Tensor, targets: Tensor) -> bool:
    """Whether a loss of yes or no stays above 0 by just what a second sigmoid keeps it."""
    ones, none = targets * 0 + 1, targets * 0
    sure = loss_of(patient, predictions * 0 + SURE, ones), loss_of(patient, predictions * 0 - SURE, none)
    sizes = sure[0] / math.log1p(1 / math.e), sure[1] / math.log(2)
    return min(sure) > 1e-3 and near(*sizes) and not near(sure[0], loss_of(patient, predictions * 0 - SURE, ones))


def _is_sigmoid(probe: Probe, p: Any) -> Site | None:
    """The operation that made these numbers, if they are the sigmoid of something before them."""
    made = maker(probe, p) if p.dtype.kind == "f" and p.size and p.min() >= 0 and p.max() <= 1 else None
    if made is None:
        return None
    for site in probe.sites:
        if site is made:
            return None
        if site.value.size == p.size and np.allclose(_sigmoid(site.value).ravel(), p.ravel(), rtol=1e-4, atol=1e-6):
            return made
    return None


def _sigmoid(x: Any) -> Any:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def _place(site: Site | None) -> Place:
    return Place() if site is None else site.place


def _cross_of(cross: Measure) -> Callable[[Patient], float]:
    """A measure that is the same whatever the loss: of the predictions for the first batch."""
    return lambda patient: cross(said(patient)[0].numpy())


def _cross_entropy(known: Classes) -> Callable[[Tensor, Tensor], Tensor]:
    """The usual one, for predictions whose classes are on any axis."""

    def loss(y: Tensor, t: Tensor) -> Tensor:
        moved = y.movedim(known.axis, -1).reshape(-1, known.count)
        whole = known.labels is None
        return nn.functional.cross_entropy(
            moved, t.movedim(known.axis, -1).reshape(-1, known.count) if whole else t.flatten()
        )

    return loss


def _other_loss(loss: Callable[[Tensor, Tensor], Tensor], name: str) -> Remedy:
    def apply(patient: Patient) -> None:
        patient.loss = lambda y, t: loss(y, answers(t).reshape(y.shape) if loss is _bce else answers(t))

    return Remedy(f"leave out {name} of the predictions in the loss", apply)


_bce = nn.functional.binary_cross_entropy_with_logits


def _bare(probe: Probe, p: Any, name: str, undo: Undo) -> Remedy:
    """Leave out what made the predictions: the module that does it, or, where none does, by undoing it in the loss."""
    made = maker(probe, p)
    path = "" if made is None else made.place.module

    def alone(patient: Patient) -> bool:
        module = dict(patient.model.named_modules()).get(path)
        return bool(path) and module is not None and not [*module.children(), *module.parameters()]

    def apply(patient: Patient) -> None:
        if alone(patient):
            owner, _, child = path.rpartition(".")
            setattr(patient.model.get_submodule(owner), child, nn.Identity())
        else:
            inner = patient.loss
            patient.loss = lambda y, t: inner(undo(y), t)

    line = "" if made is None or alone(probe.patient) else f" ({made.place.line})"
    return Remedy(f"leave out the {name} at the end of the model{line}", apply)
