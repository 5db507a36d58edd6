"""Matrix products: a block of the result stays in registers while a panel of the right operand goes by.

For each panel of columns the right operand is packed, so that the inner loop reads it in order; the left one is read
where it lies, one number at a time, whatever its strides. What follows the product entry for entry (bias, activation,
its derivative, the optimizer) is done on the block before it is written.
Source: K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication" (ACM TOMS 34, 2008).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..access import access
from ..groups import Group, accesses
from ..program import Val
from .ir import I64, PTR, Function, Module, Value
from .loops import Kernel
from .pack import Packer, Panel
from .scribe import Scribe
from .space import Space, indices_of, memory_type, product, space_of
from .turn import Turn

DEPTH = 1024
"""So many rows of a packed panel at most: more would not stay in the second-level cache."""
TASKS = 12
"""A product is cut into about so many tasks, if it is large enough."""


@dataclass(frozen=True)
class Tile:
    """The block of the result that stays in registers."""

    rows: int
    vectors: int


def tile_for(vectors: int, registers: int) -> Tile:
    """How many rows go with so many vectors of columns."""
    room = registers - vectors - (1 if registers > 16 else 2)
    return Tile(max(1, min({1: 14, 2: 12, 3: 8, 4: 6}.get(vectors, 4), room // vectors)), vectors)


@dataclass
class Operand:
    """A matrix, or a batch of them: how far apart its entries are."""

    pointer: Value
    batch: tuple[list[int], list[int]]
    """Sizes and strides of the batch's dimensions."""
    row: int
    column: int
    offset: int


