"""What an op writes a kernel of its own by (`Op.writes`): tasks to be shared out, loops, entries read and written."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ...op import REGISTRY
from ...spec import smallest
from ..access import Buffer, access, contiguous
from ..groups import Group, accesses
from ..program import Val
from .ir import Function, Module
from .lanes import Lanes, Part
from .loops import Kernel
from .space import indices_of, lanes_for, memory_type, product
from .values import I1, I64, PTR, Loop, Type, Value


class Mover:
    """Writes the kernel of one value. Indices are lists of numbers, one for each dimension."""

    def __init__(
        self, module: Module, name: str, group: Group, width: int, registers: int, buffer_of: Callable[..., Buffer]
    ) -> None:
        self.val = group.vals[0]
        self.given = (module, name, group, width, registers, buffer_of)
        self.width, self.name, self.buffer_of = width, name, buffer_of
        names: dict[Buffer, None] = {}
        for each in accesses(self.val):
            names.setdefault(buffer_of(each.base, each.offset))
        names.setdefault(buffer_of(self.val))
        self.buffers = list(names)
        params = [(f"p{i}", PTR) for i in range(len(self.buffers))]
        self.f = Function(module, name, [*params, ("lo", I64), ("hi", I64)], None)
        self.module = module
        self.pointers = dict(zip(self.buffers, self.f.params, strict=False))
        self.lo, self.hi = self.f.params[-2:]
        self.type = memory_type(self.val.dtype)
        self.zero, self.true = self.f.index(0), self.f.const(True, I1)
        self.units = 1

    # -- whole kernels that stand in files of their own -------------------------------------------------------------

    def product(self) -> Kernel:
        """A matrix product, with what follows it."""
        from .matmul import write_matmul

        return write_matmul(*self.given)

    def convolution(self) -> Kernel:
        """A convolution, with what follows it."""
        from .conv import Convolution

        return Convolution(*self.given).write()

    def weight_gradient(self) -> Kernel:
        """The gradient of a convolution's weights."""
        from .conv_weight import WeightGradient

        return WeightGradient(*self.given).write()

    def done(self) -> Kernel:
        """The kernel that was written."""
        self.f.ret()
        self.module.functions[self.name] = self.f
        return Kernel(self.name, self.buffers, self.units)

    # -- tasks and loops --------------------------------------------------------------------------------------------

    @contextmanager
    def tasks(self, sizes: Sequence[int]) -> Iterator[list[Value]]:
        """What is in here is done once for each place in an array of these sizes; threads share the places."""
        self.units = product(sizes)
        with self.f.loop(self.lo, self.hi) as unit:
            unit.next()
            yield indices_of(self.f, unit.index, list(sizes)) if sizes else []

    @contextmanager
    def blocks(self, count: int, together: int) -> Iterator[Value]:
        """The same for each of so many numbers, of which a task takes some together."""
        f = self.f
        self.units = -(-count // together)
        stop = f.smaller(f.mul(self.hi, f.index(together)), f.index(count))
        with f.loop(f.mul(self.lo, f.index(together)), stop) as turn:
            turn.next()
            yield turn.index

    @contextmanager
    def each(self, sizes: Sequence[int]) -> Iterator[list[Value]]:
        """What is in here is done for each place in an array of these sizes, one after another."""
        with self.f.loop(self.zero, self.f.index(product(sizes))) as turn:
            turn.next()
            yield indices_of(self.f, turn.index, list(sizes)) if sizes else []

    @contextmanager
    def along(self, count: int, *first: Value, start: int = 0) -> Iterator[Loop]:
        """A loop that carries values around."""
        with self.f.loop(self.f.index(start), self.f.index(count), 1, list(first)) as turn:
            yield turn

    @contextmanager
    def below(self, place: Value, count: int, whole: bool) -> Iterator[None]:
        """What is in here is done only for places below `count`; `whole`: they all are."""
        if whole:
            yield
            return
        with self.f.when(self.f.compare("slt", place, self.f.index(count))):
            yield

    # -- entries ----------------------------------------------------------------------------------------------------

    def at(self, number: int | None, indices: Sequence[Value]) -> Value:
        """The address of an entry of operand `number`; None: of the result."""
        f = self.f
        if number is None:
            base, start, strides = self.val, 0, contiguous(self.val.shape)
        else:
            found = access(self.val.ins[number])
            assert found is not None
            base, start, strides = found
        total = f.index(0)
        for index, stride in zip(indices, strides, strict=True) if strides else ():
            total = f.add(total, f.mul(index, f.index(stride)))
        return f.at(self.pointers[self.buffer_of(base, start)], total, memory_type(base.dtype))

    def entry(self, number: int, indices: Sequence[Value]) -> Value:
        """An entry of an operand."""
        source = self.val.ins[number]
        found = access(source)
        assert found is not None
        if found.base.number is not None:
            return self.f.const(found.base.number, memory_type(source.dtype))
        return self.f.load(self.at(number, indices), memory_type(source.dtype))

    def place(self, number: int, indices: Sequence[Value], limit: int) -> Value:
        """An entry of an operand that is an index, kept within the axis that it is for."""
        f = self.f
        found = self.entry(number, indices)
        if found.type.kind != "i64":
            found = f.convert("sext", found, "i64")
        return f.smaller(f.larger(found, f.index(0)), f.index(max(limit - 1, 0)))

    def held(self, indices: Sequence[Value]) -> Value:
        """What was put into the result."""
        return self.f.load(self.at(None, indices), self.type)

    def put(self, indices: Sequence[Value], value: Value) -> None:
        """Write an entry of the result."""
        self.f.store(value, self.at(None, indices))

    def put_flat(self, place: Value, value: Value) -> None:
        """Write an entry of the result by its number."""
        self.f.store(value, self.f.at(self.pointers[self.buffer_of(self.val)], place, self.type))

    def number(self, value: float) -> Value:
        """A number of the result's dtype."""
        return self.f.const(value, self.type)

    def lowest(self, number: int) -> Value:
        """What no entry of an operand is below."""
        dtype = self.val.ins[number].dtype
        return self.f.const(smallest(dtype), memory_type(dtype))

    def plus(self, a: Value, b: Value) -> Value:
        """The sum of two entries of the result's dtype."""
        return self.f.bit_or(a, b) if self.val.dtype.kind == "b" else self.f.add(a, b)

    def exceeds(self, a: Value, b: Value, last_nan: bool = False) -> Value:
        """Whether a is larger than b: nan is larger than every number, and than a nan before it if `last_nan`."""
        f = self.f
        if not a.type.floating:
            return f.compare("sgt", a, b)
        is_nan = f.compare("uno", a, a)
        if not last_nan:
            is_nan = f.bit_and(is_nan, f.compare("ord", b, b))
        return f.bit_or(f.compare("ogt", a, b), is_nan)

    def comes_first(self, a: Value, b: Value, descending: bool) -> Value:
        """Whether a, which stands before b, stays there when they are sorted; nan is larger than every number."""
        f = self.f
        if not a.type.floating:
            return f.compare("sge" if descending else "sle", a, b)
        larger = a if descending else b
        ordered = f.compare("oge" if descending else "ole", a, b)
        return f.bit_or(ordered, f.compare("uno", larger, larger))

    # -- rows -------------------------------------------------------------------------------------------------------

    def copy_row(self, number: int, source: Sequence[Value], target: Sequence[Value]) -> None:
        """The entries along the last dimension, from an operand to the result."""
        found = access(self.val.ins[number])
        assert found is not None
        count, step = self.val.shape[-1], found.strides[-1] if found.strides else 0
        copy(self, count, self.at(number, [*source, self.zero]), step, self.at(None, [*target, self.zero]), 1)

    @contextmanager
    def column_parts(self, columns: int) -> Iterator[Part]:
        """Like `tasks`, for parts of a matrix's columns: entries are vectors in here."""
        f = self.f
        lanes = max(1, self.width // self.type.bits)
        self.units = -(-columns // lanes)
        with f.loop(self.lo, self.hi) as unit:
            unit.next()
            column = f.mul(unit.index, f.index(lanes))
            left = f.smaller(f.sub(f.index(columns), column), f.index(lanes))
            yield Part(self, columns, column, f.first_lanes(left, lanes))

    @contextmanager
    def lanes_along(self, count: int, number: int) -> Iterator[Lanes]:
        """Like `each`, for places along the last dimension of the result, of which some are done at the same time."""
        f = self.f
        entry = memory_type(self.val.ins[number].dtype)
        lanes = max(2, lanes_for(count, self.width // max(entry.bits, 8)))
        with f.loop(self.zero, f.index(count), lanes) as turn:
            turn.next()
            left = f.smaller(f.sub(f.index(count), turn.index), f.index(lanes))
            yield Lanes(self, number, entry.of(lanes), turn.index, f.first_lanes(left, lanes))

    # -- memory of the kernel's own ---------------------------------------------------------------------------------

    @contextmanager
    def scratch(self, count: int) -> Iterator[Value]:
        """Memory for so many whole numbers, as long as it is needed."""
        f = self.f
        f.module.declared.setdefault("malloc", "declare ptr @malloc(i64)")
        f.module.declared.setdefault("free", "declare void @free(ptr)")
        made = f.call("malloc", f.index(8 * max(count, 1)), result=PTR)
        assert made is not None
        yield made
        f.call("free", made)

    def shifted(self, place: Value, count: int) -> Value:
        return self.f.at(place, self.f.index(count), I64)

    def keep(self, memory: Value, place: Value, value: Value) -> None:
        """Write a whole number into `scratch`."""
        self.f.store(value, self.f.at(memory, place, I64))

    def kept(self, memory: Value, place: Value) -> Value:
        """Read it again."""
        return self.f.load(self.f.at(memory, place, I64), I64)

    # -- random bits ------------------------------------------------------------------------------------------------

    def philox(self, words: list[Value], key: list[Value]) -> list[Value]:
        """Ten rounds. J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), section 3.3."""
        f = self.f
        bumps = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
        for number in range(10):
            if number:
                key = [f.add(k, f.const(b, I64)) for k, b in zip(key, bumps, strict=True)]
            high0, low0 = _wide_product(f, words[0], 0xD2E7470EE14C6C93)
            high1, low1 = _wide_product(f, words[2], 0xCA5A826395121157)
            words = [_xor(f, high1, words[1], key[0]), low1, _xor(f, high0, words[3], key[1]), low0]
        return words


def _xor(f: Function, *words: Value) -> Value:
    return functools.reduce(f.bit_xor, words)


def _wide_product(f: Function, a: Value, factor: int) -> tuple[Value, Value]:
    """The high and the low half of a product of 64-bit numbers."""
    wide = f.make(f"zext i64 {a.text} to i128", Type("i128"))
    made = f.make(f"mul i128 {wide.text}, {factor}", Type("i128"))
    high = f.make(f"lshr i128 {made.text}, 64", Type("i128"))
    return f.make(f"trunc i128 {high.text} to i64", I64), f.make(f"trunc i128 {made.text} to i64", I64)


def copy(m: Mover, count: int, source: Value, step: int, target: Value, apart: int) -> None:
    """So many entries, `step` apart, to places that are `apart`."""
    f, entry = m.f, m.type
    lanes = m.width // max(entry.bits, 8)
    bulk = count - count % lanes if step == apart == 1 else 0

    def one(at: Value, type: Type) -> None:
        value = f.load(f.at(source, f.mul(at, f.index(step)), entry), type)
        f.store(value, f.at(target, f.mul(at, f.index(apart)), entry))

    if bulk:
        with f.loop(f.index(0), f.index(bulk), lanes) as turn:
            turn.next()
            one(turn.index, entry.of(lanes))
    if bulk < count:
        with f.loop(f.index(bulk), f.index(count)) as turn:
            turn.next()
            one(turn.index, entry)


def write_assemble(m: Mover) -> Kernel:
    """Parts put into one array, later ones over earlier ones; what no part covers is zero."""
    f, entry = m.f, m.type
    shape, boxes = m.val.shape, m.val.params["cuts"]
    *lead, last = shape
    # Where every part goes from end to end but along the last dimension, each row is a task.
    side_by_side = all(cut == (0, n, 1) for box in boxes for cut, n in zip(box[:-1], shape[:-1], strict=True))
    covered = sum(part.size for part in m.val.ins) == m.val.size or any(part.shape == shape for part in m.val.ins)
    with m.tasks(lead if side_by_side else ()) as row:
        if not covered:
            with _rows(m, row, lead, side_by_side) as at, m.each((last,)) as (place,):
                m.put([*at, place], f.zero(entry))
        for number, (part, box) in enumerate(zip(m.val.ins, boxes, strict=True)):
            if part.size:
                with _rows(m, row, part.shape[:-1], side_by_side) as at:
                    _put_part(m, number, part, box, at)
    return m.done()


def _put_part(m: Mover, number: int, part: Val, box: Sequence[tuple[int, int, int]], at: list[Value]) -> None:
    """One row of a part."""
    f = m.f
    moved = [f.add(f.mul(i, f.index(step)), f.index(start)) for i, (start, _, step) in zip(at, box[:-1], strict=True)]
    found = access(part)
    assert found is not None
    start, _, apart = box[-1]
    if found.base.number is not None:
        with m.each(part.shape[-1:]) as (place,):
            m.put([*moved, f.add(f.mul(place, f.index(apart)), f.index(start))], f.const(found.base.number, m.type))
    else:
        source, target = m.at(number, [*at, m.zero]), m.at(None, [*moved, f.index(start)])
        copy(m, part.shape[-1], source, found.strides[-1], target, apart)


@contextmanager
def _rows(m: Mover, row: list[Value], sizes: Sequence[int], one: bool) -> Iterator[list[Value]]:
    """The task's row, or all rows."""
    if one:
        yield row
    else:
        with m.each(sizes) as at:
            yield at


def write_own(
    module: Module, name: str, group: Group, width: int, registers: int, buffer_of: Callable[..., Buffer]
) -> Kernel:
    """The kernel of an op that writes its own."""
    mover = Mover(module, name, group, width, registers, buffer_of)
    if group.kind == "assemble":
        return write_assemble(mover)
    rule = REGISTRY[group.kind].kernel
    assert rule is not None, f"{group.kind} has no kernel"
    made: Kernel = rule(mover)
    return made
