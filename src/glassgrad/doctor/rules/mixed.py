"""Labels that have nothing to do with their inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import functions as fn
from ...dispatch import no_grad
from ...findings import FAULT, NOTE, Place
from ...tensor import Tensor
from ..dependence import TIMES, chances
from ..patient import Batch, Ending, Patient, answered, answers, drawing
from ..probe import FAILURES, Probe
from ..rule import Remedy, Suspicion, rule
from ..trends import fell, fell_in_loop
from ..whole import Whole
from .labels import changed

ENOUGH = 200
"""With fewer rows a test finds nothing in many healthy data either."""
CHANCE, LEAST = 0.02, 1 / (1 + TIMES)
"""A p above this may be chance, and the least that there is."""
LONG, LITTLE, BY_HEART = 60, 0.1, 0.3
"""A training of so many steps whose loss falls by no more than this share learns nothing; one that falls by that share
on the same batches again and again learns them by heart."""
AGAIN, AS_OFTEN = 30, 0.7
"""So many rows have to come twice, and to differ in their label so often against chance."""


@rule("shuffled labels", explains=("gradient noise", "no overfitting of one batch"))
def shuffled(probe: Probe) -> Iterator[Suspicion]:
    """Labels that cannot be told from inputs better than by chance: not by any test, and not by the net itself."""
    found = rows(probe.patient)
    if found is None:
        yield from _by_unseen_batches(probe)
        return
    x, t, batches = found
    flat = np.ascontiguousarray(x.reshape(len(x), -1))
    _, first, which = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    first = np.sort(first)  # in the order in which they came
    again = _contradicted(t, which.ravel())
    if again is not None and len(first) >= 16:
        yield _said(len(x), {"rows that come again": again[0], "share of them with another label": again[1]}, FAULT)
        return
    if len(first) < ENOUGH or np.ptp(t) == 0:
        return
    evidence = {}
    for name, p in chances(x[first], t[first]):
        if p <= LEAST:
            return
        evidence[f"p of {name}"] = p
    seen = _held_out(probe, x[first], t[first])
    if seen is None or seen <= CHANCE:
        return
    evidence["p of the net on rows that it has not seen"] = seen
    several = probe.patient.loop is not None or len(set(batches[first])) > 1
    yield _said(len(first), evidence, FAULT if several else NOTE, *_rolled(x, t, batches))


def _by_unseen_batches(probe: Probe) -> Iterator[Suspicion]:
    """The same where inputs are of another kind: the user's training learns nothing, though the net learns the first
    batches by heart, and of batches that it has not seen it says nothing better than chance."""
    patient, own = probe.patient, fell_in_loop(probe)
    loop = patient.loop
    targets = [answers(batch[-1]) for batch in patient.batches]
    known = all(isinstance(t, Tensor) and t.ndim and len(t) > 1 for t in targets)
    if loop is None or len(loop.losses) < LONG or not own < LITTLE or not known or len(targets) < 4:
        return
    if sum(map(len, targets)) < ENOUGH or fell(probe) < BY_HEART:
        return
    half = len(targets) // 2
    seen = _better_than_chance(probe, list(patient.batches[:half]), list(patient.batches[half:]))
    if seen is None or seen <= CHANCE:
        return
    yield _said(
        sum(map(len, targets)),
        {"share by which the loss falls": own, "p of the net on batches that it has not seen": seen}, FAULT,
    )  # fmt: skip


def rows(patient: Patient) -> tuple[Any, Any, Any] | None:
    """All inputs, their targets as columns, and the batches that they are in; None where an example is more than one
    row of one tensor, or has several labels."""
    xs, ts = [], []
    for batch in patient.batches:
        x, t = batch[0], answers(batch[-1])
        if any(not isinstance(each, Whole) for each in batch[1:-1]):
            return None
        if not isinstance(x, Tensor) or not isinstance(t, Tensor):
            return None
        if isinstance(batch[-1], Ending) and batch[-1].weighed:  # actions and their advantages are no labels
            return None
        several = t.numel() != len(t) and (t.ndim > 2 or t.dtype.kind != "f")
        if x.ndim < 2 or not t.ndim or len(x) != len(t) or several:
            return None
        xs.append(x.detach().numpy())
        ts.append(t.detach().numpy().reshape(len(t), -1))
    if len({x.shape[1:] for x in xs}) != 1 or len({t.shape[1:] for t in ts}) != 1:
        return None
    x, t = np.concatenate(xs), np.concatenate(ts)
    finite = all(each.dtype.kind != "f" or bool(np.all(np.isfinite(each))) for each in (x, t))
    return (x, t, np.repeat(np.arange(len(xs)), [len(each) for each in xs])) if finite else None


def _said(count: int, evidence: dict[str, float], weight: str, *better: Remedy) -> Suspicion:
    cause = "inputs and labels were brought into different orders: a net can learn such labels by heart, and no more"
    if better:
        cause = "each label belongs to the row beside it"
    return Suspicion(
        "the labels cannot be told from the inputs better than by chance",
        Place(module="the targets"),
        {"rows": float(count), **evidence},
        cause,
        better,
        weight=weight,
    )


def _contradicted(t: Any, which: Any) -> tuple[float, float] | None:
    """How many rows come again, and how often with another label; None where that is rarer than by chance."""
    order = np.argsort(which, kind="stable")
    same = which[order][1:] == which[order][:-1]
    count = int(same.sum())
    if count < AGAIN:
        return None
    if t.dtype.kind == "f":  # of numbers it counts how far they are apart, as a target may be noisy, or be improved
        apart = float(((t[order][1:] - t[order][:-1])[same].astype(np.float64) ** 2).mean())
        whole = 2 * float(t.astype(np.float64).var(0).mean())
        return (float(count), apart / whole) if whole and apart >= AS_OFTEN * whole else None
    differ = float(np.mean(np.any(t[order][1:] != t[order][:-1], 1)[same]))
    _, counts = np.unique(t, axis=0, return_counts=True)
    chance = 1 - float(((counts / counts.sum()) ** 2).sum())
    return (float(count), differ) if chance and differ >= AS_OFTEN * chance else None


def _held_out(probe: Probe, x: Any, t: Any) -> float | None:
    """The p of predictions for rows that the net has not seen in training: how often other labels fit them as well."""
    return _better_than_chance(probe, *_halves(probe.patient, x, t))


def _better_than_chance(probe: Probe, learned: list[Any], unseen: list[Any]) -> float | None:
    """How often other labels fit unseen batches as well, after training with others."""
    one, random = probe.patient.copy(), np.random.default_rng(0)
    one.batches = learned
    try:
        one.train(max(probe.steps, 100))
        one.model.eval()
        with no_grad(), drawing(one.seed):
            said = [(one.predict(batch), batch[-1]) for batch in unseen]
            given = sum(float(one.loss(y, t).item()) for y, t in said)
            others = [sum(float(one.loss(y, _mixed(t, random)).item()) for y, t in said) for _ in range(TIMES)]
    except FAILURES:
        return None
    return (1 + sum(other <= given for other in others)) / (1 + len(others))


def _mixed(targets: Any, random: Any) -> Any:
    """Targets in another order."""
    known = answers(targets)
    return answered(targets, known[fn.tensor(random.permutation(len(known)))])


def _halves(patient: Patient, x: Any, t: Any) -> tuple[list[Any], list[Any]]:
    """Batches of one half of the rows, to train with, and of the other half."""
    first, half = patient.batches[0], len(x) // 2
    shape, size = answers(first[-1]).shape[1:], min(len(first[0]), half)

    def batches(begin: int, end: int) -> list[Any]:
        cuts = [slice(at, at + size) for at in range(begin, end - size + 1, size)]
        return [
            Batch.like(
                first, (fn.tensor(x[c]), *first[1:-1], answered(first[-1], fn.tensor(t[c].reshape(size, *shape))))
            )
            for c in cuts
        ]

    return batches(0, half), batches(half, len(x))


def _rolled(x: Any, t: Any, batches: Any) -> tuple[Remedy, ...]:
    """Labels that belong to the row before or after."""
    for shift in (1, -1):
        rolled = np.concatenate([np.roll(t[batches == n], shift, 0) for n in np.unique(batches)])
        name, p = next(chances(x, rolled))
        if name and p <= LEAST:

            def roll(patient: Patient, shift: int = shift) -> None:
                changed(patient, lambda t: t.roll(shift, 0))

            return (Remedy(f"move the labels by {shift} row against the inputs", roll),)
    return ()
