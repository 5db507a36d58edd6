"""Labels that have nothing to do with their inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ... import functions as fn
from ...dispatch import no_grad
from ...findings import FAULT, NOTE, Place
from ...optim import Adam
from ...tensor import Tensor
from ..courses import LOOKED_AT
from ..dependence import TIMES, chances
from ..free import best_of
from ..patient import Batch, Ending, Patient, answered, answers, drawing
from ..probe import FAILURES, Probe
from ..rule import Remedy, Suspicion, rule
from ..spine import LOST, between, lowest, spine
from ..trends import fell, fell_in_loop
from ..whole import Whole
from .asking import said
from .labels import changed

ENOUGH, FEWER, DOUBT = 200, 80, 0.05
"""With fewer rows a test finds nothing in many healthy data either; and fewer still, where all tests have to say so
clearly, with a p above the last."""
CHANCE, LEAST = 0.02, 1 / (1 + TIMES)
"""A p above this may be chance, and the least that there is."""
LONG, LITTLE, BY_HEART = 60, 0.1, 0.3
"""A training of so many steps whose loss falls by no more than this share learns nothing; one that falls by that share
on the same batches again and again learns them by heart."""
NO_BETTER = 0.96
"""A loss above this share of that of one answer for all rows is no better."""
ADAM, BY_ADAM, HALF = 3e-3, 150, 0.5
"""A rate that suits most nets, so many steps of it, and the share of the loss that is left of what is learned then."""
OTHERS = 16
"""With fewer rows that do not have the most frequent label nothing can be told of them."""
AGAIN, AS_OFTEN = 30, 0.7
"""So many rows have to come twice, and to differ in their label so often against chance."""


@rule("shuffled labels", explains=("gradient noise", "no overfitting of one batch"))
def shuffled(probe: Probe) -> Iterator[Suspicion]:
    """Labels that cannot be told from inputs better than by chance: not by any test, and not by the net itself."""
    found = rows(probe.patient)
    if found is None:
        yield from _by_unseen_batches(probe)
        return
    which, first = found.kinds
    again = _contradicted(found.targets, which)
    if again is not None and len(first) >= 16:
        evidence = {"rows that come again": again[0], "share of them with another label": again[1]}
        yield _said(len(which), evidence, FAULT)
        return
    small = len(first) < ENOUGH
    if len(first) < (FEWER if found.counted_out else ENOUGH) or found.others < OTHERS:
        return
    evidence = {}
    for number, x in enumerate(found.inputs):
        for name, p in chances(x[first], found.targets[first]):
            if p <= (DOUBT if small else LEAST):
                return
            evidence[f"p of {name}" + f", input {number + 1}" * (len(found.inputs) > 1)] = p
    seen = _held_out(probe, found, first)
    if seen is None or seen <= (DOUBT if small else CHANCE):
        return
    evidence["p of the net on rows that it has not seen"] = seen
    several = probe.patient.loop is not None or len(set(found.batches[first])) > 1
    yield _said(len(first), evidence, FAULT if several else NOTE, *_rolled(found))


def _by_unseen_batches(probe: Probe) -> Iterator[Suspicion]:
    """The same where inputs are of another kind: the user's training learns nothing, though the net learns batches by
    heart, and of batches that it has not seen it says nothing better than chance."""
    patient, own = probe.patient, fell_in_loop(probe)
    loop = patient.loop
    targets = [answers(batch[-1]) for batch in patient.batches]
    known = all(isinstance(t, Tensor) and t.ndim and len(t) > 1 for t in targets)
    weighed = any(isinstance(batch[-1], Ending) and batch[-1].weighed for batch in patient.batches)
    if loop is None or len(loop.losses) < LONG or not known or weighed or len(targets) < 4:
        return
    if sum(t.numel() for t in targets) < ENOUGH or not (own < LITTLE or _no_better_than_one(probe)):
        return
    if fell(probe) < BY_HEART and not _learns_one_batch(patient):
        return
    if lowest(between(spine(probe))) < LOST:
        return  # then it is the gradient that does not get through
    half = len(targets) // 2
    seen = _better_than_chance(probe, list(patient.batches[:half]), list(patient.batches[half:]))
    if seen is None or seen <= CHANCE:
        return
    yield _said(
        sum(map(len, targets)),
        {"share by which the loss falls": own, "p of the net on batches that it has not seen": seen}, FAULT,
    )  # fmt: skip


def _no_better_than_one(probe: Probe) -> bool:
    """Whether the user's training ends where one answer for all rows would be."""
    assert probe.patient.loop is not None
    constant = []
    for batch in probe.patient.batches[:LOOKED_AT]:
        one = replace(probe.patient.copy(), batches=[batch])
        outputs = said(one)[0]
        if not isinstance(outputs, Tensor) or not outputs.ndim or outputs.dtype.kind != "f":
            return False
        constant.append(best_of(one, outputs, np.zeros(len(outputs), int)))
    return probe.patient.loop.end > NO_BETTER * float(np.mean(constant))


