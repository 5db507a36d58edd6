"""A recorded training step, one step at a time: what was computed, its formula, its numbers, and a plain sentence.

A step of the forward pass is one op. A step of the backward pass is what one op passes to one of its operands, by the
graph that its derivative rule made. A step of the update is a new weight, or a new value of an optimizer's state.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import Node, is_constant
from ..op import Op
from .entries import Entries, Index, passes
from .formula import LATEX, NUMBERS, TEXT, Call, Expr, Num, Ref, written
from .jacobian import LocalMap, bends
from .naming import source_line, through
from .recording import BACKWARD, FORWARD, LOSS, UPDATE, Edge, as_index, unseen
from .symbols import Symbols
from .textbook import tidy

MANY = float("nan")
"""The number of a symbol that stands for many; one object, so that equal symbols are equal."""


class Step:
    """One step. Everything but what it is of is worked out when it is first asked for."""

    def __init__(
        self, number: int, phase: str, node: Node, made: Node, name: tuple[str, str], tape: Any,
        edge: Edge | None = None,
    ) -> None:  # fmt: skip
        self.number, self.phase, self.node, self.made, self.tape, self.edge = number, phase, node, made, tape, edge
        self.name, self.name_latex = name
        self._entries: dict[Index, Expr] = {}

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def op(self) -> str:
        """The op's name; in the backward pass that of the op whose derivative is taken."""
        if self.phase == BACKWARD and self.edge is None:
            return "sum of the paths"
        return self.node.op.name if self.node.op is not None else ""

    @property
    def module(self) -> str:
        """The path of the module that it belongs to; "" outside of all."""
        held = self.tape.records.get(self.node)
        return held.path if held is not None else ""

    @property
    def line(self) -> str:
        """The user's line, as file:number in function."""
        return self.node.where

    @property
    def source(self) -> str:
        """The text of that line."""
        return source_line(self.node.origin.where if self.node.origin else None)

    @property
    def value(self) -> np.ndarray[Any, Any]:
        """The result, whole."""
        found: np.ndarray[Any, Any] = self.tape.value(self.made)
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    @property
    def operand(self) -> Node | None:
        """In the backward pass, whose gradient this is."""
        return None if self.edge is None else self.tape.inputs(self.edge.node)[self.edge.index]

    @property
    def moves(self) -> bool:
        """Whether it only moves entries around, or passes them on."""
        return self.node.op is not None and self.node.op.kind == "structural"

    # -- its formula --------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _whole(self) -> Expr:
        return tidy(_Wholes(self.tape, self.names, self.stops).write(self.made))

    @property
    def formula(self) -> str:
        """The formula in symbols: "z1 = x · w1 + b1"."""
        return f"{self.name} = {self._whole.write(TEXT)}"

    @property
    def latex(self) -> str:
        return f"{self.name_latex} = {self._whole.write(LATEX)}"

    @functools.cached_property
    def largest(self) -> Index:
        """Where the entry of largest size stands, the first that is not finite before all."""
        value = self.value
        if not value.size:
            return ()
        size = np.abs(value.astype(np.float64))
        bad = ~np.isfinite(size)
        place = int(np.argmax(bad)) if bad.any() else int(np.argmax(size))
        return tuple(int(i) for i in np.unravel_index(place, value.shape))

    def entry(self, index: Any = None) -> Expr:
        """The formula of one entry; by default of the largest."""
        at = self.largest if index is None else as_index(index, self.shape)
        if at not in self._entries:
            self._entries[at] = Entries(self.tape, self.names, self.stops).formula(self.made, at)
        return self._entries[at]

    @property
    def numbers(self) -> str:
        """The numbers plugged in: of the only entry, or of the largest."""
        if not self.value.size:
            return ""
        return self.entry().write(NUMBERS)

    @property
    def result(self) -> str:
        """The number; of many numbers their range."""
        return range_of(self.value)

    @functools.cached_property
    def names(self) -> Names:
        """The symbols as this step has them."""
        return Names(self.tape, self)

    def stops(self, node: Node) -> bool:
        """Whether this step's formula ends at a node: it has a name before it."""
        tape = self.tape
        if node in self.names.own or (tape.is_leaf(node) and not is_constant(node)):
            return True
        if self.phase == UPDATE:
            return node in tape.symbols.own or node in tape.arrived_nodes or tape.phase(node) in (FORWARD, LOSS)
        if node is self.made:
            return False
        if self.phase != BACKWARD and tape.is_passing(node, self.made):
            return False
        return tape.phase(node) in (FORWARD, LOSS) or node in tape.arrived_nodes

    @property
    def sentence(self) -> str:
        """What happened to this number, in plain words."""
        from .sentences import sentence

        return sentence(self)

    @property
    def bent(self) -> int:
        """The one operand that an elementwise op of the forward pass bends, as tanh does; -1 if there is none."""
        op = self.made.op
        if self.phase not in (FORWARD, LOSS) or not isinstance(op, Op) or op.kind != "elementwise":
            return -1
        inputs = self.tape.inputs(self.made)
        ours = [k for k, x in enumerate(inputs) if not is_constant(x) and x.dtype.kind == "f"]
        if len(ours) != 1 or inputs[ours[0]].shape != self.shape:
            return -1
        bent = bends(op, ours[0], tuple(x.dtype for x in inputs), tuple(self.made.params.items()))
        return ours[0] if bent else -1

    @functools.cached_property
    def slopes(self) -> np.ndarray[Any, Any] | None:
        """The slope of a bent op at every entry; None for all others."""
        place = self.bent
        if place < 0 or not self.value.size:
            return None
        inputs = self.tape.inputs(self.made)
        with unseen():
            made = LocalMap(self.made, place, inputs, [self.tape.value(x) for x in inputs], self.value)
            found: np.ndarray[Any, Any] = made.slopes
        return found

    def gradient_of(self, node: Node) -> np.ndarray[Any, Any]:
        """What arrived at a value."""
        found: np.ndarray[Any, Any] = self.tape.value(self.tape.cotangents[node])
        return found

    @functools.cached_property
    def stats(self) -> dict[str, Any]:
        """Norm, share of zeros, range, mean, and entries that are not finite."""
        return statistics(self.value)

    def __repr__(self) -> str:
        return f"<{self.phase} {self.number}: {self.name} by {self.op}>"

    def __str__(self) -> str:
        middle = "" if self.numbers == self.result else f" = {self.numbers}"
        return f"{self.formula}{middle if self.value.size == 1 else ''} = {self.result}"