class Product:
    """Writes the kernel of one matrix product."""

    def __init__(
        self, module: Module, name: str, group: Group, width: int, registers: int, buffer_of: Callable[[Val], Val]
    ) -> None:
        self.module, self.name, self.group, self.buffer_of = module, name, group, buffer_of
        self.root = group.vals[0]
        *self.batch, self.m, self.n = self.root.shape
        a = self.root.ins[0]
        self.k = a.shape[-2] if self.root.params.get("ta") else a.shape[-1]
        self.entry = memory_type(self.root.dtype)
        self.most = width // self.entry.bits
        self.lanes = self.most
        while self.lanes > 1 and self.lanes // 2 >= self.n:
            self.lanes //= 2
        self.lanes = self.lanes if self.lanes > 1 else 2
        self.registers = registers
        self.space = space_ofproduct(group)
        names: dict[Val, None] = {}
        for val in group.vals:
            for each in accesses(val):
                if each.base not in group.level and each.base.number is None:
                    names.setdefault(buffer_of(each.base))
        for val in group.stored:
            names.setdefault(buffer_of(val))
        self.buffers = list(names)

    # -- the outline ------------------------------------------------------------------------------------------------

    def write(self) -> Kernel:
        vectors = -(-self.n // self.lanes)
        panels = _panels(vectors)
        batch = product(self.batch)
        blocks = self._row_blocks(len(panels) * batch)
        rows = _rounded(self.m, blocks)
        blocks = -(-self.m // rows)
        shapes = sorted(set(panels), reverse=True)
        makers = {count: self._panel(count) for count in shapes}
        params = [(f"p{i}", PTR) for i in range(len(self.buffers))]
        f = self.module.function(self.name, [*params, ("lo", I64), ("hi", I64)])
        with f.loop(f.params[-2], f.params[-1]) as unit:
            unit.next()
            b, panel, block = indices_of(f, unit.index, [batch, len(panels), blocks])
            first = f.mul(block, f.index(rows))
            last = f.smaller(f.add(first, f.index(rows)), f.index(self.m))
            start = 0
            for count in shapes:
                many = panels.count(count)
                place = f.sub(panel, f.index(start))
                column = f.add(f.mul(place, f.index(count * self.lanes)), f.index(sum(panels[:start]) * self.lanes))
                inside = f.bit_and(f.compare("sge", place, f.index(0)), f.compare("slt", place, f.index(many)))
                with f.when(inside):
                    f.call(makers[count], *f.params[:-2], b, column, first, last)
                start += many
        f.ret()
        return Kernel(self.name, self.buffers, batch * len(panels) * blocks)

    def _row_blocks(self, panels: int) -> int:
        """Into how many parts the rows are cut, so that there are tasks enough to share."""
        work = self.m * self.n * self.k * max(1, product(self.batch))
        if work < 200_000:
            return 1
        return max(1, min(-(-TASKS // panels), self.m // 32))

    def _operands(self, f: Function) -> tuple[Operand, Operand]:
        made = []
        for number, flag in enumerate(("ta", "tb")):
            val = self.root.ins[number]
            found = access(val)
            assert found is not None
            *batch, row, column = found.strides
            if self.root.params.get(flag):
                row, column = column, row
            pointer = f.params[self.buffers.index(self.buffer_of(found.base))]
            made.append(Operand(pointer, (list(self.batch), batch), row, column, found.offset))
        return made[0], made[1]

    def _origin(self, f: Function, operand: Operand, b: Value) -> Value:
        """Where the matrix of one batch begins."""
        total = f.index(operand.offset)
        sizes, strides = operand.batch
        for index, stride in zip(indices_of(f, b, sizes), strides, strict=True):
            total = f.add(total, f.mul(index, f.index(stride)))
        return f.at(operand.pointer, total, self.entry)

    # -- a panel of columns -----------------------------------------------------------------------------------------

    def _panel(self, vectors: int) -> Function:
        """The function for panels of so many vectors: packs the panel, then goes down the rows."""
        params = [(f"p{i}", PTR) for i in range(len(self.buffers))]
        places = [("b", I64), ("column", I64), ("first", I64), ("last", I64)]
        f = self.module.function(f"{self.name}_{vectors}", [*params, *places])
        b, column, first, last = f.params[-4:]
        left, right = self._operands(f)
        a, c = self._origin(f, left, b), self._origin(f, right, b)
        c = f.at(c, f.mul(column, f.index(right.column)), self.entry)
        width = vectors * self.lanes
        depth = min(self.k, DEPTH)
        tile = tile_for(vectors, self.registers)
        straight = right.column == 1 and self.n % self.lanes == 0 and self.m <= 2 * tile.rows and self.k <= DEPTH
        packed = c if straight else f.stack(self.entry, max(1, depth * width))
        stride = right.row if straight else width
        blocks = -(-self.k // DEPTH) if self.k else 1
        partial = f.stack(self.entry, self.m * width) if blocks > 1 else None
        for block in range(blocks):
            start = block * DEPTH
            deep = min(DEPTH, self.k - start)
            if not straight and deep:
                source = f.at(c, f.index(start * right.row), self.entry)
                shape = Panel(self.entry, self.lanes, self.n, vectors, deep)
                Packer(shape, f, source, right.row, right.column, packed, column).write()
            here = f.at(a, f.index(start * left.column), self.entry)
            job = Job(f, here, left, packed, stride, deep, b, column, vectors, partial, block, block == blocks - 1)
            self._rows(job, tile.rows, first, last)
        f.ret()
        return f

    def _rows(self, job: Job, rows: int, first: Value, last: Value) -> None:
        """Blocks of `rows` rows from first to last, and one smaller at the end."""
        f = job.f
        count = f.sub(last, first)
        whole = f.add(first, f.mul(f.udiv(count, f.index(rows)), f.index(rows)))
        with f.loop(first, whole, rows) as turn:
            turn.next()
            self._tile(job, rows, turn.index)
        if self.m % rows or self.m > rows:
            rest = f.sub(last, whole)
            for few in self._remainders(rows):
                with f.when(f.compare("eq", rest, f.index(few))):
                    self._tile(job, few, whole)

    def _remainders(self, rows: int) -> list[int]:
        """How many rows may be left over at the end of a block of rows."""
        blocks = self._row_blocks(len(_panels(-(-self.n // self.lanes))) * product(self.batch))
        size = _rounded(self.m, blocks)
        ends = {min(size, self.m - start) % rows for start in range(0, self.m, size)}
        return sorted(ends - {0})

    def _tile(self, job: Job, rows: int, row: Value) -> None:
        """One block of the result."""
        f, wide = job.f, self.entry.of(self.lanes)
        count = job.vectors
        pointers = [
            f.at(job.left_at, f.mul(f.add(row, f.index(r)), f.index(job.left.row)), self.entry) for r in range(rows)
        ]
        held: list[Value] = []
        for r in range(rows):
            for v in range(count):
                if job.block and job.partial is not None:
                    place = f.add(f.mul(f.add(row, f.index(r)), f.index(count * self.lanes)), f.index(v * self.lanes))
                    held.append(f.load(f.at(job.partial, place, self.entry), wide))
                else:
                    held.append(f.zero(wide))
        if job.deep:
            with f.loop(f.index(0), f.index(job.deep), 1, held) as turn:
                base = f.at(job.packed, f.mul(turn.index, f.index(job.stride)), self.entry)
                right = [f.load(f.at(base, f.index(v * self.lanes), self.entry), wide) for v in range(count)]
                after = []
                for r in range(rows):
                    at = f.at(pointers[r], f.mul(turn.index, f.index(job.left.column)), self.entry)
                    number = f.splat(f.load(at, self.entry), self.lanes)
                    for v in range(count):
                        after.append(self._multiply_add(f, number, right[v], turn.carried[r * count + v]))
                turn.next(*after)
            held = turn.results
        if not job.final:
            assert job.partial is not None
            for r in range(rows):
                for v in range(count):
                    place = f.add(f.mul(f.add(row, f.index(r)), f.index(count * self.lanes)), f.index(v * self.lanes))
                    f.store(held[r * count + v], f.at(job.partial, place, self.entry))
            return
        for r in range(rows):
            number = f.add(f.mul(job.b, f.index(self.m)), f.add(row, f.index(r)))
            lead = indices_of(f, number, self.space.sizes[:-1])
            for v in range(count):
                self._finish(job, held[r * count + v], lead, v)

    def _multiply_add(self, f: Function, a: Value, b: Value, c: Value) -> Value:
        return f.fma(a, b, c) if self.module.has_fma else f.add(f.mul(a, b), c)

    def _finish(self, job: Job, value: Value, lead: Sequence[Value], v: int) -> None:
        """What follows the product, for one vector of the result, and writing it."""
        f = job.f
        at = f.add(job.column, f.index(v * self.lanes))
        mask = None
        if self.n % self.lanes and v == job.vectors - 1:
            left = f.sub(f.index(self.n), at)
            mask = f.first_lanes(f.smaller(left, f.index(self.lanes)), self.lanes)
        writer = Epilogue(self, f)
        turn = Turn(writer, [*lead, at], [], mask, self.lanes, parent=NO_ROWS, stage=0)  # type: ignore[arg-type]
        turn.known[self.root] = value
        for val in self.group.vals:
            turn.value(val)
        for val in self.group.stored:
            turn.store(val)


@dataclass
class Job:
    """What the blocks of one panel have in common."""

    f: Function
    left_at: Value
    left: Operand
    packed: Value
    stride: int
    deep: int
    b: Value
    column: Value
    vectors: int
    partial: Value | None
    block: int
    final: bool


class Epilogue:
    """What a `Turn` needs to know of its writer."""

    def __init__(self, product: Product, f: Function) -> None:
        self.f, self.group, self.space = f, product.group, product.space
        self.scribe = Scribe(f)
        self.pointers = dict(zip(product.buffers, f.params, strict=False))
        self.buffer_of = product.buffer_of
        self.stage: dict[Val, int] = {}


class _NoRows:
    """Stands for the rows' values where there are none."""

    lanes = 0


NO_ROWS = _NoRows()


def _rounded(rows: int, blocks: int) -> int:
    """So many rows in each block, a multiple of 8."""
    each = -(-rows // blocks)
    return -(-each // 8) * 8


def _panels(vectors: int) -> list[int]:
    """So many vectors of columns as panels of three, the rest as twos, a single one only where nothing else is left."""
    if vectors <= 4 and vectors != 3:
        return [vectors] if vectors < 4 else [2, 2]
    threes, rest = divmod(vectors, 3)
    if rest == 1:
        return [3] * (threes - 1) + [2, 2]
    return [3] * threes + ([2] if rest else [])


def space_ofproduct(group: Group) -> Space:
    """The space of the result, its last dimension the columns."""
    return space_of(group, group.vals[0].shape[-1])


def write_matmul(
    module: Module, name: str, group: Group, width: int, registers: int, buffer_of: Callable[[Val], Val]
) -> Kernel:
    """The kernel of a matrix product and what follows it."""
    return Product(module, name, group, width, registers, buffer_of).write()
