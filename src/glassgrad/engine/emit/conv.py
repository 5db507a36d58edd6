"""Convolutions: the matrix product's kernel with another way of packing, so that no array of windows is ever made.

    conv            for each image: weights (out, in * kernel) times windows (in * kernel, places)
    conv_transpose  the same, of the other array with zeros around and (for a stride) between, and the weights turned
    conv_weight     windows (in * kernel, places) times gradient (places, out), added up over the images

Source for the idea: A. Anderson et al., "Low-memory GEMM-based convolution algorithms for deep neural networks" (2017).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from ..access import Access, access, contiguous
from .ir import Function
from .matmul import DEPTH, Operand, Product, Tile
from .pack import Panel
from .space import indices_of, product
from .values import I1, I64, Type, Value


@dataclass(frozen=True)
class Windows:
    """Where the windows of an array (channels, *space) lie."""

    space: tuple[int, ...]
    strides: tuple[int, ...]
    """How far apart entries are along channels and space."""
    out: tuple[int, ...]
    kernel: tuple[int, ...]
    step: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]


class Convolution(Product):
    """conv, as a product of weights and windows."""

    def sizes(self) -> tuple[list[int], int, int, int]:
        x, w = self.root.ins
        groups = self.root.params["groups"]
        return [x.shape[0], groups], w.shape[0] // groups, product(self.root.shape[2:]), product(w.shape[1:])

    @property
    def depth(self) -> int:
        """Whole channels at a time."""
        area = product(self.kernel)
        return max(1, DEPTH // area) * area

    @property
    def kernel(self) -> tuple[int, ...]:
        return tuple(self.root.ins[1].shape[2:])

    def straight(self, right: Operand, tile: Tile) -> bool:
        return False

    def operands(self) -> tuple[Operand, Operand]:
        x, w = (self._found(number) for number in (0, 1))
        per_group = self.root.ins[1].shape[0] // self.root.params["groups"]
        flat = _flat(w.strides[1:], self.root.ins[1].shape[1:])
        assert flat, "the weights of a convolution lie in order"
        left = Operand(
            self.buffer_of(w.base, w.offset), ([*self.batch], [0, per_group * w.strides[0]]), w.strides[0], 1
        )
        channels = self.root.ins[1].shape[1]
        right = Operand(
            self.buffer_of(x.base, x.offset), ([*self.batch], [x.strides[0], channels * x.strides[1]]), 0, 0
        )
        return left, right

    def _found(self, number: int) -> Access:
        found = access(self.root.ins[number])
        assert found is not None
        return found

    def windows(self) -> Windows:
        """The windows of the right operand."""
        p, x = self.root.params, self.root.ins[0]
        found = self._found(0)
        return Windows(
            x.shape[2:], found.strides[1:], self.root.shape[2:], self.kernel, p["stride"], p["padding"], p["dilation"]
        )

    def pack(self, f: Function, b: Value, right: Operand, column: Value, panel: Panel, start: int, to: Value) -> None:
        windows = self.windows()
        area = product(windows.kernel)
        source = self.origin(f, right, b)
        source = f.at(source, f.index(start // area * windows.strides[0]), self.entry)
        WindowPacker(f, panel, windows, source, column, to, panel.deep // area).write()


class WindowPacker:
    """Writes a panel of windows: row (channel, place in the kernel), column (place in the output)."""

    def __init__(
        self, f: Function, panel: Panel, windows: Windows, source: Value, column: Value, to: Value, channels: int
    ) -> None:
        self.f, self.p, self.w, self.source, self.to, self.channels = f, panel, windows, source, to, channels
        self.column = column
        self.area = product(windows.kernel)

    def write(self) -> None:
        f, p, w = self.f, self.p, self.w
        for v in range(p.vectors):
            first = f.add(self.column, f.index(v * p.lanes))
            last = w.out[-1]
            pieces = min(len_pieces(p.lanes, last), product(w.out[:-1]))
            row = f.udiv(first, f.index(last))
            lanes = f.add(f.splat(first, p.lanes), f.steps(I64.of(p.lanes)))
            rows = f.udiv(lanes, f.const(last, I64.of(p.lanes)))
            inside = f.compare("slt", lanes, f.const(p.n, I64.of(p.lanes)))
            across = f.sub(lanes, f.mul(rows, f.const(last, I64.of(p.lanes))))
            for number, place in enumerate(itertools.product(*map(range, w.kernel))):
                parts = [
                    self._piece(place, f.add(row, f.index(piece)), first, rows, across, inside)
                    for piece in range(pieces)
                ]
                self._channels(parts, number, v)

    def _piece(
        self, place: tuple[int, ...], row: Value, first: Value, rows: Value, across: Value, inside: Value
    ) -> tuple[Value, Value]:
        """The lanes that lie in one row of the output: their mask, and where in a channel the first lane would be."""
        f, p, w = self.f, self.p, self.w
        mask = f.bit_and(inside, f.compare("eq", rows, f.splat(row, p.lanes)))
        offset = f.index(0)
        *lead, last = place
        fits = f.const(True, I1)
        for index, k, step, pad, dilation, size, stride in zip(
            indices_of(f, row, list(w.out[:-1])), lead, w.step, w.padding, w.dilation, w.space, w.strides[1:],
            strict=False,
        ):  # fmt: skip
            position = f.add(f.mul(index, f.index(step)), f.index(k * dilation - pad))
            fits = f.bit_and(fits, f.compare("ult", position, f.index(size)))
            offset = f.add(offset, f.mul(position, f.index(stride)))
        mask = f.bit_and(mask, f.splat(fits, p.lanes))
        step, pad, dilation = w.step[-1], w.padding[-1], w.dilation[-1]
        shift = last * dilation - pad
        if pad:
            position = f.add(f.mul(across, f.const(step, across.type)), f.const(shift, across.type))
            mask = f.bit_and(mask, f.compare("ult", position, f.const(w.space[-1], across.type)))
        begin = f.sub(first, f.mul(row, f.index(w.out[-1])))  # where lane 0 is, counted from the row's beginning
        start = f.add(f.mul(begin, f.index(step)), f.index(shift))
        return mask, f.add(offset, f.mul(start, f.index(w.strides[-1])))

    def _channels(self, parts: list[tuple[Value, Value]], number: int, v: int) -> None:
        f, p, w = self.f, self.p, self.w
        wide = p.entry.of(p.lanes)
        step = w.step[-1] * w.strides[-1]
        with f.loop(f.index(0), f.index(self.channels)) as turn:
            turn.next()
            base = f.mul(turn.index, f.index(w.strides[0]))
            value = f.zero(wide)
            for mask, offset in parts:
                pointer = f.make(f"getelementptr {p.entry}, {self.source}, {f.add(base, offset)}", self.source.type)
                if step == 1:
                    value = f.load_masked(pointer, mask, value)
                else:
                    places = f.mul(f.steps(I64.of(p.lanes)), f.const(step, I64.of(p.lanes)))
                    vector = f.make(f"getelementptr {p.entry}, {pointer}, {places}", Type("ptr", p.lanes))
                    value = f.gather(vector, mask, value)
            row = f.add(f.mul(turn.index, f.index(self.area)), f.index(number))
            target = f.add(f.mul(row, f.index(p.vectors * p.lanes)), f.index(v * p.lanes))
            f.store(value, f.at(self.to, target, p.entry))


def len_pieces(lanes: int, row: int) -> int:
    """How many rows of the output a vector of lanes may touch."""
    return (lanes + row - 2) // row + 1


def _flat(strides: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    expected = contiguous(shape)
    return all(n == 1 or a == b for n, a, b in zip(shape, strides, expected, strict=True))
