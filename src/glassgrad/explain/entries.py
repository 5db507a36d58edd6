"""The formula of one entry of a recorded value, over the entries that have names.

Nothing is known here about any op but what its declaration says: an elementwise op is written over the entries at the
same place; for everything else the op's own derivative rules tell which entries of the operands an entry is made of,
and with which factors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..dispatch import leaf
from ..graph import Node, is_constant
from ..op import Op
from .formula import Call, Expr, Num, Product, Ref, Terms, Total, Whole
from .naming import at_entry
from .recording import Inner, Recording, unseen
from .textbook import tidy

Index = tuple[int, ...]
MOST = 4096
"""Terms that a formula may have; a larger one is written over whole arrays."""
MANY = 32
"""Terms from which on they are made when they are looked at."""


class Entries:
    """Writes formulas of entries. `named` says whether a node is to be written by its name."""

    def __init__(self, tape: Recording, names: Any, named: Callable[[Node], bool]) -> None:
        self.tape, self.names, self.named = tape, names, named

    def formula(self, node: Node, index: Index, first: bool = True) -> Expr:
        """The entry of `node` at `index`; the node itself is taken apart even if it has a name."""
        with unseen():
            return tidy(self._entry(node, index, first))

    def _entry(self, node: Node, index: Index, apart: bool = False) -> Expr:
        if is_constant(node):
            return self.tape.constants.get(node) or Num(float(self.tape.value(node)))
        if self.tape.is_one(node):
            return Num(1.0)
        origin = self.tape.source(node)
        apart = apart and node not in getattr(self.names, "own", ())
        if not apart and (self.named(node) or self.named(origin)):
            return self.ref(node if self.named(node) else origin, index)
        node = origin
        op = node.op
        if op is None or self.tape.is_leaf(node):
            return self.ref(node, index)
        assert isinstance(op, Op)
        held = self.tape.records.get(node)
        inputs = held.inputs if held is not None else node.inputs
        if op.kind == "elementwise":
            args = tuple(self._entry(x, index if x.shape else ()) for x in inputs)
            return args[0] if passes(op, node.params) else Call(op, args, tuple(node.params.items()))
        if op.compose is not None and op.kind == "linalg":
            return self._composed(op, node, inputs, index)
        terms = self._terms(op, node, inputs, index)
        if terms is None:
            number = float(self.tape.value(node)[index])
            return Whole(op, tuple(self.names.both(x) for x in inputs), tuple(node.params.items()), index, number)
        if not terms:
            return Num(float(self.tape.value(node)[index]))
        return terms[0] if len(terms) == 1 else Total(terms if len(terms) > MANY else tuple(terms))

    def ref(self, node: Node, index: Index) -> Ref:
        """An entry by its name."""
        return Ref(*at_entry(self.names.both(node), index), float(self.tape.value(node)[index]))

    def matters(self, node: Node, place: int) -> bool:
        """Whether an entry, by its number, is written: of a cotangent that is 0 but for one entry only that is."""
        return True

    def _composed(self, op: Op, node: Node, inputs: tuple[Node, ...], index: Index) -> Expr:
        """By the composition that the op stands for, over stand-ins for its operands."""
        assert op.compose is not None
        stand_ins = [_copy(x, self.tape.value(x)) for x in inputs]
        back = dict(zip(stand_ins, inputs, strict=True))
        inner = Inner()
        with inner.watching():
            made = op.compose(*stand_ins, **node.params)
        outer = self

        class Within(Entries):
            def _entry(self, each: Node, at: Index, apart: bool = False) -> Expr:
                if each in back:
                    return outer._entry(back[each], at)
                return super()._entry(each, at, apart)

        return Within(inner, self.names, lambda _: False)._entry(made, index, True)

    def _terms(self, op: Op, node: Node, inputs: tuple[Node, ...], index: Index) -> Terms | None:
        """The entries that an entry is the sum of, each with its factor; None where it is no such sum."""
        if not op.differentiable:
            return None
        values = [self.tape.value(x) for x in inputs]
        values = [v.astype(np.float64) if _flows(op, k, v) else v for k, v in enumerate(values)]
        if op.kind in ("linalg", "conv"):
            return self._products(op, node, inputs, values, index)
        flowing = [k for k, v in enumerate(values) if v.dtype.kind == "f" and op.rule(k) is not None]
        rows = {k: row_of(op, node, inputs, values, self.tape.value(node), k, index) for k in flowing}
        total, count = 0.0, 0
        for k, (places, factors) in rows.items():
            total += float(np.sum(values[k].ravel()[places] * factors))
            count += len(places)
        here = float(self.tape.value(node)[index])
        if count > MOST or not np.isclose(total, here, 1e-5, 1e-12, equal_nan=True):
            return None
        if any(not np.all(factors == 1) for _, factors in rows.values()):
            return None
        found = [
            (k, int(place)) for k, (places, _) in rows.items() for place in places if self.matters(inputs[k], place)
        ]  # fmt: skip

        def make(at: int) -> Expr:
            k, place = found[at]
            return self._entry(inputs[k], _at(place, values[k]))

        return Terms(len(found), self._unseen(make))

    def _products(self, op: Op, node: Node, inputs: tuple[Node, ...], values: list[Any], index: Index) -> Terms | None:
        """The entries of two operands that an entry is the sum of the products of."""
        found = _partners(op, node, inputs, values, self.tape.value(node), index)
        partners = [(i, j) for i, j in found if self.matters(inputs[0], i) and self.matters(inputs[1], j)]
        a, b = values[0].ravel(), values[1].ravel()
        total, here = sum(a[i] * b[j] for i, j in partners), float(self.tape.value(node)[index])
        if len(partners) > MOST or not np.isclose(total, here, 1e-4, 1e-6, equal_nan=True):
            return None

        def make(at: int) -> Expr:
            i, j = partners[at]
            return Product((self._entry(inputs[0], _at(i, values[0])), self._entry(inputs[1], _at(j, values[1]))))

        return Terms(len(partners), self._unseen(make))

    @staticmethod
    def _unseen(make: Callable[[int], Expr]) -> Callable[[int], Expr]:
        """A term may be looked at later, while something else is recorded."""

        def made(at: int) -> Expr:
            with unseen():
                return make(at)

        return made


def _flows(op: Op, index: int, value: Any) -> bool:
    """Whether an entry of the result is put together from numbers of this operand: an operand of indices chooses."""
    return value.dtype.kind == "f" or (op.each is None and op.rule(index) is not None)


def row_of(
    op: Op, node: Node, inputs: tuple[Node, ...], values: list[Any], value: Any, k: int, index: Index
) -> tuple[Any, Any]:
    """One row of an op's Jacobian: which entries of operand k the entry at `index` depends on, by the op's own rule."""
    seed = np.zeros(node.shape, _wide(value))
    seed[index] = 1
    made = pulled(op, node, inputs, values, value, k, seed).ravel()
    places = np.flatnonzero(made)
    return places, made[places]


def pulled(op: Op, node: Node, inputs: tuple[Node, ...], values: list[Any], value: Any, k: int, seed: Any) -> Any:
    """What the op's rule makes of a cotangent for operand k, in float64."""
    rule = op.rule(k)
    assert rule is not None
    made = [_copy(x, v) for x, v in zip(inputs, values, strict=True)]
    result = rule(leaf(seed), leaf(_widened(value)), *made, **node.params)
    return np.broadcast_to(result.value, inputs[k].shape)


