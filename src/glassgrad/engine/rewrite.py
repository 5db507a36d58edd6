"""What the rewriting rules in the declarations of ops (`Op.simplifies`) may make: values of a traced program.

Every rule keeps the value bit for bit, apart from the sign of a zero that a sum starts from.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import Op
from ..spec import Dtype, Shape, int64
from .access import access, contiguous
from .program import Val, constant, made_of

Cuts = tuple[tuple[int, int, int], ...]


def made(op: Op, *ins: Val, like: Val | None = None, **params: Any) -> Val:
    """An op of these values; `like` is the value that it stands for, whose line it takes over."""
    return made_of(op.name, ins, params, like.origin if like is not None else None)


def number(value: float, dtype: Dtype) -> Val:
    """A 0-d constant."""
    return constant(np.asarray(value, dtype))


def filled(value: float, shape: Shape, dtype: Dtype) -> Val:
    """One number everywhere; takes no memory."""
    return made_of("expand", (number(value, dtype),), {"shape": shape})


def is_zeros(val: Val) -> bool:
    """Whether it is an array of zeros."""
    return val.op == "expand" and val.ins[0].number == 0


def numbers(shape: Shape, axis: int) -> Val:
    """Each entry's own number along an axis."""
    return Val("iota", (), {"axis": axis}, shape, int64)


def spread(val: Val, shape: Shape) -> Val:
    """`val`, some of whose sizes are 1, repeated to `shape`; a 0-d constant stays as it is and goes with any shape."""
    return val if val.shape == shape or not val.shape else made_of("expand", (val,), {"shape": shape})


def converted(val: Val, dtype: Dtype) -> Val:
    return val if val.dtype == dtype else made_of("cast", (val,), {"dtype": dtype})


def counted(op: Op, val: Val) -> Val:
    """An op of booleans by way of whole numbers: true where the count is not 0."""
    whole = made(op, *(converted(v, int64) for v in val.ins), **val.params, like=val)
    return converted(whole, val.dtype)


def in_order(val: Val) -> Val:
    """A copy whose entries lie in order, if they do not already."""
    found = access(val)
    expected = contiguous(val.shape)
    if found is not None and all(n == 1 or a == b for n, a, b in zip(val.shape, found.strides, expected, strict=True)):
        return val
    return Val("contig", (val,), {}, val.shape, val.dtype, None, val.origin)


def assembled(like: Val, parts: tuple[Val, ...], boxes: tuple[Cuts, ...]) -> Val:
    """An array with each part in its box, later ones over earlier ones; what no part covers is zero."""
    if not like.shape:
        return parts[-1]
    return Val("assemble", parts, {"cuts": boxes}, like.shape, like.dtype, None, like.origin)


def united(like: Val, a: Val, b: Val) -> Val | None:
    """The sum of two arrays that are parts put into zeros, where no part covers another: they are put together."""
    if a.op == b.op == "assemble" and _disjoint(a.params["cuts"] + b.params["cuts"]):
        return assembled(like, a.ins + b.ins, a.params["cuts"] + b.params["cuts"])
    return None


def _disjoint(boxes: tuple[Cuts, ...]) -> bool:
    """Whether boxes with a step of 1 have no entry in common."""
    if any(step != 1 for box in boxes for _, _, step in box):
        return False
    for place, box in enumerate(boxes):
        for other in boxes[:place]:
            if all(max(a[0], b[0]) < min(a[1], b[1]) for a, b in zip(box, other, strict=True)):
                return False
    return True
