"""What is known of an array before its numbers: shape and dtype; the rules of broadcasting and of dtype promotion.

dtypes are NumPy's own. Promotion follows PyTorch: among tensors with dimensions the wider dtype wins and any float
wins over any integer; a 0-d tensor or a Python number changes the result only when it is of a higher category
(bool < integer < float).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .errors import DtypeError, NotCovered, ShapeError

Shape = tuple[int, ...]
Dtype = np.dtype[Any]

bool_ = np.dtype(np.bool_)
int32 = np.dtype(np.int32)
int64 = np.dtype(np.int64)
float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)

DTYPES: tuple[Dtype, ...] = (bool_, int32, int64, float32, float64)
RANK = {dtype: rank for rank, dtype in enumerate(DTYPES)}
CATEGORY = {bool_: 0, int32: 1, int64: 1, float32: 2, float64: 2}

_default = [float32]


class Device(str):
    """The name of a device: "cpu" is the only one there is."""

    type = property(lambda self: "cpu")
    index = property(lambda self: None)

    def __new__(cls, name: object = "cpu", index: int | None = None) -> Device:
        if str(name).split(":")[0] != "cpu":
            raise NotCovered(f"there is no device {name!r}", fix="leave device out: glassgrad computes on the CPU")
        return super().__new__(cls, "cpu")


CPU = Device()


class Spec(NamedTuple):
    """The shape and the dtype of an array."""

    shape: Shape
    dtype: Dtype

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


def default_dtype() -> Dtype:
    """The dtype that Python floats become (float32 unless it was set)."""
    return _default[0]


def set_default_dtype(dtype: Any) -> None:
    """Make ``dtype`` (float32 or float64) what Python floats become."""
    if not is_float(checked := as_dtype(dtype)):
        raise DtypeError(f"the default dtype must be a float, not {checked}", fix="use float32 or float64")
    _default[0] = checked


def as_dtype(dtype: Any) -> Dtype:
    """``dtype`` (a NumPy dtype, its name or a Python type) as one of glassgrad's five; DtypeError for others."""
    found = np.dtype(np.int64) if dtype is int else np.dtype(np.float32) if dtype is float else np.dtype(dtype)
    if found not in RANK:
        raise DtypeError(
            f"dtype {found} is not one that glassgrad computes with",
            fix="convert to one of " + ", ".join(str(d) for d in DTYPES) + ", e.g. array.astype('float32')",
        )
    return found


def is_float(dtype: Dtype) -> bool:
    return dtype.kind == "f"


def promote_types(a: Dtype, b: Dtype) -> Dtype:
    """The dtype that tensors of dtypes ``a`` and ``b``, both with dimensions, meet in."""
    return a if RANK[a] >= RANK[b] else b


def number_dtype(value: object) -> Dtype:
    """The dtype that a bare Python number stands for."""
    if isinstance(value, (bool, np.bool_)):
        return bool_
    return int64 if isinstance(value, (int, np.integer)) else default_dtype()


def result_type(specs: Iterable[Spec], numbers: Iterable[object] = ()) -> Dtype:
    """The dtype of an elementwise operation over tensors of these specs and these Python numbers (PyTorch's rules)."""
    best: list[Dtype | None] = [None, None, None]  # with dimensions, 0-d, Python numbers
    for spec in specs:
        level = 0 if spec.shape else 1
        held = best[level]
        best[level] = spec.dtype if held is None else promote_types(held, spec.dtype)
    for number in numbers:
        dtype, held = number_dtype(number), best[2]
        best[2] = dtype if held is None else promote_types(held, dtype)
    result: Dtype | None = None
    for candidate in best:
        if candidate is not None and (result is None or CATEGORY[candidate] > CATEGORY[result]):
            result = candidate
    assert result is not None
    return result


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that ``shapes`` broadcast to; ShapeError naming the dimension where they do not.

    >>> broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    if len(shapes) == 2:  # the usual cases, quickly: one shape is the end of the other
        long, short = shapes if len(shapes[0]) >= len(shapes[1]) else shapes[::-1]
        if long[len(long) - len(short) :] == short:
            return long
    width = max(map(len, shapes))
    result = []
    for axis in range(-width, 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis}
        sizes.discard(1)
        if len(sizes) > 1:
            raise ShapeError(
                f"shapes do not broadcast: dimension {axis} has sizes {' and '.join(map(str, sorted(sizes)))}",
                got=" and ".join(str(list(s)) for s in shapes),
                fix="give the sizes that must match, or a size of 1 where a value is to be repeated "
                "(unsqueeze adds such a dimension)",
            )
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def smallest(dtype: Dtype) -> float:
    """What no number of this dtype is below."""
    if dtype.kind == "f":
        return float("-inf")
    return False if dtype.kind == "b" else int(np.iinfo(dtype).min)


def numel(shape: Sequence[int]) -> int:
    """How many entries an array of this shape has."""
    count = 1
    for size in shape:
        count *= size
    return count


def reshaped(shape: Shape, strides: tuple[int, ...], new: Shape) -> tuple[int, ...] | None:
    """The strides of the same entries under another shape; None where no strides do it."""
    old = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    if not old:
        return (0,) * len(new)
    if any(n == 0 for n, _ in old):
        return (0,) * len(new)
    result = [0] * len(new)
    at = 0
    place = 0
    while at < len(old):
        have, want, first = old[at][0], 1, place
        last = at
        while have != want:
            if have < want:
                last += 1
                if last >= len(old):
                    return None
                have *= old[last][0]
            else:
                if place >= len(new):
                    return None
                want *= new[place]
                place += 1
        for left in range(at, last):
            if old[left][1] != old[left + 1][0] * old[left + 1][1]:
                return None
        step = old[last][1]
        for axis in range(place - 1, first - 1, -1):
            result[axis] = step
            step *= new[axis]
        at = last + 1
    return tuple(result)
