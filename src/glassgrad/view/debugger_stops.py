"""Where the step debugger stops by itself: written in words, such as "norm < 1e-6" or "module layers.0"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import ArgumentError
from ..report import StepReport, TapeReport
from .lines import nearest, number

FORMS = ("norm < 1e-6", "norm > 100", "nan", "op NAME", "module PATH")
"""How stops are written."""
NORM = re.compile(r"(?:gradient\s+)?norm\s*(<|>|(?:falls\s+|is\s+)?below|(?:rises\s+|is\s+)?above)\s*(\S+)")
NAN = re.compile(r"(?:where\s+)?(?:a\s+)?(?:nan|inf|infinity|not finite)(?:\s+appears)?")
NAMED = re.compile(r"(?:at\s+)?(?:an?\s+)?(op|module|layer)\s+(\S+)")


@dataclass(frozen=True)
class Stop:
    """A condition on steps."""

    kind: str
    """"below", "above", "nan", "op" or "module"."""
    name: str = ""
    bound: float = 0.0

    def __str__(self) -> str:
        if self.kind in ("below", "above"):
            return f"gradient norm {'<' if self.kind == 'below' else '>'} {number(self.bound)}"
        return "nan or infinity appears" if self.kind == "nan" else f"{self.kind} {self.name}"


def parse(text: str, report: TapeReport) -> Stop:
    """A stop from its words.

    Raises:
        ArgumentError: words that are no stop, a number that is none, an op or a module that the step does not have.
    """
    words = text.strip()
    if found := NORM.fullmatch(words):
        try:
            bound = float(found[2].replace("−", "-"))
        except ValueError:
            raise ArgumentError(f"{found[2]!r} is no number", fix="write it as 1e-6") from None
        return Stop("below" if found[1] == "<" or found[1].endswith("below") else "above", bound=bound)
    if NAN.fullmatch(words.lower()):
        return Stop("nan")
    if found := NAMED.fullmatch(words):
        kind = "op" if found[1] == "op" else "module"
        known = {step.op for step in report.steps} if kind == "op" else layers(report)
        if found[2] not in known:
            raise ArgumentError(f"no step is of the {kind} {found[2]!r}", fix=nearest(found[2], known))
        return Stop(kind, found[2])
    raise ArgumentError(f"{words!r} is no stop", fix="write one of: " + ", ".join(FORMS))


def layers(report: TapeReport) -> list[str]:
    """The modules that have steps, and those around them, in the order of the forward pass."""
    found: dict[str, None] = {}
    for step in report.steps:
        if step.phase != "update":  # what an optimizer computes is in no layer
            found |= dict.fromkeys(around(step.module))
    return list(found)


def around(path: str) -> list[str]:
    """A module's path and those of the modules around it, the outermost first."""
    parts = path.split(".") if path else []
    return [".".join(parts[:size]) for size in range(1, len(parts) + 1)]


def hits(stop: Stop, step: StepReport, before: StepReport | None, came: float | None) -> bool:
    """Whether a stop is at a step.

    Args:
        before: the step before it, if there is one: a module stops where it is entered.
        came: in the backward pass the norm of the gradient that arrived: a norm falls where it was not below already.
    """
    if stop.kind == "nan":
        return step.lost
    if stop.kind == "op":
        return step.op == stop.name
    if stop.kind == "module":
        return _within(step, stop.name) and not (
            before is not None and before.phase == step.phase and _within(before, stop.name)
        )
    norm = step.value.norm
    if step.phase != "backward" or norm is None:
        return False
    if stop.kind == "below":
        return norm < stop.bound and (came is None or came >= stop.bound)
    return norm > stop.bound and (came is None or came <= stop.bound)


def _within(step: StepReport, path: str) -> bool:
    return step.module == path or step.module.startswith(f"{path}.")
