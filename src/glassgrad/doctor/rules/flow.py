"""How the gradient gets through the depth of a net: vanishing, exploding, saturated, dead."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ... import functions as fn
from ...tensor import Tensor
from ..layers import LARGE, layers_of, rescaled, weights_in
from ..probe import FLAT, Probe, Site
from ..rectifiers import squashed
from ..remedies import clipping, fitted_start, rectified
from ..rule import Remedy, Suspicion, rule
from ..spine import BLOWN, LOST, Link, between, reaching, spine
from ..trends import fell
from .asking import heard, loss_of

MOST = 0.5
"""Which share of the entries has to be flat."""
TOLD, WELL = 0.3, 0.5
"""A loss below this share of that of one answer for all rows is low; one that falls by this share learns well."""


STANDS = ("flat place", "too low a rate", "too high a rate", "too small a start", "too large a start")


@rule("saturated activations", explains=("vanishing gradients", *STANDS))
def saturated(probe: Probe) -> Iterator[Suspicion]:
    """An activation that is bounded on both sides, and nearly flat at most of its entries; or shares of which one in
    most rows has nearly all."""
    inside = max((each.site.node.id for each in layers_of(probe)), default=0)
    told = _told(probe)
    for site in probe.sites:
        if told and site.node.id > inside:  # it makes the predictions, and is sure of what is so
            continue
        slopes = squashed(probe.tape, site) if site.place.module else None
        if slopes is None and site.node.id < inside:
            slopes = _shared(site)
        if slopes is None or slopes.size < 8:
            continue
        flat = float(np.mean(slopes < FLAT))
        if flat < MOST:
            continue
        yield Suspicion(
            f"{site.name} is nearly flat at {flat:.0%} of its entries",
            site.place,
            {"share of flat entries": flat, "mean slope": float(slopes.mean())},
            f"what {site.name} is given is so large that its slope, a factor of every gradient before it, is nearly 0",
            (*_smaller(probe), fitted_start(), rectified(probe)),
            sure=not told and not fell(probe) > WELL,
        )
        return


def _told(probe: Probe) -> bool:
    """Whether the loss is far below that of one answer for all rows, the mean of the predictions: they are right."""
    one = probe.patient.copy()
    predictions, targets = heard(one)
    if not isinstance(predictions, Tensor) or not predictions.ndim or predictions.dtype.kind != "f":
        return False
    same = fn.zeros_like(predictions) + predictions.mean(0, keepdim=True)
    return loss_of(one, predictions, targets) < TOLD * loss_of(one, same, targets)


def _shared(site: Site) -> Any:
    """The largest slope in each row of shares, such as those of attention; None for what is no shares."""
    p = site.value
    if site.node.op is None or site.node.op.kind == "structural" or not site.node.requires_grad or p.ndim < 2:
        return None
    if p.shape[-1] < 3 or p.min(initial=0) < 0 or not np.allclose(p.sum(-1), 1, atol=1e-4):
        return None
    return (p * (1 - p)).max(axis=-1).ravel()


def _smaller(probe: Probe) -> tuple[Remedy, ...]:
    """Layers of too large weights made usual ones, if there are some."""
    wide = [each for each in layers_of(probe) if each.gain > LARGE]
    return (rescaled(wide),) if wide else ()


def _by_flow(remedy: Remedy, kind: str) -> Remedy:
    """The same, judged by what becomes of the gradient: where a trial is too short for the loss to tell."""
    sign = 1 if kind == "exploding" else -1
    verb = "grows" if kind == "exploding" else "shrinks"
    return replace(
        remedy, measure=lambda patient: float(np.power(reaching(Probe(patient)), sign)),
        measured=f"the factor by which the gradient {verb} from the last layer to the first",
    )  # fmt: skip


@rule("vanishing gradients", explains=STANDS)
def vanishing(probe: Probe) -> Iterator[Suspicion]:
    """Less than a thousandth of the gradient gets from the last layer to the first."""
    yield from _flow(probe, "vanishing", lambda product: 0 < product < LOST)


@rule("exploding gradients", explains=STANDS)
def exploding(probe: Probe) -> Iterator[Suspicion]:
    """More than a thousandfold of the gradient gets from the last layer to the first."""
    yield from _flow(probe, "exploding", lambda product: product > BLOWN)


def _flow(probe: Probe, kind: str, bad: Any) -> Iterator[Suspicion]:
    links = between(spine(probe))
    factors = np.array([link.factor for link in links])
    if not len(links) or not np.all(np.isfinite(factors)) or not bad(float(np.prod(factors))):
        return
    sign = 1 if kind == "exploding" else -1
    by_op: dict[str, list[Link]] = {}
    for link in links:
        assert link.node.op is not None
        by_op.setdefault(link.node.op.name, []).append(link)
    logs = {name: sum(sign * math.log(max(link.factor, 1e-300)) for link in found) for name, found in by_op.items()}
    wide = {each.site.name for each in layers_of(probe) if each.gain > LARGE and kind == "exploding"}
    worst = max((name for name in logs if not wide or name in wide), key=lambda name: logs[name], default="")
    if not worst:
        return
    first = next(link for link in by_op[worst] if sign * math.log(max(link.factor, 1e-300)) > 0)
    layers = sum(link.weighted for link in links)
    product, mean = float(np.prod(factors)), math.exp(sign * logs[worst] / len(by_op[worst]))
    place = next(site.place for site in probe.sites if site.node is first.node)
    able = (*_smaller(probe), fitted_start()) if kind == "exploding" else (fitted_start(), rectified(probe))
    by_loss = kind == "vanishing" and _reused(probe, links)
    if by_loss and fell(probe) > WELL:  # the way through time need not be gone to its end
        return
    flows = () if by_loss else (_by_flow(each, kind) for each in able)
    remedies = (*able, *flows, *((clipping(),) if kind == "exploding" else ()))
    verb = "loses" if kind == "vanishing" else "grows"
    yield Suspicion(
        f"the gradient {verb} by a factor of {product:.2g} from the last layer to the first",
        place,
        {
            "factor at this operation": first.factor,
            f"mean factor of {worst}": mean,
            "product over all layers": product,
            "layers": float(layers),
        },
        f"the chain rule multiplies a factor for each operation: {worst} has {mean:.3g} on average, "
        f"{len(by_op[worst])} times",
        remedies,
        sure=not by_loss,
    )


def _reused(probe: Probe, links: list[Link]) -> bool:
    """Whether the depth is one of time: most of its layers have the weights of another one."""
    weights = weights_in(probe.tape)
    used = [{weights[each] for each in probe.tape.inputs(link.node) if each in weights} for link in links]
    return 2 * len(set().union(*used)) <= sum(link.weighted for link in links)
