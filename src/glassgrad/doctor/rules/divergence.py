"""Losses that run away or swing for another reason than the rate: a loss without a floor, steps that go uphill."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...autograd import grad
from ...dispatch import no_grad
from ...findings import Place
from ...tensor import Tensor
from ..courses import level
from ..loop import Loop
from ..patient import Patient, drawing
from ..probe import FAILURES, Probe, norm
from ..remedies import both, rate
from ..rule import Remedy, Suspicion, rule
from ..trends import RISES, SWINGS, swings
from .order import in_order

FAR = (1e2, 1e4, 1e6)
"""How far predictions are moved to see whether a loss has a bound, against their size."""
DEEP = 5.0
"""So many times the size of the first loss below zero is deep."""
PARTS = 10
"""A user's own loop is looked at in so many parts, each as its mean."""
HEAVY, USUAL, SQUARES = 0.95, 0.9, 0.99
"""A momentum that is heavy, and the usual one; and how long squares of gradients are remembered at least."""
SLOW = 0.1
"""A loss that follows the logarithm of its predictions gains at least this share of its size in two orders of them."""
HALF = 0.5
"""The share of the loss to which a lighter momentum has to bring it where it does not swing on its way."""


def boundless(patient: Patient, sign: int) -> bool | None:
    """Whether a loss goes on for ever when predictions follow its slope: downwards for -1, upwards for 1. None where
    the predictions are no tensor."""
    one = patient.copy()
    batch = one.batches[0]
    try:
        with drawing(one.seed):
            predictions: Any = one.predict(batch)
            if not isinstance(predictions, Tensor) or predictions.dtype.kind != "f" or predictions.numel() == 1:
                return None
            free = predictions.detach().clone().requires_grad_()
            (slope,) = grad(one.loss(free, batch[-1]), [free], allow_unused=True)
            if slope is None or not norm(slope.numpy()):
                return False
            along = slope / float(np.abs(slope.numpy()).max())
            size = 1 + float(np.abs(free.detach().numpy()).max())
            with np.errstate(all="ignore"), no_grad():
                moved = (free.detach() + along * (sign * size * c) for c in FAR)
                near, far, farther = (sign * float(one.loss(each, batch[-1]).item()) for each in moved)
    except FAILURES:
        return None
    if not math.isfinite(far):
        return far > 0
    grows = farther - far > 10 * (far - near) or farther - far > HALF * (far - near) > SLOW * abs(near)
    return far > near and (grows or farther == math.inf)


def runs_down(losses: list[float]) -> bool:
    """Whether a loss falls below zero, and no slower in the end than in the beginning."""
    if len(losses) < 8:
        return False
    if not math.isfinite(losses[-1]):
        return losses[-2] < min(0.0, losses[0])
    quarter = len(losses) // 4
    first, last = losses[0] - losses[quarter], losses[-1 - quarter] - losses[-1]
    return losses[-1] < min(0.0, losses[0]) and last > 0 and last > 0.9 * first


def _deep(losses: list[float], own: list[float]) -> bool:
    """Whether a loss is far below zero, and falls on, though slower than at first."""
    if not all(map(math.isfinite, (*losses, *own))) or min(len(losses), len(own)) < 20:
        return False
    for each in (losses, own):
        before, after = (float(np.mean(part)) for part in np.array_split(np.asarray(each), 3)[1:])
        if not after < before < 0 or after > -DEEP * abs(each[0]):
            return False
    return True


def _sinks(losses: list[float]) -> bool:
    """Whether the loss of a user's own loop runs down, by more than it differs from step to step. The loss of a policy
    gradient does not, though that of one of its batches, learned again and again, does."""
    end = next((n + 1 for n, loss in enumerate(losses) if not math.isfinite(loss)), 0)
    if end:
        return runs_down(losses[:end])
    parts = np.array_split(np.asarray(losses), PARTS)
    means = [float(part.mean()) for part in parts]
    return runs_down(means) and means[0] - means[-1] > 3 * float(np.median([part.std() for part in parts]))


def uphill(probe: Probe) -> bool:
    """Whether the first step goes along the gradient instead of against it."""
    moved = [(w.after - w.before, w.gradient) for w in probe.weights if w.gradient is not None]
    return sum(float(np.sum(np.asarray(step, np.float64) * g)) for step, g in moved) > 0


