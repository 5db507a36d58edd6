"""One plain sentence for a step, made of its numbers: it never says more than they support."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import is_constant
from ..op import Op
from .formula import written
from .recording import BACKWARD, UPDATE
from .steps import Step

FLAT = 0.05
"""A local slope below this lets next to nothing of the error through."""


def sentence(step: Step) -> str:
    """What happened to this number."""
    bad = _not_finite(step)
    if step.phase == BACKWARD:
        return bad or (_gathered(step) if step.edge is None else _passed(step))
    if step.phase == UPDATE:
        return bad or _updated(step)
    op = step.node.op
    assert isinstance(op, Op)
    return bad or " ".join(filter(None, (op.says, _range(step), _slope(step, op))))


def _not_finite(step: Step) -> str:
    """Where nan or infinity comes up: the first place is where the operands were still finite."""
    value = step.value
    if value.dtype.kind != "f" or not value.size or np.isfinite(value).all():
        return ""
    what = "nan" if np.isnan(value).any() else "infinity"
    count = int(value.size - np.isfinite(value).sum())
    before = [step.tape.value(x) for x in step.tape.inputs(step.made)]
    came = any(v.dtype.kind == "f" and not np.isfinite(v).all() for v in before)
    where = "" if value.size == 1 else f" in {count} of {value.size} entries, first at {list(step.largest)}"
    if came:
        return f"{what.capitalize()} came in with the operands and is passed on{where}."
    return f"Here {what} appears for the first time on this way{where}: all operands were finite."


def _range(step: Step) -> str:
    value = step.value
    if value.size == 1 or not value.size or value.dtype.kind != "f":
        return ""
    zeros = float(np.mean(value == 0))
    return f"Of the {value.size} results {zeros:.0%} are 0." if zeros > 0.2 else ""


def _slope(step: Step, op: Op) -> str:
    """How much of an error will get back through a bent op at these numbers."""
    slopes = step.slopes
    if slopes is None:
        return ""
    operand = step.tape.inputs(step.made)[step.bent]
    if slopes.size == 1:
        slope, at = float(slopes.ravel()[0]), written(float(step.tape.value(operand).ravel()[0]))
        name = step.tape.symbols.text(operand)
        if abs(slope) < FLAT:
            return f"{name} is {at}, where {op.name} is flat: its slope is {written(slope)}."
        return f"At {name} = {at} its slope is {written(slope)}."
    flat = float(np.mean(np.abs(slopes) < FLAT))
    return f"At {flat:.0%} of the entries it is flat: next to no error gets back there." if flat > 0.01 else ""


def _passed(step: Step) -> str:
    """What share of the error an op lets through to its operand."""
    tape, edge = step.tape, step.edge
    assert edge is not None
    node, op = edge.node, edge.node.op
    assert isinstance(op, Op)
    came = tape.value(tape.cotangents[node]).astype(np.float64)
    went = step.value.astype(np.float64)
    operand = tape.inputs(node)[edge.index]
    name = tape.symbols.text(operand)
    if not came.any():
        return f"No error arrived, so {name} gets none."
    if edge.part is tape.cotangents[node]:
        return f"The error goes on to {name} as it is."
    if not went.any():
        return f"Nothing of the error gets through to {name}: {_why_nothing(step)}"
    if op.kind == "structural":
        return f"The error goes back to the places of {name} that it came from."
    if op.kind == "elementwise" and came.shape == went.shape:
        return _through(step, op, came, went, name, tape.value(operand))
    first, second = float(np.sqrt((came**2).sum())), float(np.sqrt((went**2).sum()))
    return f"The error that reaches {name} has norm {written(second)}; what came had {written(first)}."


def _through(step: Step, op: Op, came: Any, went: Any, name: str, x: Any) -> str:
    some = came != 0
    slopes = np.abs(went[some] / came[some])
    others = [o for k, o in enumerate(step.tape.inputs(step.edge.node)) if k != step.edge.index]  # type: ignore[union-attr]
    if slopes.size == 1:
        slope, at = float(slopes[0]), written(float(x.ravel()[np.flatnonzero(some.ravel())[0]]))
        share = f"{_percent(slope)} of the error"
        if others and not all(is_constant(o) for o in others):
            by = ", ".join(step.tape.symbols.text(o) for o in others)
            return f"The error is multiplied by {written(slope)} on its way to {name}, which comes from {by}."
        if slope < FLAT:
            return f"{name} is {at}, where {op.name} is nearly flat: only {share} gets through."
        if slope > 1.05:
            return f"{name} is {at}, where {op.name} is steep: the error becomes {written(slope)} times as large."
        if slope > 0.95:
            return f"At {name} = {at} the slope of {op.name} is {written(slope)}: the error goes on almost as it is."
        return f"At {name} = {at} the slope of {op.name} is {written(slope)}: {share} gets through."
    flat = float(np.mean(np.abs(went) <= FLAT * np.abs(came)))
    norm = float(np.sqrt((went**2).sum() / (came**2).sum()))
    middle = f"{_percent(norm)} of the error's norm gets through to {name}"
    if flat > 0.05 and not others:
        return f"In {flat:.0%} of the {went.size} entries {op.name} is flat or nearly so; {middle}."
    return f"{middle[0].upper()}{middle[1:]}."


def _why_nothing(step: Step) -> str:
    edge = step.edge
    assert edge is not None and edge.node.op is not None
    others = [o for k, o in enumerate(step.tape.inputs(edge.node)) if k != edge.index]
    dead = [step.tape.symbols.text(o) for o in others if not np.any(step.tape.value(o))]
    if dead:
        return f"{', '.join(dead)} is 0."
    return f"the slope of {edge.node.op.name} is 0 wherever error arrived."


def _percent(share: float) -> str:
    return f"{written(float(f'{share * 100:.2g}'))} %"


def _gathered(step: Step) -> str:
    tape = step.tape
    parts = [tape.value(e.part) for e in tape.edges if tape.inputs(e.node)[e.index] is step.node]
    whole = float(np.sqrt(sum((p.astype(np.float64) ** 2).sum() for p in parts)))
    made = float(np.sqrt((step.value.astype(np.float64) ** 2).sum()))
    text = f"{tape.symbols.text(step.node)} is used {len(parts)} times, so the errors of all its uses are added up"
    if whole and made < 0.5 * whole:
        return f"{text}; they cancel out for the most part."
    return f"{text}."


def _updated(step: Step) -> str:
    symbols = step.tape.symbols
    old, role = symbols.updated.get(step.made), symbols.roles.get(step.made, "")
    if role == "whole":
        return "One number made of all gradients together."
    if old is None:
        return ""
    if role == "state":
        return f"What the optimizer remembers of {symbols.text(old)} from step to step."
    if role == "total":
        return f"The gradient of {symbols.text(old)} is added to the one that was there: it was not zeroed in between."
    if role == "clipped":
        norms = [float(np.sqrt((v.astype(np.float64) ** 2).sum())) for v in (step.value, step.gradient_of(old))]
        changed = "stays as it is" if norms[0] == norms[1] else f"goes from {written(norms[1])} to {written(norms[0])}"
        return f"Before the optimizer sees it, the gradient of {symbols.text(old)} is clipped: its norm {changed}."
    before = step.tape.value(old).astype(np.float64)
    moved = float(np.sqrt(((step.value - before) ** 2).sum()))
    size = float(np.sqrt((before**2).sum()))
    if not moved:
        return f"{step.tape.symbols.text(old)} stays where it is."
    if before.size == 1:
        return f"{step.tape.symbols.text(old)} moves by {written(float((step.value - before).ravel()[0]))}."
    share = f", {_percent(moved / size)} of its norm" if size else ""
    return f"{step.tape.symbols.text(old)} moves by {written(moved)}{share}."
