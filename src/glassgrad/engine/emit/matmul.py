"""Matrix products: a block of the result stays in registers while a panel of the right operand goes by.

For each panel of columns the right operand is packed, so that the inner loop reads it in order; the left one is read
where it lies, one number at a time, whatever its strides. What follows the product entry for entry (bias, activation,
its derivative, the optimizer) is done on the block before it is written.
Source: K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication" (ACM TOMS 34, 2008).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..access import Buffer, access
from ..groups import Group, accesses
from ..program import Val
from .ir import Function, Module
from .loops import Kernel
from .pack import Packer, Panel
from .scribe import Scribe
from .space import Space, indices_of, memory_type, product, space_of
from .turn import Turn
from .values import I64, PTR, Value

DEPTH = 1024
"""So many rows of a packed panel at most: more would not stay in the second-level cache."""
LINE = 64
"""Bytes of a cache line."""
FAR = 2048
"""Bytes between neighbouring products from which on they are fetched ahead."""
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

    buffer: Buffer
    batch: tuple[list[int], list[int]]
    """Sizes and strides of the batch's dimensions."""
    row: int
    column: int


class Product:
    """Writes the kernel of one matrix product."""

    def __init__(
        self, module: Module, name: str, group: Group, width: int, registers: int, buffer_of: Callable[..., Buffer]
    ) -> None:
        self.module, self.name, self.group, self.buffer_of = module, name, group, buffer_of
        self.root = group.vals[0]
        self.batch, self.m, self.n, self.k = self.sizes()
        self.entry = memory_type(self.root.dtype)
        self.most = width // self.entry.bits
        self.lanes = self.most
        while self.lanes > 1 and self.lanes // 2 >= self.n:
            self.lanes //= 2
        self.lanes = self.lanes if self.lanes > 1 else 2
        self.registers = registers
        self.space = self.index_space()
        names: dict[Buffer, None] = {}
        for val in group.vals:
            for each in accesses(val):
                if each.base not in group.level and (each.base.number is None or val is self.root):
                    names.setdefault(buffer_of(each.base, each.offset))
        for val in group.stored:
            names.setdefault(buffer_of(val))
        self.buffers = list(names)

    # -- what a convolution does otherwise --------------------------------------------------------------------------

    def sizes(self) -> tuple[list[int], int, int, int]:
        """The batch, and how many rows, columns, and products for each entry."""
        *batch, m, n = self.root.shape
        a = self.root.ins[0]
        self.turned = n == 1
        """A single column lies as a single row does, so the two operands change places."""
        m, n = (n, m) if self.turned else (m, n)
        return batch, m, n, a.shape[-2] if self.root.params.get("ta") else a.shape[-1]

    def index_space(self) -> Space:
        """The space of the result, for what follows it."""
        return space_of(self.group, self.n)

    def operands(self) -> tuple[Operand, Operand]:
        """The left and the right matrix."""
        made = []
        for number, flag in enumerate(("ta", "tb")):
            val = self.root.ins[number]
            found = access(val)
            assert found is not None
            *batch, row, column = found.strides
            if self.root.params.get(flag):
                row, column = column, row
            row, column = (column, row) if self.turned else (row, column)
            buffer = self.buffer_of(found.base, found.offset)
            made.append(Operand(buffer, (list(self.batch), batch), row, column))
        return (made[1], made[0]) if self.turned else (made[0], made[1])

    def straight(self, right: Operand, tile: Tile) -> bool:
        """Whether a panel of the right operand is read where it lies: packing would not pay."""
        return right.column == 1 and self.n % self.lanes == 0 and self.m <= 2 * tile.rows

    def pack(self, f: Function, b: Value, right: Operand, column: Value, panel: Panel, start: int, to: Value) -> None:
        """Copy rows start to start + panel.deep of a panel of columns."""
        source = self.origin(f, right, b)
        source = f.at(source, f.mul(column, f.index(right.column)), self.entry)
        source = f.at(source, f.index(start * right.row), self.entry)
        Packer(panel, f, source, right.row, right.column, to, column).write()

    @property
    def depth(self) -> int:
        """How many rows of a panel are packed at a time."""
        return DEPTH

    # -- the outline ------------------------------------------------------------------------------------------------

    def panels(self) -> list[int]:
        """How many vectors of columns each panel has."""
        vectors = -(-self.n // self.lanes)
        few = self.m <= 4 and self.registers > 16 and self.n % self.lanes == 0
        return _wide_panels(vectors, 24 // max(self.m, 3)) if few else _panels(vectors)

    def write(self) -> Kernel:
        panels = self.panels()
        batch = product(self.batch)
        blocks = self._row_blocks(len(panels) * batch)
        rows = _rounded(self.m, blocks)
        blocks = -(-self.m // rows)
        shapes = sorted(set(panels), reverse=True)
        makers = {count: self._panel(count) for count in shapes}
        f = self.function(self.name, "lo", "hi")
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

    def function(self, name: str, *places: str) -> Function:
        """A function of all buffers and some numbers."""
        params = [(f"p{i}", PTR) for i in range(len(self.buffers))]
        return self.module.function(name, [*params, *((place, I64) for place in places)])

    def _row_blocks(self, panels: int) -> int:
        """Into how many parts the rows are cut, so that there are tasks enough to share."""
        work = self.m * self.n * self.k * max(1, product(self.batch))
        least = -(-self.m // 1024)
        if work < 200_000:
            return least
        return max(least, min(-(-TASKS // panels), self.m // 32))

    def rows_for(self, tasks: int, multiple: int) -> int:
        """How many rows each part has, of as many parts as make `tasks` times that enough to share."""
        work = self.m * self.n * self.k * product(self.batch)
        parts = min(-(-TASKS // tasks), -(-self.m // 32)) if work >= 200_000 else 1
        tiles = -(-self.m // multiple)
        return -(-tiles // parts) * multiple

    def origin(self, f: Function, operand: Operand, b: Value) -> Value:
        """Where the matrix of one batch begins."""
        total = f.index(0)
        sizes, strides = operand.batch
        for index, stride in zip(indices_of(f, b, sizes), strides, strict=True):
            total = f.add(total, f.mul(index, f.index(stride)))
        return f.at(f.params[self.buffers.index(operand.buffer)], total, self.entry)

    # -- a panel of columns -----------------------------------------------------------------------------------------

    def _panel(self, vectors: int) -> Function:
        """The function for panels of so many vectors: packs the panel, then goes down the rows."""
        f = self.function(f"{self.name}_{vectors}", "b", "column", "first", "last")
        b, column, first, last = f.params[-4:]
        left, right = self.operands()
        a = self.origin(f, left, b)
        width = vectors * self.lanes
        tile = tile_for(vectors, self.registers)
        straight = self.straight(right, tile)
        depth = max(1, self.k if straight else min(self.k, self.depth))
        where_it_lies = f.at(self.origin(f, right, b), column, self.entry) if straight else None
        packed = where_it_lies or f.stack(self.entry, depth * width)
        stride = right.row if straight else width
        blocks = -(-self.k // depth) if self.k else 1
        partial = f.stack(self.entry, self._block_rows() * width) if blocks > 1 else None
        for block in range(blocks):
            start = block * depth
            deep = min(depth, self.k - start)
            if not straight and deep:
                self.pack(f, b, right, column, Panel(self.entry, self.lanes, self.n, vectors, deep), start, packed)
            here = f.at(a, f.index(start * left.column), self.entry)
            job = Job(
                f, here, left, packed, stride, deep, b, column, first, vectors, partial, block, block == blocks - 1
            )
            size = self._block_rows()
            rows = -(-size // -(-size // tile.rows))
            self.down(f, rows, size, first, last, lambda count, row, job=job: self._tile(job, count, row))  # type: ignore[misc]
        f.ret()
        return f

    def _block_rows(self) -> int:
        """How many rows one task has at most."""
        panels = len(self.panels()) * product(self.batch)
        return _rounded(self.m, self._row_blocks(panels))

    def down(
        self, f: Function, rows: int, size: int, first: Value, last: Value, tile: Callable[[int, Value], None]
    ) -> None:
        """Tiles of `rows` rows from first to last, which are `size` apart at most, and one smaller at the end."""
        count = f.sub(last, first)
        whole = f.add(first, f.mul(f.udiv(count, f.index(rows)), f.index(rows)))
        if size >= rows:
            with f.loop(first, whole, rows) as turn:
                turn.next()
                tile(rows, turn.index)
        rest = f.sub(last, whole)
        for few in sorted({min(size, self.m - start) % rows for start in range(0, self.m, size)} - {0}):
            with f.when(f.compare("eq", rest, f.index(few))):
                tile(few, whole)

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
                    held.append(f.load(self._partial(job, row, r, v), wide))
                else:
                    held.append(f.zero(wide))
        if job.deep:
            with f.loop(f.index(0), f.index(job.deep), 1, held) as turn:
                base = f.at(job.packed, f.mul(turn.index, f.index(job.stride)), self.entry)
                right = [f.load(f.at(base, f.index(v * self.lanes), self.entry), wide) for v in range(count)]
                if self.far_apart(job.left):
                    ahead = f.at(pointers[0], f.index(rows + LINE // (self.entry.bits // 8)), self.entry)
                    f.prefetch(f.at(ahead, f.mul(turn.index, f.index(job.left.column)), self.entry))
                after = []
                for r in range(rows):
                    at = f.at(pointers[r], f.mul(turn.index, f.index(job.left.column)), self.entry)
                    number = f.splat(f.load(at, self.entry), self.lanes)
                    for v in range(count):
                        after.append(self.multiply_add(f, number, right[v], turn.carried[r * count + v]))
                turn.next(*after)
            held = turn.results
        if not job.final:
            assert job.partial is not None
            for r in range(rows):
                for v in range(count):
                    f.store(held[r * count + v], self._partial(job, row, r, v))
            return
        for r in range(rows):
            lead = self.lead(job, f.add(row, f.index(r)))
            for v in range(count):
                self.finish(job, held[r * count + v], lead, v)

    def lead(self, job: Job, row: Value) -> list[Value]:
        """Where a row of the result lies: its indices but the last."""
        f = job.f
        return indices_of(f, f.add(f.mul(job.b, f.index(self.m)), row), self.space.sizes[:-1])

    def far_apart(self, left: Operand) -> bool:
        """Whether the left matrix lies column by column, so far apart that each product finds a cache line of its own:
        the processor does not see where the next one is then."""
        return left.row == 1 and left.column * self.entry.bits // 8 >= FAR and self.k >= 256

    def _partial(self, job: Job, row: Value, r: int, v: int) -> Value:
        """Where a vector of a block that is not complete yet is kept."""
        f = job.f
        assert job.partial is not None
        number = f.add(f.sub(row, job.first), f.index(r))
        place = f.add(f.mul(number, f.index(job.vectors * self.lanes)), f.index(v * self.lanes))
        return f.at(job.partial, place, self.entry)

    def multiply_add(self, f: Function, a: Value, b: Value, c: Value) -> Value:
        return f.fma(a, b, c) if self.module.has_fma and a.type.floating else f.add(f.mul(a, b), c)

    def finish(self, job: Job, value: Value, lead: Sequence[Value], v: int) -> None:
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
    first: Value
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


def _wide_panels(vectors: int, widest: int) -> list[int]:
    """So many vectors of columns as panels that are as wide as can be: for rows so few that registers are left over."""
    count = -(-vectors // widest)
    return [vectors // count + (place < vectors % count) for place in range(count)]


def write_matmul(
    module: Module, name: str, group: Group, width: int, registers: int, buffer_of: Callable[..., Buffer]
) -> Kernel:
    """The kernel of a matrix product and what follows it."""
    from .skinny import Dots, Swept, Turned  # they are Products

    for kind in (Swept, Dots, Turned):
        made = kind(module, name, group, width, registers, buffer_of)
        if made.suits():
            return made.write()
    return Product(module, name, group, width, registers, buffer_of).write()
