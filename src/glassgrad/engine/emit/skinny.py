"""Matrix products with few rows or few columns, where vectors of columns would be mostly empty, or packing a panel
would cost more than all products with it.

    Dots     vectors lie along what is summed: of each entry the lanes are added up at the end
    Turned   vectors lie along the rows, and blocks of the result are turned before they are written
    Swept    a single row: it is gone along again and again, each time with a few rows of the right operand
"""

from __future__ import annotations

import functools
from dataclasses import replace

from .ir import Function
from .loops import Kernel
from .matmul import Job, Operand, Product
from .pack import transposed
from .space import indices_of, product
from .values import Value

FEW = 12
"""Columns up to which entries of several rows are summed at the same time."""
STREAMS = 4
"""Columns of a wide operand that are read at the same time: more would get into each other's way in the cache."""
SWEEP, CHUNK = 8, 1024
"""Rows of the right operand that are read at the same time, and columns of a task."""
TURNING = 6
"""What turning a block of a packed panel costs, as products of vectors for each vector packed."""


class Dots(Product):
    """Both operands are read along what is summed, in vectors; a narrow right one is turned first if it has to be."""

    @property
    def wide(self) -> bool:
        """Whether the columns are too many for one vector, so that they are taken in chunks, row by row."""
        return self.n > min(FEW, self.most)

    def suits(self) -> bool:
        """Whether this is quicker than panels."""
        left, right = self.operands()
        if left.column != 1 or self.k < self.most or self.most < 4:
            return False
        if self.wide:
            return right.row == 1 and self.m <= 4 and self.n >= self.most
        if right.row == 1 and right.column * self.entry.bits // 8 % 4096 == 0 and self.n > 6:
            return False  # all columns in one place of the cache
        vectors = -(-self.n // self.most)
        panels = self.m * self.k * vectors + self.k * vectors * (1 if right.column == 1 else TURNING)
        turned = 0 if right.row == 1 else TURNING * self.n * self.k / self.most
        return self.m * (1.1 * self.n * self.k / self.most + 3.3 * self.n + 5) + turned < panels

    def write(self) -> Kernel:
        columns = self.lanes if self.wide else self.n
        chunks = -(-self.n // columns)
        rows = 1 if self.wide else max(1, min(20 // self.n, self.m))
        batch = product(self.batch)
        each = self.rows_for(chunks * batch, rows)
        blocks = -(-self.m // each)
        f = self.function(self.name, "lo", "hi")
        left, right = self.operands()
        turned = None if right.row == 1 else f.stack(self.entry, self.n * self._padded())
        with f.loop(f.params[-2], f.params[-1]) as unit:
            unit.next()
            b, chunk, block = indices_of(f, unit.index, [batch, chunks, blocks])
            first = f.mul(block, f.index(each))
            last = f.smaller(f.add(first, f.index(each)), f.index(self.m))
            a, w = self.origin(f, left, b), self.origin(f, right, b)
            column = f.mul(chunk, f.index(columns))
            if turned is not None:
                self._turn(f, w, right, turned)
                w, right = turned, Operand(right.buffer, right.batch, 1, self._padded())
            job = Job(f, a, left, w, right.column, self.k, b, column, first, 1, None, 0, True)
            self.down(f, rows, each, first, last, functools.partial(self._tiles, job, columns))
        f.ret()
        return Kernel(self.name, self.buffers, batch * chunks * blocks)

    def _padded(self) -> int:
        return -(-self.k // self.most) * self.most

    def _turn(self, f: Function, w: Value, right: Operand, to: Value) -> None:
        """Copy the right operand, whose rows are short, so that each of its columns lies in order."""
        size = self.most
        mask = f.first_lanes(f.index(self.n), size) if self.n < size else None
        zero = f.zero(self.entry.of(size))

        def block(at: Value, deep: int) -> None:
            rows = []
            for r in range(size):
                place = f.at(w, f.mul(f.add(at, f.index(r)), f.index(right.row)), self.entry)
                rows.append(zero if r >= deep else self._row(f, place, right.column, mask))
            for j, column in enumerate(transposed(f, rows)[: self.n]):
                f.store(column, f.at(to, f.add(at, f.index(j * self._padded())), self.entry))

        whole = self.k - self.k % size
        with f.loop(f.index(0), f.index(whole), size) as turn:
            turn.next()
            block(turn.index, size)
        if whole < self.k:
            block(f.index(whole), self.k - whole)

    def _row(self, f: Function, place: Value, step: int, mask: Value | None) -> Value:
        wide = self.entry.of(self.most)
        if step == 1:
            return f.load(place, wide) if mask is None else f.load_masked(place, mask, f.zero(wide))
        value = f.zero(wide)
        for j in range(self.n):
            entry = f.load(f.at(place, f.index(j * step), self.entry), self.entry)
            value = f.make(f"insertelement {value}, {entry}, i32 {j}", wide)
        return value

    def _tiles(self, job: Job, columns: int, rows: int, row: Value) -> None:
        """So many rows times all columns of a chunk."""
        f = job.f
        numbers = [f.add(job.column, f.index(j)) for j in range(columns)]
        if self.n % columns:  # beyond the last column, the last one again
            numbers = [f.smaller(number, f.index(self.n - 1)) for number in numbers]
        left = [
            f.at(job.left_at, f.mul(f.add(row, f.index(r)), f.index(job.left.row)), self.entry) for r in range(rows)
        ]
        right = [f.at(job.packed, f.mul(number, f.index(job.stride)), self.entry) for number in numbers]
        if self.wide:
            held = [x for at in range(0, columns, STREAMS) for x in self._dots(f, left, right[at : at + STREAMS], 4)]
        else:
            held = self._dots(f, left, right, 1)
        for r in range(rows):
            found = sums(f, held[r * columns : (r + 1) * columns], self.lanes)
            self.finish(job, found, self.lead(job, f.add(row, f.index(r))), 0)

    def _dots(self, f: Function, left: list[Value], right: list[Value], unroll: int) -> list[Value]:
        """For each row and each column the products along both, `unroll` vectors of them at a time, still in lanes."""
        size = self.most
        wide = self.entry.of(size)
        count = len(left) * len(right)

        def step(at: Value, held: list[Value], mask: Value | None) -> list[Value]:
            def vector(start: Value) -> Value:
                place = f.at(start, at, self.entry)
                return f.load(place, wide) if mask is None else f.load_masked(place, mask, f.zero(wide))

            rows, columns = [vector(start) for start in left], [vector(start) for start in right]
            pairs = [(a, b) for a in rows for b in columns]
            return [self.multiply_add(f, a, b, sum_) for (a, b), sum_ in zip(pairs, held, strict=True)]

        def steps(first: int, stop: int, together: int, held: list[Value]) -> list[Value]:
            with f.loop(f.index(first), f.index(stop), together * size, held) as turn:
                after: list[Value] = []
                for u in range(together):
                    mine = turn.carried[u * count : (u + 1) * count]
                    after += step(f.add(turn.index, f.index(u * size)), mine, None)
                turn.next(*after, *turn.carried[together * count :])
            return turn.results

        many = self.k - self.k % (unroll * size)
        whole = self.k - self.k % size
        held = steps(0, many, unroll, [f.zero(wide)] * (count * unroll))
        while len(held) > count:
            half = len(held) // 2
            held = [f.add(a, b) for a, b in zip(held[:half], held[half:], strict=True)]
        if many < whole:
            held = steps(many, whole, 1, held)
        if whole < self.k:
            held = step(f.index(whole), held, f.first_lanes(f.index(self.k - whole), size))
        return held


def sums(f: Function, vectors: list[Value], lanes: int) -> Value:
    """A vector whose lane j is the sum of all lanes of vector j: neighbours are added in pairs, halves at the end."""
    size, step = vectors[0].type.lanes, 1
    held: list[Value | None] = [*vectors, *[None] * (lanes - len(vectors))]
    while step < lanes:
        even = [pick for start in range(0, size, 2 * step) for pick in (*_run(start, step), *_run(size + start, step))]
        odd = [pick + step for pick in even]
        pairs = zip(held[::2], held[1::2], strict=True)
        held = [None if a is None else _joined(f, a, b, even, odd) for a, b in pairs]
        step *= 2
    (whole,) = held
    assert whole is not None
    while whole.type.lanes > lanes:
        half = whole.type.lanes // 2
        nothing = f.undef(whole.type)
        whole = f.add(f.shuffle(whole, nothing, range(half)), f.shuffle(whole, nothing, range(half, 2 * half)))
    return whole


def _run(start: int, count: int) -> range:
    return range(start, start + count)


def _joined(f: Function, a: Value, b: Value | None, even: list[int], odd: list[int]) -> Value:
    b = b or f.zero(a.type)
    return f.add(f.shuffle(a, b, even), f.shuffle(a, b, odd))


class Turned(Product):
    """The left operand lies column by column, so vectors of rows are read where they lie; few columns."""

    def suits(self) -> bool:
        """Whether this is quicker than panels."""
        left, _ = self.operands()
        return left.row == 1 and self.n < self.most and self.m >= self.most >= 4 and self.k >= 8

    def write(self) -> Kernel:
        vectors = max(1, min(4, 20 // self.n, self.m // self.most))
        rows = vectors * self.most
        batch = product(self.batch)
        each = self.rows_for(batch, rows)
        blocks = -(-self.m // each)
        f = self.function(self.name, "lo", "hi")
        left, right = self.operands()
        with f.loop(f.params[-2], f.params[-1]) as unit:
            unit.next()
            b, block = indices_of(f, unit.index, [batch, blocks])
            first = f.mul(block, f.index(each))
            last = f.smaller(f.add(first, f.index(each)), f.index(self.m))
            a, w = self.origin(f, left, b), self.origin(f, right, b)
            job = Job(f, a, left, w, right.row, self.k, b, f.index(0), first, 1, None, 0, True)
            self.down(f, rows, each, first, last, functools.partial(self._columns, job, right.column))
        f.ret()
        return Kernel(self.name, self.buffers, batch * blocks)

    def _columns(self, job: Job, column: int, rows: int, row: Value) -> None:
        """All columns of so many rows."""
        f, size = job.f, self.most
        wide = self.entry.of(size)
        start = f.at(job.left_at, row, self.entry)
        parts = range(0, rows, size)
        mask = f.first_lanes(f.index(rows % size), size) if rows % size else None
        held = [f.zero(wide)] * (self.n * len(parts))
        with f.loop(f.index(0), f.index(self.k), 1, held) as turn:
            here = f.at(start, f.mul(turn.index, f.index(job.left.column)), self.entry)
            left = [
                self._vector(f, f.at(here, f.index(at), self.entry), mask if at + size > rows else None) for at in parts
            ]
            if self.far_apart(job.left):
                f.prefetch(f.at(f.at(here, f.index(rows), self.entry), f.index(size), self.entry))
            after = []
            for j in range(self.n):
                place = f.add(f.mul(turn.index, f.index(job.stride)), f.index(j * column))
                number = f.splat(f.load(f.at(job.packed, place, self.entry), self.entry), size)
                after += [
                    self.multiply_add(f, vector, number, turn.carried[j * len(parts) + v])
                    for v, vector in enumerate(left)
                ]
            turn.next(*after)
        for v, at in enumerate(parts):
            columns = turn.results[v :: len(parts)]
            block = transposed(f, [*columns, *[f.undef(wide)] * (size - self.n)])
            for r in range(min(size, rows - at)):
                value = f.shuffle(block[r], f.undef(wide), range(self.lanes)) if self.lanes < size else block[r]
                self.finish(job, value, self.lead(job, f.add(row, f.index(at + r))), 0)

    def _vector(self, f: Function, place: Value, mask: Value | None) -> Value:
        wide = self.entry.of(self.most)
        return f.load(place, wide) if mask is None else f.load_masked(place, mask, f.zero(wide))


class Swept(Product):
    """A single row times a right operand whose rows lie in order, so that memory is read as it lies."""

    def suits(self) -> bool:
        """Whether this is quicker than panels."""
        _, right = self.operands()
        return self.m == 1 and right.column == 1 and self.n >= self.most >= 4 and self.k >= SWEEP

    def write(self) -> Kernel:
        batch = product(self.batch)
        chunks = -(-self.n // CHUNK)
        f = self.function(self.name, "lo", "hi")
        left, right = self.operands()
        totals = f.stack(self.entry, min(self.n, CHUNK) + self.most)
        with f.loop(f.params[-2], f.params[-1]) as unit:
            unit.next()
            b, chunk = indices_of(f, unit.index, [batch, chunks])
            column = f.mul(chunk, f.index(CHUNK))
            a = self.origin(f, left, b)
            w = f.at(self.origin(f, right, b), column, self.entry)
            count = f.smaller(f.sub(f.index(self.n), column), f.index(CHUNK))
            for start in (0, self.k % SWEEP) if self.k % SWEEP else (0,):
                stop = (self.k % SWEEP or self.k) if start == 0 else self.k
                deep = self.k % SWEEP if start == 0 and self.k % SWEEP else SWEEP
                with f.loop(f.index(start), f.index(stop), deep) as turn:
                    turn.next()
                    here = f.at(a, f.mul(turn.index, f.index(left.column)), self.entry)
                    rows = f.at(w, f.mul(turn.index, f.index(right.row)), self.entry)
                    self._sweep(f, here, rows, totals, count, deep, f.compare("eq", turn.index, f.index(0)))
            job = Job(f, a, left, w, right.row, self.k, b, column, f.index(0), 1, None, 0, True)
            with f.loop(f.index(0), count, self.lanes) as turn:
                turn.next()
                value = f.load(f.at(totals, turn.index, self.entry), self.entry.of(self.lanes))
                self.finish(replace(job, column=f.add(column, turn.index)), value, self.lead(job, f.index(0)), 0)
        f.ret()
        return Kernel(self.name, self.buffers, batch * chunks)

    def _sweep(self, f: Function, a: Value, w: Value, totals: Value, count: Value, deep: int, first: Value) -> None:
        """Adds the products with `deep` rows; the first time there is nothing to add to."""
        left, right = self.operands()
        size = self.lanes
        wide = self.entry.of(size)
        numbers = [
            f.splat(f.load(f.at(a, f.index(r * left.column), self.entry), self.entry), size) for r in range(deep)
        ]
        fresh = f.splat(first, size)

        def vectors(at: Value, mask: Value | None) -> None:
            spot = f.at(totals, at, self.entry)
            held = f.select(fresh, f.zero(wide), f.load(spot, wide))
            for r, number in enumerate(numbers):
                place = f.at(w, f.add(at, f.index(r * right.row)), self.entry)
                value = f.load(place, wide) if mask is None else f.load_masked(place, mask, f.zero(wide))
                held = self.multiply_add(f, number, value, held)
            f.store(held, spot)

        whole = f.mul(f.udiv(count, f.index(size)), f.index(size))
        with f.loop(f.index(0), whole, size) as turn:
            turn.next()
            vectors(turn.index, None)
        if self.n % size:
            with f.when(f.compare("slt", whole, count)):
                vectors(whole, f.first_lanes(f.sub(count, whole), size))
