"""How often each class occurs: one that is nearly all there is, batches of one class, outputs that never are right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import functions as fn
from ...dispatch import no_grad
from ...findings import FAULT, NOTE, Place, count
from ...tensor import Tensor
from ..patient import Batch, Ending, Patient, answered, answers, drawing
from ..probe import FAILURES, Probe
from ..rule import Remedy, Suspicion, rule
from .asking import classes, said, takes

LEAST = 20
"""With fewer labels shares say little."""
MOST = 0.9
"""A share of one class above which the others are rare."""
RARE = 0.2
"""A share against that of equal classes below which one is rare."""
ROWS = 8
"""Of fewer rows a batch is of one class by chance."""
OFTEN = 50
"""So many labels for each output, and one of them never right, is no chance."""


@dataclass
class Labels:
    """The labels of all batches, each with its row."""

    values: Any
    batches: Any
    """The batch that each is in."""
    inputs: list[Any]
    """The rows of each input, one after another."""
    targets: Any
    kept: Any
    """Of all rows, whether they are among these: not those whose label the loss ignores."""

    def rows(self, order: Any) -> list[Tensor]:
        """Those of the inputs in another order."""
        return [fn.tensor(each[order]) for each in self.inputs]

    @property
    def largest(self) -> tuple[int, float]:
        """The class that most have, and their share."""
        kinds, counts = np.unique(self.values, return_counts=True)
        return int(kinds[counts.argmax()]), float(counts.max() / counts.sum())

    @property
    def in_order(self) -> float | None:
        """The share of one class in the batch in the middle, if that is most of it, and less of all batches."""
        parts = [self.values[self.batches == number] for number in np.unique(self.batches)]
        alone = [np.unique(each, return_counts=True)[1].max() / len(each) for each in parts if len(each) >= ROWS]
        pure = len(alone) > 1 and float(np.median(alone)) > MOST >= self.largest[1]
        return float(np.median(alone)) if pure else None


@rule("class imbalance")
def imbalance(probe: Probe) -> Iterator[Suspicion]:
    """One class that is nearly all there is, in all batches or in each one."""
    found = labels_of(probe.patient) or _of_endings(probe.patient)
    if found is None or len(found.values) < LEAST:
        return
    kind, share = found.largest
    if MOST < share < 1:
        yield _rare(probe, found, kind, share)
        return
    if found.in_order is not None:  # of rows in the order of their classes other batches have other ones
        return
    yield from _overlooked(probe, found)
    if not found.inputs:
        return
    yield from _never(probe, found)


def labels_of(patient: Patient) -> Labels | None:
    """Labels of which each row has one: whole numbers, or 0 and 1."""
    values, rows, kept = [], [], []
    for batch in patient.batches:
        t = answers(batch[-1])
        if any(not isinstance(each, Tensor) or not each.ndim for each in (*batch[:-1], t)) or len(batch) < 2:
            return None
        if any(len(each) != len(t) for each in batch[:-1]):
            return _of_places(patient)
        if t.numel() != len(t):
            return _of_places(patient)
        values.append(t.detach().numpy().reshape(-1))
        kept.append(~_ignored(patient, batch, values[-1]))
        rows.append([each.detach().numpy() for each in batch[:-1]])
    whole = np.concatenate(values)
    if whole.dtype.kind not in "iu" and not np.all((whole == 0) | (whole == 1)):
        return None
    if len({tuple(x.shape[1:] for x in each) for each in rows}) != 1:  # padded to the longest of each batch
        return _of_places(patient)
    numbers = np.repeat(np.arange(len(values)), [len(each) for each in values])
    heard = np.concatenate(kept)
    inputs = [np.concatenate(each)[heard] for each in zip(*rows, strict=True)]
    return Labels(whole.astype(np.int64)[heard], numbers[heard], inputs, whole[heard], heard)


def _of_endings(patient: Patient) -> Labels | None:
    """Labels that a recorded loss has, if its targets are not known: of some rows, or of a further head."""
    ends = [batch[-1] for batch in patient.batches if isinstance(batch[-1], Ending) and batch[-1].classes]
    if len(ends) < len(patient.batches):
        return None
    values = np.concatenate([each.classes[0].numpy() for each in ends]).astype(np.int64)
    return Labels(values, np.zeros(len(values), np.int64), [], values, np.ones(len(values), bool))


def _of_places(patient: Patient) -> Labels | None:
    """Whole numbers of which each row has several, such as a tag for each word: no rows can be drawn by them."""
    held = [answers(batch[-1]).numpy() for batch in patient.batches if isinstance(answers(batch[-1]), Tensor)]
    if len(held) < len(patient.batches) or any(each.dtype.kind not in "iu" for each in held):
        return None
    whole = np.concatenate([each.ravel() for each in held])
    whole = whole[whole >= 0]
    numbers = np.zeros(len(whole), np.int64)
    return Labels(whole.astype(np.int64), numbers, [], whole, np.ones(len(whole), bool)) if len(whole) else None


def _ignored(patient: Patient, batch: Any, labels: Any) -> Any:
    """Which rows have a label below 0 that the loss ignores: whatever the net says of them, it is the same."""
    below, one = labels < 0, patient.copy()
    if labels.dtype.kind != "i" or not below.any():
        return np.zeros(len(labels), bool)
    try:
        with no_grad(), drawing(one.seed):
            y: Any = one.predict(batch)
            other = y.numpy().copy()
            other[below] = np.arange(other[below].size).reshape(other[below].shape) - other[below]
            same = one.loss(y, batch[-1]).item() == one.loss(fn.tensor(other), batch[-1]).item()
    except FAILURES:
        same = False
    return below & same


def _rare(probe: Probe, found: Labels, kind: int, share: float) -> Suspicion:
    """A fault if the net, when it has learned, still says the large class of the others."""
    seen = _recall(probe.late, found, kind) if found.inputs else None
    evidence = {"share of the largest class": share, "loss of always saying so": _entropy(found)}
    if seen is not None:
        evidence["share of the others that the net tells"] = seen
    return Suspicion(
        f"{share:.1%} of the labels are class {kind}",
        Place(module="the targets"),
        evidence,
        "a net that always says this class is right so often: the loss is low before anything is learned, and the "
        "gradient is that of one class",
        (_balanced(probe, found),) if found.inputs else (),
        weight=NOTE if seen is None or seen >= 0.5 else FAULT,
    )


def _overlooked(probe: Probe, found: Labels) -> Iterator[Suspicion]:
    """A class that is far rarer than the others, and that the net never says when it has learned."""
    kinds, counts = np.unique(found.values, return_counts=True)
    shares = counts / counts.sum()
    least = int(shares.argmin())
    if len(kinds) < 3 or len(found.values) < OFTEN or shares[least] > RARE / len(kinds) or not found.inputs:
        return
    seen = _share_told(probe.late, found, int(kinds[least]))
    if seen is None or seen >= 0.5:
        return
    yield Suspicion(
        f"{shares[least]:.1%} of the labels are class {kinds[least]}",
        Place(module="the targets"),
        {"share of the class": float(shares[least]), "share of it that the net tells": seen},
        "next to no gradient comes of so few rows: the loss is low without them",
        (_balanced(probe, found),),
    )


def _entropy(found: Labels) -> float:
    """The cross entropy of the shares of the classes: what is had without looking at the inputs."""
    _, counts = np.unique(found.values, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _recall(patient: Patient, found: Labels, kind: int) -> float | None:
    """Of the labels that are not of the largest class, the share that a net does not take for it."""
    hits = _said(patient, found)
    return None if hits is None else float(np.mean(hits[found.values != kind] != kind))


def _share_told(patient: Patient, found: Labels, kind: int) -> float | None:
    """Of the labels of a class, the share that a net takes for it."""
    hits = _said(patient, found)
    return None if hits is None else float(np.mean(hits[found.values == kind] == kind))


def _said(patient: Patient, found: Labels) -> Any:
    """The class that a net says for each label's row; None where its predictions are no classes."""
    one = patient.copy()
    one.model.eval()
    with no_grad(), drawing(one.seed):
        said = [one.predict(batch) for batch in one.batches]
    if not all(isinstance(each, Tensor) for each in said):
        return None
    y = np.concatenate([each.numpy().reshape(len(each), -1) for each in said])
    if len(y) != len(found.kept):
        return None
    y = y[found.kept]
    if y.shape[1] == 1:
        predictions, targets = said[0], answers(one.batches[0][-1])
        middle = {"logits": 0.0, "probabilities": 0.5}.get(takes(one, predictions, targets))
        if middle is None:
            return None
        hits: Any = (y[:, 0] > middle).astype(np.int64)
    else:
        hits = y.argmax(1)
    return hits


