"""A net that cannot learn even one batch by heart, and what keeps it from that."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ... import functions as fn
from ...errors import GlassgradError
from ...findings import NOTE, Place
from ...optim import Adam
from ...tensor import Tensor
from ..courses import level, standing
from ..layers import layers_of
from ..mending import thawed, unclipped, without_decay, without_dropout
from ..patient import Patient, answers
from ..probe import Probe, Site
from ..rule import Suspicion, rule
from ..trial import tried
from .asking import maker, said

LEFT, STILL = 0.3, 0.02
"""A loss of which so much is left, and which falls by no more than this share from one quarter of the steps to the
next, has come to its end early."""
CONSTANT = 0.97
"""A loss above this share of what one answer for all rows gives has learned nothing of the inputs."""
NARROW = 4
"""A layer with so many times fewer units than those around it is a bottleneck."""


@rule("no overfitting of one batch", last=True)
def unfit(probe: Probe) -> Iterator[Suspicion]:
    """The loss of a single batch comes to a stop far from 0, at this rate and with Adam, and it is known why."""
    one = replace(probe.patient.copy(), batches=[probe.patient.batches[0]])
    losses = probe.losses if len(probe.patient.batches) == 1 else one.copy().train(probe.steps)
    start = standing(one).mean
    if not all(map(math.isfinite, losses)) or len(losses) < 20 or start <= 0:
        return
    before, end = (float(np.mean(each)) for each in np.array_split(losses, 4)[-2:])
    if end < 1e-3 * start or before - end > STILL * start:
        return
    outputs = said(one.copy())[0]
    rows = isinstance(outputs, Tensor) and outputs.ndim > 0
    constant = best_of(one, outputs, np.zeros(len(outputs), int)) if rows else start
    least = LEFT * min(start, constant)
    if end < least:
        return
    evidence = {"loss at the start": start, "loss at the end": level(losses), "loss of one answer for all": constant}
    told = f"the loss of one batch stays at {level(losses):.4g} however long it is learned"
    able = [each for each, wanted in zip(_CAUSES, _held_back(one), strict=True) if wanted]
    helps = next((each for each in able if tried(probe, each).holds), None)
    if helps is not None:
        yield Suspicion(told, Place(), evidence, _CAUSES[helps], (helps,))
        return
    best = min(_with_adam(one, rate, probe.steps) for rate in (1e-2, 1e-3))
    if best > least and rows:
        yield from _why(probe, one, outputs, told, evidence | {"loss at the end with Adam": best})


_CAUSES = {
    without_decay(): "the weight decay pulls the weights back as far as the gradient moves them",
    without_dropout(): "so much is dropped that what is learned in one step is not there in the next",
    unclipped(): "the gradients are clipped to so small a norm that the steps come to nothing",
    thawed(): "most of the net is frozen: what is left to learn cannot tell the rows apart",
}
"""What can hold a net back, by what undoes it."""


def _held_back(one: Patient) -> tuple[bool, bool, bool, bool]:
    """Whether there is weight decay, dropout, clipping, a frozen part."""
    dropped = any(isinstance(getattr(m, "p", None), float) and m.p > 0.4 for m in one.model.modules() if m.training)
    sizes = [(p.numel(), p.requires_grad) for p in one.model.parameters()]
    frozen = sum(n for n, wants in sizes if not wants) > sum(n for n, _ in sizes) / 2
    decay = any(float(group.get("weight_decay", 0)) > 0 for group in one.optimizer.param_groups)
    return decay, dropped, one.clip_norm is not None, frozen


def _with_adam(one: Patient, rate: float, steps: int) -> float:
    """Where the loss ends with another optimizer, at most."""
    other = one.copy()
    other.optimizer, other.clip_norm = Adam(other.parameters, lr=rate), None
    losses = other.train(max(steps, min(3 * steps, 200)))
    return level(losses) if math.isfinite(losses[-1]) else math.inf


def _why(probe: Probe, one: Patient, outputs: Tensor, told: str, evidence: dict[str, float]) -> Iterator[Suspicion]:
    """What makes it impossible, the surest first; nothing where it is not known."""
    constant = evidence["loss of one answer for all"]
    end = min(evidence["loss at the end"], evidence["loss at the end with Adam"])
    groups, differing = _equal_rows(one)
    floor = best_of(one, outputs, groups) if differing else 0.0
    if floor > end / 2:
        lost = floor > CONSTANT * constant
        yield Suspicion(
            told,
            Place(module="the inputs"),
            evidence | {"rows that are equal to others with another target": float(differing), "least loss": floor},
            f"{differing} rows are the same inputs with different targets: one answer cannot be right for both, and no "
            f"net gets below {floor:.4g}",
            weight="fault" if lost else NOTE,
        )
        return
    site = first_constant(probe, outputs)
    if site is not None:
        yield Suspicion(
            told, site.place, evidence,
            f"{site.name} makes all rows alike: nothing behind it can tell one from the other",
        )  # fmt: skip
        return
    layers = layers_of(probe.tape, probe.sites)
    widths = [each.site.value.shape[1 if each.site.value.ndim > 2 else -1] for each in layers]
    places = [n for n in range(len(widths) - 1) if widths[n] * NARROW <= min(max(widths[:n], default=0), widths[n + 1])]
    inside = [n for n in range(len(widths) - 1) if widths[n] * NARROW <= max(widths[:n], default=0)]
    copied = said(one)[1] is one.batches[0][0]  # a net that is to press its inputs together
    for n in () if copied else places or inside:
        yield Suspicion(
            told, layers[n].site.place, evidence | {"units": float(widths[n]), "widest before": float(max(widths[:n]))},
            f"all that is known of a row has to go through {widths[n]} numbers there",
        )  # fmt: skip
        return
    if end > CONSTANT * constant and layers:
        count = sum(p.numel() for p in one.parameters)
        yield Suspicion(
            told, layers[-1].site.place,
            evidence | {"parameters": float(count), "layers": float(len(layers)), "rows": float(len(outputs))},
            f"nothing is learned of the inputs: {len(layers)} layers with {count} parameters cannot tell the rows "
            "apart as the targets do. It takes more units, or a nonlinearity between two layers",
        )  # fmt: skip


def _equal_rows(one: Patient) -> tuple[Any, int]:
    """For each row the number of its group of equal inputs; and how many rows have one with another target."""
    batch = one.batches[0]
    x, t = batch[0], answers(batch[-1])
    if len(batch) != 2 or not isinstance(x, Tensor) or not isinstance(t, Tensor) or not x.ndim or len(x) != len(t):
        return np.zeros(0, int), 0
    rows, wanted = x.detach().numpy().reshape(len(x), -1), t.detach().numpy().reshape(len(t), -1)
    groups = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    differing = sum(
        int(np.sum(groups == each)) for each in np.unique(groups) if len(np.unique(wanted[groups == each], axis=0)) > 1
    )
    return groups, differing


def best_of(one: Patient, outputs: Tensor, groups: Any) -> float:
    """The least loss of outputs that are the same for all rows of a group; infinite where it cannot be found."""
    start = outputs.detach().numpy()
    means = np.stack([start[groups == each].mean(0) for each in range(int(groups.max()) + 1)])
    return min(_fitted(one, means, groups, lr) for lr in (0.2, 0.1 * float(np.std(start)) or 0.01))


def _fitted(one: Patient, means: Any, groups: Any, lr: float) -> float:
    free, index, best = fn.tensor(means, requires_grad=True), fn.tensor(groups), math.inf
    rule = Adam([free], lr=lr)
    try:
        for _ in range(200):
            loss = one.loss(free[index], one.batches[0][-1])
            rule.zero_grad()
            loss.backward()
            rule.step()
            best = min(best, loss.item())
    except (GlassgradError, ValueError, RuntimeError, IndexError, TypeError):
        return math.inf
    return best


def first_constant(probe: Probe, outputs: Tensor) -> Site | None:
    """The first operation behind which all rows are alike, and which is given some that differ."""
    rows, tape = len(outputs), probe.tape
    made = maker(probe, outputs.detach().numpy())
    if rows < 2 or made is None or _differs(made.value, rows):
        return None
    stack, seen, found = [made.node], {made.node}, []
    while stack:
        node = stack.pop()
        operands = tape.inputs(node)
        if any(_differs(tape.value(each), rows) for each in operands):
            found.append(node)
        stack.extend(each for each in operands if not tape.is_leaf(each) and each not in seen)
        stack = [each for each in stack if not _differs(tape.value(each), rows)]
        seen.update(stack)
    first = min(found, key=lambda each: each.id, default=None)
    return next((site for site in probe.sites if site.node is first), None)


def _differs(array: Any, rows: int) -> bool:
    """Whether numbers are of rows, which are not all alike."""
    return array.ndim > 0 and len(array) == rows and not _alike(array)


def _alike(array: Any) -> bool:
    return bool(np.all(np.ptp(array, axis=0) <= 1e-6 * np.max(np.abs(array), initial=0)))
