"""From a gradient to a new weight: clipping, decay, momentum, moments, rate, each with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentError
from ..graph import Node
from .entries import Entries, Index
from .formula import LATEX, NUMBERS, TEXT, Expr, Ref, written
from .recording import FORWARD, LOSS, UPDATE


@dataclass
class Move:
    """One number on the way from a gradient to a new weight."""

    name: str
    name_latex: str
    expr: Expr
    value: float

    @property
    def formula(self) -> str:
        return f"{self.name} = {self.expr.write(TEXT)}"

    @property
    def latex(self) -> str:
        return f"{self.name_latex} = {self.expr.write(LATEX)}"

    @property
    def numbers(self) -> str:
        return self.expr.write(NUMBERS)

    def __str__(self) -> str:
        words = [self.formula, self.numbers, written(self.value)]
        return " = ".join(words[:1] if isinstance(self.expr, Ref) else words)


@dataclass
class Update:
    """How one entry of a parameter got its new value."""

    name: str
    index: Index
    old: float
    new: float
    moves: list[Move]
    rule: str
    """The optimizer's name."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.moves))


def update(tape: Any, node: Node, index: Index) -> Update:
    """See `Tape.update`."""
    symbols = tape.symbols
    mine = [new for new, old in symbols.updated.items() if old is node]
    last = [new for new in mine if symbols.text(new) == symbols.text(node) + "′"]
    if not last:
        raise ArgumentError(
            "no update of this tensor was recorded", got=symbols.text(node),
            fix="call optimizer.step() inside the with block, with this parameter in the optimizer",
        )  # fmt: skip
    names = _Names(tape, node)
    moves = []
    g = tape.cotangents.get(node)
    if g is not None:
        text, latex = symbols.gradient(node)
        moves.append(_move(tape, names, g, index, text, latex, gradient=True))
    for new in sorted({*mine, *_shared(tape, mine)}, key=lambda n: n.id):
        text, latex = symbols.both(new)
        at = index if new.shape == node.shape else ()
        moves.append(_move(tape, names, new, at, text, latex))
    rule = last[-1].origin.scope[0] if last[-1].origin is not None and last[-1].origin.scope else None
    return Update(
        symbols.text(node), index, float(tape.value(node)[index]), float(tape.value(last[-1])[index]), moves,
        type(rule).__name__ if rule is not None else "",
    )  # fmt: skip


def _shared(tape: Any, mine: list[Node]) -> set[Node]:
    """Numbers made of all gradients that these new values depend on, such as their norm."""
    found: set[Node] = set()
    seen = set(mine)
    stack = list(mine)
    while stack:
        for source in tape.inputs(stack.pop()):
            origin = tape.source(source)
            if tape.symbols.roles.get(origin) == "whole":
                found.add(origin)
            elif origin not in seen and tape.phase(origin) == UPDATE and not tape.is_leaf(origin):
                seen.add(origin)
                stack.append(origin)
    return found


class _Names:
    """Symbols, with the parameter's gradient under its own name whatever else the node is the gradient of."""

    def __init__(self, tape: Any, node: Node) -> None:
        self.tape = tape
        self.own: dict[Node, tuple[str, str]] = {}
        if node in tape.cotangents:
            self.own[tape.cotangents[node]] = tape.symbols.gradient(node)

    def both(self, node: Node) -> tuple[str, str]:
        found = self.own.get(node) or self.own.get(self.tape.source(node)) or self.tape.symbols.both(node)
        return found


def _move(tape: Any, names: _Names, node: Node, index: Index, text: str, latex: str, gradient: bool = False) -> Move:
    where = f"[{','.join(map(str, index))}]" if index else ""
    value = float(tape.value(node)[index])
    if gradient:
        return Move(text + where, latex + where, Ref(written(value), written(value), value), value)

    def stop(other: Node) -> bool:
        if other is node:
            return False
        if tape.is_leaf(other) and other.op is None and tape.source(other) is other:
            return True
        outside = tape.phase(other) in (FORWARD, LOSS) or other in tape.arrived_nodes
        return other in tape.symbols.own or outside

    return Move(text + where, latex + where, Entries(tape, names, stop).formula(node, index), value)
