"""Loop kernels: elementwise ops, and reductions with what feeds and follows them in the same rows.

A group's index space is brought down to few dimensions. The lanes of the vectors lie along the last of them. Where
that is a reduced one (softmax, norms), each row is gone through once for each stage: a stage ends where a reduction
must be complete before work can go on. Where it is a kept one (the sum over a batch), lanes are different rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...op import REGISTRY
from ..access import Buffer
from ..groups import FULL, ROW, Group, accesses, is_cheap, is_reduction, stages
from ..program import Val
from .ir import Module
from .scribe import Scribe
from .space import held_type, identity, indices_of, lanes_for, product, space_of
from .turn import Turn
from .values import I64, OF_DTYPE, PTR, Value

SCRATCH_BYTES = 1 << 16
CHUNK = 2048
"""Entries of a one-dimensional space that are one unit of work."""


@dataclass
class Kernel:
    """A function that was written, and how to call it."""

    name: str
    buffers: list[Buffer]
    """What its pointers point to, in order: a Val stands for the buffer that holds it."""
    units: int
    """How many units of work there are; a call does those from lo to hi."""
    grain: int = 1
    """Units are shared out in multiples of this."""


class LoopWriter:
    """Writes one loop kernel."""

    def __init__(self, module: Module, name: str, group: Group, width: int, buffer_of: Callable[..., Buffer]) -> None:
        self.group, self.space = group, space_of(group)
        self.buffer_of = buffer_of
        names: dict[Buffer, None] = {}
        for val in group.vals:
            for each in accesses(val):
                if each.base not in group.level and each.base.number is None:
                    names.setdefault(buffer_of(each.base, each.offset))
        for val in group.stored:
            names.setdefault(buffer_of(val))
        self.buffers = list(names)
        params = [(f"p{i}", PTR) for i in range(len(self.buffers))]
        self.f = module.function(name, [*params, ("lo", I64), ("hi", I64)])
        self.pointers = dict(zip(self.buffers, self.f.params, strict=False))
        self.lo, self.hi = self.f.params[-2:]
        self.scribe = Scribe(self.f)
        self.name = name
        wide = any(v.dtype.name in ("float64",) for v in group.vals if group.level[v] == FULL and v.shape)
        self.width = width // (64 if wide else 32)
        self.stage, self.avail = stages(group)

    # -- the two schedules ------------------------------------------------------------------------------------------

    def write(self) -> Kernel:
        space = self.space
        has_rows = any(level == ROW for level in self.group.level.values())
        if not space.sizes:
            return self._single()
        if has_rows and not space.reduced[-1]:
            return self._lanes_are_rows()
        return self._lanes_in_rows(has_rows)

    def _single(self) -> Kernel:
        """A space of one point."""
        f = self.f
        with f.when(f.compare("slt", self.lo, self.hi)):
            turn = Turn(self, [], [], None, 0)
            for val in self.group.vals:
                turn.value(val)
            for val in self.group.stored:
                turn.store(val)
        f.ret()
        return Kernel(self.name, self.buffers, 1)

    def _lanes_in_rows(self, has_rows: bool) -> Kernel:
        """Lanes along the last dimension, which is reduced (or, with nothing reduced, just the last)."""
        f, space = self.f, self.space
        inner = space.gone if has_rows else [len(space.sizes) - 1]
        outer = [at for at in range(len(space.sizes)) if at not in inner]
        rows = product(space.sizes[at] for at in outer)
        flat = not outer and not has_rows
        units = -(-space.sizes[-1] // CHUNK) if flat else rows
        lanes = lanes_for(space.sizes[-1], self.width)
        last = max((*self.stage.values(), *self.avail.values()), default=0)
        caches = self._caches(inner, last)
        lo = f.index(0) if flat else self.lo
        hi = f.index(1) if flat else self.hi
        with f.loop(lo, hi) as row:
            row.next()
            outside = indices_of(f, row.index, [space.sizes[at] for at in outer])
            held: dict[Val, list[Value]] = {}
            rows_turn = Turn(self, outside, [], None, 0, row_number=row.index)
            rows_turn.known = {v: x[0] for v, x in held.items()}
            self._row_values(rows_turn, 0)
            for stage in range(last + 1):
                self._pass(stage, outside, outer, inner, lanes, rows_turn, caches, flat)
                self._row_values(rows_turn, stage + 1)
            for val in self.group.stored:
                if self.group.level[val] == ROW:
                    rows_turn.store(val)
        f.ret()
        return Kernel(self.name, self.buffers, units)

    def _row_values(self, turn: Turn, avail: int) -> None:
        """The elementwise values of rows that can be computed now."""
        for val in self.group.vals:
            if self.group.level[val] == ROW and not is_reduction(val) and self.avail[val] == avail:
                turn.value(val)

    def _caches(self, inner: Sequence[int], last: int) -> dict[Val, Value]:
        """Row-long memory for dear values that later stages need again."""
        caches: dict[Val, Value] = {}
        count = product(self.space.sizes[at] for at in inner)
        for val in self.group.vals:
            if self.group.level[val] != FULL or is_cheap(val) or val in self.group.stored:
                continue
            later = any(
                self.stage.get(user, -1) > self.stage[val]
                or (is_reduction(user) and self.avail[user] - 1 > self.stage[val])
                for user in self.group.vals
                if any(a.base is val for a in accesses(user)) or self._feeds(val, user)
            )
            if later and last and count * val.dtype.itemsize <= SCRATCH_BYTES:
                caches[val] = self.f.stack(OF_DTYPE[val.dtype.name], count + 64)
        return caches

    def _feeds(self, val: Val, user: Val) -> bool:
        """Whether a full value is needed by another through cheap ones."""
        stack = [user]
        seen: set[Val] = set()
        while stack:
            each = stack.pop()
            if each in seen:
                continue
            seen.add(each)
            for found in accesses(each):
                if found.base is val:
                    return True
                if self.group.level.get(found.base) == FULL and found.base in self.stage:
                    stack.append(found.base)
        return False

    def _pass(
        self, stage: int, outside: list[Value], outer: list[int], inner: list[int], lanes: int, rows: Turn,
        caches: dict[Val, Value], flat: bool,
    ) -> None:  # fmt: skip
        """One way along the row."""
        f, space = self.f, self.space
        sinks = [v for v in self.group.vals if is_reduction(v) and self.avail[v] == stage + 1]
        stores = [v for v in self.group.stored if self.group.level[v] == FULL and self.stage[v] == stage]
        keeps = [v for v in caches if self.stage[v] == stage]
        if not (sinks or stores or keeps):
            return
        types = [held_type(v) for v in sinks]
        size = space.sizes[-1]
        bulk = size - size % lanes if lanes else size
        start = f.mul(self.lo, f.index(CHUNK)) if flat else f.index(0)
        stop = f.index(bulk)
        if flat:
            stop = f.smaller(f.mul(self.hi, f.index(CHUNK)), f.index(bulk))

        unroll = 4 if sinks and not flat and bulk >= 4 * lanes and lanes else 1
        first = [f.const(identity(v), t.of(lanes)) for v, t in zip(sinks, types, strict=True) for _ in range(unroll)]

        def body(indices: list[Value], at: Value, carried: Sequence[Value], mask: Value | None) -> list[Value]:
            turn = Turn(self, self._positions(outer, outside, inner, [*indices, at]), [], mask, lanes, parent=rows,
                        caches=caches, stage=stage, along=self._linear(inner, [*indices, at]))  # fmt: skip
            for val in (*keeps, *stores):
                turn.value(val)
            joined = []
            for val, held in zip(sinks, carried, strict=True):
                joined.append(self._join(val, held, turn.operand(val, 0), mask))
            for val in keeps:
                turn.keep(val)
            for val in stores:
                turn.store(val)
            return joined

        def innermost(indices: list[Value], carried: list[Value]) -> list[Value]:
            count = len(sinks)
            step = max(lanes, 1)
            if unroll > 1:
                wide = bulk - bulk % (unroll * step)
                with f.loop(start, f.index(wide), unroll * step, carried) as turns:
                    after: list[list[Value]] = []
                    for u in range(unroll):
                        mine = [turns.carried[k * unroll + u] for k in range(count)]
                        after.append(body(indices, f.add(turns.index, f.index(u * step)), mine, None))
                    turns.next(*[after[u][k] for k in range(count) for u in range(unroll)])
                carried = turns.results
                for at in range(wide, bulk, step):
                    mine = [carried[k * unroll] for k in range(count)]
                    found = body(indices, f.index(at), mine, None)
                    for k in range(count):
                        carried[k * unroll] = found[k]
            else:
                with f.loop(start, stop, step, carried) as turns:
                    turns.next(*body(indices, turns.index, turns.carried, None))
                carried = turns.results
            if bulk < size:
                mask = f.first_lanes(f.index(size - bulk), lanes)
                if flat:
                    last = f.compare("eq", self.hi, f.index(-(-size // CHUNK)))
                    with f.when(last):
                        body(indices, f.index(bulk), [], mask)
                else:
                    mine = [carried[k * unroll] for k in range(count)]
                    found = body(indices, f.index(bulk), mine, mask)
                    for k in range(count):
                        carried[k * unroll] = found[k]
            return carried

        results = self._nest([space.sizes[at] for at in inner[:-1]], [], first, innermost)
        for k, val in enumerate(sinks):
            parts = results[k * unroll : (k + 1) * unroll]
            while len(parts) > 1:
                parts = [self._plain_join(val, a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            whole = parts[0]
            if lanes:
                whole = f.fold(whole, lambda a, b, val=val: self._plain_join(val, a, b))
            rows.known[val] = whole

    def _nest(
        self, sizes: list[int], indices: list[Value], carried: list[Value],
        innermost: Callable[[list[Value], list[Value]], list[Value]],
    ) -> list[Value]:  # fmt: skip
        if not sizes:
            return innermost(indices, carried)
        with self.f.loop(self.f.index(0), self.f.index(sizes[0]), 1, carried) as turns:
            turns.next(*self._nest(sizes[1:], [*indices, turns.index], list(turns.carried), innermost))
        return turns.results

    def _positions(
        self, outer: Sequence[int], outside: Sequence[Value], inner: Sequence[int], inside: Sequence[Value]
    ) -> list[Value]:
        at = dict(zip(outer, outside, strict=True)) | dict(zip(inner, inside, strict=True))
        return [at[d] for d in range(len(self.space.sizes))]

    def _linear(self, dims: Sequence[int], indices: Sequence[Value]) -> Value:
        """The number of a point along several dimensions."""
        total = self.f.index(0)
        for d, index in zip(dims, indices, strict=True):
            total = self.f.add(self.f.mul(total, self.f.index(self.space.sizes[d])), index)
        return total

    def _join(self, val: Val, held: Value, new: Value, mask: Value | None) -> Value:
        if mask is not None:
            new = self.f.select(mask, new, self.f.const(identity(val), new.type))
        return self._plain_join(val, held, new)

    def _plain_join(self, val: Val, a: Value, b: Value) -> Value:
        fold = REGISTRY[val.op].fold
        assert fold is not None
        made: Value = fold.join(self.scribe, a, b)
        return made

    def _lanes_are_rows(self) -> Kernel:
        """Lanes along the last dimension, which is kept: each lane is a row of its own."""
        f, space = self.f, self.space
        kept, gone = space.kept, space.gone
        size = space.sizes[-1]
        lanes = lanes_for(size, self.width)
        step = max(lanes, 1)
        blocks = -(-size // step)
        last = max((*self.stage.values(), *self.avail.values()), default=0)
        around = [space.sizes[at] for at in kept[:-1]]
        with f.loop(self.lo, self.hi) as unit:
            unit.next()
            *before, block = indices_of(f, unit.index, [*around, blocks])
            at = f.mul(block, f.index(step))
            mask = None
            if size % step:
                left = f.sub(f.index(size), at)
                mask = f.first_lanes(f.smaller(left, f.index(step)), lanes)
            outside = [*before, at]
            number = f.add(f.mul(self._number(before, around), f.index(size)), at)
            rows = Turn(self, outside, [], mask, lanes, row_number=number)
            self._row_values(rows, 0)
            for stage in range(last + 1):
                self._column_pass(stage, kept, outside, gone, lanes, mask, rows)
                self._row_values(rows, stage + 1)
            for val in self.group.stored:
                if self.group.level[val] == ROW:
                    rows.store(val)
        f.ret()
        return Kernel(self.name, self.buffers, product(around) * blocks)

    def _number(self, indices: Sequence[Value], sizes: Sequence[int]) -> Value:
        total = self.f.index(0)
        for index, size in zip(indices, sizes, strict=True):
            total = self.f.add(self.f.mul(total, self.f.index(size)), index)
        return total

    def _column_pass(
        self, stage: int, kept: list[int], outside: list[Value], gone: list[int], lanes: int, mask: Value | None,
        rows: Turn,
    ) -> None:  # fmt: skip
        f = self.f
        sinks = [v for v in self.group.vals if is_reduction(v) and self.avail[v] == stage + 1]
        stores = [v for v in self.group.stored if self.group.level[v] == FULL and self.stage[v] == stage]
        if not (sinks or stores):
            return
        size = self.space.sizes[gone[-1]]
        unroll = 4 if sinks and size >= 8 else 1
        first = [f.const(identity(v), held_type(v).of(lanes)) for v in sinks for _ in range(unroll)]

        def body(indices: list[Value], at: Value, carried: Sequence[Value]) -> list[Value]:
            turn = Turn(self, self._positions(kept, outside, gone, [*indices, at]), [], mask, lanes, parent=rows,
                        stage=stage)  # fmt: skip
            for val in stores:
                turn.value(val)
            joined = [self._plain_join(v, held, turn.operand(v, 0)) for v, held in zip(sinks, carried, strict=True)]
            for val in stores:
                turn.store(val)
            return joined

        def innermost(indices: list[Value], carried: list[Value]) -> list[Value]:
            count = len(sinks)
            wide = size - size % unroll
            with f.loop(f.index(0), f.index(wide), unroll, carried) as turns:
                after = []
                for u in range(unroll):
                    mine = [turns.carried[k * unroll + u] for k in range(count)]
                    after.append(body(indices, f.add(turns.index, f.index(u)), mine))
                turns.next(*[after[u][k] for k in range(count) for u in range(unroll)])
            carried = turns.results
            for at in range(wide, size):
                found = body(indices, f.index(at), [carried[k * unroll] for k in range(count)])
                for k in range(count):
                    carried[k * unroll] = found[k]
            return carried

        results = self._nest([self.space.sizes[at] for at in gone[:-1]], [], first, innermost)
        for k, val in enumerate(sinks):
            parts = results[k * unroll : (k + 1) * unroll]
            while len(parts) > 1:
                parts = [self._plain_join(val, a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            rows.known[val] = parts[0]


def write_loop(module: Module, name: str, group: Group, width: int, buffer_of: Callable[..., Buffer]) -> Kernel:
    """The kernel of a loop group."""
    return LoopWriter(module, name, group, width, buffer_of).write()


def falls_into(group: Group, count: int) -> bool:
    """Whether the units of a loop kernel fall into so many equal parts, each for a part of the entries in order; the
    dimensions before those that are reduced do."""
    space = space_of(group)
    if not space.sizes:
        return False
    has_rows = any(level == ROW for level in group.level.values())
    if has_rows and not space.reduced[-1]:
        return product(space.sizes[at] for at in space.kept[:-1]) % count == 0
    inner = space.gone if has_rows else [len(space.sizes) - 1]
    outer = [space.sizes[at] for at in range(len(space.sizes)) if at not in inner]
    if not outer and not has_rows:
        return space.sizes[-1] % (count * CHUNK) == 0
    return product(outer) % count == 0
