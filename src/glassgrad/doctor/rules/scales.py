"""Weights that begin so large that the first loss is far above what it takes to say nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..courses import standing
from ..layers import LARGE, judged, layers_of, rescaled, told
from ..probe import Probe
from ..remedies import fitted_start, fresh_start
from ..rule import Suspicion, rule

ABOVE = 2.0
"""A loss that begins at so many times what it is with weights of a usual size is the doing of these weights."""
FOLLOWS = (
    "flat place", "too low a rate", "too high a rate", "oscillating loss", "diverging loss", "gradient noise",
    "weights that barely move", "weights that move wildly", "no overfitting of one batch",
)  # fmt: skip


@rule("too large a start", explains=FOLLOWS)
def too_large(probe: Probe) -> Iterator[Suspicion]:
    """Layers of too large weights, where the flow of the gradient does not tell it already."""
    layers = layers_of(probe)
    wide = [each for each in layers if each.gain > LARGE]
    if not wide:
        return
    remedy, start = rescaled(wide), probe.start.mean
    usual = standing(remedy.treated(probe.patient)).mean
    if not math.isfinite(usual) or start < ABOVE * abs(usual):
        return
    yield Suspicion(
        f"the loss begins at {start:.4g}, and at {usual:.4g} with weights of a usual size",
        wide[0].site.place,
        {"loss at the start": start, "loss with weights of a usual size": usual, **told(wide, layers)},
        "numbers grow by the size of the weights times the root of the fan-in in each layer: the first steps only undo "
        "the start",
        judged(remedy, fresh_start(), fitted_start()),
        sure=not math.isfinite(start),
        also=tuple(each.site.place for each in wide[1:]),
    )
