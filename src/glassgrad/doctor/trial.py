"""A remedy is tried: the same steps from the same start, with it and without it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import GlassgradError
from ..findings import Proof
from .probe import Probe
from .rule import Remedy

LEAST = 0.05
"""By which share of what is left a remedy must lower the loss further than the steps without it do."""


def tried(probe: Probe, remedy: Remedy) -> Proof:
    """Whether a remedy helps this patient."""
    try:
        treated = remedy.treated(probe.patient)
        after = treated.train(probe.steps)
    except (GlassgradError, ArithmeticError) as error:
        said = f"the steps with it failed: {error.args[0] if error.args else type(error).__name__}"
        return Proof(remedy.measured, tuple(probe.losses), (), False, said)
    if remedy.measure is None:
        before, end, new = probe.losses, _end(probe.losses), _end(after)
    else:
        plain = probe.patient.copy()
        before = plain.train(probe.steps)
        end, new = remedy.measure(plain), remedy.measure(treated)
    holds = math.isfinite(new) and (not math.isfinite(end) or new < end - LEAST * abs(end))
    said = f"{remedy.measured} after {probe.steps} steps: {end:.4g} as it was, {new:.4g} with the remedy"
    return Proof(remedy.measured, tuple(before), tuple(after), holds, said)


def _end(losses: Sequence[float]) -> float:
    """Where a course of losses ends, single steps evened out."""
    last = losses[-3:]
    return sum(last) / len(last)
