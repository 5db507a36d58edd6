"""A remedy is tried: the same steps from the same start, with it and without it."""

from __future__ import annotations

import math

import numpy as np

from ..findings import Proof
from .courses import level, steady, window
from .patient import Patient
from .probe import FAILURES, Probe
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
            holds = _clearly(end, new) and _lasts(probe, treated, after)
        elif remedy.measure is None:
            before, end, new = probe.losses, _end(probe.patient, probe.losses), _end(treated, after)
            holds = _helps(probe, before, after) and _lasts(probe, treated, after)
        else:
            plain = probe.patient.copy()
            before = plain.train(probe.steps)
            end, new = remedy.measure(plain), remedy.measure(treated)
            holds = _clearly(end, new)
    except FAILURES as error:
        said = f"the steps with it failed: {error.args[0] if error.args else type(error).__name__}"
        return Proof(remedy.measured, () if probe.fails else tuple(probe.losses), (), False, said)
    said = f"{remedy.measured} after {probe.steps} steps: {end:.4g} as it was, {new:.4g} with the remedy"
    return Proof(remedy.measured, tuple(before), tuple(after), holds, said)


def _taken(probe: Probe, remedy: Remedy, treated: Patient, after: list[float]) -> Proof:
    """What a remedy makes of a step that cannot be taken as it is."""
    holds = math.isfinite(after[-1]) and _lasts(probe, treated, after)
    led = f"{after[0]:.4g} to {after[-1]:.4g}"
    said = f"a step fails as it was; {probe.steps} steps with the remedy take the loss from {led}"
    return Proof(remedy.measured, (), tuple(after), holds, said)


def _clearly(end: float, new: float) -> bool:
    """Whether a number is lower by more than a little."""
    return math.isfinite(new) and (not math.isfinite(end) or new < end - LEAST * abs(end))


def _helps(probe: Probe, before: list[float], after: list[float]) -> bool:
    """Whether it ends lower, step against step: the same batches, so that how they differ says nothing."""
    count = window(after, len(probe.patient.batches))
    if not math.isfinite(after[-1]) or len(after) < len(before):
        return False
    if not math.isfinite(before[-1]) or len(before) < len(after):
        return True
    gains = np.subtract(before[-count:], after[-count:])
    noise = float(gains.std()) / math.sqrt(count) if count > 3 else 0.0
    end = abs(float(np.mean(before[-count:])))
    return float(gains.mean()) > max(LEAST * end, DONE * abs(probe.start.mean), noise)


def _lasts(probe: Probe, treated: Patient, losses: list[float]) -> bool:
    """Whether the steps with it have not run away by the end, but lowered the loss or left it."""
    if len(losses) < 2:
        return False
    count = len(treated.batches)
    first = losses[: window(losses, count)]
    highest = max(losses[0], float(np.mean(first)))
    scatter = 0.0 if probe.fails else probe.start.scatter
    noise = scatter / math.sqrt(len(first)) if math.isfinite(scatter) else 0.0  # none where it began with no number
    return steady(losses, count, noise) and level(losses, count) <= highest + 0.05 * abs(highest) + 2 * noise


def _end(patient: Patient, losses: list[float]) -> float:
    """Where a course of losses ends, single steps evened out."""
    return level(losses, len(patient.batches))
