"""The range test: short trials over a grid of rates. L. Smith, "Cyclical Learning Rates for Training Neural Networks"
(2017), whose one sweep is here a trial for each rate, so that none inherits what another has ruined."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .courses import Standing, standing, steady
from .patient import Patient
from .probe import FAILURES

SHORT = 30
"""The steps of a short trial, at most; a third of a whole one's where those are few."""


def rate_of(patient: Patient) -> float:
    """The rate of a patient; of several groups the first one's. With a schedule, the highest that it comes to."""
    group = patient.optimizer.param_groups[0]
    if patient.rates:
        return float(group["lr"]) * max(patient.rates)
    return max(float(group.get(name, 0.0)) for name in ("lr", "initial_lr", "max_lr"))


def at(patient: Patient, factor: float) -> Patient:
    """Another patient, all of whose rates are multiplied."""
    other = patient.copy()
    for group in other.optimizer.param_groups:
        group["lr"] = group["lr"] * factor
    return other


@dataclass(frozen=True)
class Range:
    """What short trials at multiples of the rate came to."""

    ends: dict[float, float]
    """By the factor of the rate, in rising order: the loss after the trial; infinite where it ran away."""
    start: Standing

    @property
    def falls(self) -> list[float]:
        """The factors at which the loss falls."""
        least = max(self.start.drawn, 0.005 * self.start.scale)
        return [factor for factor, end in self.ends.items() if end < self.start.mean - least]

    @property
    def best(self) -> float:
        """The factor at which it falls the most."""
        return min(self.ends, key=lambda factor: self.ends[factor])

    def evidence(self, rate: float) -> dict[str, float]:
        """The numbers to show."""
        falls = self.falls
        if not falls:
            return {}
        return {
            "least rate tried at which the loss falls": rate * min(falls),
            "highest rate tried at which the loss falls": rate * max(falls),
            "rate at which it falls the most": rate * self.best,
        }


def range_test(patient: Patient, factors: Iterable[float], steps: int, start: Standing) -> Range:
    """Try multiples of the rate for a few steps each, on copies."""
    count = min(steps, SHORT, max(8, steps // 3))
    ends: dict[float, float] = {}
    for factor in sorted(factors):
        other = at(patient, factor)
        try:
            good = steady(other.train(count), len(patient.batches), start.scatter)
            ends[factor] = standing(other, 1).mean if good else math.inf
        except FAILURES:
            ends[factor] = math.inf
        if not math.isfinite(ends[factor]):
            ends[factor] = math.inf
    return Range(ends, start)
