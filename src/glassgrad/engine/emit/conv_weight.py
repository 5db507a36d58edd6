"""The gradient of a convolution's weights: windows times the gradient of the result, added up over the images.

The gradient is packed, image by image, with its channels side by side; each entry of a window is read where it lies. So
what is packed is small, and no array of windows is made.
"""

from __future__ import annotations

from ..access import Buffer, access, contiguous
from .ir import Function
from .matmul import Product, tile_for
from .pack import Packer, Panel
from .space import Space, indices_of, product
from .values import I64, Type, Value


class WeightGradient(Product):
    """conv_weight, for input that has its border already."""

    def sizes(self) -> tuple[list[int], int, int, int]:
        x, u = self.root.ins
        groups = self.root.params["groups"]
        area = product(self.root.params["kernel"])
        return [groups], x.shape[1] // groups * area, u.shape[1] // groups, product(u.shape[2:])

    def index_space(self) -> Space:
        return Space([], [])  # nothing follows in the same kernel

    def _address(self, number: int) -> tuple[tuple[int, ...], Buffer]:
        found = access(self.root.ins[number])
        assert found is not None
        return found.strides, self.buffer_of(found.base, found.offset)

    def _panel(self, vectors: int) -> Function:
        f = self.function(f"{self.name}_{vectors}", "b", "column", "first", "last")
        group, column, first, last = f.params[-4:]
        width = vectors * self.lanes
        rows = self._block_rows()
        totals = f.stack(self.entry, rows * width)
        with f.loop(f.index(0), f.index(rows * width), self.lanes) as turn:
            turn.next()
            f.store(f.zero(self.entry.of(self.lanes)), f.at(totals, turn.index, self.entry))
        packed = f.stack(self.entry, max(1, self.k * width))
        x, u = self.root.ins
        strides_x, base_x = self._address(0)
        strides_u, base_u = self._address(1)
        channels, outs = x.shape[1] // self.batch[0], u.shape[1] // self.batch[0]
        with f.loop(f.index(0), f.index(x.shape[0])) as image:
            image.next()
            at = f.mul(image.index, f.index(strides_u[0]))
            channel = f.add(f.mul(group, f.index(outs)), column)
            at = f.add(at, f.mul(channel, f.index(strides_u[1])))
            source = f.at(f.params[self.buffers.index(base_u)], at, self.entry)
            panel = Panel(self.entry, self.lanes, self.n, vectors, self.k)
            Packer(panel, f, source, 1, strides_u[1], packed, column).write()
            at = f.mul(image.index, f.index(strides_x[0]))
            at = f.add(at, f.mul(group, f.index(channels * strides_x[1])))
            windows = f.at(f.params[self.buffers.index(base_x)], at, self.entry)
            size = tile_for(vectors, self.registers).rows

            def tile(count: int, row: Value) -> None:
                self._block(f, windows, packed, totals, first, row, count, vectors)

            self.down(f, size, rows, first, last, tile)
        self._write(f, totals, group, column, first, last, vectors)
        f.ret()
        return f

    def _block(
        self, f: Function, windows: Value, packed: Value, totals: Value, first: Value, row: Value, rows: int,
        vectors: int,
    ) -> None:  # fmt: skip
        """Adds one image to a block of rows (channel, place in the kernel) and columns (channels of the gradient)."""
        p, wide = self.root.params, self.entry.of(self.lanes)
        strides, _ = self._address(0)
        out = self.root.ins[1].shape[2:]
        pointers = []
        for r in range(rows):
            channel, *place = indices_of(f, f.add(row, f.index(r)), [self.m, *p["kernel"]])
            at = f.mul(channel, f.index(strides[1]))
            for index, dilation, stride in zip(place, p["dilation"], strides[2:], strict=True):
                at = f.add(at, f.mul(index, f.index(dilation * stride)))
            pointers.append(f.at(windows, at, self.entry))
        spots = [
            f.at(totals, f.add(f.mul(f.add(f.sub(row, first), f.index(r)), f.index(vectors * self.lanes)),
                               f.index(v * self.lanes)), self.entry)
            for r in range(rows) for v in range(vectors)
        ]  # fmt: skip
        held = [f.load(spot, wide) for spot in spots]
        *lead, last = out
        with f.loop(f.index(0), f.index(product(lead)), 1, held) as line:
            offset = f.index(0)
            for index, step, stride in zip(indices_of(f, line.index, lead), p["stride"], strides[2:], strict=False):
                offset = f.add(offset, f.mul(index, f.index(step * stride)))
            across = p["stride"][-1] * strides[-1]
            with f.loop(f.index(0), f.index(last), 1, line.carried) as spot_turn:
                number = f.add(f.mul(line.index, f.index(last)), spot_turn.index)
                base = f.at(packed, f.mul(number, f.index(vectors * self.lanes)), self.entry)
                right = [f.load(f.at(base, f.index(v * self.lanes), self.entry), wide) for v in range(vectors)]
                at = f.add(offset, f.mul(spot_turn.index, f.index(across)))
                after = []
                for r in range(rows):
                    value = f.splat(f.load(f.at(pointers[r], at, self.entry), self.entry), self.lanes)
                    for v in range(vectors):
                        after.append(self.multiply_add(f, value, right[v], spot_turn.carried[r * vectors + v]))
                spot_turn.next(*after)
            line.next(*spot_turn.results)
        for value, spot in zip(line.results, spots, strict=True):
            f.store(value, spot)

    def _write(
        self, f: Function, totals: Value, group: Value, column: Value, first: Value, last: Value, vectors: int
    ) -> None:
        """The sums to their places: the result has the gradient's channels first."""
        strides = contiguous(self.root.shape)
        target = f.params[self.buffers.index(self.buffer_of(self.root))]
        origin = f.mul(f.add(f.mul(group, f.index(self.n)), column), f.index(strides[0]))
        with f.loop(first, last) as row:
            row.next()
            for v in range(vectors):
                spot = f.add(f.mul(f.sub(row.index, first), f.index(vectors * self.lanes)), f.index(v * self.lanes))
                value = f.load(f.at(totals, spot, self.entry), self.entry.of(self.lanes))
                begin = f.add(f.add(origin, row.index), f.index(v * self.lanes * strides[0]))
                pointer = f.at(target, begin, self.entry)
                steps = f.mul(f.steps(I64.of(self.lanes)), f.const(strides[0], I64.of(self.lanes)))
                places = f.make(f"getelementptr {self.entry}, {pointer}, {steps}", Type("ptr", self.lanes))
                left = f.sub(f.index(self.n), f.add(column, f.index(v * self.lanes)))
                f.scatter(value, places, f.first_lanes(f.smaller(left, f.index(self.lanes)), self.lanes))
