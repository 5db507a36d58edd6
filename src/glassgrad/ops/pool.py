"""Where the largest entry of each window stands. Pooling itself is a gather at those places."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..op import ATOM, case, op
from ..spec import Spec, int64, numel

Array = Any
Sizes = tuple[int, ...]


def pooled_size(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows are taken along one axis; with ``ceil_mode`` a last, partial one if it starts inside."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return span // stride + 1
    count = -(-span // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def _spec(x: Spec, *, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool = False) -> Spec:
    modes = [ceil_mode] * len(kernel)
    space = tuple(map(pooled_size, x.shape[2:], kernel, stride, padding, dilation, modes))
    if min(space) < 1:
        raise ShapeError(
            f"max pooling: the window {list(kernel)} is larger than the padded input", got=f"input {x}",
            fix="use a smaller kernel_size",
        )  # fmt: skip
    return Spec((*x.shape[:2], *space), int64)


@op(
    spec=_spec, kind="reduce", latex=r"\arg\max_{{\text{{window}}}} {x}", prec=ATOM, differentiable=False,
    cases=[
        case((2, 3, 4, 6), kernel=(2, 3), stride=(2, 3), padding=(0, 0), dilation=(1, 1)),
        case((2, 3, 5, 5), kernel=(3, 3), stride=(2, 2), padding=(1, 1), dilation=(1, 1), ceil_mode=True),
        case((1, 2, 7), kernel=(2,), stride=(1,), padding=(0,), dilation=(2,)),
    ],
    flops=lambda y, x, *, kernel, **_: numel(y.shape) * numel(kernel),
    says="Where in the input the largest entry of each window stands; the first one at a tie.",
)  # fmt: skip
def max_pool_index(
    xp: Any, x: Array, *, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool = False
) -> Array:
    space = x.shape[2:]
    out = _spec(
        Spec(x.shape, x.dtype), kernel=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    ).shape[2:]
    reach = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(out, stride, dilation, kernel, strict=True)]
    sides = [(p, max(0, r - p - n)) for p, r, n in zip(padding, reach, space, strict=True)]
    lowest = -np.inf if x.dtype.kind == "f" else False if x.dtype.kind == "b" else np.iinfo(x.dtype).min
    padded = np.pad(x, [(0, 0), (0, 0), *sides], constant_values=lowest) if any(map(any, sides)) else x
    number = np.pad(np.arange(np.prod(space)).reshape(space), sides, constant_values=-1)
    best: Array = None
    where: Array = None
    for place in itertools.product(*map(range, kernel)):
        starts = [k * d for k, d in zip(place, dilation, strict=True)]
        window = tuple(slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, out, stride, strict=True))
        entry, name = padded[(slice(None), slice(None), *window)], number[window]
        if best is None:
            best, where = entry, np.broadcast_to(name, entry.shape)
            continue
        # a nan wins, as it does everywhere; a place in the padding (-1) gives way to any place inside
        better = ((entry > best) | (entry != entry) | (where < 0)) & (name >= 0)  # noqa: PLR0124
        best, where = np.where(better, entry, best), np.where(better, name, where)
    return where


def _write(k: Any) -> Any:
    """The first of the largest in each window; a nan before everything. Windows side by side are lanes of a vector."""
    f, p, space = k.f, k.val.params, k.val.ins[0].shape[2:]
    steps = list(zip(p["stride"], p["padding"], p["dilation"], strict=True))
    last, shift, apart = steps.pop()
    with k.tasks(k.val.shape[:-1]) as lead, k.lanes_along(k.val.shape[-1], 0) as lanes:
        best, where = f.splat(k.lowest(0), lanes.wide.lanes), lanes.places(0, -1)
        for *rows, column in itertools.product(*map(range, p["kernel"])):
            inside, flat, spot = k.true, k.zero, []
            for i, q, size, (s, pad, d) in zip(lead[2:], rows, space[:-1], steps, strict=True):
                position = f.add(f.mul(i, f.index(s)), f.index(q * d - pad))
                fits = f.compare("ult", position, f.index(size))
                inside = f.bit_and(inside, fits)
                spot.append(f.select(fits, position, k.zero))
                flat = f.add(f.mul(flat, f.index(size)), spot[-1])
            entry = lanes.entries([*lead[:2], *spot], last, column * apart - shift, inside)
            places = lanes.places(last, column * apart - shift)
            inside = lanes.inside(places, inside)
            flat = f.add(places, f.splat(f.mul(flat, f.index(space[-1])), lanes.wide.lanes))
            first = f.compare("slt", where, f.zero(where.type))
            take = f.bit_and(inside, f.bit_or(first, k.exceeds(entry, best, last_nan=True)))
            best, where = f.select(take, entry, best), f.select(take, flat, where)
        lanes.put(lead, where)
    return k.done()


max_pool_index.writes(_write)
