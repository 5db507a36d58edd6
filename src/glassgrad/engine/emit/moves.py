"""Kernels that move entries: picking rows, adding rows up, putting parts together, picking along an axis, pooling's
choice, and random bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..access import access, contiguous
from ..groups import Group, accesses
from ..program import Val
from .ir import Function, Module
from .loops import Kernel
from .space import indices_of, memory_type, product
from .values import I1, I64, PTR, Type, Value


class Mover:
    """Writes the kernel of one value; `where` gives the address of an entry of an operand or of the result."""

    def __init__(self, module: Module, name: str, group: Group, width: int, buffer_of: Callable[[Val], Val]) -> None:
        self.val = group.vals[0]
        self.width = width
        self.name = name
        names: dict[Val, None] = {}
        for each in accesses(self.val):
            names.setdefault(buffer_of(each.base))
        names.setdefault(buffer_of(self.val))
        self.buffers = list(names)
        self.buffer_of = buffer_of
        params = [(f"p{i}", PTR) for i in range(len(self.buffers))]
        self.f = module.function(name, [*params, ("lo", I64), ("hi", I64)])
        self.pointers = dict(zip(self.buffers, self.f.params, strict=False))
        self.lo, self.hi = self.f.params[-2:]

    def done(self, units: int) -> Kernel:
        self.f.ret()
        return Kernel(self.name, self.buffers, units)

    def at(self, number: int | None, indices: Sequence[Value]) -> Value:
        """The address of an entry of operand `number`; None: of the result."""
        f = self.f
        if number is None:
            base, offset, strides = self.val, 0, contiguous(self.val.shape)
        else:
            found = access(self.val.ins[number])
            assert found is not None
            base, offset, strides = found
        total = f.index(offset)
        for index, stride in zip(indices, strides, strict=True):
            total = f.add(total, f.mul(index, f.index(stride)))
        return f.at(self.pointers[self.buffer_of(base)], total, memory_type(base.dtype))

    def entry(self, number: int, indices: Sequence[Value]) -> Value:
        """An entry of an operand."""
        source = self.val.ins[number]
        found = access(source)
        assert found is not None
        if found.base.number is not None:
            return self.f.const(found.base.number, memory_type(source.dtype))
        return self.f.load(self.at(number, indices), memory_type(source.dtype))

    def whole(self, number: int, indices: Sequence[Value], limit: int) -> Value:
        """An index, kept within the axis that it is for."""
        f = self.f
        place = self.entry(number, indices)
        if place.type.kind != "i64":
            place = f.convert("sext", place, "i64")
        return f.smaller(f.larger(place, f.index(0)), f.index(max(limit - 1, 0)))

    def step(self, number: int | None) -> int:
        """How far apart the entries along the last dimension are."""
        if number is None:
            return 1
        found = access(self.val.ins[number])
        assert found is not None
        return found.strides[-1] if found.strides else 0


def copy_row(m: Mover, count: int, source: Callable[[Value], Value], target: Callable[[Value], Value], step: int,
             add: bool = False) -> None:  # fmt: skip
    """target[i] = source[i] (or +=) for i below count; `source` and `target` give addresses."""
    f = m.f
    entry = memory_type(m.val.dtype)
    lanes = m.width // max(entry.bits, 8)
    bulk = count - count % lanes if step == 1 else 0

    def one(at: Value, type: Type) -> None:
        value = f.load(source(at), type)
        if add:
            value = f.add(f.load(target(at), type), value)
        f.store(value, target(at))

    if bulk:
        with f.loop(f.index(0), f.index(bulk), lanes) as turn:
            turn.next()
            one(turn.index, entry.of(lanes))
    if bulk < count:
        with f.loop(f.index(bulk), f.index(count)) as turn:
            turn.next()
            one(turn.index, entry)


def write_index(m: Mover) -> Kernel | None:
    """Rows of the first dimension, picked by one array of numbers."""
    if m.val.params["axes"] != (0,):
        return None
    f = m.f
    x, places = m.val.ins[0], m.val.ins[1]
    rest = list(x.shape[1:])
    lead, last = (rest[:-1], rest[-1]) if rest else ([], 1)
    units = places.size * product(lead)
    with f.loop(m.lo, m.hi) as unit:
        unit.next()
        number, *inner = indices_of(f, unit.index, [places.size, *lead])
        at = indices_of(f, number, list(places.shape)) if places.shape else []
        row = m.whole(1, at, x.shape[0])
        tail = [f.index(0)] if rest else []
        source, target = m.at(0, [row, *inner, *tail]), m.at(None, [*at, *inner, *tail])
        entry = memory_type(m.val.dtype)
        step = m.step(0)
        copy_row(
            m, last, lambda i: f.at(source, f.mul(i, f.index(step)), entry), lambda i: f.at(target, i, entry), step
        )
    return m.done(units)


def write_index_put(m: Mover) -> Kernel | None:
    """Rows added to numbered rows. Units are parts of the columns, so that rows are added in one order."""
    if m.val.params["axes"] != (0,) or not m.val.params.get("accumulate"):
        return None
    x, source, places = m.val.ins
    f = m.f
    entry = memory_type(m.val.dtype)
    found = access(source)
    assert found is not None
    columns = product(x.shape[1:])
    expected = contiguous(source.shape)
    if len(x.shape) != 2 or any(a != b for n, a, b in zip(source.shape, found.strides, expected, strict=True) if n > 1):
        return None
    lanes = max(1, m.width // entry.bits)
    blocks = -(-columns // lanes)
    with f.loop(m.lo, m.hi) as unit:
        unit.next()
        column = f.mul(unit.index, f.index(lanes))
        wide = entry.of(lanes)
        mask = f.const(True, I1.of(lanes))
        if columns % lanes:
            left = f.sub(f.index(columns), column)
            mask = f.first_lanes(f.smaller(left, f.index(lanes)), lanes)
        origin = access(x)
        assert origin is not None
        with f.loop(f.index(0), f.index(x.shape[0])) as row:
            row.next()
            if origin.base.number is not None:
                first = f.const(origin.base.number, wide)
            else:
                first = f.load_masked(m.at(0, [row.index, column]), mask, f.zero(wide))
            f.store_masked(first, m.at(None, [row.index, column]), mask)
        with f.loop(f.index(0), f.index(places.size)) as turn:
            turn.next()
            at = indices_of(f, turn.index, list(places.shape)) if places.shape else []
            target = m.at(None, [m.whole(2, at, x.shape[0]), column])
            offset = f.add(f.mul(turn.index, f.index(columns)), column)
            place = f.at(m.pointers[m.buffer_of(found.base)], f.add(f.index(found.offset), offset), entry)
            new = f.load_masked(place, mask, f.zero(wide))
            held = f.load_masked(target, mask, f.zero(wide))
            f.store_masked(f.add(held, new), target, mask)
    return m.done(blocks)


def write_assemble(m: Mover) -> Kernel | None:
    """Parts put into one array; what no part covers is zero."""
    f = m.f
    shape, boxes = m.val.shape, m.val.params["cuts"]
    if not shape:
        return None
    entry = memory_type(m.val.dtype)
    *lead, last = shape
    side_by_side = all(cut == (0, n, 1) for box in boxes for cut, n in zip(box[:-1], shape[:-1], strict=True))
    covered = sum(part.size for part in m.val.ins) == m.val.size
    units = product(lead) if side_by_side else 1
    with f.loop(m.lo, m.hi) as unit:
        unit.next()
        rows = f.index(1) if side_by_side else f.index(product(lead))
        if not covered:
            start = unit.index if side_by_side else f.index(0)
            with f.loop(start, f.add(start, rows)) as row:
                row.next()
                target = m.at(None, [*indices_of(f, row.index, lead), f.index(0)])
                with f.loop(f.index(0), f.index(last)) as blank:
                    blank.next()
                    f.store(f.zero(entry), f.at(target, blank.index, entry))
        for number, (part, box) in enumerate(zip(m.val.ins, boxes, strict=True)):
            if part.size == 0:
                continue
            inner = list(part.shape[:-1])
            start = unit.index if side_by_side else f.index(0)
            stop = f.add(start, f.index(1)) if side_by_side else f.index(product(inner))
            with f.loop(start, stop) as each_row:
                each_row.next()
                at = indices_of(f, each_row.index, inner)
                moved = [
                    f.add(f.mul(i, f.index(step)), f.index(start))
                    for i, (start, _, step) in zip(at, box[:-1], strict=True)
                ]
                target = m.at(None, [*moved, f.index(box[-1][0])])
                found = access(part)
                assert found is not None
                if found.base.number is not None:
                    with f.loop(f.index(0), f.index(part.shape[-1])) as each:
                        each.next()
                        place = f.mul(each.index, f.index(box[-1][2]))
                        f.store(f.const(found.base.number, entry), f.at(target, place, entry))
                    continue
                _copy_part(m, part.shape[-1], m.at(number, [*at, f.index(0)]), target, m.step(number), box[-1][2])
    return m.done(units)


def _copy_part(m: Mover, count: int, source: Value, target: Value, step: int, apart: int) -> None:
    """`copy_row` from one address to another; the entries are `step` apart in the source, `apart` in the target."""
    f, entry = m.f, memory_type(m.val.dtype)
    copy_row(
        m, count, lambda i: f.at(source, f.mul(i, f.index(step)), entry),
        lambda i: f.at(target, f.mul(i, f.index(apart)), entry), step if apart == 1 else 0,
    )  # fmt: skip


def write_gather(m: Mover) -> Kernel | None:
    """One entry for each index, along one axis."""
    f, axis = m.f, m.val.params["axis"]
    x, shape = m.val.ins[0], list(m.val.shape)
    if not shape:
        return None
    last = shape[-1]
    with f.loop(m.lo, m.hi) as unit:
        unit.next()
        lead = indices_of(f, unit.index, shape[:-1])
        with f.loop(f.index(0), f.index(last)) as turn:
            turn.next()
            at = [*lead, turn.index]
            from_ = list(at)
            from_[axis] = m.whole(1, at, x.shape[axis])
            f.store(f.load(m.at(0, from_), memory_type(x.dtype)), m.at(None, at))
    return m.done(product(shape[:-1]))


def write_scatter_add(m: Mover) -> Kernel | None:
    """Entries added at indices along one axis. Units are the other dimensions before that axis."""
    f, axis = m.f, m.val.params["axis"]
    x, index, _ = m.val.ins
    if not x.shape or x.shape[:axis] != index.shape[:axis]:
        return None
    outer, inner = list(x.shape[:axis]), list(x.shape[axis:])
    picked = list(index.shape[axis:])
    entry = memory_type(x.dtype)
    with f.loop(m.lo, m.hi) as unit:
        unit.next()
        lead = indices_of(f, unit.index, outer)
        with f.loop(f.index(0), f.index(product(inner))) as turn:
            turn.next()
            at = [*lead, *indices_of(f, turn.index, inner)]
            f.store(m.entry(0, at), m.at(None, at))
        with f.loop(f.index(0), f.index(product(picked))) as turn:
            turn.next()
            at = [*lead, *indices_of(f, turn.index, picked)]
            to = list(at)
            to[axis] = m.whole(1, at, x.shape[axis])
            target = m.at(None, to)
            f.store(f.add(f.load(target, entry), m.entry(2, at)), target)
    return m.done(product(outer))


def write_max_pool_index(m: Mover) -> Kernel | None:
    """Where the largest entry of each window stands; the first at a tie, and a nan before everything."""
    f, p = m.f, m.val.params
    x = m.val.ins[0]
    space, out = x.shape[2:], m.val.shape[2:]
    entry = memory_type(x.dtype)
    kernel = p["kernel"]
    with f.loop(m.lo, m.hi) as unit:
        unit.next()
        n, c, *rest = indices_of(f, unit.index, [*m.val.shape[:2], *out[:-1]])
        with f.loop(f.index(0), f.index(out[-1])) as turn:
            turn.next()
            place = [*rest, turn.index]
            best, where = f.zero(entry), f.index(-1)
            for number in range(product(kernel)):
                offsets, left = [], number
                for size in reversed(kernel):
                    offsets.append(left % size)
                    left //= size
                offsets.reverse()
                at, inside = [], f.const(True, I1)
                for i, k, s, pad, d, size in zip(
                    place, offsets, p["stride"], p["padding"], p["dilation"], space, strict=True
                ):
                    position = f.add(f.mul(i, f.index(s)), f.index(k * d - pad))
                    inside = f.bit_and(inside, f.compare("ult", position, f.index(size)))
                    at.append(position)
                safe = [f.select(inside, i, f.index(0)) for i in at]
                value = f.load(m.at(0, [n, c, *safe]), entry)
                flat = f.index(0)
                for i, size in zip(safe, space, strict=True):
                    flat = f.add(f.mul(flat, f.index(size)), i)
                larger = _wins(f, value, best)
                first = f.compare("slt", where, f.index(0))
                take = f.bit_and(inside, f.bit_or(first, larger))
                best, where = f.select(take, value, best), f.select(take, flat, where)
            f.store(where, m.at(None, [n, c, *place]))
    return m.done(product(m.val.shape[:2]) * product(out[:-1]))


def _wins(f: Function, value: Value, best: Value) -> Value:
    if not value.type.floating:
        return f.compare("sgt", value, best)
    larger = f.compare("ogt", value, best)
    return f.bit_or(larger, f.compare("uno", value, value))


def write_uniform01(m: Mover) -> Kernel | None:
    """Philox 4x64-10, four numbers at a time, as `ops/random.py` describes it."""
    f = m.f
    state = access(m.val.ins[0])
    assert state is not None
    entry = memory_type(m.val.dtype)
    count = m.val.size
    blocks = -(-count // 4)
    chunk = 64
    units = -(-blocks // chunk)
    key = m.entry(0, [f.index(0)])
    counter = m.entry(0, [f.index(1)])
    bits = 24 if entry.kind == "float" else 53
    with f.loop(f.mul(m.lo, f.index(chunk)), f.smaller(f.mul(m.hi, f.index(chunk)), f.index(blocks))) as turn:
        turn.next()
        # NumPy moves the counter before it draws: block k comes from counter + k + 1.
        number = f.add(counter, f.add(turn.index, f.index(1)))
        carry = f.convert("zext", f.compare("ult", number, counter), "i64")
        words = philox(f, [number, carry, f.index(0), f.index(0)], [key, f.index(0)])
        for lane, word in enumerate(words):
            kept = f.lshr(word, f.index(64 - bits))
            value = f.mul(f.convert("uitofp", kept, entry.kind), f.const(2.0**-bits, entry))
            place = f.add(f.mul(turn.index, f.index(4)), f.index(lane))
            target = f.at(m.pointers[m.buffer_of(m.val)], place, entry)
            if count % 4:
                with f.when(f.compare("slt", place, f.index(count))):
                    f.store(value, target)
            else:
                f.store(value, target)
    return m.done(units)


def philox(f: Function, words: list[Value], key: list[Value]) -> list[Value]:
    """Ten rounds. J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), section 3.3."""
    first, second = 0xD2E7470EE14C6C93, 0xCA5A826395121157
    bumps = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)

    def product_of(a: Value, factor: int) -> tuple[Value, Value]:
        wide = f.make(f"zext i64 {a.text} to i128", Type("i128"))
        made = f.make(f"mul i128 {wide.text}, {factor}", Type("i128"))
        high = f.make(f"lshr i128 {made.text}, 64", Type("i128"))
        return f.make(f"trunc i128 {high.text} to i64", I64), f.make(f"trunc i128 {made.text} to i64", I64)

    for number in range(10):
        if number:
            key = [f.add(k, f.const(b, I64)) for k, b in zip(key, bumps, strict=True)]
        high0, low0 = product_of(words[0], first)
        high1, low1 = product_of(words[2], second)
        words = [
            f.bit_xor(f.bit_xor(high1, words[1]), key[0]), low1, f.bit_xor(f.bit_xor(high0, words[3]), key[1]), low0,
        ]  # fmt: skip
    return words


WRITERS: dict[str, Callable[[Mover], Kernel | None]] = {
    "index": write_index, "index_put": write_index_put, "assemble": write_assemble, "gather": write_gather,
    "scatter_add": write_scatter_add, "max_pool_index": write_max_pool_index, "uniform01": write_uniform01,
}  # fmt: skip


def write_move(module: Module, name: str, group: Group, width: int, buffer_of: Callable[[Val], Val]) -> Kernel | None:
    """The kernel of a value that moves entries; None where there is none for it."""
    writer = WRITERS.get(group.kind)
    if writer is None or group.vals[0].size == 0:
        return None
    return writer(Mover(module, name, group, width, buffer_of))