def range_of(value: Any) -> str:
    """A number; of many numbers the least and the most."""
    if value.size == 1:
        return written(float(value.ravel()[0]))
    if not value.size:
        return "no entries"
    if value.dtype.kind == "b":
        return f"{int(value.sum())} of {value.size} true"
    least, most = value.min(), value.max()  # nan if there is one
    if np.isfinite(least) and np.isfinite(most):
        return f"{written(float(least))} … {written(float(most))}"
    finite = value[np.isfinite(value)]
    if not finite.size:
        return f"{value.size} entries, none finite"
    span = f"{written(float(finite.min()))} … {written(float(finite.max()))}"
    return f"{span}, {value.size - finite.size} not finite"


def statistics(value: Any) -> dict[str, Any]:
    """What can be said of an array at a glance."""
    found: dict[str, Any] = {"shape": tuple(value.shape), "dtype": str(value.dtype), "entries": int(value.size)}
    if value.dtype.kind != "f" or not value.size:
        return found
    wide = value.astype(np.float64)
    finite = wide[np.isfinite(wide)]
    found |= {
        "norm": float(np.sqrt(np.sum(finite * finite))), "zeros": float(np.mean(wide == 0)),
        "not finite": int(value.size - finite.size),
    }  # fmt: skip
    if finite.size:
        found |= {"least": float(finite.min()), "most": float(finite.max()), "mean": float(finite.mean())}
    return found


