"""Where the entries of a value lie: views as offsets and strides over the array they look at.

A view looks at its first operand. Others only have to be there before (`before`).
"""

from __future__ import annotations

from typing import NamedTuple

from ..op import REGISTRY
from ..spec import Shape
from .program import CONST, INPUT, Program, Val, made_of


class Buffer(NamedTuple):
    """What a kernel is given the address of: entry `start` of the memory that stands for `val`. As the start is no part
    of the kernel, one kernel serves all slices of an array."""

    val: Val
    start: int


class Access(NamedTuple):
    """Entry (i, j, ...) of a value is entry offset + i * strides[0] + j * strides[1] + ... of `base`."""

    base: Val
    offset: int
    strides: tuple[int, ...]


def is_view(val: Val) -> bool:
    """Whether a value is read where its operand lies."""
    return val.op in REGISTRY and REGISTRY[val.op].look is not None


def contiguous(shape: Shape) -> tuple[int, ...]:
    """The strides of an array whose entries lie in order."""
    strides, step = [0] * len(shape), 1
    for axis in range(len(shape) - 1, -1, -1):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


def access(val: Val) -> Access | None:
    """`val` over the array that it is a view of; None where a reshape on the way has to copy."""
    if val.seen == ():
        val.seen = _found(val)
    return val.seen  # type: ignore[no-any-return]


def _found(val: Val) -> Access | None:
    chain = []
    base = val
    while is_view(base):
        chain.append(base)
        base = base.ins[0]
    offset, shape, strides = 0, base.shape, contiguous(base.shape)
    for view in reversed(chain):
        found = REGISTRY[view.op].look(shape, strides, view.shape, **view.params)  # type: ignore[misc]
        if found is None:
            return None
        offset, shape, strides = offset + found[0], view.shape, found[1]
    return Access(base, offset, strides)


def before(val: Val) -> list[Val]:
    """What must be there before a value is computed though that does not read it."""
    found = []
    stack = list(val.ins)
    while stack:
        view = stack.pop()
        if is_view(view):
            stack.append(view.ins[0])
            others = [access(source) for source in view.ins[1:]]
            found += [other.base for other in others if other is not None]
    return found


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
    """The program with a copy put in before every view that strides cannot do, and before outputs that are views,
    inputs or constants: after this every value has an `access`."""
    new: dict[Val, Val] = {}
    for val in program.order():
        ins = tuple(new[v] for v in val.ins)
        made = val
        if any(a is not b for a, b in zip(ins, val.ins, strict=True)):
            made = Val(val.op, ins, val.params, val.shape, val.dtype, val.data, val.origin)
        if is_view(made) and access(made) is None:
            made = made_of(made.op, (_copy(made.ins[0]),), made.params, made.origin)
        new[val] = made
    outputs: list[Val] = []
    for output in program.outputs:
        val = new[output]
        outputs.append(_copy(val) if is_view(val) or val.op in (INPUT, CONST) or val in outputs else val)
    return Program(program.inputs, outputs)


def _copy(val: Val) -> Val:
    return Val("contig", (val,), {}, val.shape, val.dtype, None, val.origin)
