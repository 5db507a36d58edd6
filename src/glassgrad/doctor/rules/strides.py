"""Layers that take other strides than the rest: their updates are tiny or huge against their weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...findings import Place
from ..courses import level
from ..mending import without_decay
from ..patient import Patient
from ..probe import Probe
from ..remedies import own_rate
from ..rule import Remedy, Suspicion, rule
from ..trends import fell, restless

BEHIND, AHEAD, GIVEN = 1000.0, 100.0, 10.0
"""By which factor a layer's stride has to be below or above the median of the others to be told; and above, where its
rate differs as much: that was meant, though perhaps not so far."""
LEARNED = 0.7
"""Of a loss that has fallen by more than this share it is not asked what a schedule does."""
HALF, MUCH = 0.5, 0.9
"""A loss that falls by more than the first share goes well; by more than the second though a rate was given apart."""
BARELY, WILDLY = 2e-5, 0.2
"""Strides, as shares of the weights, below and above which a layer barely or wildly moves."""


def median(strides: Iterable[float]) -> float:
    """The median; 0 where there are none."""
    held = list(strides)
    return float(np.median(held)) if held else 0.0


def _given(probe: Probe, name: str) -> bool:
    """Whether a layer has a rate of its own, far from that of the others."""
    rates = probe.rates
    rest = float(np.median([each for n, each in rates.items() if each != rates[name]] or [rates[name]]))
    return not rest / GIVEN < rates[name] < rest * GIVEN


def why(probe: Probe, name: str, stride: float, usual: float) -> str:
    """Whether it is the rate of its group or its gradient."""
    rates = probe.rates
    if _given(probe, name):
        rest = float(np.median([each for each in rates.values() if each != rates[name]]))
        return f"its group has a rate of {rates[name]:.2g}, where that of the others is {rest:.2g}"
    return (
        f"with the same rate as the others it moves by {stride:.2g} of its size in a step, where they move by "
        f"{usual:.2g}: its gradient does not fit the size of its weights"
    )


@rule("weights that barely move", explains=("no overfitting of one batch",))
def barely(probe: Probe) -> Iterator[Suspicion]:
    """A layer that stands still while the others learn, or all of them by a schedule, and that lowers the loss if it is
    let."""
    yield from _by_schedule(probe)
    yield from _by_layer(probe)


def _by_schedule(probe: Probe) -> Iterator[Suspicion]:
    """A schedule that keeps the rate below a hundredth of its highest for most of the training."""
    patient = probe.patient
    if not patient.rates:
        return
    group = patient.optimizer.param_groups[0]
    lr = float(group["lr"])
    seen = [lr * factor for factor in patient.rates]
    highest = max(*seen, float(group.get("initial_lr", 0.0)))
    usual = float(np.median(seen))
    if usual > highest / 100 or (usual > highest / 500 and fell(probe) > LEARNED):
        return

    def keep(other: Patient) -> None:
        for held in other.optimizer.param_groups:
            held["lr"] = float(held["lr"]) * (highest / lr if lr else 1.0) or highest
        other.rates = ()

    yield Suspicion(
        f"the schedule keeps the rate at {usual:.2g} in most steps, where its highest is {highest:.2g}",
        Place(),
        {"highest rate": highest, "median of the rates": usual, "by which share the loss falls": fell(probe)},
        "the rate goes down before much is learned, or hardly comes up: the weights stay where they are",
        (Remedy(f"leave out the schedule, or let it act a hundred times as slowly: a rate of {highest:.2g}", keep),),
        sure=False,
    )


def _by_layer(probe: Probe) -> Iterator[Suspicion]:
    strides = probe.strides
    gradient = {w.name for w in probe.weights if w.gradient is not None and np.any(w.gradient)}
    fresh = {w.name for w in probe.weights if not np.any(w.before)}  # of what begins at 0 any step is a long one
    usual = median(stride for name, stride in strides.items() if stride >= BARELY and name not in fresh)
    usual = usual or _of_others(probe)
    slow = [
        name for name, stride in strides.items()
        if name in gradient and stride < BARELY and stride * BEHIND < usual
    ]  # fmt: skip
    if not slow:
        return
    worst = min(slow, key=lambda name: strides[name])
    factors = {n: usual / strides[n] if strides[n] else math.inf for n in slow}
    yield _apart(probe, worst, strides[worst], usual, factors, (1.0, 10.0, 0.1))


def _of_others(probe: Probe) -> float:
    """The stride that a layer would have with the rate of the vectors, where all of them have one far below that."""
    rates, strides = probe.rates, probe.strides
    others = [rate for name, rate in rates.items() if name not in strides]
    if not strides or not others:
        return 0.0
    highest = max(rates[name] for name in strides)
    by = float(np.median(others)) / max(highest, 1e-300)
    return by * median(strides.values()) if by > BEHIND else 0.0


def _apart(
    probe: Probe, worst: str, stride: float, usual: float, factors: Mapping[str, float], further: Sequence[float]
) -> Suspicion:
    """A layer, and others like it, whose strides are not those of the rest; by which factors they would be."""
    return Suspicion(
        f"{worst} moves by {stride:.2g} of its size in a step, the others by {usual:.2g}",
        Place(module=worst),
        {"update against weights": stride, "median of the others": usual, "rate": probe.rates[worst]},
        why(probe, worst, stride, usual),
        tuple(own_rate(probe, {n: f * s for n, f in factors.items()}) for s in further),
        sure=False,
        also=tuple(Place(module=name) for name in factors if name != worst),
    )


@rule("weights that move wildly", explains=("too high a rate", "oscillating loss", "diverging loss"))
def wildly(probe: Probe) -> Iterator[Suspicion]:
    """A layer that is thrown about while the others take usual steps, so that the loss grows or swings."""
    groups = probe.patient.optimizer.param_groups
    decay = max(float(group.get("weight_decay", 0)) * float(group.get("lr", 0)) for group in groups)
    if decay >= 1:
        yield Suspicion(
            f"the weight decay takes {decay:.0%} of the weights in every step",
            Place(),
            {"rate times weight decay": decay},
            "a step pulls every weight to 0 by the rate times the decay: beyond 1 it throws it over to the other side",
            (without_decay(),),
            sure=False,
        )
        return
    moving = {w.name: w for w in probe.weights if w.name in probe.rates and 0 < w.moved < math.inf}
    first = {name: w.moved for name, w in moving.items() if w.before.ndim > 1 or _given(probe, name)}
    usual = median(stride for name, stride in first.items() if stride <= WILDLY and moving[name].before.ndim > 1)
    wild = [
        name for name, stride in first.items()
        if stride > max(WILDLY, (GIVEN if _given(probe, name) else AHEAD) * usual)
    ]  # fmt: skip
    if not wild or not usual:
        return
    if not restless(probe) and fell(probe) > (MUCH if all(_given(probe, name) for name in wild) else HALF):
        return
    worst = max(wild, key=lambda name: first[name])
    found = _apart(probe, worst, first[worst], usual, {n: usual / first[n] for n in wild}, (1.0, 0.1))
    end = level(probe.losses, len(probe.patient.batches))
    yield replace(found, evidence={**found.evidence, "loss at the end": end})
