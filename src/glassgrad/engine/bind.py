"""A native step bound to the tensors that it reads and changes: what happens at every call.

A tensor that the step changes keeps its numbers in memory of the step's own, which the machine code writes in place.
Whoever else still holds the old value (a graph, a view, a NumPy array over it) keeps it: the step moves to a copy
first.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dispatch import CHANGES
from ..graph import Node
from ..tensor import Tensor
from .native import Native
from .program import Val
from .traced import Option, Trace

SMALL = 4096
"""Results of up to this many bytes are copied out of one place; larger ones are written where they are returned."""


def _quick_address() -> Callable[[Any], int] | None:
    """A NumPy array has the address of its entries right behind the head that every Python object begins with: to read
    it there takes a sixth of the time that NumPy takes to say it. None where that is not so."""
    head = object.__basicsize__
    read = ctypes.c_void_p.from_address
    probes: list[Any] = [np.zeros(3), np.zeros((2, 3), np.float32)[1:], np.zeros(())]
    if any(read(id(probe) + head).value != probe.__array_interface__["data"][0] for probe in probes):
        return None
    return lambda array: read(id(array) + head).value or 0


address_of: Callable[[Any], int] = _quick_address() or (lambda array: array.__array_interface__["data"][0])
"""Where an array's entries begin."""


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
        self.arguments = {
            number: (slots[val], val) for (number, _), val in zip(trace.arguments, inputs, strict=False) if val in slots
        }
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
        self.fresh = [u for u in engine.program.outputs[len(trace.values) :] if u not in engine.updates]
        self.refs = self.array_refs = 0
        self.simple = not self.fresh and all(staged is not None for _, _, staged in self.results)

    def _point(self, slot: int, val: Val, array: Any) -> None:
        """Have a slot of the table point to an array."""
        self.engine.held[val] = array
        self.table[slot] = address_of(array)

    def _take(self, cell: Cell) -> None:
        """The tensor has another value than the step left or saw: take it in."""
        tensor = cell.tensor
        cell.node = None  # an interrupt from here on has it taken in again
        value = tensor.value
        if not cell.changed:
            cell.array = np.ascontiguousarray(value, cell.val.dtype).reshape(cell.val.shape)
            self._point(cell.slot, cell.val, cell.array)
            cell.node = tensor._node
        else:
            cell.array = np.array(value, cell.val.dtype, order="C").reshape(cell.val.shape)
            self._point(cell.slot, cell.val, cell.array)
            self._own(cell)

    def _own(self, cell: Cell) -> None:
        """Put the step's own array into the tensor."""
        old = cell.tensor._node
        node = Node(None, (), {}, cell.array, old.requires_grad, None)
        node.hooks, node.cell = old.hooks, old.cell
        cell.tensor._node = cell.node = node
        CHANGES.count += 1  # other steps that have this tensor must look

    def _copy(self, cell: Cell) -> None:
        """Somebody else holds the value: leave it to them, and go on with a copy."""
        cell.array = cell.array.copy()
        cell.node = None
        self._point(cell.slot, cell.val, cell.array)
        self._own(cell)

    def argument(self, number: int, array: Any) -> bool:
        """Have the machine code read argument `number` here; whether that holds as long as the array is this one."""
        slot, val = self.arguments.get(number, (0, None))
        if val is None:
            return True
        in_order: bool = array.flags.c_contiguous
        self._point(slot, val, array if in_order else np.ascontiguousarray(array))
        return in_order

    def enter(self) -> None:
        """See to it that all tensors from outside are where the machine code looks for them."""
        refcount = sys.getrefcount
        for cell in self.cells:
            node = cell.tensor._node
            if node is not cell.node or cell.tensor._base is not None:
                self._take(cell)
                if cell.changed and not self.refs:
                    node = cell.tensor._node
                    self.array_refs = refcount(cell.array)
                    self.refs = refcount(node)
            elif cell.changed and (refcount(node) > self.refs or refcount(cell.array) > self.array_refs):
                self._copy(cell)

    def stage(self, group: Any) -> None:
        """Have the machine code see the options of a group as they are now."""
        for option, staged in self.options:
            if option.group is group:
                staged[()] = option.read()

    def launch(self) -> list[Any]:
        """Run with new memory for what is too large to be copied: the arrays of the results, then those of tensors that
        are rebound rather than written in place."""
        made: dict[Val, Any] = {}
        for val in [val for val, _, staged in self.results if staged is None] + self.fresh:
            made[val] = np.empty(val.shape, val.dtype)
            self._point(self.engine.slots[val], val, made[val])
        self.engine.execute()
        found = [made[val] if staged is None else staged.copy() for val, _, staged in self.results]
        return found + [made[val] for val in self.fresh]
