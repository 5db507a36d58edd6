"""Weights that begin so large that the first loss is far above what it takes to say nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...findings import Place
from ..courses import standing
from ..layers import Layer, grown, judged, layers_of, rescaled, told, wide_in
from ..patient import Patient
from ..probe import Probe, Weight, rms
from ..remedies import fitted_start, fresh_start
from ..rule import Suspicion, rule
from .flatness import flattened, is_told

ABOVE, FAR_ABOVE = 2.0, 5.0
"""A loss that begins at so many times what it is with weights of a usual size is the doing of these weights; of weights
that are not too large one by one it takes more."""
TABLE, FEW = 8.0, 16
"""A size that no table of numbers begins with: those of `nn.Embedding` have 1. Of fewer numbers a size is chance."""
FOLLOWS = (
    "flat place", "too low a rate", "too high a rate", "oscillating loss", "diverging loss", "gradient noise",
    "weights that barely move", "weights that move wildly", "no overfitting of one batch",
)  # fmt: skip


@rule("too large a start", explains=FOLLOWS)
def too_large(probe: Probe) -> Iterator[Suspicion]:
    """Layers of too large weights, by which the loss begins far above its usual level, activations are flat, or the
    gradient grows from layer to layer."""
    layers, wide, start = layers_of(probe), wide_in(probe), probe.start.mean
    if wide:
        remedy = rescaled(wide)
        treated = remedy.treated(probe.patient)
        usual = standing(treated).mean
        high = math.isfinite(usual) and not start < ABOVE * abs(usual)
        if not high and not _flat_by(probe, treated):
            return
    elif tables := _large_tables(probe, layers):
        yield _of_tables(tables)
        return
    else:
        remedy = fresh_start()
        treated = remedy.treated(probe.patient)
        usual = standing(treated).mean
        if not layers or not math.isfinite(usual) or start < FAR_ABOVE * abs(usual) or usual <= 0:
            return
    yield Suspicion(
        f"the loss begins at {start:.4g}, and at {usual:.4g} with weights of a usual size",
        wide[0].place if wide else Place(module=_furthest(probe, treated)),
        {
            "loss at the start": start,
            "loss with weights of a usual size": usual,
            **(told(wide, layers) if wide else {}),
        },
        "numbers grow by the size of the weights times the root of the fan-in in each layer: the first steps only undo "
        "the start",
        judged(remedy, fresh_start(), fitted_start()),
        sure=not math.isfinite(start),
        also=tuple(each.place for each in wide[1:]),
    )


def _large_tables(probe: Probe, layers: list[Layer]) -> list[Weight]:
    """Parameters that are looked up or added, such as embeddings, far larger than the numbers beside them."""
    inside = {each.name for each in layers}
    tables = [w for w in probe.weights if w.before.ndim > 1 and w.before.size >= FEW and w.name not in inside]
    return [w for w in tables if rms(w.before) > TABLE and w.gradient is not None]


def _of_tables(tables: list[Weight]) -> Suspicion:
    size = rms(tables[0].before)
    return Suspicion(
        f"{tables[0].name} begins with numbers of the size {size:.3g}",
        tables[0].place,
        {"size of its numbers": size, "tables that are as large": float(len(tables))},
        "what is added to it, or normed with it, hardly counts beside it: a step of the usual size changes next to "
        "nothing",
        judged(fresh_start(), grown(tables, 1.0), grown(tables, 0.1)),
        sure=False,
        also=tuple(each.place for each in tables[1:]),
    )


def _furthest(probe: Probe, treated: Patient) -> str:
    """The parameter that is the most times as large as a fresh one."""
    fresh = dict(treated.model.named_parameters())
    sizes = [(w.name, rms(w.before), rms(fresh[w.name].detach().numpy())) for w in probe.weights if w.name in fresh]
    return max((old / max(new, 1e-12), name) for name, old, new in sizes if old > new)[1] if sizes else ""


def _flat_by(probe: Probe, treated: Patient) -> bool:
    """Whether activations are flat that are not with weights of a usual size."""
    return flattened(probe, is_told(probe))[0] is not None and flattened(Probe(treated), False)[0] is None
