"""Panels of a matrix copied so that the inner loop of a product reads them in order."""

from __future__ import annotations

from typing import NamedTuple

from .ir import Function
from .values import Type, Value


class Panel(NamedTuple):
    """A panel of columns: so many vectors wide, so many rows deep, of a matrix of n columns."""

    entry: Type
    lanes: int
    n: int
    vectors: int
    deep: int


class Packer:
    """Copies a panel of the right operand so that the inner loop reads it in order."""

    def __init__(
        self, panel: Panel, f: Function, source: Value, row: int, column_step: int, to: Value, column: Value
    ) -> None:
        self.p, self.f, self.source, self.row, self.step, self.to = panel, f, source, row, column_step, to
        self.column, self.vectors, self.deep = column, panel.vectors, panel.deep
        self.width = panel.vectors * panel.lanes

    def write(self) -> None:
        if self.step == 1:
            self._rows_in_order()
        elif self.row == 1 and self.p.lanes >= 4:
            self._transposed()
        else:
            self._one_by_one()

    def _rows_in_order(self) -> None:
        f, p = self.f, self.p
        wide = p.entry.of(p.lanes)
        ragged = p.n % p.lanes
        with f.loop(f.index(0), f.index(self.deep)) as turn:
            turn.next()
            row = f.at(self.source, f.mul(turn.index, f.index(self.row)), p.entry)
            target = f.at(self.to, f.mul(turn.index, f.index(self.width)), p.entry)
            for v in range(self.vectors):
                at = f.at(row, f.index(v * p.lanes), p.entry)
                if ragged and v == self.vectors - 1:
                    value = f.load_masked(at, self._mask(v), f.zero(wide))
                else:
                    value = f.load(at, wide)
                f.store(value, f.at(target, f.index(v * p.lanes), p.entry))

    def _mask(self, v: int) -> Value:
        f, p = self.f, self.p
        left = f.sub(f.index(p.n), f.add(self.column, f.index(v * p.lanes)))
        return f.first_lanes(f.smaller(left, f.index(p.lanes)), p.lanes)

    def _transposed(self) -> None:
        """The operand lies column by column: blocks of lanes x lanes are turned in registers."""
        f, p = self.f, self.p
        size = p.lanes
        whole = self.deep - self.deep % size
        for v in range(self.vectors):
            columns = []
            for lane in range(size):
                number = f.add(self.column, f.index(v * size + lane))
                if p.n % size and v == self.vectors - 1:  # beyond the last column, the last one again
                    number = f.smaller(number, f.index(p.n - 1))
                offset = f.sub(number, self.column)
                columns.append(f.at(self.source, f.mul(offset, f.index(self.step)), p.entry))
            if whole:
                with f.loop(f.index(0), f.index(whole), size) as turn:
                    turn.next()
                    self._block(columns, turn.index, v, None, size)
            if self.deep % size:
                mask = f.first_lanes(f.index(self.deep % size), size)
                self._block(columns, f.index(whole), v, mask, self.deep % size)

    def _block(self, columns: list[Value], at: Value, v: int, mask: Value | None, rows: int) -> None:
        f, p = self.f, self.p
        wide = p.entry.of(p.lanes)
        values = []
        for column in columns:
            pointer = f.at(column, at, p.entry)
            values.append(f.load(pointer, wide) if mask is None else f.load_masked(pointer, mask, f.zero(wide)))
        for r, value in enumerate(transposed(f, values)[:rows]):
            place = f.add(f.mul(f.add(at, f.index(r)), f.index(self.width)), f.index(v * p.lanes))
            f.store(value, f.at(self.to, place, p.entry))

    def _one_by_one(self) -> None:
        f, p = self.f, self.p
        left = f.smaller(f.sub(f.index(p.n), self.column), f.index(self.width))
        with f.loop(f.index(0), f.index(self.deep)) as turn:
            turn.next()
            row = f.at(self.source, f.mul(turn.index, f.index(self.row)), p.entry)
            target = f.at(self.to, f.mul(turn.index, f.index(self.width)), p.entry)
            with f.loop(f.index(0), left) as inner:
                inner.next()
                value = f.load(f.at(row, f.mul(inner.index, f.index(self.step)), p.entry), p.entry)
                f.store(value, f.at(target, inner.index, p.entry))
            with f.loop(left, f.index(self.width)) as inner:
                inner.next()
                f.store(f.zero(p.entry), f.at(target, inner.index, p.entry))


def transposed(f: Function, rows: list[Value]) -> list[Value]:
    """A square block turned: interleaving halves log2(n) times."""
    size = len(rows)
    low = [i // 2 + (size if i % 2 else 0) for i in range(size)]
    high = [size // 2 + i // 2 + (size if i % 2 else 0) for i in range(size)]
    step = 1
    while step < size:
        half = size // 2
        rows = [f.shuffle(rows[i // 2], rows[i // 2 + half], high if i % 2 else low) for i in range(size)]
        step *= 2
    return rows
