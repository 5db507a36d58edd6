"""How the gradient gets through the depth of a net: vanishing, exploding, saturated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ...findings import FAULT, NOTE
from ..courses import level
from ..layers import rescaled, weights_in, wide_in
from ..mending import zero_biases
from ..patient import Patient
from ..probe import FAILURES, FLAT, Probe
from ..ranges import at
from ..remedies import both, clipping, fitted_start, fresh_start, rate, rectified
from ..rule import Remedy, Suspicion, rule
from ..spine import BLOWN, LOST, Link, between, highest, lowest, reaching, spine
from ..trends import fell, restless
from .flatness import flattened, is_told

WELL, SOME, HARDLY = 0.5, 0.3, 0.1
"""A loss that falls by the first share learns well, by the second something, by less than the third next to nothing."""
IN_TIME = 1e-5
"""What share of the gradient has to be lost on its way through time: gates let little through at their start."""
FAR_BLOWN = 1e3
"""So much more gradient at the beginning of time no sum over its steps makes."""
NEARLY = LOST
"""A share that is lost somewhere on the way; told only of a net that hardly learns, and does if it is mended."""
NEARLY_ALL = 0.9
"""A share of flat entries that is told though the loss falls."""
RATES, FURTHER = (10.0, 100.0), 0.7
"""Rates that have to bring the loss to this share where it is they that are too low."""


STANDS = (
    "flat place", "too low a rate", "too high a rate", "too small a start", "too large a start", "gradient noise",
)  # fmt: skip


@rule("saturated activations", explains=("vanishing gradients", *STANDS), beside=("too large a start",))
def saturated(probe: Probe) -> Iterator[Suspicion]:
    """An activation that is bounded on both sides, and nearly flat at most of its entries; or shares of which one in
    most rows has nearly all."""
    told = is_told(probe)
    site, slopes = flattened(probe, told)
    if site is None:
        return
    flat, falls = float(np.mean(slopes < FLAT)), fell(probe) > WELL
    yield Suspicion(
        f"{site.name} is nearly flat at {flat:.0%} of its entries",
        site.place,
        {"share of flat entries": flat, "mean slope": float(slopes.mean())},
        f"what {site.name} is given is so large that its slope, a factor of every gradient before it, is nearly 0",
        (*_smaller(probe), fitted_start(), fresh_start(), rectified(probe), zero_biases()),
        weight=NOTE if falls else FAULT,
        sure=not told and (not falls or flat > NEARLY_ALL),
    )


def _smaller(probe: Probe) -> tuple[Remedy, ...]:
    """Layers of too large weights made usual ones, if there are some."""
    wide = wide_in(probe)
    return (rescaled(wide),) if wide else ()


def _by_flow(remedy: Remedy, kind: str) -> Remedy:
    """The same, judged by what becomes of the gradient: where a trial is too short for the loss to tell."""
    sign = 1 if kind == "exploding" else -1
    verb = "grows" if kind == "exploding" else "shrinks"
    return replace(
        remedy, measure=lambda patient: float(np.power(reaching(Probe(patient)), sign)),
        measured=f"the factor by which the gradient {verb} from the last layer to the first",
    )  # fmt: skip


@rule("vanishing gradients", explains=STANDS, beside=("too large a start",))
def vanishing(probe: Probe) -> Iterator[Suspicion]:
    """Less than a thousandth of the gradient gets from the last layer to the first, or to the first step of time."""
    yield from _flow(probe, "vanishing", lambda product: 0 < product < LOST)


@rule("exploding gradients", explains=STANDS, beside=("too large a start",))
def exploding(probe: Probe) -> Iterator[Suspicion]:
    """More than a hundredfold of the gradient gets from the last layer to the first."""
    yield from _flow(probe, "exploding", lambda product: product > BLOWN)


def _flow(probe: Probe, kind: str, bad: Callable[[float], bool]) -> Iterator[Suspicion]:
    links = between(spine(probe))
    factors = np.array([link.factor for link in links])
    if not len(links) or not np.all(np.isfinite(factors)):
        return
    by_time = kind == "vanishing" and _reused(probe, links)
    product = lowest(links) if by_time else highest(links) if kind == "exploding" else float(np.prod(factors))
    nearly = kind == "vanishing" and not by_time and not bad(product)
    if nearly:
        product = lowest(links)
    if not (product < NEARLY if nearly else bad(product)) or ((by_time or nearly) and fell(probe) > SOME):
        return  # the way through time need not be gone to its end
    if by_time and product > IN_TIME:
        return
    held = fell(probe) > SOME or probe.patient.clip_norm is not None
    if kind == "exploding" and product < FAR_BLOWN and _reused(probe, links) and held and not restless(probe):
        return  # what goes through time gets a part of the gradient at each of its steps
    sign = 1 if kind == "exploding" else -1
    worst, first, mean, times = _worst(probe, links, sign)
    if first is None:
        return
    able = _restoring(probe, kind, bad)
    flows = () if by_time else (_by_flow(each, kind) for each in able)
    verb = "loses" if kind == "vanishing" else "grows"
    yield Suspicion(
        f"the gradient {verb} by a factor of {product:.2g} from the last layer to the first",
        next(site.place for site in probe.sites if site.node is first.node),
        {
            "factor at this operation": first.factor,
            f"mean factor of {worst}": mean,
            "product over all layers": product,
            "layers": float(sum(link.weighted for link in links)),
        },
        f"the chain rule multiplies a factor for each operation: {worst} has {mean:.3g} on average, {times} times",
        (*able, *flows, *((clipping(),) if kind == "exploding" else ())),
        sure=not nearly and (not by_time or (fell(probe) < HARDLY and not _rate_helps(probe))),
    )


def _worst(probe: Probe, links: list[Link], sign: int) -> tuple[str, Link | None, float, int]:
    """The operation that shrinks the gradient the most, all its times together, or makes it grow: its name, where it
    does so first, its mean factor, how often it occurs."""
    by_op: dict[str, list[Link]] = {}
    for link in links:
        assert link.node.op is not None
        by_op.setdefault(link.node.op.name, []).append(link)
    logs = {name: sum(sign * math.log(max(link.factor, 1e-300)) for link in found) for name, found in by_op.items()}
    wide = {each.site.name for each in wide_in(probe)} if sign > 0 else set()
    worst = max((name for name in logs if name in wide), key=lambda name: logs[name], default="")
    if not worst or logs[worst] <= 0:
        worst = max(logs, key=lambda name: logs[name])
    first = next((link for link in by_op[worst] if sign * math.log(max(link.factor, 1e-300)) > 0), None)
    return worst, first, math.exp(sign * logs[worst] / len(by_op[worst])), len(by_op[worst])


def _restoring(probe: Probe, kind: str, bad: Callable[[float], bool]) -> list[Remedy]:
    """What may restore the flow of the gradient: first what does so at the start of the training."""
    if kind == "exploding":
        slower = [rate(by, f"{1 / by:g} times as low a rate") for by in (0.1, 0.01)]
        able = [*_smaller(probe), fitted_start(), *(both(fitted_start(), each) for each in slower)]
    else:
        able = [fitted_start(), rectified(probe)]
        able.append(both(able[-1], rate(0.1, "a tenth of the rate")))
    return sorted(able, key=lambda each: bad(_reaches(each.treated(probe.patient))))


def _reaches(patient: Patient) -> float:
    """What share of the gradient of the last layer reaches the first one; none where a step fails."""
    try:
        return reaching(Probe(patient))
    except FAILURES:
        return math.nan


def _rate_helps(probe: Probe) -> bool:
    """Whether the same training learns at a higher rate."""
    for factor in RATES:
        losses = at(probe.patient, factor).train(probe.steps)
        if level(losses, len(probe.patient.batches)) < FURTHER * probe.start.mean:
            return True
    return False


def _reused(probe: Probe, links: list[Link]) -> bool:
    """Whether the depth is one of time: most of its layers have the weights of another one."""
    weights = weights_in(probe.tape)
    used = [{weights[each] for each in probe.tape.inputs(link.node) if each in weights} for link in links]
    return 2 * len(set().union(*used)) <= sum(link.weighted for link in links)
