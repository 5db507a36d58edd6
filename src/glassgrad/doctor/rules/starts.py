"""Starts from which learning cannot begin: zeros, units that are all the same, weights that pass nothing on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..layers import SMALL, grown, judged, layers_of, redrawn, rescaled, told
from ..probe import Probe, Weight, rms
from ..remedies import fitted_start, fresh_start
from ..rule import Suspicion, rule

FAINT = 0.01
"""The size against that of fresh parameters below which there is next to nothing."""
FOLLOWS = (
    "zero gradient", "vanishing gradients", "dead rectifiers", "too low a rate", "no overfitting of one batch",
    "flat place",
)  # fmt: skip


@rule("zero start", explains=(*FOLLOWS, "gradient noise"))
def zeros(probe: Probe) -> Iterator[Suspicion]:
    """Layers of zeros that keep the gradient from what is before or behind them."""
    layers = [w for w in probe.weights if w.before.ndim > 1]
    empty = [w for w in layers if not np.any(w.before)]
    stuck = [w for w in layers if w.gradient is not None and not np.any(w.gradient)]
    if len(empty) < 2 or not stuck:  # one layer of zeros, such as the last, learns in its first step
        return
    by_design = len(empty) <= len(layers) / 2 and all(_comes_free(probe, w) for w in stuck)
    if by_design:  # the last layers of branches, beside what is not zero: they learn first, and free the others
        return
    yield Suspicion(
        f"{len(empty)} layers begin with weights of zero",
        empty[0].place,
        {"layers of zeros": float(len(empty)), "layers without gradient": float(len(stuck))},
        "a gradient is a product with the weights behind a layer and with the values before it: of zeros it is zero",
        (fresh_start(), redrawn(layers_of(probe))),
        also=tuple(w.place for w in empty[1:]),
    )


def _comes_free(probe: Probe, layer: Weight) -> bool:
    """Whether a layer learns after the first step, and not the same in all of its units."""
    later = {name: p.detach().numpy() for name, p in probe.late.model.named_parameters()}
    new = later.get(layer.name, layer.before)
    if new.shape != layer.before.shape or np.array_equal(new, layer.before) or not np.all(np.isfinite(new)):
        return False
    return _kinds(new) > len(new) / 2


@rule(
    "symmetric start",
    explains=(*FOLLOWS, "saturated activations", "too small a start", "too large a start", "too high a rate"),
)
def symmetric(probe: Probe) -> Iterator[Suspicion]:
    """Layers whose units all begin alike, and get the same gradient."""
    wide = [w for w in probe.weights if w.before.ndim > 1 and len(w.before) > 1 and w.gradient is not None]
    alike = [w for w in wide if np.any(w.before) and np.all(w.before == w.before[:1])]
    stuck = [w for w in alike if _kinds(w.gradient) <= len(w.before) / 2]
    same = stuck or (alike if len(alike) > len(wide) / 2 else [])  # dropout may tell the units apart, in time
    if not same:
        return
    yield Suspicion(
        f"all {len(same[0].before)} rows of {same[0].name} begin alike",
        same[0].place,
        {"layers of equal units": float(len(same))},
        "equal units get equal gradients and stay equal: the layer is as good as one unit",
        (fresh_start(), redrawn(layers_of(probe))),
        sure=bool(stuck),
        also=tuple(w.place for w in same[1:]),
    )


def _kinds(numbers: Any) -> int:
    """How many different rows there are: one for units that are all alike, one for each gate of those of an LSTM."""
    rows = np.asarray(numbers, np.float64).reshape(len(numbers), -1)
    return len(np.unique(np.round(rows / max(np.abs(rows).max(), 1e-300), 4), axis=0))


def _faint(probe: Probe) -> list[Weight]:
    """What is far smaller than fresh parameters, if that is most of all there is: such as embeddings."""
    fresh = dict(fresh_start().treated(probe.patient).model.named_parameters())
    tables = [w for w in probe.weights if w.before.ndim > 1 and w.name in fresh and np.any(w.before)]
    faint = [w for w in tables if rms(w.before) < FAINT * rms(fresh[w.name].detach().numpy())]
    return faint if 2 * len(faint) > len(tables) else []


@rule(
    "too small a start", explains=(*FOLLOWS, "dead rectifiers", "weights that move wildly", "weights that barely move")
)
def too_small(probe: Probe) -> Iterator[Suspicion]:
    """Most layers have weights so small that they hardly pass anything on."""
    layers = layers_of(probe)
    narrow = [each for each in layers if 0 < each.gain < SMALL]
    tables = _faint(probe) if not narrow else []
    if tables:
        yield Suspicion(
            f"{len(tables)} tables of parameters begin with next to nothing",
            tables[0].place,
            {"size of the first one": rms(tables[0].before)},
            "a gradient is a product with the other factors, which are as small: nothing moves until they have grown",
            judged(fresh_start(), *(grown(tables, size) for size in (0.1, 0.3))),
            sure=False,
            also=tuple(each.place for each in tables[1:]),
        )
    if len(narrow) <= len(layers) / 2 or narrow == layers[-1:]:  # a last layer may well begin near 0
        return
    yield Suspicion(
        f"{len(narrow)} of {len(layers)} layers begin with weights that hardly pass anything on",
        narrow[0].place,
        {**told(narrow, layers), "what the layer makes of the size of its input": narrow[0].gone_through(probe.tape)},
        "numbers, and gradients on their way back, shrink by the size of the weights times the root of the fan-in in "
        "each layer: small ones stay small until the weights have grown",
        judged(fresh_start(), rescaled(narrow), fitted_start(), redrawn(layers)),
        sure=False,
        also=tuple(each.place for each in narrow[1:]),
    )
