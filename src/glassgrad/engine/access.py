"""Where the entries of a value lie: views as offsets and strides over the array they look at."""

from __future__ import annotations

from typing import NamedTuple

from ..spec import Shape
from .program import CONST, INPUT, Program, Val, made_of

VIEWS = frozenset({"reshape", "permute", "expand", "slice", "flip"})


class Access(NamedTuple):
    """Entry (i, j, ...) of a value is entry offset + i * strides[0] + j * strides[1] + ... of `base`."""

    base: Val
    offset: int
    strides: tuple[int, ...]


def contiguous(shape: Shape) -> tuple[int, ...]:
    """The strides of an array whose entries lie in order."""
    strides, step = [0] * len(shape), 1
    for axis in range(len(shape) - 1, -1, -1):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


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


def access(val: Val) -> Access | None:
    """`val` over the array that it is a view of; None where a reshape on the way has to copy."""
    chain = []
    base = val
    while base.op in VIEWS:
        chain.append(base)
        base = base.ins[0]
    offset, shape, strides = 0, base.shape, contiguous(base.shape)
    for look in reversed(chain):
        if look.op == "reshape":
            found = reshaped(shape, strides, look.shape)
            if found is None:
                return None
            strides = found
        elif look.op == "permute":
            strides = tuple(strides[axis] for axis in look.params["axes"])
        elif look.op == "expand":
            new = len(look.shape) - len(shape)
            kept = (0 if n != m else s for n, m, s in zip(shape, look.shape[new:], strides, strict=True))
            strides = (0,) * new + tuple(kept)
        elif look.op == "slice":
            cuts = look.params["cuts"]
            if 0 not in look.shape:
                offset += sum(start * s for (start, _, _), s in zip(cuts, strides, strict=True))
            strides = tuple(step * s for (_, _, step), s in zip(cuts, strides, strict=True))
        else:
            axes = look.params["axes"]
            offset += sum((shape[a] - 1) * strides[a] for a in axes if shape[a])
            strides = tuple(-s if a in axes else s for a, s in enumerate(strides))
        shape = look.shape
    return Access(base, offset, strides)


def in_order(found: Access, shape: Shape) -> bool:
    """Whether a view is just the array it looks at, entry for entry in order."""
    if found.offset or found.base.size != _count(shape):
        return False
    if len(found.strides) != len(shape):  # a single number
        return True
    expected = contiguous(shape)
    return all(n == 1 or a == b for n, a, b in zip(shape, found.strides, expected, strict=True))


def _count(shape: Shape) -> int:
    count = 1
    for n in shape:
        count *= n
    return count


def with_copies(program: Program) -> Program:
    """The program with a copy put in before every reshape that strides cannot do, and before outputs that are views,
    inputs or constants: after this every value has an `access`."""
    new: dict[Val, Val] = {}
    for val in program.order():
        ins = tuple(new[v] for v in val.ins)
        made = val
        if any(a is not b for a, b in zip(ins, val.ins, strict=True)):
            made = Val(val.op, ins, val.params, val.shape, val.dtype, val.data, val.origin)
        if made.op == "reshape" and access(made) is None:
            made = made_of("reshape", (_copy(made.ins[0]),), {"shape": made.shape}, made.origin)
        new[val] = made
    outputs: list[Val] = []
    for output in program.outputs:
        val = new[output]
        outputs.append(_copy(val) if val.op in VIEWS or val.op in (INPUT, CONST) or val in outputs else val)
    return Program(program.inputs, outputs)


def _copy(val: Val) -> Val:
    return Val("contig", (val,), {}, val.shape, val.dtype, None, val.origin)
