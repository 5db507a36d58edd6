"""A native step bound to the tensors that it reads and changes: what happens at every call.

A tensor that the step changes keeps its numbers in memory of the step's own, which the machine code writes in place.
Whoever else still holds the old value (a graph, a view, a NumPy array over it) keeps it: the step moves to a copy
first.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import Node
from ..tensor import Tensor
from .native import Native
from .program import Val
from .traced import Option, Trace

SMALL = 4096
"""Results of up to this many bytes are copied out of one place; larger ones are written where they are returned."""


class Cell:
    """A tensor from outside the step, and its place in the table."""

    __slots__ = ("array", "changed", "node", "slot", "tensor", "val")

    def __init__(self, tensor: Tensor, val: Val, slot: int, changed: bool) -> None:
        self.tensor, self.val, self.slot, self.changed = tensor, val, slot, changed
        self.node: Any = None
        self.array: Any = None


class Binding:
    """The tensors of one native step."""

    def __init__(self, trace: Trace, engine: Native) -> None:
        self.engine, self.table = engine, engine.table
        inputs = engine.program.inputs
        slots = engine.slots
        count = len(trace.arguments)
        changed = {id(target) for target in engine.updates.values()}
        self.arguments = [
            (number, slots[val], val)
            for (number, _), val in zip(trace.arguments, inputs, strict=False) if val in slots
        ]  # fmt: skip
        self.last: list[Any] = [None] * len(self.arguments)
        self.cells = [
            Cell(cell, val, slots[val], id(val) in changed)
            for (cell, _), val in zip(trace.cells, inputs[count:], strict=False) if val in slots
        ]  # fmt: skip
        self.options: list[tuple[Option, Any]] = []
        for option, val in zip(trace.options, inputs[count + len(trace.cells) :], strict=True):
            if val in slots:
                staged = np.zeros((), np.float64)
                self.options.append((option, staged))
                self._point(slots[val], val, staged)
        self.results: list[tuple[Val, int, Any]] = []
        for val in engine.program.outputs[: len(trace.values)]:
            small = np.zeros(val.shape, val.dtype) if val.bytes <= SMALL else None
            self.results.append((val, slots[val], small))
            if small is not None:
                self._point(slots[val], val, small)
        self.outputs = engine.program.outputs
        self.argument_updates = engine.program.outputs[len(trace.values) + len(trace.updates) :]
        self.fresh = [u for u in engine.program.outputs[len(trace.values) :] if u not in engine.updates]
        self.refs = self.array_refs = 0
        self.simple = not self.fresh and all(staged is not None for _, _, staged in self.results)

    def _point(self, slot: int, val: Val, array: Any) -> None:
        """Have a slot of the table point to an array."""
        self.engine.held[val] = array
        self.table[slot] = array.__array_interface__["data"][0]

    def _take(self, cell: Cell) -> None:
        """The tensor has another value than the step left or saw: take it in."""
        tensor = cell.tensor
        value = tensor.value
        if not cell.changed:
            cell.array = np.ascontiguousarray(value, cell.val.dtype).reshape(cell.val.shape)
            cell.node = tensor._node
        else:
            cell.array = np.array(value, cell.val.dtype, order="C").reshape(cell.val.shape)
            self._own(cell)
        self._point(cell.slot, cell.val, cell.array)

    def _own(self, cell: Cell) -> None:
        """Put the step's own array into the tensor."""
        old = cell.tensor._node
        node = Node(None, (), {}, cell.array, old.requires_grad, None)
        node.hooks, node.cell = old.hooks, old.cell
        cell.tensor._node = cell.node = node

    def _copy(self, cell: Cell) -> None:
        """Somebody else holds the value: leave it to them, and go on with a copy."""
        cell.array = cell.array.copy()
        self._own(cell)
        self._point(cell.slot, cell.val, cell.array)

    def enter(self, tensors: Sequence[Tensor]) -> None:
        """Before the step: arguments, tensors from outside, options."""
        for place, (number, slot, val) in enumerate(self.arguments):
            array = tensors[number].value
            if array is not self.last[place]:
                self.last[place] = array
                self._point(slot, val, np.ascontiguousarray(array, val.dtype).reshape(val.shape))
        refcount = sys.getrefcount
        for cell in self.cells:
            node = cell.tensor._node
            if node is not cell.node or cell.tensor._base is not None:
                self._take(cell)
                if cell.changed and not self.refs:
                    node = cell.tensor._node
                    self.refs, self.array_refs = refcount(node), refcount(cell.array)
            elif cell.changed and (refcount(node) > self.refs or refcount(cell.array) > self.array_refs):
                self._copy(cell)
        for option, staged in self.options:
            staged[()] = option.read()

    def run(self, tensors: Sequence[Tensor]) -> list[Any]:
        """One call; the arrays of the results, then those of arguments that the step changes."""
        self.enter(tensors)
        if self.simple:
            self.engine.execute()
            return [staged.copy() for _, _, staged in self.results]
        large = []
        for val, slot, staged in self.results:
            if staged is None:
                made = np.empty(val.shape, val.dtype)
                large.append(made)
                self._point(slot, val, made)
        for val in self.fresh:
            made = np.empty(val.shape, val.dtype)
            self._point(self.engine.slots[val], val, made)
        self.engine.execute()
        rest = iter(large)
        found = [next(rest) if staged is None else staged.copy() for _, _, staged in self.results]
        return found + [self.engine.held[val] for val in self.fresh]