def _partners(
    op: Op, node: Node, inputs: tuple[Node, ...], values: list[Any], value: Any, index: Index
) -> list[tuple[int, int]]:
    """Which entries of the two operands are multiplied for an entry of a product: the rule of the first, given the
    numbers of the second's entries in place of the entries, says which belongs to which."""
    seed = np.zeros(node.shape)
    seed[index] = 1
    numbers = np.arange(1, values[1].size + 1, dtype=np.float64).reshape(values[1].shape)
    made = pulled(op, node, inputs, [values[0], numbers], value, 0, seed).ravel()
    places = np.flatnonzero(made)
    return [(int(i), round(float(made[i])) - 1) for i in places]


def _at(place: Any, value: Any) -> Index:
    return tuple(int(i) for i in np.unravel_index(int(place), value.shape)) if value.shape else ()


def _copy(node: Node, value: Any) -> Node:
    """A leaf with the same value; a constant stays one, as rules may ask."""
    return Node(None, (), {}, value, value.dtype.kind == "f", node.origin if is_constant(node) else None)


def _widened(value: Any) -> Any:
    return value.astype(np.float64) if value.dtype.kind == "f" else value


def _wide(value: Any) -> Any:
    return np.float64 if value.dtype.kind == "f" else value.dtype


def passes(op: Op, params: Mapping[str, Any]) -> bool:
    """Whether an op of one operand is written as that alone, as a change between floats is."""
    return op.latex == "{x}" or (callable(op.latex) and len(op.operands) == 1 and op.latex("x", **params) == "x")
