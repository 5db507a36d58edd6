"""Several entries at once for a `Mover`: parts of a row, and windows side by side as lanes of a vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..access import access
from .values import I64, PTR, Type, Value

if TYPE_CHECKING:
    from .moves import Mover


class Part:
    """Some columns of a matrix, of which each row is a vector."""

    def __init__(self, mover: Mover, columns: int, column: Value, mask: Value) -> None:
        self.m, self.f, self.columns, self.column, self.mask = mover, mover.f, columns, column, mask
        self.wide = mover.type.of(mask.type.lanes)

    def entry(self, number: int, at: Sequence[Value]) -> Value:
        """The row of an operand at some indices, whatever stands before its columns."""
        found = access(self.m.val.ins[number])
        assert found is not None
        if found.base.number is not None:
            return self.f.const(found.base.number, self.wide)
        start, step = self.m.at(number, [*at, self.column]), found.strides[-1]
        if step == 1:
            return self.f.load_masked(start, self.mask, self.f.zero(self.wide))
        steps = self.f.mul(self.f.steps(I64.of(self.wide.lanes)), self.f.const(step, I64.of(self.wide.lanes)))
        places = self.f.make(f"getelementptr {self.wide.scalar}, {start}, {steps}", Type("ptr", self.wide.lanes))
        return self.f.gather(places, self.mask, self.f.zero(self.wide))

    def held(self, at: Sequence[Value]) -> Value:
        return self.f.load_masked(self.m.at(None, [*at, self.column]), self.mask, self.f.zero(self.wide))

    def put(self, at: Sequence[Value], value: Value) -> None:
        self.f.store_masked(value, self.m.at(None, [*at, self.column]), self.mask)


class Lanes:
    """Places side by side along the last dimension of a result, each a lane; an operand's entries are looked for at
    `step` times each place, and `shift`."""

    def __init__(self, mover: Mover, number: int, wide: Type, first: Value, mask: Value) -> None:
        self.m, self.f, self.number, self.wide, self.first, self.mask = mover, mover.f, number, wide, first, mask

    def places(self, step: int, shift: int) -> Value:
        """Where these entries are along the operand's last dimension."""
        f, wide = self.f, I64.of(self.wide.lanes)
        first = f.add(f.mul(self.first, f.index(step)), f.index(shift))
        return f.add(f.splat(first, wide.lanes), f.mul(f.steps(wide), f.const(step, wide)))

    def inside(self, places: Value, rows: Value) -> Value:
        """Which of these places along the operand's last dimension there are: none in a row that is not there."""
        f = self.f
        size = f.const(self.m.val.ins[self.number].shape[-1], places.type)
        return f.bit_and(f.compare("ult", places, size), f.splat(rows, self.wide.lanes))

    def entries(self, at: Sequence[Value], step: int, shift: int, rows: Value) -> Value:
        """The operand's entries in a row; 0 for those that are not there."""
        f, lanes = self.f, self.wide.lanes
        found = access(self.m.val.ins[self.number])
        assert found is not None
        if found.base.number is not None:
            return f.const(found.base.number, self.wide)
        start = self.m.at(self.number, [*at, self.m.zero])
        if found.strides[-1] == 1 and step <= 2:  # what lies between is loaded too
            parts = []
            for part in range(step):
                first = f.add(f.mul(self.first, f.index(step)), f.index(shift + part * lanes))
                there = f.add(f.splat(first, lanes), f.steps(I64.of(lanes)))
                here = f.make(f"getelementptr {self.wide.scalar}, {start}, {first}", PTR)
                parts.append(f.load_masked(here, self.inside(there, rows), f.zero(self.wide)))
            return f.shuffle(parts[0], parts[-1], range(0, step * lanes, step))
        places = self.places(step, shift)
        apart = f.mul(places, f.const(found.strides[-1], places.type))
        pointers = f.make(f"getelementptr {self.wide.scalar}, {start}, {apart}", Type("ptr", lanes))
        return f.gather(pointers, self.inside(places, rows), f.zero(self.wide))

    def put(self, at: Sequence[Value], value: Value) -> None:
        """Write them, as entries of the result."""
        kind = self.m.type.kind
        value = value if value.type.kind == kind else self.f.convert("sext", value, kind)
        self.f.store_masked(value, self.m.at(None, [*at, self.first]), self.mask)