@rule("diverging loss", explains=("too high a rate", "oscillating loss", "weights that move wildly", "gradient noise"))
def diverging(probe: Probe) -> Iterator[Suspicion]:
    """The loss has no floor, or the steps go uphill."""
    losses, start = probe.losses, probe.start
    loop = probe.patient.loop
    own = loop.losses if loop is not None and len(loop.losses) >= 20 else losses
    finite = math.isfinite(losses[-1])
    if loop is not None and loop.mostly(loop.turned) and not own[-1] < own[0]:
        yield _turned(loop)
    elif (not finite or losses[-1] > start.mean + 2 * start.scatter) and uphill(probe):
        far = not finite or losses[-1] > start.mean + start.scale
        if boundless(probe.patient, 1) or (far and boundless(probe.patient, 1) is None):
            yield _ascent(probe)
    elif (runs_down(losses) and (own is losses or _sinks(own))) or _deep(losses, own):
        far = not finite or losses[-1] < start.mean - 10 * start.scale
        if boundless(probe.patient, -1) or (far and boundless(probe.patient, -1) is None):
            yield _floorless(probe)


def _turned(loop: Loop) -> Suspicion:
    return Suspicion(
        "the gradients are turned round before the step, and the loss grows",
        loop.turned.place,
        {"steps": float(loop.turned.times), "loss at the start": loop.losses[0], "loss at the end": loop.losses[-1]},
        "an optimizer subtracts the gradient already: with its sign changed the steps go uphill",
    )


def _ascent(probe: Probe) -> Suspicion:
    def turn(patient: Patient) -> None:
        for group in patient.optimizer.param_groups:
            if "maximize" in group:
                group["maximize"] = False

    asked = any(group.get("maximize") for group in probe.patient.optimizer.param_groups)
    return Suspicion(
        "the steps go uphill, and the loss grows without a bound",
        Place(),
        {"loss at the start": probe.start.mean, "loss at the end": probe.losses[-1]},
        "the optimizer was made with maximize=True: it adds the gradient, which points to where the loss grows"
        if asked
        else "the update points along the gradient, to where the loss grows",
        (Remedy("leave out maximize=True", turn),) if asked else (),
    )


def _floorless(probe: Probe) -> Suspicion:
    def negate(patient: Patient) -> None:
        loss = patient.loss
        patient.loss = lambda predictions, targets: -loss(predictions, targets)

    return Suspicion(
        f"the loss falls below zero and on, to {probe.losses[-1]:.4g}: it has no floor",
        probe.sites[-1].place if probe.sites else Place(),
        {"loss at the start": probe.start.mean, "loss at the end": probe.losses[-1]},
        "the further the predictions go, the lower this loss is, so that the weights grow for ever: a sign is wrong, "
        "or something that keeps the predictions finite is missing",
        (Remedy("turn the sign of the loss round", negate, _size, "the size of the loss"),),
    )


def _size(patient: Patient) -> float:
    return abs(float(patient.value(patient.batches[0]).item()))


def _momentum(group: dict[str, Any]) -> float:
    """What a group's steps keep of the ones before."""
    betas = group.get("betas")
    return float(betas[0] if betas else group.get("momentum", 0))


@rule("oscillating loss", explains=("too high a rate", "gradient noise"))
def oscillating(probe: Probe) -> Iterator[Suspicion]:
    """The loss swings, not for its rate but for a momentum that goes on long after the slope has turned, or because
    each batch has other targets than the one before it."""
    found = list(in_order(probe))
    if found:
        yield from found
        return
    size, rises = swings(probe)
    groups = probe.patient.optimizer.param_groups
    heaviest = max(map(_momentum, groups))
    if heaviest <= HEAVY:
        return

    end = level(probe.losses, len(probe.patient.batches))

    def lighten(patient: Patient) -> None:
        for group in patient.optimizer.param_groups:
            if "betas" in group:
                group["betas"] = (min(float(group["betas"][0]), USUAL), max(float(group["betas"][1]), SQUARES))
            else:
                group["momentum"] = min(group["momentum"], USUAL)

    swinging = size >= SWINGS / 2 and rises >= RISES
    if not swinging:
        other = probe.patient.copy()
        lighten(other)
        if not level(other.train(probe.steps), len(other.batches)) < HALF * end:
            return

    less = Remedy(f"less momentum: {USUAL:g} instead of {heaviest:g}", lighten)
    yield Suspicion(
        f"the loss moves by {size:.0%} of its level from one time to the next, {rises:.0%} of it upwards"
        if swinging
        else f"a momentum of {heaviest:g} carries the weights past where the loss is low: it ends at {end:.4g}",
        Place(),
        {
            "loss at the start": probe.start.mean,
            "loss at the end": end,
            "change from one time to the next against the level": size,
            "share of the changes that is upwards": rises,
            "momentum": heaviest,
        },
        f"with a momentum of {heaviest:g} a step is the sum of about {1 / max(1e-9, 1 - heaviest):.0f} gradients: it "
        "goes on long after the slope has turned",
        (less, *(both(less, rate(by, f"{1 / by:g} times as low a rate")) for by in (0.1, 0.01))),
        sure=False,
    )
