"""Numbers that get lost because they are too small, without anything becoming NaN: what they carried becomes 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..dispatch import no_grad
from ..findings import Place
from .layers import layers_of
from .patient import Patient
from .probe import Probe, Site, rms
from .rule import Remedy
from .trends import fell
from .trouble import vanished

MOST = 0.5
"""Which share of the rows has to be lost."""
NEARLY_ALL, STUCK = 0.9, 0.05
"""The same of the entries, if the loss falls by less than the second share."""
PALE = 1e-12
"""A gradient of the outputs below this is small before any layer can make it so."""


def lost_rows(probe: Probe) -> tuple[Site, float] | None:
    """The first operation whose results are 0 in most rows for being too small, and that no gradient gets past."""
    weights = [each for each in probe.weights if each.gradient is not None]
    still = {id(each.cell) for each in weights if not np.any(each.gradient)}
    stuck = fell(probe) < STUCK if not probe.fails else False
    cells = {leaf: cell for cell, leaf in probe.tape.cells.values() if leaf.requires_grad}
    for site in probe.sites:
        if site.node.requires_grad and site.value.size and 0 < np.abs(site.value).max() < PALE:
            lost = float(np.mean(vanished(probe.tape, site.node)))
            if lost >= MOST:  # and of what is left nothing comes
                return site, lost
        faint = stuck and site.node.requires_grad and site.value.ndim > 0 and np.mean(site.value == 0) > NEARLY_ALL
        if faint and not np.allclose(site.value.sum(-1), 1, atol=1e-3):
            lost = float(np.mean(vanished(probe.tape, site.node)))
            if lost > NEARLY_ALL:
                return site, lost
        if not still:
            continue
        value = site.value.reshape(len(site.value), -1) if site.value.ndim else site.value.reshape(1, 1)
        if not value.size or np.mean(~value.any(axis=1)) < MOST:
            continue
        share = float(np.mean(vanished(probe.tape, site.node).reshape(value.shape).all(axis=1)))
        before = [cells[each] for each in probe.tape.leading_to([site.node]) if each in cells]
        if share >= MOST and before and all(id(cell) in still for cell in before):
            return site, share
    return None


@dataclass(frozen=True)
class Pale:
    """A loss whose gradient is too small for float arithmetic from its first step back on."""

    place: Place
    median: float
    """Of the sizes of all entries of gradients."""
    outputs: float
    """The size of the gradient of the last layer's result."""

    def remedy(self, probe: Probe) -> Remedy:
        """A larger multiple of the loss; what must fall is the loss as it was."""
        by = 10.0 ** -np.floor(np.log10(self.outputs))

        def apply(patient: Patient) -> None:
            inner = patient.loss
            patient.loss = lambda said, true: inner(said, true) * by

        def measure(patient: Patient) -> float:
            plain = replace(patient, loss=probe.patient.loss)
            with no_grad():
                return float(plain.value(plain.batches[0]).item())

        return Remedy(f"scale the loss: backward from {by:.0e} times the loss", apply, measure, "the loss as it was")


def pale(probe: Probe) -> Pale | None:
    """Gradients whose squares are below the least normal number, because that of the outputs is as small already."""
    found = [each.gradient[each.gradient != 0] for each in probe.weights if each.gradient is not None]
    sizes = np.concatenate([np.abs(each).ravel() for each in found]) if found else np.zeros(0)
    layers = layers_of(probe) if sizes.size else []
    if not layers or layers[-1].site.gradient is None:
        return None
    least = float(np.sqrt(np.finfo(sizes.dtype).tiny))
    outputs, median = rms(layers[-1].site.gradient), float(np.median(sizes))
    if not 0 < median < least or not 0 < outputs < PALE:
        return None
    after = [each for each in probe.sites if each.node.id >= layers[-1].site.node.id and each.gradient is not None]
    falls = [rms(a.gradient) / max(rms(b.gradient), 1e-300) for a, b in pairwise(after)]
    steepest = after[int(np.argmin(falls)) + 1] if falls else after[-1]
    return Pale(steepest.place, median, outputs)
