"""Activations that are flat at most of their entries: those that squash, and shares of which one has nearly all."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as fn
from ...tensor import Tensor
from ..layers import layers_of
from ..probe import FLAT, Probe, Site, norm
from ..rectifiers import squashed
from .asking import heard, loss_of

MOST, OUTSIDE = 0.5, 0.95
"""Which share of the entries has to be flat: of an activation in the net, and of one that comes after all layers."""
TOLD = 0.3
"""A loss below this share of that of one answer for all rows is low."""


def flattened(probe: Probe, told: bool) -> tuple[Site | None, Any]:
    """The first such operation, and the sizes of its slopes at all entries; ``told`` leaves out those that make the
    predictions."""
    inside = max((each.site.node.id for each in layers_of(probe)), default=0)
    for site in probe.sites:
        behind = site.node.id > inside
        if told and behind:  # it makes the predictions, and is sure of what is so
            continue
        slopes = squashed(probe.tape, site) if site.place.module or behind else None
        if slopes is None and (not behind or _stops(probe, site)):
            slopes = _shared(site)
        if slopes is None or slopes.size < 8:
            continue
        if np.mean(slopes < FLAT) >= (MOST if site.place.module else OUTSIDE):
            return site, slopes
    return None, None


def is_told(probe: Probe) -> bool:
    """Whether the loss is far below that of one answer for all rows, the mean of the predictions: they are right."""
    one = probe.patient.copy()
    predictions, targets = heard(one)
    if not isinstance(predictions, Tensor) or not predictions.ndim or predictions.dtype.kind != "f":
        return False
    same = fn.zeros_like(predictions) + predictions.mean(0, keepdim=True)
    return loss_of(one, predictions, targets) < TOLD * loss_of(one, same, targets)


def _stops(probe: Probe, site: Site) -> bool:
    """Whether next to nothing of the gradient that arrives is sent on: a loss that takes the logarithm sends it all."""
    sent = probe.sent_by(site)
    return sent is not None and site.gradient is not None and norm(sent) < FLAT * norm(site.gradient)


def _shared(site: Site) -> Any:
    """The largest slope in each row of shares, such as those of attention; None for what is no shares."""
    p = site.value
    if site.node.op is None or site.node.op.kind == "structural" or not site.node.requires_grad or p.ndim < 2:
        return None
    if p.shape[-1] < 3 or p.min(initial=0) < 0 or not np.allclose(p.sum(-1), 1, atol=1e-4):
        return None
    return (p * (1 - p)).max(axis=-1).ravel()
