"""A remedy is tried: the same steps from the same start, with it and without it."""

from __future__ import annotations

import math

from ..errors import GlassgradError
from ..findings import Proof
from .courses import level, standing, steady
from .patient import Patient
from .probe import Probe
from .rule import Remedy

LEAST, DONE = 0.05, 1e-4
"""By which share of what is left a remedy must lower the loss further than the steps without it do, and by which share
of the loss at the start: where less than that is left, nothing is left to mend."""


def tried(probe: Probe, remedy: Remedy) -> Proof:
    """Whether a remedy helps this patient."""
    try:
        treated = remedy.treated(probe.patient)
        after = treated.train(probe.steps)
        if probe.fails:
            return _taken(probe, remedy, treated, after)
        if remedy.judge is not None:
            before, end, new = probe.losses, remedy.judge(probe.losses), remedy.judge(after)
            holds = _clearly(end, new) and _lasts(treated, after)
        elif remedy.measure is None:
            before, end, new = probe.losses, _end(probe.patient, probe.losses), _end(treated, after)
            holds = _helps(probe, end, new) and _lasts(treated, after)
        else:
            plain = probe.patient.copy()
            before = plain.train(probe.steps)
            end, new = remedy.measure(plain), remedy.measure(treated)
            holds = _clearly(end, new)
    except (GlassgradError, ArithmeticError, ValueError, AttributeError, TypeError) as error:
        said = f"the steps with it failed: {error.args[0] if error.args else type(error).__name__}"
        return Proof(remedy.measured, () if probe.fails else tuple(probe.losses), (), False, said)
    said = f"{remedy.measured} after {probe.steps} steps: {end:.4g} as it was, {new:.4g} with the remedy"
    return Proof(remedy.measured, tuple(before), tuple(after), holds, said)


def _taken(probe: Probe, remedy: Remedy, treated: Patient, after: list[float]) -> Proof:
    """What a remedy makes of a step that cannot be taken as it is."""
    holds = math.isfinite(after[-1]) and _lasts(treated, after)
    led = f"{after[0]:.4g} to {after[-1]:.4g}"
    said = f"a step fails as it was; {probe.steps} steps with the remedy take the loss from {led}"
    return Proof(remedy.measured, (), tuple(after), holds, said)


def _clearly(end: float, new: float) -> bool:
    """Whether a number is lower by more than a little."""
    return math.isfinite(new) and (not math.isfinite(end) or new < end - LEAST * abs(end))


def _helps(probe: Probe, end: float, new: float) -> bool:
    """Whether it ends lower, by more than the noise of batches and draws accounts for."""
    if not math.isfinite(new) or not math.isfinite(end):
        return math.isfinite(new)
    return new < end - max(LEAST * abs(end), DONE * abs(probe.start.mean), probe.start.scatter / 2)


def _lasts(treated: Patient, losses: list[float]) -> bool:
    """Whether the steps with it have not run away by the end, but lowered the loss or left it."""
    if len(losses) < 2:
        return False
    noise = 0.0 if len(treated.batches) == 1 else float(standing(treated).scatter)
    count = len(treated.batches)
    return steady(losses, count, noise) and level(losses, count) <= 1.05 * abs(losses[0]) + 3 * noise


def _end(patient: Patient, losses: list[float]) -> float:
    """Where a course of losses ends, single steps evened out."""
    return level(losses, len(patient.batches))
