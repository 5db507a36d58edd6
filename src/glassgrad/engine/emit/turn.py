"""The values at one place of an index space: a vector of lanes, or one row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ...op import REGISTRY
from ..access import Buffer, access
from ..groups import FULL, ROW, Group
from ..program import Val
from .ir import Function
from .scribe import Scribe
from .space import Space, full_strides, held_type, memory_type
from .values import I1, I64, Type, Value


class Writer(Protocol):
    """What a Turn needs to know of the kernel that is being written."""

    f: Function
    group: Group
    space: Space
    scribe: Scribe
    pointers: dict[Buffer, Value]
    buffer_of: Callable[..., Buffer]
    stage: dict[Val, int]


class Turn:
    """The values at one place of the space: a vector of lanes, or one row."""

    def __init__(
        self, writer: Writer, indices: Sequence[Value], _: Sequence[Value], mask: Value | None, lanes: int, *,
        parent: Turn | None = None, row_number: Value | None = None, caches: dict[Val, Value] | None = None,
        stage: int = 0, along: Value | None = None,
    ) -> None:  # fmt: skip
        self.w, self.f, self.indices, self.mask, self.lanes = writer, writer.f, list(indices), mask, lanes
        self.parent, self.row_number, self.caches, self.stage, self.along = (
            parent,
            row_number,
            caches or {},
            stage,
            along,
        )
        self.known: dict[Val, Value] = {}

    @property
    def rows_are_lanes(self) -> bool:
        return self.parent is None and self.lanes > 0

    def value(self, val: Val) -> Value:
        """A value of the group, computed when it is first asked for."""
        if val in self.known:
            return self.known[val]
        if self.parent is not None and self.w.group.level[val] == ROW:
            held = self.parent.value(val)
            made = held if held.type.lanes == self.lanes else self.f.splat(held, self.lanes)
        elif self.parent is not None and self.w.stage.get(val, 0) < self.stage and val in self.caches:
            made = self._cached(val)
        elif self.parent is not None and self._was_stored(val):
            made = self.read_back(val)
        else:
            made = self._computed(val)
        self.known[val] = made
        return made

    def _was_stored(self, val: Val) -> bool:
        earlier = self.w.stage.get(val, 0) < self.stage
        return earlier and val in self.w.group.stored and self.w.group.level[val] == FULL

    def read_back(self, val: Val) -> Value:
        """A value that an earlier stage wrote, read back."""
        strides = full_strides(self.w.space)
        return self._load(self.w.buffer_of(val), strides, val)

    def _computed(self, val: Val) -> Value:
        if val.op == "iota":
            return self._iota(val)
        operands = [self.operand(val, number) for number in range(len(val.ins))]
        scribe = self.w.scribe
        if val.op == "contig":
            return operands[0]
        emit = REGISTRY[val.op].emit
        assert emit is not None
        made: Value = emit(scribe, *operands, **val.params)
        return made

    def operand(self, val: Val, number: int) -> Value:
        """Operand `number` of a value at this place."""
        source = val.ins[number]
        found = access(source)
        assert found is not None
        if found.base in self.w.group.level:
            return self.value(found.base)
        if found.base.number is not None:
            return self.f.const(found.base.number, held_type(found.base).of(self.lanes))
        return self._load(self.w.buffer_of(found.base, found.offset), self.w.space.strides[val, number], found.base)

    def _address(self, strides: Sequence[int]) -> Value:
        total = self.f.index(0)
        for index, stride in zip(self.indices, strides, strict=True):
            total = self.f.add(total, self.f.mul(index, self.f.index(stride)))
        return total

    def _iota(self, val: Val) -> Value:
        strides = self.w.space.strides[val, 0]
        # An axis's own number wraps where the axis is only a part of a dimension that was not split: it never is.
        base = self._address(strides)
        if not self.lanes:
            return base
        wide = self.f.splat(base, self.lanes)
        if not strides or strides[-1] == 0:
            return wide
        steps = self.f.mul(self.f.steps(I64.of(self.lanes)), self.f.const(strides[-1], I64.of(self.lanes)))
        return self.f.add(wide, steps)

    def _load(self, base: Buffer, strides: Sequence[int], like: Val) -> Value:
        f = self.f
        entry = memory_type(like.dtype)
        pointer = f.at(self.w.pointers[base], self._address(strides), entry)
        step = strides[-1] if strides and len(strides) == len(self.indices) else 0
        if not self.lanes:
            return self._loaded(f.load(pointer, entry), like)
        if step == 0 or not strides:
            return f.splat(self._loaded(f.load(pointer, entry), like), self.lanes)
        wide = entry.of(self.lanes)
        if step == 1:
            made = f.load(pointer, wide) if self.mask is None else f.load_masked(pointer, self.mask, f.zero(wide))
            return self._loaded(made, like)
        places = f.mul(f.steps(I64.of(self.lanes)), f.const(step, I64.of(self.lanes)))
        vector = f.make(f"getelementptr inbounds {entry}, {pointer}, {places}", Type("ptr", self.lanes))
        mask = self.mask or f.const(True, I1.of(self.lanes))
        return self._loaded(f.gather(vector, mask, f.zero(wide)), like)

    def _loaded(self, value: Value, like: Val) -> Value:
        if like.dtype.kind == "b":
            return self.f.compare("ne", value, self.f.zero(value.type))
        return value

    def _cached(self, val: Val) -> Value:
        assert self.along is not None
        entry = memory_type(val.dtype)
        pointer = self.f.at(self.caches[val], self.along, entry)
        return self._loaded(self.f.load(pointer, entry.of(self.lanes)), val)

    def keep(self, val: Val) -> None:
        """Put a value into the row's own memory, for a later stage."""
        assert self.along is not None
        value = self._bytes(self.value(val))
        self.f.store(value, self.f.at(self.caches[val], self.along, value.type.scalar))

    def _bytes(self, value: Value) -> Value:
        return self.f.convert("zext", value, "i8") if value.type.kind == "i1" else value

    def store(self, val: Val) -> None:
        """Write a value to its buffer."""
        f = self.f
        value = self._bytes(self.value(val))
        pointer = self.w.pointers[self.w.buffer_of(val)]
        if self.parent is None and self.w.group.level[val] == ROW:
            assert self.row_number is not None
            place = self.row_number
        elif not self.indices:
            place = f.index(0)
        else:
            place = self._address(full_strides(self.w.space))
        target = f.at(pointer, place, value.type.scalar)
        if self.mask is None or not self.lanes:
            f.store(value, target)
        else:
            f.store_masked(value, target, self.mask)
