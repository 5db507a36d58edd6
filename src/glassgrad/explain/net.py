"""The forward pass as the search for paths sees it: which values lead to which, how, and how well."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dispatch import leaf
from ..graph import Node, ancestors, is_constant
from ..op import Op
from .entries import Entries, Index, _copy, _widened
from .formula import Expr, Num, Ref
from .jacobian import LocalMap
from .naming import at_entry
from .recording import Inner, unseen
from .textbook import tidy

WIDE = 40_000_000
"""Entries of a Jacobian above which an op is taken apart into those that it stands for."""


class Net:
    """The values that gradients flow through, from the loss down. Composed ops of large Jacobians are taken apart."""

    def __init__(self, tape: Any, root: Node) -> None:
        self.tape, self.root = tape, root
        self.values: dict[Node, Any] = {}
        self.inputs: dict[Node, tuple[Node, ...]] = {}
        self.inside: dict[Node, Node] = {}
        """For a node of an op that was taken apart, the recorded node."""
        self.order: list[Node] = []
        self.consumers: dict[Node, list[tuple[Node, int]]] = {}
        self.potential: dict[Node, Any] = {}
        self.ends: dict[Node, Any] = {root: np.asarray(tape.seeds[root].value, np.float64)}
        self.ops: dict[Node, Node] = {}
        """For a node that was taken apart the last node of its composition, which stands for it."""
        self._maps: dict[tuple[Node, int], LocalMap] = {}
        self._counts: dict[Node, Any] = {}
        self._widened: dict[Node, Any] = {}
        self._collect()

    def _collect(self) -> None:
        tape = self.tape
        seen: set[Node] = set()
        stack = [self.root]
        while stack:
            node = stack.pop()
            if node in seen or node not in tape.records:
                continue
            seen.add(node)
            if not tape.is_leaf(node):
                stack.extend(s for s in tape.records[node].inputs if s.requires_grad)
        with unseen():
            for node in sorted(seen, key=lambda n: n.id):
                held = tape.records[node]
                self.values[node], self.inputs[node] = held.value, held.inputs
                if not tape.is_leaf(node) and _is_wide(node):
                    self._take_apart(node, held.inputs)
                else:
                    self.order.append(node)
        for node in self.order:
            for index, source in enumerate(self.inputs[node]):
                if source.requires_grad and self._passes(node, index):
                    self.consumers.setdefault(source, []).append((node, index))

    def _take_apart(self, node: Node, inputs: tuple[Node, ...]) -> None:
        """Put the composition that an op stands for in its place."""
        assert isinstance(node.op, Op) and node.op.compose is not None
        stand_ins = [_copy(x, self.tape.value(x)) for x in inputs]
        for stand_in, x in zip(stand_ins, inputs, strict=True):
            stand_in.requires_grad = x.requires_grad
        with unseen(grad=True):
            last = node.op.compose(*stand_ins, **node.params)
        back: dict[Node, Node] = {**dict(zip(stand_ins, inputs, strict=True)), last: node}
        for inner in ancestors([last]):
            if inner.op is None:
                if inner not in back:
                    self.values[inner] = inner.value
                continue
            here = node if inner is last else inner
            self.values[here] = self.tape.value(node) if inner is last else inner.value
            self.inputs[here] = tuple(back.get(x, x) for x in inner.inputs)
            self.inside[here] = node
            if inner is last:
                self.ops[node] = inner
            self.order.append(here)

    def map(self, node: Node, index: int) -> LocalMap:
        """The local map from operand number `index` of a node to it."""
        held = self._maps.get((node, index))
        if held is None:
            inputs = self.inputs[node]
            of = self.ops.get(node, node)
            held = LocalMap(of, index, inputs, [self._wide(x) for x in inputs], self._wide(node))
            self._maps[node, index] = held
        return held

    def _wide(self, node: Node) -> Any:
        """A value in float64, kept: several maps need it."""
        if node not in self._widened:
            self._widened[node] = _widened(self.values[node] if node in self.values else self.tape.value(node))
        return self._widened[node]

    # -- potentials and counts ----------------------------------------------------------------------------------------

    def prepare(self, start: Node) -> None:
        """Find the potentials of all values from the loss down to one: the largest |product| of a path to the loss."""
        if not self.potential:
            self.potential = {n: np.abs(seed) for n, seed in self.ends.items()}
            self._down(self.potential, "largest", np.maximum)

    def counts(self, start: Node) -> Any:
        """For each entry the number of paths to the loss."""
        if not self._counts:
            with unseen():
                self._counts = {n: (seed != 0).astype(np.float64) for n, seed in self.ends.items()}
                self._down(self._counts, "counted", np.add)
        return self._counts.get(start, np.zeros(start.shape))

    def _down(self, table: dict[Node, Any], how: str, join: Any) -> None:
        for node in reversed(self.order):
            held = table.get(node)
            if held is None or not held.any():
                continue
            for index, source in enumerate(self.inputs[node]):
                if not source.requires_grad or not self._passes(node, index):
                    continue
                part = getattr(self.map(node, index), how)(held)
                table[source] = join(table[source], part) if source in table else np.array(part, np.float64)

    def _passes(self, node: Node, index: int) -> bool:
        """Whether a gradient goes from a node to its operand number `index`."""
        op = self._op(node)
        return op.differentiable and op.rule(index) is not None

    def _op(self, node: Node) -> Op:
        found = self.ops.get(node, node).op
        assert isinstance(found, Op)
        return found

    # -- forward slopes ------------------------------------------------------------------------------------------------

    def slopes(self, start: Node, index: Index, end: Node) -> Any:
        """How each entry of `end` changes with one entry of `start`; None where it does not depend on it."""
        tangent = np.zeros(start.shape)
        tangent[index] = 1.0
        table: dict[Node, Any] = {start: tangent}
        for node in self.order:
            if node is start:
                continue
            made = None
            for place, source in enumerate(self.inputs[node]):
                if source in table and self._passes(node, place):
                    part = self.map(node, place).push(table[source])
                    made = part if made is None else made + part
            if made is not None:
                table[node] = np.broadcast_to(made, node.shape)
            if node is end:
                break
        return table.get(end)

    # -- names and formulas --------------------------------------------------------------------------------------------

    def name(self, node: Node) -> str:
        if node in self.tape.records:
            return self.tape.symbols.text(node)  # type: ignore[no-any-return]
        return f"{self.tape.symbols.text(self.inside[node])}°" if node in self.inside else "·"

    def local_formula(self, node: Node, operand: int, index: Index, at: Index, value: float) -> Expr:
        """∂node[index]/∂operand[at] by the op's own rule, over recorded entries."""
        held = self.map(node, operand)
        of = self.ops.get(node, node)
        inputs = self.inputs[node]
        stand_ins = [_copy(x, v) for x, v in zip(inputs, held.values, strict=True)]
        result = leaf(held.result)
        seed = np.zeros(node.shape)
        seed[index] = 1.0
        g = leaf(seed)
        inner = Inner()
        with inner.watching():
            made = held.rule(_grown(g), _grown(result), *stand_ins, **of.params)
        back = {**dict(zip(stand_ins, inputs, strict=True)), result: node}
        outer = self

        class Local(Entries):
            def _entry(self, each: Node, where: Index, apart: bool = False) -> Expr:
                if each is g:
                    return Num(float(seed[where]))
                if each in back and not is_constant(each):
                    name = outer.tape.symbols.both(outer.inside.get(back[each], back[each]))
                    return self.named_entry(name, each, where)
                if each in outer.tape.records:  # what a function of the user's own has saved
                    return self.named_entry(outer.tape.symbols.both(each), each, where)
                return super()._entry(each, where, apart)

            def matters(self, each: Node, place: int) -> bool:
                return each is not g or bool(seed.ravel()[place])

            def named_entry(self, name: tuple[str, str], each: Node, where: Index) -> Expr:
                return Ref(*at_entry(name, where), float(each.value[where]))

        with unseen():
            found = tidy(Local(inner, self.tape.symbols, lambda _: False)._entry(made, at, True))
        computed = found.compute()
        close = abs(computed - value) <= 1e-6 * max(1.0, abs(value))
        return found if close else Num(value)


def _grown(node: Node) -> Node:
    node.requires_grad = True
    return node


def _is_wide(node: Node) -> bool:
    """Whether an op stands for others, and has too large a Jacobian to go through column by column."""
    assert isinstance(node.op, Op)
    if node.op.compose is None:
        return False
    return node.op.kind == "linalg" or int(np.prod(node.shape)) * (node.shape[-1] if node.shape else 1) > WIDE
