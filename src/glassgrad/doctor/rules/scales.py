"""Starts that are off in scale: weights far from one over the root of the fan-in, where the flow of the gradient does
not tell it already.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ... import functions as fn
from ...tensor import Tensor
from ..courses import level
from ..layers import LARGE, SMALL, Layer, layers_of
from ..probe import Probe, rms
from ..remedies import fitted_start, fresh_start
from ..rule import Remedy, Suspicion, rule
from .asking import loss_of, said

ABOVE = 2.0
"""A loss that begins at so many times the loss of saying nothing is the doing of large outputs."""
FOLLOWS = (
    "flat place", "too low a rate", "too high a rate", "oscillating loss", "diverging loss", "gradient noise",
    "weights that barely move", "weights that move wildly", "no overfitting of one batch",
)  # fmt: skip


@rule("too large a start", explains=FOLLOWS)
def too_large(probe: Probe) -> Iterator[Suspicion]:
    """Weights so large that the first loss is far above what a net would have that says 0 to everything."""
    layers = layers_of(probe.tape, probe.sites)
    wide = [each for each in layers if each.gain > LARGE]
    start, guess = probe.start.mean, _guess(probe)
    if not wide or not guess > 0 or start < ABOVE * guess:
        return
    yield Suspicion(
        f"the loss begins at {start:.4g}, and is {guess:.4g} where the outputs are 0",
        wide[0].site.place,
        {
            "loss at the start": start,
            "loss of outputs of 0": guess,
            **_told(wide, layers),
            "size of the outputs": rms(np.asarray(said(probe.patient.copy())[0].detach())),
        },
        "numbers grow by the size of the weights times the root of the fan-in in each layer: the first steps only undo "
        "the start",
        _judged(fitted_start(), fresh_start()),
        sure=not math.isfinite(start),
        also=tuple(each.site.place for each in wide[1:]),
    )


@rule("too small a start", explains=FOLLOWS)
def too_small(probe: Probe) -> Iterator[Suspicion]:
    """Weights so small that layers hardly pass anything on, while the loss stands still."""
    layers = layers_of(probe.tape, probe.sites)
    narrow = [each for each in layers if 0 < each.gain < SMALL]
    if len(narrow) <= len(layers) / 2 or narrow == layers[-1:]:  # a last layer may well begin near 0
        return
    yield Suspicion(
        f"{len(narrow)} of {len(layers)} layers begin with weights that hardly pass anything on",
        narrow[0].site.place,
        {
            **_told(narrow, layers),
            "by which share the loss falls": _fell(probe),
            "what the layer makes of the size of its input": narrow[0].gone_through(probe.tape),
        },
        "numbers, and gradients on their way back, shrink by the size of the weights times the root of the fan-in in "
        "each layer: small ones stay small until the weights have grown",
        _judged(fresh_start(), fitted_start()),
        sure=False,
        also=tuple(each.site.place for each in narrow[1:]),
    )


def _judged(*remedies: Remedy) -> tuple[Remedy, ...]:
    """A start is judged by all steps of a trial: in the end a net may well have got over it."""
    return tuple(replace(each, judge=_mean, measured="the mean loss of all steps") for each in remedies)


def _mean(losses: Sequence[float]) -> float:
    return float(np.mean(losses))


def _told(off: list[Layer], layers: list[Layer]) -> dict[str, float]:
    return {
        f"weights of {off[0].path} times the root of the fan-in": off[0].gain,
        "fan-in": float(off[0].fan_in),
        "layers that are off": float(len(off)),
        "layers": float(len(layers)),
    }


def _fell(probe: Probe) -> float:
    """By which share of itself the loss falls in the trial."""
    end = level(probe.losses, len(probe.patient.batches))
    return (probe.start.mean - end) / probe.start.scale


def _guess(probe: Probe) -> float:
    """The loss of outputs of 0; NaN where the outputs are probabilities, or nothing that can be 0."""
    outputs, targets = said(probe.patient.copy())
    if not isinstance(outputs, Tensor) or outputs.dtype.kind != "f":
        return math.nan
    p = outputs.numpy()
    if p.size and np.min(p) >= 0 and np.max(p) <= 1:
        return math.nan
    return loss_of(probe.patient, fn.zeros_like(outputs), targets)