class Names:
    """Symbols as one step has them: a node may be the gradient of several values, and is called by the one at hand."""

    def __init__(self, tape: Any, step: Step) -> None:
        self.symbols: Symbols = tape.symbols
        self.own: dict[Node, tuple[str, str]] = {}
        if step.edge is not None:
            self.own[tape.cotangents[step.edge.node]] = self.symbols.gradient(step.edge.node)
        elif step.phase == UPDATE and step.made in self.symbols.updated:
            old = self.symbols.updated[step.made]
            if old in tape.cotangents:
                self.own[tape.cotangents[old]] = self.symbols.gradient(old)
        elif step.phase == BACKWARD:
            for edge in tape.edges:
                if tape.inputs(edge.node)[edge.index] is step.node:
                    self.own[edge.part] = part_name(tape, edge)

    def both(self, node: Node) -> tuple[str, str]:
        return self.own.get(node) or self.own.get(self.symbols.tape.source(node)) or self.symbols.both(node)


class _Wholes:
    """Writes a value over whole arrays, as matrices stand in a textbook."""

    def __init__(self, tape: Any, names: Names, named: Callable[[Node], bool]) -> None:
        self.tape, self.names, self.named = tape, names, named

    def write(self, node: Node, first: bool = True) -> Expr:
        if is_constant(node):
            return self.tape.constants.get(node) or Num(float(self.tape.value(node)))
        if self.tape.is_one(node):
            return Num(1.0)
        origin = self.tape.source(node)
        apart = first and node not in self.names.own
        if not apart and (self.named(node) or self.named(origin)):
            node = node if self.named(node) else origin
        elif not self.tape.is_leaf(origin):
            op = origin.op
            inputs = self.tape.inputs(origin)
            args = tuple(self.write(x, False) for x in inputs)
            if len(args) == 1 and passes(op, origin.params):
                return args[0]
            return Call(op, args, tuple(origin.params.items()))
        text, latex = self.names.both(node)
        value = self.tape.value(node)
        return Ref(text, latex, float(value) if not value.shape else MANY)


def part_name(tape: Any, edge: Edge) -> tuple[str, str]:
    """The name of what one of several uses passed back."""
    inputs = tape.inputs(edge.node)
    source = inputs[edge.index]
    place = 1 + sum(x is source for x in inputs[: edge.index])
    return through(
        tape.symbols.gradient(source), tape.symbols.both(edge.node), place if inputs.count(source) > 1 else 0
    )


def steps_of(tape: Any) -> list[Step]:
    """All steps, in the order in which they happened."""
    symbols: Symbols = tape.symbols
    found: list[Step] = []

    def add(phase: str, node: Node, made: Node, name: tuple[str, str], edge: Edge | None = None) -> None:
        found.append(Step(len(found) + 1, phase, node, made, name, tape, edge))

    phase_of = {n: tape.phase(n) for n in tape.records if not tape.is_leaf(n)}
    for phase in (FORWARD, LOSS):
        for node, where in phase_of.items():
            if where == phase:
                add(phase, node, node, symbols.both(node))
    parts: dict[Node, list[Edge]] = {}
    for edge in tape.edges:
        parts.setdefault(tape.inputs(edge.node)[edge.index], []).append(edge)
    seen: dict[Node, int] = {}
    for edge in tape.edges:
        source = tape.inputs(edge.node)[edge.index]
        several = parts[source]
        name = part_name(tape, edge) if len(several) > 1 else symbols.gradient(source)
        add(BACKWARD, edge.node, edge.part, name, edge)
        seen[source] = seen.get(source, 0) + 1
        if len(several) > 1 and seen[source] == len(several) and source in tape.cotangents:
            add(BACKWARD, source, tape.cotangents[source], symbols.gradient(source))
    for node, where in phase_of.items():
        if where == UPDATE and node in symbols.own:
            add(UPDATE, node, node, symbols.both(node))
    return found
