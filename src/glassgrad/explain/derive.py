"""The derivation of a gradient as a textbook has it: the chain rule, line by line, checked against the number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..graph import Node
from .formula import LATEX, TEXT, Product, Total, written
from .replay import replay
from .steps import Step
from .textbook import tidy

WRITTEN = 12
"""Paths of single numbers up to which the whole gradient is written in one line."""
CLOSE = 1e-5


@dataclass
class Derivation:
    """dL/dw for a recorded graph."""

    name: str
    lines: list[tuple[str, str]]
    """LaTeX and text, from the loss down."""
    value: float
    """The recorded number: of the entry of largest size."""
    computed: float
    """The same from the last line's formula."""
    measured: float
    """The same by a central difference of the loss."""

    @property
    def latex(self) -> str:
        """All lines, aligned at their first equals sign."""
        rows = [line.replace(" = ", " &= ", 1) for line, _ in self.lines]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    @property
    def matches(self) -> bool:
        """Whether the formula gives the recorded number, and the central difference agrees."""
        size = max(abs(self.value), 1e-8)
        return abs(self.computed - self.value) <= CLOSE * size and abs(self.measured - self.value) <= 1e-3 * size + 1e-7

    def __str__(self) -> str:
        lines = [text for _, text in self.lines]
        lines.append(f"recorded {written(self.value)}, by the formula {written(self.computed)}, "
                     f"by differences {written(self.measured)}")  # fmt: skip
        return "\n".join(lines)


def derive(tape: Any, node: Node) -> Derivation:
    """See `Tape.derive`."""
    below = _above(tape, node)
    lines = []
    last: Step | None = None
    for step in tape.steps:
        if step.phase != "backward":
            continue
        target = step.operand if step.edge is not None else step.node
        if target is node or target in below:
            lines.append((step.latex, step.formula))
            last = step if target is node else last
    if last is None:
        tape.why(node, (0,) * len(node.shape))  # says what is missing
    assert last is not None
    index = last.largest
    value = float(last.value[index])
    computed = last.entry(index).compute()
    if not node.shape:
        why = tape.why(node, (), top=WRITTEN)
        if why.complete:
            terms = [Product(tuple(f.expr for f in p.factors)) for p in why.paths]
            whole = tidy(Total(tuple(tidy(t) for t in terms)))
            text, latex = tape.symbols.gradient(node)
            lines.append((f"{latex} = {whole.write(LATEX)}", f"{text} = {whole.write(TEXT)}"))
            computed = whole.compute()
    return Derivation(tape.symbols.text(node), lines, value, computed, _difference(tape, node, index))


def _above(tape: Any, node: Node) -> set[Node]:
    """What was computed from a node."""
    found = {node}
    for other, held in tape.records.items():
        if any(s in found for s in held.inputs):
            found.add(other)
    return found - {node}


def _difference(tape: Any, node: Node, index: tuple[int, ...]) -> float:
    """The derivative by one entry, from the loss at two places near by, in float64."""
    held = tape.value(node).astype("float64")
    step = 1e-5 * max(1.0, abs(float(held[index])))
    made = []
    for sign in (1, -1):
        moved = held.copy()
        moved[index] += sign * step
        made.append(replay(tape, {node: moved}, wide=True))
    return (made[0] - made[1]) / (2 * step) if all(map(math.isfinite, made)) else math.nan
