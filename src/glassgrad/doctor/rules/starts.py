"""Starts from which learning cannot begin: zeros, units that are all the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..probe import Probe
from ..remedies import fresh_start
from ..rule import Suspicion, rule

FOLLOWS = (
    "zero gradient", "vanishing gradients", "dead rectifiers", "too low a rate", "no overfitting of one batch",
    "flat place",
)  # fmt: skip


@rule("zero start", explains=FOLLOWS)
def zeros(probe: Probe) -> Iterator[Suspicion]:
    """Layers of zeros that keep the gradient from what is before or behind them."""
    layers = [w for w in probe.weights if w.before.ndim > 1]
    empty = [w for w in layers if not np.any(w.before)]
    stuck = [w for w in layers if w.gradient is not None and not np.any(w.gradient)]
    if len(empty) < 2 or not stuck:  # one layer of zeros, such as the last, learns in its first step
        return
    yield Suspicion(
        f"{len(empty)} layers begin with weights of zero",
        empty[0].place,
        {"layers of zeros": float(len(empty)), "layers without gradient": float(len(stuck))},
        "a gradient is a product with the weights behind a layer and with the values before it: of zeros it is zero",
        (fresh_start(),),
        also=tuple(w.place for w in empty[1:]),
    )


@rule("symmetric start", explains=FOLLOWS)
def symmetric(probe: Probe) -> Iterator[Suspicion]:
    """Layers whose units all begin alike, and get the same gradient."""
    same = [
        w for w in probe.weights
        if w.before.ndim > 1 and len(w.before) > 1 and np.any(w.before) and np.all(w.before == w.before[:1])
        and w.gradient is not None and np.allclose(w.gradient, w.gradient[:1], rtol=1e-4, atol=1e-12)
    ]  # fmt: skip
    if not same:
        return
    yield Suspicion(
        f"all {len(same[0].before)} units of {same[0].name} begin alike",
        same[0].place,
        {"layers of equal units": float(len(same))},
        "equal units get equal gradients and stay equal: the layer is as good as one unit",
        (fresh_start(),),
        also=tuple(w.place for w in same[1:]),
    )
