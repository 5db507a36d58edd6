"""Labels that are no classes, and targets that are not what the loss takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import functions as fn
from ... import nn
from ...findings import Place
from ...tensor import Tensor
from ..patient import Batch, Patient, answered, answers, put_in_place
from ..probe import Probe
from ..rule import Remedy, Suspicion, rule
from .asking import Classes, classes, heard, line_of, loss_of, maker, near, refusal, said, takes

RARE = 0.05
"""A share of labels so small that they are mistakes rather than classes."""
IGNORED = -100
"""What losses of classes leave out, unless they are told otherwise."""
FOLLOWS = (
    "numbers that are not finite",
    "diverging loss",
    "too high a rate",
    "oscillating loss",
    "exploding gradients",
)
Change = Callable[[Tensor], Tensor]


@dataclass
class Wrong:
    """Labels outside of the classes, in all batches."""

    known: Classes
    values: Any
    """All labels that occur, in order."""
    counts: Any
    bad: list[int]
    batch: int
    row: tuple[int, ...]
    line: str

    @property
    def share(self) -> float:
        return float(self.counts[np.isin(self.values, self.bad)].sum() / self.counts.sum())


@rule("labels out of range", explains=FOLLOWS, whatever=True)
def out_of_range(probe: Probe) -> Iterator[Suspicion]:
    """Class indices below 0 or above the last class, targets outside of 0 to 1, targets of another kind."""
    patient = probe.patient.copy()
    predictions, targets = heard(patient)
    known = classes(patient, predictions, targets)
    wrong = _outside(probe, patient, predictions, targets, known)
    if wrong is not None:
        yield _indices(probe, wrong)
        return
    if isinstance(predictions, Tensor) and isinstance(targets, Tensor):
        found = list(_refused(patient, predictions, targets)) if probe.failed else []
        found = found or list(_beyond(probe, patient, predictions, targets)) or list(_none(patient))
        if found:
            yield found[0]
            return
    found = [] if probe.failed else list(_off_scale(probe))
    yield from found or _by_error(probe)


def changed(patient: Patient, change: Change) -> None:
    """Give all batches other targets."""
    patient.batches = [
        Batch.like(batch, (*batch[:-1], answered(batch[-1], change(answers(batch[-1]))))) for batch in patient.batches
    ]


def every(patient: Patient) -> list[Any]:
    """The targets of all batches, as far as they are tensors."""
    found = [answers(batch[-1]) for batch in patient.batches]
    return [each.detach().numpy() for each in found if isinstance(each, Tensor) and each.numel()]


def _outside(probe: Probe, patient: Patient, y: Any, t: Any, known: Classes | None) -> Wrong | None:
    """The labels that the loss refuses, or takes for a class counted from the end."""
    held = every(patient)
    if (
        known is None
        or known.labels is None
        or not isinstance(t, Tensor)
        or any(a.dtype.kind not in "iu" for a in held)
    ):
        return None
    values, counts = np.unique(np.concatenate([a.ravel() for a in held]), return_counts=True)
    errors: dict[int, Exception] = {}

    def wrong(value: int) -> bool:
        found, error = refusal(patient, y, fn.full_like(t, value))
        if error is not None:
            errors[value] = error
            return isinstance(error, IndexError)
        return value < 0 and near(found, loss_of(patient, y, fn.full_like(t, value + known.count)))

    outside = [int(v) for v in values if not 0 <= v < known.count]
    bad = [value for value in outside[:50] if wrong(value)]
    if not bad or refusal(patient, y, fn.zeros_like(t))[1] is not None:
        return None
    number = next(n for n, each in enumerate(held) if np.isin(each, bad).any())
    row = tuple(int(i) for i in np.argwhere(np.isin(held[number], bad))[0])
    raised = probe.error if probe.failed else errors.get(int(held[number][row]))
    return Wrong(known, values, counts, bad, number, row, line_of(patient, raised))


def _indices(probe: Probe, wrong: Wrong) -> Suspicion:
    label, count = int(every(probe.patient)[wrong.batch][wrong.row]), wrong.known.count
    kept = wrong.values[(wrong.values >= 0) | np.isin(wrong.values, wrong.bad)]
    where = f"row {wrong.row[0]}" + (f" of batch {wrong.batch}" if wrong.batch else "")
    if kept[0] == 1 and kept[-1] == count:
        cause = f"the labels begin at 1: class 0 never occurs, and the last, {count}, is one too many"
    elif min(wrong.bad) < 0:
        cause = "a label below 0 is no class: counted from the end it would be another one"
    else:
        cause = (
            f"{count} outputs are the classes 0 to {count - 1}: label {max(wrong.bad)} would need {max(wrong.bad) + 1}"
        )
    if abs(label) > 2**31:
        cause += "; so large a number is what NaN or infinity becomes as an integer"
    return Suspicion(
        f"{where} has label {label}, and there are {count} classes, 0 to {count - 1}",
        Place(module="the targets", line=wrong.line, entry=wrong.row),
        {
            "label": float(label),
            "classes": float(count),
            "row": float(wrong.row[0]),
            "share of labels out of range": wrong.share,
        },
        cause,
        tuple(_mends(probe, wrong, kept)),
    )


def _mends(probe: Probe, wrong: Wrong, kept: Any) -> Iterator[Remedy]:
    """Other labels, more outputs, or rows that do not count: the likeliest first."""
    count = wrong.known.count
    if len(kept) <= count:
        text = "labels - 1" if kept[0] == 1 and kept[-1] == count else f"number the {len(kept)} classes from 0 on"
        first = 1 if text == "labels - 1" else None

        def renumber(t: Tensor) -> Tensor:
            old = t.numpy()
            new = old - first if first is not None else np.searchsorted(kept, old)
            return fn.tensor(np.where(np.isin(old, kept), new, old).astype(old.dtype))

        yield Remedy(text, lambda patient: changed(patient, renumber))

    def leave_out(t: Tensor) -> Tensor:
        return t.masked_fill(fn.tensor(np.isin(t.numpy(), wrong.bad)), IGNORED)

    single = f"ignore_index={wrong.bad[0]}" if len(wrong.bad) == 1 else "ignore_index, and give it to these rows"
    ignore = Remedy(f"mend the rows, or leave them out of the loss: {single}", lambda p: changed(p, leave_out))
    needed = max(wrong.bad) + 1
    wider = Remedy(f"a last layer with {needed} outputs", lambda patient: _widen(patient, probe, needed))
    many = min(wrong.bad) >= 0 and wrong.share > RARE
    yield from (wider, ignore) if many else (ignore,)


def _widen(patient: Patient, probe: Probe, outputs: int) -> None:
    """Another last layer, with more outputs, that the optimizer holds in place of the old one."""
    made = maker(probe, said(probe.patient.copy())[0].numpy())
    path = "" if made is None else made.place.module
    old = dict(patient.model.named_modules()).get(path)
    if not isinstance(old, nn.Linear) or not path:
        return
    put_in_place(patient, path, nn.Linear(old.in_features, outputs, bias=old.bias is not None))


def _refused(patient: Patient, predictions: Tensor, targets: Tensor) -> Iterator[Suspicion]:
    """Targets that the loss refuses for their dtype or shape, and takes in another form."""
    error = refusal(patient, predictions, targets)[1]
    if error is None or isinstance(error, IndexError):
        return
    for text, change in _forms(predictions, targets):
        if refusal(patient, predictions, change(targets))[1] is None:
            shape = tuple(targets.shape)
            yield Suspicion(
                f"the loss refuses targets of shape {shape} and dtype {targets.numpy().dtype}",
                Place(module="the targets", line=line_of(patient, error)),
                {"rows": float(len(targets)), "axes of the targets": float(targets.ndim)},
                str(error.args[0]).splitlines()[0] if error.args else "",
                (Remedy(text, lambda patient, change=change: changed(patient, change)),),  # type: ignore[misc]
            )
            return


def _forms(predictions: Tensor, targets: Tensor) -> Sequence[tuple[str, Change]]:
    """What targets could be meant as."""
    t = targets.numpy()
    found: list[tuple[str, Change]] = []
    whole = t.dtype.kind in "fiub" and bool(np.all(np.isfinite(t)) and np.all(t == np.round(t)))
    one = t.shape == tuple(predictions.shape) and t.ndim > 1 and whole and bool(np.all(t.sum(1) == 1) and t.min() >= 0)
    if one:
        found.append(("targets.argmax(1)", lambda t: t.argmax(1)))
    if whole and t.dtype.kind in "fb":
        found.append(("targets.long()", lambda t: t.long()))
    if t.ndim > 1 and t.shape[1] == 1:
        found.append(("targets.squeeze(1)", lambda t: t.squeeze(1)))
        found.append(("targets.squeeze(1).long()", lambda t: t.squeeze(1).long()))
    found.append(("targets.float()", lambda t: t.float()))
    return found


def _beyond(probe: Probe, patient: Patient, predictions: Tensor, targets: Tensor) -> Iterator[Suspicion]:
    """Targets outside of 0 to 1 for a loss of yes or no."""
    held = every(patient)
    values = np.concatenate([each.ravel() for each in held])
    if values.dtype.kind not in "fiu" or not np.all(np.isfinite(values)) or targets.numel() != predictions.numel():
        return
    low, high = float(values.min()), float(values.max())
    if (low >= -1e-6 and high <= 1 + 1e-6) or low == high:
        return
    if takes(patient, predictions, targets) == "":
        return
    distinct = np.unique(values)
    base = low if low < 0 or len(distinct) == 2 else 0.0
    text = f"targets of 0 and 1: (targets - {base:g}) / {high - base:g}" if base else f"targets / {high:g}"

    def scale(t: Tensor) -> Tensor:
        return (t - base) / (high - base)

    def error(other: Patient) -> float:
        y, _ = said(other)
        return loss_of(patient, y, scale(targets))

    number = next(n for n, each in enumerate(held) if each.min() < -1e-6 or each.max() > 1 + 1e-6)
    row = tuple(int(i) for i in np.argwhere((held[number] < -1e-6) | (held[number] > 1 + 1e-6))[0])
    yield Suspicion(
        f"row {row[0]}" + (f" of batch {number}" if number else "") + f" has the target {held[number][row]:g}, "
        "and the loss takes numbers from 0 to 1",
        Place(module="the targets", entry=row),
        {"least target": low, "largest target": high, "row": float(row[0])},
        "its slope by a logit is sigmoid - target, which is never 0 for a target outside of 0 to 1: the loss falls "
        "below 0 without end",
        (Remedy(text, lambda p: changed(p, scale), error, "the loss against targets from 0 to 1"),),
    )


def _off_scale(probe: Probe) -> Iterator[Suspicion]:
    """A term of the loss that is softplus(y) - t y, or softplus(-y) + (1 - t) y, which is the same: the cross entropy
    of yes or no, of logits, with a t outside of 0 to 1."""
    tape, softened = probe.tape, []
    for site in probe.sites:
        z = tape.value(tape.inputs(site.node)[0])
        if len(tape.inputs(site.node)) != 1 or z.shape != site.value.shape or not z.ndim:
            continue
        if not np.all(np.isfinite(z)) or np.allclose(site.value, np.abs(z), rtol=1e-3):
            continue
        if any(np.allclose(site.value, np.logaddexp(0, by * z), rtol=1e-4, atol=1e-6) for by in (1, -1)):
            softened.append(z)
    for site in probe.sites if softened else ():
        operands = tape.inputs(site.node)
        data = [each for each in operands if not each.requires_grad and each.shape == site.value.shape]
        others = [tape.value(each) for each in operands if each.requires_grad]
        if len(operands) != 2 or len(data) != 1 or not others or not any(_same(others[0], z) for z in softened):
            continue
        t = tape.value(data[0])
        if t.shape != others[0].shape or not np.allclose(site.value, t * others[0], rtol=1e-4):
            continue
        bad = (t < -1e-6) | (t > 1 + 1e-6)
        if bad.any():
            row = tuple(int(i) for i in np.argwhere(bad)[0])
            yield Suspicion(
                "the cross entropy of yes or no is given targets that are not between 0 and 1",
                Place(site.name, "the targets", site.place.line, row),
                {"factors of the logits, the least": float(t.min()), "the largest": float(t.max())},
                "its slope by a logit is sigmoid - target, which is never 0 for a target outside of 0 to 1: the loss "
                "falls below 0 without end",
            )
            return


def _same(a: Any, z: Any) -> bool:
    """Whether numbers are the same, or all have the other sign."""
    return bool(a.shape == z.shape and any(np.allclose(a, by * z, rtol=1e-5) for by in (1, -1)))


def _none(patient: Patient) -> Iterator[Suspicion]:
    """Targets of a later batch that are no numbers; those of the first are found in the recorded step."""
    for number, each in enumerate(every(patient)):
        if number and each.dtype.kind == "f" and not np.all(np.isfinite(each)) and _known(patient, number):
            row = tuple(int(i) for i in np.argwhere(~np.isfinite(each))[0])
            yield Suspicion(
                f"row {row[0]} of batch {number} has the target {each[row]:g}",
                Place(module="the targets", entry=row),
                {"targets that are not finite": float(np.sum(~np.isfinite(each))), "batch": float(number)},
                "one target that is no number makes the loss of its batch none, and then all weights",
            )
            return


def _known(patient: Patient, number: int) -> bool:
    """Whether the inputs of a batch are numbers; if they are none, targets of the same series are not to blame."""
    given = [each.numpy() for each in patient.batches[number][:-1] if isinstance(each, Tensor)]
    return all(bool(np.all(np.isfinite(each))) for each in given if each.dtype.kind == "f")


def _by_error(probe: Probe) -> Iterator[Suspicion]:
    """What a step that failed says itself, where its targets are not known."""
    loop = probe.patient.loop
    text = f"{probe.error or ''}\n{loop.ended if loop is not None else ''}"
    found = re.search(r"class index (-?\d+) is out of range: there are (\d+)", text)
    if found is None:
        return
    label, count = int(found[1]), int(found[2])
    row = re.search(r"index \((\d+)", text)
    yield Suspicion(
        f"a label is {label}, and there are {count} classes, 0 to {count - 1}",
        Place(module="the targets", line=line_of(probe.patient, probe.error), entry=(int(row[1]),) if row else None),
        {"label": float(label), "classes": float(count)},
        f"{count} outputs are the classes 0 to {count - 1}: the step that met this label failed",
    )
