"""A net that cannot learn even one batch by heart, and what keeps it from that."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...dispatch import no_grad
from ...findings import FAULT, NOTE, Place
from ...optim import Adam
from ...tensor import Tensor
from ..bottlenecks import bottleneck, order_is_lost
from ..courses import level, standing
from ..free import best_of
from ..layers import Layer, layers_of
from ..mending import thawed, unclipped, without_decay, without_dropout
from ..noise import rows_of
from ..patient import Patient, answers, drawing
from ..probe import Probe
from ..rule import Suspicion, rule
from ..trial import tried
from ..whole import Whole
from .asking import said

LEFT, STILL = 0.3, 0.02
"""A loss of which so much is left, and which falls by no more than this share from one quarter of the steps to the
next, has come to its end early."""
LINEAR = 0.03
"""The same where there is no nonlinearity between the layers."""
CONSTANT = 0.97
"""A loss above this share of what one answer for all rows gives has learned nothing of the inputs."""
HEAVY = 0.8
"""A share that no net can do without."""
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
    quarters = [float(np.mean(each)) for each in np.array_split(losses, 4)]
    end, outputs = quarters[-1], said(one.copy())[0]
    rows = isinstance(outputs, Tensor) and outputs.ndim > 0
    stands = quarters[-2] - end < STILL * start
    straight = len(layers_of(probe)) > 1 and not _copies(one) and is_linear(one)
    bare = _dropped(one) > HEAVY or _alike_or_thin(probe, one) or straight
    if end < 1e-3 * start or not (stands or bare):
        return
    constant = best_of(one, outputs, np.zeros(len(outputs), int)) if rows else start
    possible = max(0.0, best_of(one, outputs, np.arange(len(outputs)))) if rows else 0.0
    least = possible + LEFT * max(0.0, min(start, constant) - possible)
    blind = _blind(probe, one) and _own_end(probe) > LEFT * min(start, constant)
    least = LINEAR * start if straight or blind else least
    if end < least:
        return
    evidence = {
        "loss at the start": start,
        "loss at the end": level(losses),
        "loss of one answer for all": constant,
    } | {"least loss of free answers": possible}
    what = f"the loss of one batch stays at {level(losses):.4g} however long it is learned"
    able = [each for each, wanted in zip(_CAUSES, _held_back(one), strict=True) if wanted]
    helps = next((each for each in able if tried(probe, each).holds), None)
    if helps is not None:
        yield Suspicion(what, Place(), evidence, _CAUSES[helps], (helps,))
        return
    best = min(_with_adam(one, rate, probe.steps) for rate in (1e-2, 1e-3))
    if best > least:
        evidence |= {"loss at the end with Adam": best}
        for where, more, cause, weight in _why(probe, one, outputs if rows else None, evidence):
            yield Suspicion(what, where, evidence | more, cause, weight=weight)
            return


_CAUSES = {
    without_decay(): "the weight decay pulls the weights back as far as the gradient moves them",
    without_dropout(): "so much is dropped that what is learned in one step is not there in the next",
    unclipped(): "the gradients are clipped to so small a norm that the steps come to nothing",
    thawed(): "most of the net is frozen: what is left to learn cannot tell the rows apart",
}
"""What can hold a net back, by what undoes it."""


def _dropped(one: Patient) -> float:
    """The largest share that is dropped in training."""
    shares = [m.p for m in one.model.modules() if m.training and isinstance(getattr(m, "p", None), float)]
    return max(shares, default=0.0)


def _held_back(one: Patient) -> tuple[bool, bool, bool, bool]:
    """Whether there is weight decay, much dropout, clipping, a frozen part."""
    sizes = [(p.numel(), p.requires_grad) for p in one.model.parameters()]
    frozen = sum(n for n, wants in sizes if not wants) > sum(n for n, _ in sizes) / 2
    decay = any(float(group.get("weight_decay", 0)) > 0 for group in one.optimizer.param_groups)
    return decay, _dropped(one) > 0.5, one.clip_norm is not None, frozen


def _with_adam(one: Patient, rate: float, steps: int) -> float:
    """Where the loss ends with another optimizer, at most."""
    other = one.copy()
    other.optimizer, other.clip_norm = Adam(other.parameters, lr=rate), None
    losses = other.train(max(steps, min(3 * steps, 200)))
    return level(losses) if math.isfinite(losses[-1]) else math.inf


Reason = tuple[Place, dict[str, float], str, str]


def _why(probe: Probe, one: Patient, outputs: Any, evidence: dict[str, float]) -> Iterator[Reason]:
    """What makes it impossible, the surest first; nothing where it is not known."""
    constant = evidence["loss of one answer for all"]
    end = min(evidence["loss at the end"], evidence["loss at the end with Adam"])
    groups, differing = _equal_rows(one)
    floor = best_of(one, outputs, groups) if differing and outputs is not None else 0.0
    if floor > end / 2:
        yield (
            Place(module="the inputs"),
            {"rows that are equal to others with another target": float(differing), "least loss": floor},
            f"{differing} rows are the same inputs with different targets: one answer cannot be right for both, and no "
            f"net gets below {floor:.4g}",
            FAULT if floor > CONSTANT * constant else NOTE,
        )
    layers = layers_of(probe)
    made = first_constant(probe, layers)
    if made is not None:
        yield made, {}, f"{made.op} makes all rows alike: nothing behind it can tell one from the other", FAULT
    rank, columns = rank_of(one)
    if _thin(rank, columns):
        yield (
            Place(module="the inputs"),
            {"columns": float(columns), "independent ones": float(rank)},
            f"the {columns} numbers of a row are made of {rank}: the rest of what the targets hang on is not in them",
            FAULT,
        )
    narrow = bottleneck(probe, layers)
    if narrow is not None and not _copies(one):
        place, numbers = narrow
        cause = f"all that is known of a row has to go through {numbers:g} numbers there"
        yield place, {"numbers for a row": numbers}, cause, FAULT
    if order_is_lost(one):
        yield (
            layers[0].place if layers else Place(),
            {},
            "nothing tells the net the order of a sequence: with its places in another order it says the same",
            FAULT,
        )
    if outputs is not None:
        yield from _capacity(one, layers, constant, end)


def _alike_or_thin(probe: Probe, one: Patient) -> bool:
    """Whether what tells the rows apart does not get into the net, so that its loss may fall, though never far."""
    return first_constant(probe, layers_of(probe)) is not None or _thin(*rank_of(one)) or _blind(probe, one)


def _blind(probe: Probe, one: Patient) -> bool:
    """Whether it has to go through too few numbers, or comes in any order."""
    return (bottleneck(probe, layers_of(probe)) is not None and not _copies(one)) or order_is_lost(one)


def _own_end(probe: Probe) -> float:
    """Where the user's own loop ends, or else the trial."""
    losses = probe.patient.loop.losses if probe.patient.loop is not None else probe.losses
    return float(np.mean(losses[-len(losses) // 5 :]))


def _thin(rank: int, columns: int) -> bool:
    """Whether so many columns are made of next to none."""
    return rank * NARROW <= columns and rank < 3


def _capacity(one: Patient, layers: list[Layer], constant: float, end: float) -> Iterator[Reason]:
    """A bottleneck; layers without anything between them; too few of them."""
    widths = [each.site.value.shape[1 if each.site.value.ndim > 2 else -1] for each in layers]
    places = [n for n in range(len(widths) - 1) if widths[n] * NARROW <= min(max(widths[:n], default=0), widths[n + 1])]
    inside = [n for n in range(len(widths) - 1) if widths[n] * NARROW <= max(widths[:n], default=0)]
    copied = _copies(one)
    for n in () if copied else places or inside:
        yield (
            layers[n].site.place,
            {"units": float(widths[n]), "widest before": float(max(widths[:n]))},
            f"all that is known of a row has to go through {widths[n]} numbers there",
            FAULT,
        )
    straight = len(layers) > 1 and not copied and is_linear(one)
    if layers and (straight or end > CONSTANT * constant):
        count = float(sum(p.numel() for p in one.parameters))
        why = f"{len(layers)} layers with {count:.0f} parameters cannot tell the rows apart as the targets do"
        if straight:
            why = f"there is no nonlinearity between the {len(layers)} layers: together they are as good as one"
        yield layers[0 if straight else -1].site.place, {"parameters": count, "layers": float(len(layers))}, why, FAULT


def _copies(one: Patient) -> bool:
    """Whether a net is to give its inputs back, such as an autoencoder, which is to press them together."""
    x, t = one.batches[0][0], said(one)[1]
    same = isinstance(x, Tensor) and isinstance(t, Tensor) and x.shape == t.shape
    return bool(same and x.ndim > 1 and x.numel() > NARROW * len(x))


def is_linear(one: Patient) -> bool:
    """Whether a model says of the mean of two rows the mean of what it says of each."""
    batch, other = one.batches[0], one.copy()
    others = batch[1:-1]
    if not isinstance(batch[0], Tensor) or batch[0].dtype.kind != "f" or batch[0].ndim < 2 or len(batch[0]) < 2:
        return False
    if not all(isinstance(each, Whole) for each in others):
        return False
    x = batch[0].detach()
    with no_grad(), drawing(one.seed):
        a, b, between = (other.predict((each, *others, None)) for each in (x, x.flip(0), (x + x.flip(0)) / 2))
    if not all(isinstance(each, Tensor) for each in (a, b, between)):
        return False
    return bool(np.allclose(((a + b) / 2).numpy(), between.numpy(), rtol=1e-3, atol=1e-4 * float(a.abs().max())))


def rank_of(one: Patient) -> tuple[int, int]:
    """How many independent columns the inputs of a batch have, and how many columns."""
    x = one.batches[0][0]
    if not isinstance(x, Tensor) or x.dtype.kind != "f" or x.ndim < 2 or len(x) < 8:
        return 1, 1
    rows = x.detach().numpy().reshape(len(x), -1)[:256].astype(np.float64)
    return int(np.linalg.matrix_rank(rows - rows.mean(0), tol=1e-5 * np.abs(rows).max() * len(rows))), rows.shape[1]


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


def first_constant(probe: Probe, layers: list[Layer]) -> Place | None:
    """The first operation behind which all rows are alike, and which is given some that differ."""
    rows, tape = rows_of(probe.patient.batches[0]) or _length(probe.patient.batches[0][0]), probe.tape
    if rows < 2 or not layers or _differs(layers[-1].site.value, rows) or len(layers[-1].site.value) % rows:
        return None
    stack, seen, found = [layers[-1].site.node], {layers[-1].site.node}, []
    while stack:
        node = stack.pop()
        operands = tape.inputs(node)
        if any(_differs(tape.value(each), rows) for each in operands):
            found.append(node)
        new = [each for each in operands if not tape.is_leaf(each) and each not in seen]
        stack.extend(each for each in new if not _differs(tape.value(each), rows))
        seen.update(new)
    first = min(found, key=lambda each: each.id, default=None)
    if first is None or first.op is None:
        return None
    return Place(first.op.name, tape.records[first].path, first.where)


def _length(first: Any) -> int:
    """How many rows an input has, where nothing is known of the targets."""
    return len(first) if isinstance(first, Tensor) and first.ndim else 0


def _differs(array: Any, rows: int) -> bool:
    """Whether numbers are of rows, which are not all alike; several in a row may belong to one."""
    if not array.ndim or not len(array) or len(array) % rows:
        return False
    return not _alike(array.reshape(rows, -1))


def _alike(array: Any) -> bool:
    return bool(np.all(np.ptp(array, axis=0) <= 1e-3 * np.max(np.abs(array), initial=0)))
