"""Indexing with brackets: what a bracket asks for, reading it and writing it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..dispatch import STATE, apply, leaf, look_at
from ..errors import ArgumentError, DtypeError, IndexRangeError
from ..graph import Node
from ..ops import index as ops
from ..ops import shape as shape_ops
from ..ops.compare import where
from ..spec import Shape, Spec, bool_, broadcast_shapes, is_float
from ..tensor import Tensor, view, wrap
from .register import method_only, node_of, to_dtype


def checked(index: Any, size: int, what: str, *, negative: bool = False) -> Node:
    """An index tensor as a Node, all of its entries in range; IndexRangeError naming the first that is not."""
    node = node_of(index)
    if is_float(node.dtype) or node.dtype == bool_:
        raise DtypeError(
            f"{what}: an index must be an integer tensor, not {node.dtype}", got=str(node.spec), fix="use .long()"
        )
    look_at(node, functools.partial(_check_range, size=size, what=what, low=-size if negative else 0))
    if not negative:
        return node
    if STATE.tracer is not None:
        return where(node < 0, node + size, node)
    value = node.value
    return leaf(np.where(value < 0, value + size, value)) if value.size and value.min() < 0 else node


def _check_range(value: Any, size: int, what: str, low: int) -> None:
    if not value.size:
        return
    smallest, largest = int(value.min()), int(value.max())
    if smallest < low or largest >= size:
        wrong = smallest if smallest < low else largest
        raise IndexRangeError(
            f"{what}: index {wrong} is out of range for a dimension of size {size}",
            got=f"index {Spec(value.shape, value.dtype)}", fix=f"use {low} to {size - 1}",
        )  # fmt: skip


def _key(key: Any, ndim: int) -> list[Any]:
    """The parts of a bracket, with the ellipsis written out; masks count for all dimensions that they cover."""
    parts = list(key) if isinstance(key, tuple) else [key]
    parts = [_as_index(part) for part in parts]
    used = sum(_covers(part) for part in parts)
    if used > ndim:
        raise IndexRangeError(f"too many indices: {used} for a tensor of {ndim} dimensions")
    dots = [at for at, part in enumerate(parts) if part is Ellipsis]
    if len(dots) > 1:
        raise IndexRangeError("an index can have only one ellipsis (...)")
    at = dots[0] if dots else len(parts)
    return parts[:at] + [slice(None)] * (ndim - used) + parts[at + len(dots) :]


def _covers(part: Any) -> int:
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    if isinstance(part, Tensor) and part.dtype == bool_:
        return part.ndim
    return 1


def _as_index(part: Any) -> Any:
    if isinstance(part, Tensor) and not part.ndim and not is_float(part.dtype) and STATE.tracer is None:
        return part.item()  # a number, or a boolean: the result is a view
    if part is None or part is Ellipsis or isinstance(part, (slice, bool, Tensor)):
        return part
    if isinstance(part, (int, np.integer)):
        return int(part)
    if isinstance(part, (list, tuple, range, np.ndarray)):
        array = np.asarray([entry.item() if isinstance(entry, Tensor) else entry for entry in part])
        return wrap(leaf(array.astype(np.int64) if not array.size else array))
    if hasattr(part, "__index__"):
        return part.__index__()
    raise IndexRangeError(
        "an index is made of integers, slices, ..., None, and integer or boolean tensors", got=type(part).__name__
    )


def _cut(part: Any, size: int, axis: int) -> tuple[int, int, int]:
    """A slice or a number as start, stop and step within ``size``."""
    if isinstance(part, int):
        if not -size <= part < size:
            raise IndexRangeError(
                f"index {part} is out of range for dimension {axis} of size {size}", fix=f"use {-size} to {size - 1}"
            )
        return (part % size, part % size + 1, 1)
    bounds = [bound if bound is None else int(bound) for bound in (part.start, part.stop, part.step)]
    if bounds[2] is not None and bounds[2] <= 0:
        raise ArgumentError("the step of a slice must be positive", got=str(part), fix="use flip() for the other order")
    return slice(*bounds).indices(size)


class Plan:
    """What a bracket asks for: first cuts, then a new shape, then integer arrays along some dimensions."""

    def __init__(self, shape: Shape, key: Any) -> None:
        self.cuts: list[tuple[int, int, int]] = []
        self.shape: list[int] = []
        self.axes: list[int] = []
        self.indices: list[Node] = []
        axis = 0
        for part in _key(key, len(shape)):
            if part is None or isinstance(part, bool):
                if isinstance(part, bool):
                    self._add(leaf(np.zeros(1 if part else 0, np.int64)))
                self.shape.append(1)
            elif isinstance(part, Tensor) and part.dtype == bool_:
                self._mask(part, shape, axis)
                axis += part.ndim
            elif isinstance(part, Tensor):
                self.cuts.append((0, shape[axis], 1))
                self._add(checked(part, shape[axis], f"dimension {axis}", negative=True))
                self.shape.append(shape[axis])
                axis += 1
            else:
                start, stop, step = _cut(part, shape[axis], axis)
                self.cuts.append((start, stop, step))
                if not isinstance(part, int):
                    self.shape.append(max(0, -((start - stop) // step)))
                axis += 1

    def _add(self, index: Node) -> None:
        self.axes.append(len(self.shape))
        self.indices.append(index)

    def _mask(self, mask: Tensor, shape: Shape, axis: int) -> None:
        covered = shape[axis : axis + mask.ndim]
        if mask.shape != covered:
            raise IndexRangeError(
                f"a mask of shape {list(mask.shape)} stands where the tensor has sizes {list(covered)}",
                fix="a boolean index must have the sizes of the dimensions that it covers",
            )
        for size, places in zip(covered, np.nonzero(mask.value), strict=True):
            self.cuts.append((0, size, 1))
            self._add(leaf(places))
            self.shape.append(size)

    def look(self, x: Tensor) -> Tensor:
        """The cuts and the new shape, as views of ``x``."""
        if any(cut != (0, size, 1) for cut, size in zip(self.cuts, x.shape, strict=True)):
            x = view(x, shape_ops.slice_, {"cuts": tuple(self.cuts)})
        shape = tuple(self.shape)
        return x if x.shape == shape else view(x, shape_ops.reshape, {"shape": shape})


@method_only("__getitem__")
def getitem(self: Tensor, key: Any) -> Tensor:
    """``x[key]``: numbers, slices, ... and None give a view; integer or boolean tensors pick into a new tensor."""
    plan = Plan(self.shape, key)
    seen = plan.look(self)
    if plan.indices:
        return wrap(apply(ops.index, (seen.node, *plan.indices), {"axes": tuple(plan.axes)}))
    return view(self, shape_ops.reshape, {"shape": self.shape}) if seen is self else seen


@method_only("__setitem__")
def setitem(self: Tensor, key: Any, value: Any) -> None:
    """``x[key] = value``, in place; the value is broadcast to the part that is written."""
    plan = Plan(self.shape, key)
    seen = plan.look(self)
    node = to_dtype(node_of(value, self.node), self.dtype)
    if not plan.indices:
        target = seen.shape
        source = broadcast_value(node, target)
        seen.write(source)
        return
    picked = broadcast_shapes(*(index.shape for index in plan.indices))
    target = ops.picked_shape(seen.shape, picked, tuple(plan.axes))
    source = broadcast_value(node, target)
    seen.write(apply(ops.index_put, (seen.node, source, *plan.indices), {"axes": tuple(plan.axes)}))


def broadcast_value(node: Node, target: Shape) -> Node:
    extra = len(node.shape) - len(target)
    if extra > 0 and all(size == 1 for size in node.shape[:extra]):
        node = shape_ops.reshape(node, shape=node.shape[extra:])
    if node.shape == target:
        return shape_ops.copy(node)
    return shape_ops.expand(node, shape=target)