def _balanced(probe: Probe, found: Labels) -> Remedy:
    """Batches in which every class is as frequent; the loss of such a batch must fall."""

    def draw(number: int, size: int) -> Any:
        random = np.random.default_rng(number)
        kinds = np.unique(found.values)
        return np.concatenate([
            random.choice(np.flatnonzero(found.values == kind), len(range(n, size, len(kinds))))
            for n, kind in enumerate(kinds)
        ])  # fmt: skip

    def batch(given: Patient, number: int) -> Batch:
        old = given.batches[number]
        order = draw(number, len(old[0]))
        new = found.targets[order].reshape(-1, *answers(old[-1]).shape[1:])
        return Batch.like(old, (*found.rows(order), answered(old[-1], fn.tensor(new))))

    def resample(given: Patient) -> None:
        given.batches = [batch(given, number) for number in range(len(given.batches))]

    def loss(given: Patient) -> float:
        with no_grad(), drawing(given.seed):
            return float(np.mean([given.value(batch(probe.patient, n)).item() for n in range(len(given.batches))]))

    return Remedy(
        "draw the classes equally often (WeightedRandomSampler), or weigh them: weight= or pos_weight= of the loss",
        resample, loss, "the loss of a batch with as many of each class",
    )  # fmt: skip


def _never(probe: Probe, found: Labels) -> Iterator[Suspicion]:
    """An output that never is the right one."""
    predictions, targets = said(probe.patient.copy())
    known = classes(probe.patient.copy(), predictions, targets)
    if known is None or known.labels is None or len(found.values) < OFTEN * known.count:
        return
    missing = sorted(set(range(known.count)) - set(found.values.tolist()))
    if missing:
        yield Suspicion(
            f"class {missing[0]} never is a target"
            + (f", like {count(len(missing) - 1, 'other')}" if len(missing) > 1 else ""),
            Place(module="the targets"),
            {"classes": float(known.count), "classes that never are a target": float(len(missing))},
            "its output only learns never to be chosen",
            weight=NOTE,
        )
