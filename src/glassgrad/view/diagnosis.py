"""What all views of a diagnosis say in the same words, and how they lay two courses of a loss beside each other."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..findings import FAULT, NOTE, Examination, Place, Proof, count
from .lines import number

LOSS = "the loss"
AS_IT_WAS, REMEDIED = "as it was", "with the remedy"
WIDE = 20.0
"""From this ratio of the largest number to the least on, a scale is logarithmic."""
FAR = 1e3
"""How many times the numbers that courses begin with a scale shows: where one diverges, the other is still seen."""


def title(report: Examination) -> str:
    return report.title or f"The doctor on {report.model or 'a training'}"


def verdict(report: Examination) -> str:
    """How much was found."""
    weights = [finding.weight for finding in report.findings]
    if weights:
        return " and ".join(count(weights.count(each), each) for each in (FAULT, NOTE) if each in weights)
    if report.stopped:
        return "Nothing was found before it stopped."
    return f"Nothing is wrong: none of {count(len(report.looked_for), FAULT)} was found."


def examined(report: Examination) -> str:
    """What was looked at, in a sentence; empty where nobody knows."""
    parts = []
    if report.parameters:
        parts.append(f"{report.model or 'a model'} with {count(report.parameters, 'parameter')}")
    if report.operations:
        rule = f" and {report.optimizer}" if report.optimizer else ""
        parts.append(f"a step of {count(report.operations, 'operation')}{rule}")
    if report.steps:
        batches = f" on {count(report.batches, 'batch', 'batches')}" if report.batches else ""
        parts.append(f"trials of {count(report.steps, 'step')}{batches}")
    if report.watched:
        parts.append(f"a training loop of {count(len(report.watched), 'backward pass', 'backward passes')}")
    went = report.watched or report.losses
    course = f" The loss went {ends(went)}." if went else ""
    refused = f" Left out, as an error was raised: {'; '.join(report.left_out)}." if report.left_out else ""
    return f"Examined: {', '.join(parts)}.{course}{refused}" if parts else f"{course}{refused}".strip()


def place(where: Place) -> str:
    """A place in words, its file without folders."""
    return str(replace(where, line=place_apart(where)[1]))


def place_apart(where: Place) -> tuple[str, str]:
    """A place without its line, and the line, its file without folders."""
    line = re.sub(r"^.*[/\\](?=[^/\\]*:\d)", "", where.line)
    named = str(replace(where, line=""))
    return ("" if line and named == str(Place()) else named), line


def rows(evidence: Sequence[tuple[str, float]]) -> list[tuple[str, str]]:
    """The numbers of a finding, each with its name."""
    return [(name, number(value)) for name, value in evidence]


def ends(course: Sequence[float]) -> str:
    """Where a course begins and where it ends: "from 2.3 to nan, after 12 steps"."""
    last = course[-1]
    after = "" if math.isfinite(last) else f", after {count(len(course) - 1, 'step')}"
    return f"from {number(course[0])} to {number(last)}{after}"


def courses(proof: Proof) -> list[tuple[str, tuple[float, ...]]]:
    """Those that a proof compares, as far as there are any."""
    return [(name, each) for name, each in ((AS_IT_WAS, proof.before), (REMEDIED, proof.after)) if each]


def caution(proof: Proof) -> str:
    """What to know of the courses of a proof that compares something else; empty where it is they that count."""
    if proof.measured == LOSS:
        return ""
    return f"The remedy changes the loss itself, so that {proof.measured} is compared, and not these courses."


@dataclass(frozen=True)
class Scale:
    """One scale for several courses: where a number stands between the least and the largest, from 0 to 1."""

    least: float
    most: float
    log: bool
    cut: bool = False
    """Whether there are larger numbers than it shows."""

    @classmethod
    def of(cls, *given: Sequence[float]) -> Scale | None:
        """The scale for all finite numbers; None if there are none."""
        finite = [[value for value in course if math.isfinite(value)] for course in given]
        found = [course for course in finite if course]
        if not found:
            return None
        least, most = min(map(min, found)), max(map(max, found))
        far = FAR * max(abs(course[0]) for course in found)
        cut = most > far > least
        most = far if cut else most
        return cls(least, most, least > 0 and most / least > WIDE, cut)

    def __call__(self, value: float) -> float:
        """Where a number stands."""
        ends = self.least, self.most, min(value, self.most)
        low, high, at = map(math.log, ends) if self.log else ends
        # halved, so that what lies between the two largest numbers of either sign is no infinity
        return (at / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5

    @property
    def words(self) -> str:
        """The scale in words."""
        kind = ", logarithmic" if self.log else ""
        above = ", what is larger at its edge" if self.cut else ""
        return f"from {number(self.least)} to {number(self.most)}{kind}{above}"


def squeezed(course: Sequence[float], width: int, whole: int) -> list[float]:
    """A course in at most ``width`` columns, where ``whole`` numbers would take all; each column has the mean of its
    finite numbers, or NaN where there are none."""
    columns = min(width, whole)
    made: list[list[float]] = [[] for _ in range(columns)]
    for step, value in enumerate(course):
        if math.isfinite(value):
            made[step * columns // whole].append(value)
    return [math.fsum(v / len(each) for v in each) if each else math.nan for each in made]


def found_in(report: Examination, where: Place) -> str:
    """What is written in the line of a place."""
    return report.sources.get(where.line, "")
