"""Program -> smaller Program: what is computed twice, for nothing, or from constants alone goes, and every op is asked
for something simpler in its place (`Op.simplifies`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import REGISTRY
from . import rewrite
from .program import CONST, INPUT, OWN, Program, Val, constant

FOLDED = 65_536
"""Constants of up to this many entries are computed with beforehand."""


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
    if val.size == 0:
        return constant(np.zeros(val.shape, val.dtype))
    rule = REGISTRY[val.op].simpler if val.op in REGISTRY else None
    found: Val | None = rule(rewrite, val) if rule is not None else None
    if found is not None:
        return found
    fixed = val.op not in OWN and val.op != "expand" and val.size <= FOLDED
    if val.ins and fixed and all(v.op == CONST and v.size <= FOLDED for v in val.ins):
        with np.errstate(all="ignore"):
            return constant(REGISTRY[val.op].value(np, *[v.data for v in val.ins], **val.params))
    return None