def _learns_one_batch(patient: Patient) -> bool:
    """Whether the net learns a single batch by heart, at a rate that suits it."""
    one = replace(patient.copy(), batches=[patient.batches[0]], rates=())
    one.optimizer = Adam(one.parameters, lr=ADAM)
    losses = one.train(BY_ADAM)
    return losses[-1] < HALF * losses[0]


@dataclass(frozen=True)
class Rows:
    """All examples of all batches."""

    inputs: list[Any]
    targets: Any
    """A row of numbers for each."""
    batches: Any
    """The batch that each is in."""

    @property
    def kinds(self) -> tuple[Any, Any]:
        """The number of each row among all that differ, and where each of these comes first, in their order."""
        each = [np.ascontiguousarray(x.reshape(len(x), -1)) for x in self.inputs]
        numbers = np.stack([np.unique(x, axis=0, return_inverse=True)[1].ravel() for x in each], 1)
        _, first, which = np.unique(numbers, axis=0, return_index=True, return_inverse=True)
        return which.ravel(), np.sort(first)

    @property
    def others(self) -> int:
        """How many rows have another label than the most frequent one."""
        _, counts = np.unique(self.targets, axis=0, return_counts=True)
        return int(counts.sum() - counts.max())

    @property
    def counted_out(self) -> bool:
        """Whether inputs are measured numbers, of which not all there are are given."""
        return any(x.dtype.kind == "f" and len(np.unique(x)) > len(x) for x in self.inputs)


def rows(patient: Patient) -> Rows | None:
    """All inputs, their targets as columns, and the batches that they are in; None where an example is no row of each
    tensor."""
    xs, ts = [], []
    for batch in patient.batches:
        t, given = answers(batch[-1]), [each for each in batch[:-1] if not isinstance(each, Whole)]
        if any(not isinstance(each, Tensor) for each in (*given, t)) or getattr(batch, "named", None):
            return None
        if isinstance(batch[-1], Ending) and batch[-1].weighed:  # actions and their advantages are no labels
            return None
        if not t.ndim or not given or given[0].ndim < 1 or any(not x.ndim or len(x) != len(t) for x in given):
            return None
        xs.append([x.detach().numpy().reshape(len(x), -1) if x.ndim < 2 else x.detach().numpy() for x in given])
        ts.append(t.detach().numpy().reshape(len(t), -1))
    if len({tuple(x.shape[1:] for x in each) for each in xs}) != 1 or len({t.shape[1:] for t in ts}) != 1:
        return None
    inputs, t = [np.concatenate(each) for each in zip(*xs, strict=True)], np.concatenate(ts)
    if len(inputs) == 1 and inputs[0].shape[1:] == (1,):
        return None
    finite = all(each.dtype.kind != "f" or bool(np.all(np.isfinite(each))) for each in (*inputs, t))
    return Rows(inputs, t, np.repeat(np.arange(len(xs)), [len(each) for each in ts])) if finite else None


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


def _held_out(probe: Probe, found: Rows, first: Any) -> float | None:
    """The p of predictions for rows that the net has not seen in training: how often other labels fit them as well."""
    return _better_than_chance(probe, *_halves(probe.patient, found, first))


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


def _halves(patient: Patient, found: Rows, chosen: Any) -> tuple[list[Any], list[Any]]:
    """Batches of one half of these rows, to train with, and of the other half."""
    old, half = patient.batches[0], len(chosen) // 2
    size = min(len(answers(old[-1])), half)

    def batch(at: Any) -> Batch:
        shapes = iter(tuple(each.shape[1:]) for each in old[:-1] if isinstance(each, Tensor))
        given = iter(fn.tensor(x[at].reshape(len(at), *next(shapes))) for x in found.inputs)
        parts = [next(given) if isinstance(each, Tensor) else each for each in old[:-1]]
        new = found.targets[at].reshape(len(at), *answers(old[-1]).shape[1:])
        return Batch.like(old, (*parts, answered(old[-1], fn.tensor(new))))

    def batches(begin: int, end: int) -> list[Any]:
        return [batch(chosen[at : at + size]) for at in range(begin, end - size + 1, size)]

    return batches(0, half), batches(half, len(chosen))


def _rolled(found: Rows) -> tuple[Remedy, ...]:
    """Labels that belong to the row before or after."""
    for shift in (1, -1):
        parts = [np.roll(found.targets[found.batches == n], shift, 0) for n in np.unique(found.batches)]
        name, p = next(chances(found.inputs[0], np.concatenate(parts)))
        if name and p <= LEAST:

            def roll(patient: Patient, shift: int = shift) -> None:
                changed(patient, lambda t: t.roll(shift, 0))

            return (Remedy(f"move the labels by {shift} row against the inputs", roll),)
    return ()
