"""The symbol of every recorded value, as formulas have it: W1 for the first layer's weight, the user's own variables,
∂L/∂z for what backward brought to z, and W1′ for a weight after its update."""

from __future__ import annotations

import functools
import re

from ..graph import Node, is_constant
from .naming import assigned_name, latex_of, superscript
from .recording import FORWARD, LOSS, UPDATE, Recording


class Symbols:
    """Names of nodes, made once for a recording."""

    def __init__(self, tape: Recording) -> None:
        self.tape = tape
        self.held: dict[Node, tuple[str, str]] = {}
        self.used: set[str] = set()
        self.legend: dict[str, str] = {}
        """For each short symbol what it stands for: W1 is layers.0.weight."""
        self.updated: dict[Node, Node] = {}
        """For each new weight or state the weight that it is of."""
        self.roles: dict[Node, str] = {}
        """What an update made: "weight", "state", a "clipped" gradient, or a number of the "whole" net."""
        self.own: set[Node] = set()
        """Nodes that have a name of the user's: formulas stop there."""
        self._leaves()
        self._values()
        self._gradients()
        self._clipped()
        self._updates()

    def both(self, node: Node) -> tuple[str, str]:
        """The symbol as text and as LaTeX."""
        found = self.held.get(node) or self.held.get(self.tape.source(node))
        if found is None:
            name = self._free("v")
            found = self.held[node] = name, latex_of(name)
        return found

    def text(self, node: Node) -> str:
        return self.both(node)[0]

    def _put(self, node: Node, text: str, latex: str | None = None) -> None:
        self.held[node] = text, latex_of(text) if latex is None else latex
        self.used.add(text)

    def _free(self, stem: str) -> str:
        number = 1
        while f"{stem}{number}" in self.used:
            number += 1
        self.used.add(f"{stem}{number}")
        return f"{stem}{number}"

    def _leaves(self) -> None:
        layers: dict[str, int] = {}
        named = {n: r.name for n, r in self.tape.records.items() if self.tape.is_leaf(n) and r.name}
        for name in named.values():
            front, _, last = name.rpartition(".")
            if front and last in ("weight", "bias"):
                layers.setdefault(front, len(layers) + 1)
        flat = {n.rpartition(".")[0] for node, n in named.items() if n.endswith("weight") and len(node.shape) < 2}
        for node, name in named.items():
            front, _, last = name.rpartition(".")
            short = name
            if front in layers and last in ("weight", "bias"):
                stem = {"weight": "γ", "bias": "β"}[last] if front in flat else {"weight": "W", "bias": "b"}[last]
                short = f"{stem}{layers[front]}" if len(layers) > 1 else stem
            elif "." in name:
                short = re.sub(r"\W", "_", name)
            while short in self.used:
                short += "′"
            if short != name:
                self.legend[short] = name
            self._put(node, short)
            self.own.add(node)
        for node, held in self.tape.records.items():
            if self.tape.is_leaf(node) and not held.name and self.tape.source(node) is node:
                self._put(node, self._free("c"))

    def _values(self) -> None:
        """Values of the forward pass: by the variable that a statement puts them into, else v1, v2, ..."""
        tape = self.tape
        nodes = [n for n in tape.records if not tape.is_leaf(n) and tape.phase(n) in (FORWARD, LOSS)]
        names = [assigned_name(n.origin.where if n.origin else None) for n in nodes]
        times: dict[str, int] = {}
        for place, (node, assigned) in enumerate(zip(nodes, names, strict=True)):
            following = nodes[place + 1] if place + 1 < len(nodes) else None
            if not assigned or (following is not None and names[place + 1] == assigned and _same(node, following)):
                continue  # the last op of an expression is what the variable holds
            loss = assigned == "loss" and node in tape.roots and "L" not in self.used
            name = "L" if loss else assigned
            times[name] = times.get(name, 0) + 1
            text, latex = name, latex_of(name)
            if times[name] > 1:
                text, latex = text + superscript(times[name]), f"{latex}^{{({times[name]})}}"
            while text in self.used:
                text += "′"
                latex += "'"
            self._put(node, text, latex)
            self.own.add(node)
        for root in reversed(tape.roots):
            if root not in self.held and root in tape.records:
                text = "L" if "L" not in self.used else self._free("L")
                self._put(root, text)
                self.own.add(root)
        count = 0
        for node in nodes:
            if node not in self.held:
                count += 1
                while f"v{count}" in self.used:
                    count += 1
                self._put(node, f"v{count}")

    @functools.cached_property
    def root(self) -> tuple[str, str]:
        """The loss's own symbol."""
        return self.held.get(self.tape.roots[-1], ("L", "L")) if self.tape.roots else ("L", "L")

    def gradient(self, node: Node) -> tuple[str, str]:
        """∂L/∂node."""
        text, latex = self.both(node)
        top = self.root
        return f"∂{top[0]}/∂{text}", rf"\frac{{\partial {top[1]}}}{{\partial {latex}}}"

    def _gradients(self) -> None:
        for node, g in self.tape.cotangents.items():
            text, latex = self.gradient(node)
            if g not in self.held:
                self._put(g, text, latex)

    def _state(self, key: str, p: Node) -> tuple[str, str]:
        text, latex = self.both(p)
        return f"{key}({text})", f"{_escaped(key)}_{{{latex}}}"

    def _clipped(self) -> None:
        """Gradients that were changed between backward and the optimizer, and what was made of all of them for that."""
        tape = self.tape
        arrived = {g: node for node, g in tape.cotangents.items() if tape.is_leaf(node)}
        read = self._read()
        on_the_way: dict[Node, Node] = {}
        for node in tape.records:
            if tape.is_leaf(node) or tape.phase(node) != UPDATE or tape.in_rule(node):
                continue
            sources = [tape.source(s) for s in tape.inputs(node)]
            made_of = [arrived.get(s) or self.updated.get(s) or on_the_way.get(s) for s in sources]
            of = next((o for o in made_of if o is not None and o.shape == node.shape), None)
            if of is not None:
                on_the_way[node] = of
            if of is not None and id(tape.value(node)) in read:
                text, latex = self.gradient(of)
                role, mark = ("total", r"\sum") if self._adds_up(sources, node) else ("clipped", r"\widehat")
                self._put(node, f"{role} {text}", rf"{mark}{{{latex}}}")
                self.updated[node] = of
                self.roles[node] = role
                self.own.add(node)
            elif not node.shape and any(len(tape.inputs(x)) > 1 for x in tape.inputs(node) if x.shape):
                self._put(node, self._free("S"))
                self.roles[node] = "whole"
                self.own.add(node)

    def _adds_up(self, sources: list[Node], node: Node) -> bool:
        """Whether a gradient is added to one that was there before."""
        whole = [s for s in sources if s.shape == node.shape and not is_constant(s)]
        return len(whole) == 2 and all(s in self.tape.arrived_nodes or self.tape.is_leaf(s) for s in whole)

    def _read(self) -> set[int]:
        """The arrays that an optimizer read as gradients, or would."""
        tape = self.tape
        found = {id(cell.grad.node.value) for cell, _ in tape.cells.values() if cell.grad is not None}
        for node, held in tape.records.items():
            if tape.in_rule(node):
                found.update(id(tape.value(x)) for x in held.inputs)
        return found

    def _updates(self) -> None:
        """New weights, and the optimizers' state before and after."""
        tape = self.tape
        made = {id(r.value): n for n, r in tape.records.items() if n.op is not None and tape.phase(n) == UPDATE}
        for cell, old in list(tape.cells.values()):
            new = made.get(id(cell.node.value))
            if new is not None and old in self.held:
                self._put(new, *_primed(self.held[old]))
                self.updated[new] = old
                self.roles[new] = "weight"
                self.own.add(new)
        for node, (key, p) in tape.states.items():
            held = tape.cells.get(id(p))
            if held is not None and node in tape.records:
                self._put(node, *self._state(key, held[1]))
        for optimizer in tape.optimizers.values():
            for p, state in optimizer.state.items():
                held = tape.cells.get(id(p))
                for key, cell in state.items():
                    new = made.get(id(getattr(getattr(cell, "node", None), "value", None)))
                    if new is None or held is None:
                        continue
                    text, latex = self._state(key, held[1])
                    self._put(new, text + "′", latex + "'")
                    self.updated[new] = held[1]
                    self.roles[new] = "state"
                    self.own.add(new)


def _escaped(word: str) -> str:
    return latex_of(word)


def _primed(name: tuple[str, str]) -> tuple[str, str]:
    return name[0] + "′", name[1] + "'"


def _same(a: Node, b: Node) -> bool:
    first, second = a.origin, b.origin
    return first is not None and second is not None and first.where == second.where
