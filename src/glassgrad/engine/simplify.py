"""Program -> smaller Program: what is computed twice, for nothing, or from constants alone goes; picks along short axes
become choices that fuse.

Every rule keeps the value bit for bit, apart from the sign of a zero that a sum starts from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..op import REGISTRY
from ..spec import int64
from . import convolutions
from .program import CONST, INPUT, OWN, Program, Val, constant, made_of

Rule = Callable[[Val], Val | None]
FOLDED = 65_536
"""Constants of up to this many entries are computed with beforehand."""
SHORT = 4096
"""An axis up to this long is searched for a picked entry rather than indexed: that fuses with what is around it."""


def simplify(program: Program) -> Program:
    """Rewrite until nothing changes."""
    for _ in range(8):
        made, changed = _once(program)
        program = made
        if not changed:
            break
    return program


def _once(program: Program) -> tuple[Program, bool]:
    new: dict[Val, Val] = {}
    seen: dict[Any, Val] = {}
    changed = False
    for val in program.order():
        if val.op in (INPUT, CONST):
            key = _constant_key(val)
            new[val] = val if key is None else seen.setdefault(key, val)
            continue
        ins = tuple(new[v] for v in val.ins)
        made = val
        if any(a is not b for a, b in zip(ins, val.ins, strict=True)):
            made = Val(val.op, ins, val.params, val.shape, val.dtype, val.data, val.origin)
        while True:
            better = _better(made)
            if better is None:
                break
            changed = True
            if better.op in (INPUT, CONST) or better in seen.values():
                made = better
                break
            made = better
        if made.op not in (INPUT, CONST):
            key = (made.op, made.ins, _hashable(made.params), made.shape, made.dtype)
            held = seen.setdefault(key, made)
            changed = changed or (held is not made and held is not val)
            made = held
        new[val] = made
    outputs = [new[v] for v in program.outputs]
    return Program(program.inputs, outputs), changed


def _hashable(params: Any) -> Any:
    return tuple(sorted((k, v if not isinstance(v, list) else tuple(v)) for k, v in params.items()))


def _constant_key(val: Val) -> Any:
    if val.op == CONST and val.size <= 64:
        return (CONST, val.shape, val.dtype, val.data.tobytes())
    return None


def _better(val: Val) -> Val | None:
    """A simpler value that is the same, or None."""
    rule = RULES.get(val.op)
    if rule is not None:
        found = rule(val)
        if found is not None:
            return found
    fixed = val.op not in OWN and val.op != "expand" and val.size <= FOLDED
    if val.ins and fixed and all(v.op == CONST and v.size <= FOLDED for v in val.ins):
        with np.errstate(all="ignore"):
            return constant(REGISTRY[val.op].value(np, *[v.data for v in val.ins], **val.params))
    return None


def _through(val: Val) -> Val | None:
    return val.ins[0]


def _second(val: Val) -> Val | None:
    return val.ins[1]


def _cast(val: Val) -> Val | None:
    source = val.ins[0]
    return source if source.dtype == val.dtype else None


def _reshape(val: Val) -> Val | None:
    source = val.ins[0]
    if source.shape == val.shape:
        return source
    if source.op == "reshape":
        return made_of("reshape", source.ins, {"shape": val.shape}, val.origin)
    if source.op == "expand" and source.ins[0].size == 1 and not source.ins[0].shape:
        return made_of("expand", source.ins, {"shape": val.shape}, val.origin)
    return None


def _permute(val: Val) -> Val | None:
    axes, source = val.params["axes"], val.ins[0]
    if axes == tuple(range(len(axes))):
        return source
    if source.op == "permute":
        inner = source.params["axes"]
        return made_of("permute", source.ins, {"axes": tuple(inner[a] for a in axes)}, val.origin)
    return None


def _expand(val: Val) -> Val | None:
    source = val.ins[0]
    if source.shape == val.shape:
        return source
    if source.op == "expand":
        return made_of("expand", source.ins, {"shape": val.shape}, val.origin)
    if source.op == "reshape" and source.ins[0].size == 1 and not source.ins[0].shape:
        return made_of("expand", source.ins, {"shape": val.shape}, val.origin)
    return None


def _slice(val: Val) -> Val | None:
    source = val.ins[0]
    return source if all(cut == (0, n, 1) for cut, n in zip(val.params["cuts"], source.shape, strict=True)) else None


def _mul(val: Val) -> Val | None:
    for a, b in (val.ins, val.ins[::-1]):
        if a.number == 1 and b.shape == val.shape:
            return b
    return None


def _neg(val: Val) -> Val | None:
    source = val.ins[0]
    return source.ins[0] if source.op == "neg" else None


def _sum(val: Val) -> Val | None:
    """A sum (or the largest) over axes of size 1, or over none, is a reshape."""
    source, axes = val.ins[0], val.params["axes"]
    if source.dtype == val.dtype and all(source.shape[a] == 1 for a in axes):
        return made_of("reshape", (source,), {"shape": val.shape}, val.origin)
    return None


def _where(val: Val) -> Val | None:
    _, a, b = val.ins
    return a if a is b and a.shape == val.shape else None


def _iota(shape: tuple[int, ...], axis: int) -> Val:
    return Val("iota", (), {"axis": axis}, shape, int64)


def _spread(val: Val, shape: tuple[int, ...], axis: int) -> Val:
    """``val``, of size 1 along ``axis``, repeated to ``shape``; a 0-d constant stays."""
    if val.shape == shape or not val.shape:
        return val
    return made_of("expand", (val,), {"shape": shape})


def _gather(val: Val) -> Val | None:
    """One entry picked along a short axis: the sum of a choice, which fuses with what made the entries."""
    x, index = val.ins
    axis = val.params["axis"]
    rest = all(a == b for at, (a, b) in enumerate(zip(x.shape, index.shape, strict=True)) if at != axis)
    if not x.shape or index.shape[axis] != 1 or not rest or x.shape[axis] > SHORT or x.dtype.kind != "f":
        return None
    place = made_of("cast", (index,), {"dtype": int64}) if index.dtype != int64 else index
    here = made_of("eq", (_iota(x.shape, axis), _spread(place, x.shape, axis)), {})
    zero = constant(np.zeros((), x.dtype))
    chosen = made_of("where", (here, x, zero), {}, val.origin)
    return made_of("sum", (chosen,), {"axes": (axis,), "keep": True}, val.origin)


def _zeros(val: Val) -> bool:
    """Whether it is an array of zeros."""
    return val.op == "expand" and val.ins[0].number == 0


def _scatter_add(val: Val) -> Val | None:
    """Adding one entry along a short axis: a choice between the entry and zero."""
    x, index, source = val.ins
    axis = val.params["axis"]
    rest = all(a == b for at, (a, b) in enumerate(zip(x.shape, index.shape, strict=True)) if at != axis)
    if not x.shape or index.shape[axis] != 1 or not rest or x.shape[axis] > SHORT or x.dtype.kind != "f":
        return None
    place = made_of("cast", (index,), {"dtype": int64}) if index.dtype != int64 else index
    here = made_of("eq", (_iota(x.shape, axis), _spread(place, x.shape, axis)), {})
    zero = constant(np.zeros((), x.dtype))
    chosen = made_of("where", (here, _spread(source, x.shape, axis), zero), {}, val.origin)
    return chosen if _zeros(x) else made_of("add", (x, chosen), {}, val.origin)


def _add(val: Val) -> Val | None:
    """Adding zeros; parts of the same array, each put into zeros, are put together."""
    a, b = val.ins
    for x, y in ((a, b), (b, a)):
        if _zeros(x) and y.shape == val.shape:
            return y
    if a.op == b.op == "assemble" and _disjoint(a.params["cuts"] + b.params["cuts"]):
        params = {"cuts": a.params["cuts"] + b.params["cuts"]}
        return Val("assemble", a.ins + b.ins, params, val.shape, val.dtype, None, val.origin)
    return None


def _disjoint(cuts: tuple[Any, ...]) -> bool:
    """Whether boxes (one cut for each axis) with a step of 1 have no entry in common."""
    if any(step != 1 for box in cuts for _, _, step in box):
        return False
    for place, box in enumerate(cuts):
        for other in cuts[:place]:
            if all(max(a[0], b[0]) < min(a[1], b[1]) for a, b in zip(box, other, strict=True)):
                return False
    return True


def _slice_scatter(val: Val) -> Val | None:
    """A part put into zeros."""
    x, part = val.ins
    if _zeros(x) and all(step == 1 for _, _, step in val.params["cuts"]):
        return Val("assemble", (part,), {"cuts": (val.params["cuts"],)}, val.shape, val.dtype, None, val.origin)
    if all(cut == (0, n, 1) for cut, n in zip(val.params["cuts"], x.shape, strict=True)):
        return part
    return None


def _cat(val: Val) -> Val | None:
    """Parts one after another."""
    axis, start, boxes = val.params["axis"], 0, []
    for part in val.ins:
        box = [(0, n, 1) for n in val.shape]
        box[axis] = (start, start + part.shape[axis], 1)
        start += part.shape[axis]
        boxes.append(tuple(box))
    return Val("assemble", val.ins, {"cuts": tuple(boxes)}, val.shape, val.dtype, None, val.origin)


def with_masks(program: Program) -> Program:
    """Where relu(x) is there anyway, whether x is at most 0 is asked of it: then x itself need not be kept."""
    held = {v.ins[0]: v for v in program.order() if v.op == "relu"}
    new: dict[Val, Val] = {}
    for val in program.order():
        ins = tuple(new[v] for v in val.ins)
        if val.op == "le" and val.ins[0] in held and val.ins[1].number == 0:
            ins = (new[held[val.ins[0]]], ins[1])
        same = all(a is b for a, b in zip(ins, val.ins, strict=True))
        new[val] = val if same else Val(val.op, ins, val.params, val.shape, val.dtype, val.data, val.origin)
    return Program(program.inputs, [new[v] for v in program.outputs])


RULES: dict[str, Rule] = {
    "copy": _through, "detach": _through, "replace": _second, "cast": _cast, "reshape": _reshape, "permute": _permute,
    "expand": _expand, "slice": _slice, "mul": _mul, "neg": _neg, "sum": _sum, "amax": _sum, "where": _where,
    "gather": _gather, "add": _add, "scatter_add": _scatter_add, "slice_scatter": _slice_scatter, "cat": _cat,
    "conv_transpose": convolutions.transposed, "conv_weight": convolutions.bordered,
}  # fmt: skip
