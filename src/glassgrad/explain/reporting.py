"""A tape as plain data: see `glassgrad.report`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import report as r
from ..errors import ArgumentError
from ..graph import Node
from .answers import Known, shares, update_report, why_report
from .entries import Entries, Index
from .formula import LATEX, NUMBERS, TEXT, Call, Expr, Num, Product, Ref, Terms, Total, Whole, written
from .naming import position, source_line
from .recording import BACKWARD, FORWARD, LOSS
from .sentences import FLAT
from .steps import Step, range_of, statistics

SMALL = 60
"""Entries of all parameters together up to which every one is explained."""
FEW = 2
"""Entries of each parameter that are explained in a larger net."""
TOP_SMALL, TOP_LARGE, WAYS = 10, 5, 250
"""Paths that are listed for an entry of a small and of a large net; of very many entries about so many in all."""
SHOWN = 5
"""Entries of largest size that are listed of an array."""
BLOCK = 1024
GLANCE = 300
"""Recorded values up to which a notebook shows every step."""
LARGE = 2000
"""Entries of an array from which on a formula with numbers goes back by one op only: further back are sums of sums."""


def report_of(tape: Any, title: str = "", whys: Sequence[tuple[Any, Any]] | None = None) -> r.TapeReport:
    """What a tape says, as plain data.

    Args:
        whys: which entries of which tensors are explained, as (tensor, index); None for every entry of a small net,
            and for the entries of largest gradient of each parameter of a large one.
    """
    if not tape.records:
        raise ArgumentError(
            "nothing was recorded, so there is nothing to report", got="an empty tape" + _pattern(tape),
            fix="compute inside the with block; a compiled step must be recorded eagerly: call the plain function",
        )  # fmt: skip
    notes = _notes(tape)
    steps = _steps(tape, notes)
    asked = _chosen(tape) if whys is None else [(tape.node_of(what), index) for what, index in whys]
    if whys is None and asked and _entries(tape) > SMALL:
        notes.append(f"The net is large: of each parameter the {FEW} entries of largest gradient are explained.")
    root = tape.roots[-1] if tape.roots else None
    known: Known = {}
    top = _top(tape, len(asked))
    value = float(np.sum(tape.value(root))) if root is not None else math.nan
    return r.TapeReport(
        title=title,
        loss="" if root is None else f"{tape.symbols.text(root) if root in tape.records else 'L'} = {written(value)}",
        loss_value=value,
        legend=dict(tape.symbols.legend),
        steps=tuple(steps),
        graph=graph_of(tape),
        whys=tuple(why_report(tape.why(node, index, top), known) for node, index in asked if _explained(tape, node)),
        updates=tuple(update_report(tape.update(node, index)) for node, index in asked if _is_updated(tape, node)),
        responsibility=shares(tape, notes) if _is_whole(tape) else None,
        notes=tuple(notes),
    )


def glance_of(tape: Any) -> r.TapeReport:
    """What a notebook shows of a tape: of a large one no single steps, as they take a while."""
    if len(tape.records) <= GLANCE:
        return report_of(tape, whys=())
    counts = Counter(step.phase for step in tape.steps)
    words = ", ".join(f"{counts[phase]} {phase}" for phase in r.PHASES if counts[phase])
    note = f"{len(tape.steps)} steps ({words}): tape.html(path) shows them one by one."
    graph = graph_of(tape)
    loss = next((n for n in graph.nodes if n.role == "loss"), None)
    value = math.nan if loss is None or loss.value.most is None else loss.value.most
    text = "" if loss is None else f"{loss.name} = {loss.value.text}"
    return r.TapeReport("", text, value, dict(tape.symbols.legend), (), graph, notes=(*_notes(tape), note))


def _pattern(tape: Any) -> str:
    return f" of the modules that fit {tape.only!r}" if tape.only else ""


def _notes(tape: Any) -> list[str]:
    notes = []
    if tape.only:
        notes.append(f"Only what the modules that fit {tape.only!r} computed was recorded.")
    if not tape.roots:
        notes.append("No backward pass was recorded, so there are no gradients.")
    if len(tape.passes) > 1:
        notes.append(f"{len(tape.passes)} backward passes were recorded; paths and shares are those of the last.")
    return notes


# -- numbers and places ------------------------------------------------------------------------------------------------


def summary(tape: Any, node: Node, flat: float | None = None) -> r.Summary:
    """A value at a glance; what is shown at several places is looked through once."""
    value = tape.value(node)
    known = tape._once("_summaries", dict)
    key = id(value), flat
    if key not in known:
        known[key] = _summary(value, flat)
    return known[key]  # type: ignore[no-any-return]


def _summary(value: Any, flat: float | None) -> r.Summary:
    found = statistics(value)
    return r.Summary(
        shape=tuple(map(int, value.shape)),
        dtype=str(value.dtype),
        text=range_of(value),
        norm=found.get("norm"),
        zeros=found.get("zeros"),
        flat=flat,
        least=found.get("least"),
        most=found.get("most"),
        mean=found.get("mean"),
        not_finite=found.get("not finite", 0),
        largest=_largest(value),
    )


def _largest(value: Any, count: int = SHOWN) -> tuple[r.Entry, ...]:
    """The entries of largest size, those that are not finite first."""
    if value.size < 2:
        return ()
    size = np.abs(value.ravel() if value.dtype.kind == "f" else value.ravel().astype(np.float64))
    if not np.isfinite(size.max()):
        size = np.where(np.isfinite(size), size, np.inf)
    some = np.arange(size.size)
    if size.size > 4 * BLOCK:  # they stand in the blocks of the largest maxima: much quicker than to sort all
        tops = np.maximum.reduceat(size, np.arange(0, size.size, BLOCK))
        blocks = np.argsort(-tops, kind="stable")[:count]
        some = np.sort((blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel())
        some = some[some < size.size]
    some = some[np.argsort(-size[some], kind="stable")][:count]
    return tuple(r.Entry(_index(i, value.shape), float(value.ravel()[i])) for i in some)


def _index(flat: Any, shape: tuple[int, ...]) -> Index:
    return tuple(int(i) for i in np.unravel_index(int(flat), shape)) if shape else ()


def line(node: Node) -> r.Line:
    """The user's line that made a node."""
    where = node.origin.where if node.origin is not None else None
    at = position(where)
    if where is None or at is None:
        return r.Line()
    return r.Line(where[0].co_filename, at[0] or 0, where[0].co_name, source_line(where))


def _flat(tape: Any, node: Node) -> float | None:
    """The share of a value's entries where the op that made it lets next to nothing of the error through."""
    op = node.op
    if op is None or op.kind != "elementwise" or len(tape.inputs(node)) != 1 or node not in tape.cotangents:
        return None
    part = next((e.part for e in tape.edges if e.node is node), None)
    came = tape.value(tape.cotangents[node])
    if part is None or part is tape.cotangents[node] or not came.any():
        return None
    some = (came != 0) & np.isfinite(came)
    return None if not some.any() else float(np.mean(np.abs(tape.value(part)[some]) <= FLAT * np.abs(came[some])))


# -- steps -------------------------------------------------------------------------------------------------------------


def _steps(tape: Any, notes: list[str]) -> list[r.StepReport]:
    bad = [step for step in tape.steps if not _finite(step.value)]
    harmful = _harmful(tape) if bad else set()
    first = next((step for step in bad if step.made in harmful), None)
    made = [_step(tape, step, step is first) for step in tape.steps]
    shown = first or (bad[0] if bad else None)
    if shown is not None:
        there = made[shown.number - 1]
        place = f" ({Path(there.line.file).name}:{there.line.number})" if there.line.file else ""
        notes.append(
            f"Numbers that are not finite appear first in step {shown.number}, {shown.formula}{place}."
            + ("" if first else " They do no harm: the loss and all gradients of parameters are finite.")
        )
    return made


def _finite(value: Any) -> bool:
    return value.dtype.kind != "f" or bool(np.isfinite(value).all())


def _harmful(tape: Any) -> set[Node]:
    """What is not finite and makes a result not finite: an infinity that masks a softmax does not."""
    found: set[Node] = set()
    consumers = tape.consumers()
    results = {*tape.roots, *(g for n, g in tape.cotangents.items() if tape.is_leaf(n)), *tape.symbols.updated}
    for node in sorted(tape.records, key=lambda n: n.id, reverse=True):
        after = [c for c, _ in consumers.get(node, ())]
        if not _finite(tape.value(node)) and (not after or node in results or any(c in found for c in after)):
            found.add(node)
    return found


def _step(tape: Any, step: Step, lost: bool) -> r.StepReport:
    entry = _entry(tape, step)
    value = summary(tape, step.made, _flat(tape, step.node) if step.phase in (FORWARD, LOSS) else None)
    return r.StepReport(
        number=step.number,
        phase=step.phase,
        op=step.op,
        module=step.module,
        name=step.name,
        name_latex=step.name_latex,
        formula=step.formula,
        latex=step.latex,
        numbers="" if entry is None else entry.write(NUMBERS),
        numbers_latex="" if entry is None else plugged(entry).write(LATEX),
        entry=step.largest if step.value.size > 1 else (),
        entry_formula="" if entry is None else entry.write(TEXT),
        result=value.text,
        sentence=step.sentence,
        line=line(step.node),
        value=value,
        node=_node(tape, step),
        operand=None if step.operand is None else tape.source(step.operand).id,
        lost=lost,
    )


def _entry(tape: Any, step: Step) -> Expr | None:
    """The formula of a step's largest entry."""
    if not step.value.size:
        return None
    if step.value.size < LARGE or step.phase not in (FORWARD, LOSS):
        return step.entry()
    return Entries(tape, step.names, lambda node: node is not step.made).formula(step.made, step.largest)


def _node(tape: Any, step: Step) -> int:
    """The number of the graph's node that a step is at: of an update the parameter."""
    old = tape.symbols.updated.get(step.made) if step.phase not in (FORWARD, LOSS, BACKWARD) else None
    return int((step.node if old is None else old).id)


def plugged(expr: Expr) -> Expr:
    """A formula with numbers in the place of names."""
    if isinstance(expr, (Ref, Whole)):
        return Num(expr.number)
    if isinstance(expr, Call):
        return Call(expr.op, tuple(map(plugged, expr.args)), expr.params)
    if isinstance(expr, Total):
        terms = expr.terms
        return Total(terms.each(plugged) if isinstance(terms, Terms) else tuple(map(plugged, terms)))
    if isinstance(expr, Product):
        return Product(tuple(map(plugged, expr.factors)))
    return expr


# -- the graph ---------------------------------------------------------------------------------------------------------


def graph_of(tape: Any) -> r.GraphReport:
    """The forward pass and the loss, with what they were computed from."""
    inner = [n for n in tape.records if not tape.is_leaf(n) and tape.phase(n) in (FORWARD, LOSS)]
    found = set(inner)
    leaves: dict[Node, None] = {}
    links: list[tuple[Node, Node, int]] = []
    for node in inner:
        for index, given in enumerate(tape.inputs(node)):
            source = tape.source(given)
            source = source if source in found else given
            if source not in tape.records:
                continue
            if source not in found:
                leaves.setdefault(source)
            links.append((source, node, index))
    paths = {tape.records[n].path for n in inner}
    homes = {leaf: {tape.records[b].path for a, b, _ in links if a is leaf} for leaf in leaves}
    sent = {(e.node, e.index): e.part for e in tape.edges}
    nodes = sorted([*leaves, *inner], key=lambda n: n.id)
    return r.GraphReport(
        nodes=tuple(_graph_node(tape, n, n in found, paths, homes.get(n, set())) for n in nodes),
        edges=tuple(
            r.GraphEdge(a.id, b.id, k, summary(tape, sent[b, k]) if (b, k) in sent else None) for a, b, k in links
        ),
        roots=_outermost(tape, paths),
    )


def _graph_node(tape: Any, node: Node, computed: bool, paths: set[str], homes: set[str]) -> r.GraphNode:
    record = tape.records[node]
    owner = _owner(record.name, paths) if record.name else min(homes) if len(homes) == 1 else ""
    name, latex = tape.symbols.both(node)
    gradient = tape.cotangents.get(node)
    leaf = "parameter" if node.requires_grad and node.op is None else "data"
    return r.GraphNode(
        id=node.id,
        name=name,
        name_latex=latex,
        op=node.op.name if computed and node.op is not None else "",
        role="loss" if node in tape.roots else "value" if computed else leaf,
        module=record.path if computed else owner,
        phase=tape.phase(node) if computed else FORWARD,
        line=line(node) if computed else r.Line(),
        value=summary(tape, node, _flat(tape, node)),
        gradient=None if gradient is None else summary(tape, gradient),
    )


def _owner(name: str, paths: Iterable[str]) -> str:
    """The module whose parameter has this name; with several outermost modules their name stands in front."""
    front = name.rpartition(".")[0]
    while front:
        if any(p == front or p.startswith(f"{front}.") for p in paths):
            return front
        front = front.partition(".")[2]
    return ""


def _outermost(tape: Any, paths: set[str]) -> tuple[str, ...]:
    """Outermost modules that have others within them: what they compute themselves stands between those."""
    return tuple(
        sorted({name for m in tape.modules.roots.values() if (name := type(m).__name__) in paths and any(_children(m))})
    )


def _children(module: Any) -> Iterable[Any]:
    return module.children() if hasattr(module, "children") else ()


# -- why, updates, shares ----------------------------------------------------------------------------------------------


def _parameters(tape: Any) -> list[Node]:
    """The leaves that a gradient arrived at and that have a name."""
    return [n for n in tape.cotangents if n in tape.records and n.op is None and tape.records[n].name]


def _entries(tape: Any) -> int:
    return sum(int(np.prod(n.shape)) for n in _parameters(tape))


def _top(tape: Any, entries: int) -> int:
    return TOP_SMALL if _entries(tape) <= SMALL else min(TOP_LARGE, max(2, WAYS // max(1, entries)))


def _chosen(tape: Any) -> list[tuple[Node, Index]]:
    """The entries that are explained unless others are asked for."""
    order = {node: place for place, node in enumerate(tape.records)}
    few = None if _entries(tape) <= SMALL else FEW
    chosen: list[tuple[Node, Index]] = []
    for node in sorted(_parameters(tape), key=order.__getitem__):
        size = int(np.prod(node.shape))
        if few is None or size <= few:
            chosen += [(node, _index(i, node.shape)) for i in range(size)]
        else:
            chosen += [(node, e.index) for e in _largest(tape.value(tape.cotangents[node]), few)]
    return chosen


def _explained(tape: Any, node: Node) -> bool:
    """Whether the way from the loss to a node was recorded."""
    return bool(tape.roots) and tape.roots[-1] in tape.records and node in tape.cotangents


def _is_updated(tape: Any, node: Node) -> bool:
    symbols = tape.symbols
    return any(old is node and symbols.text(new) == symbols.text(node) + "′" for new, old in symbols.updated.items())


def _is_whole(tape: Any) -> bool:
    """Whether an update was recorded, and all of the way from the loss to the parameters."""
    updated = set(tape.symbols.updated.values())
    return bool(tape.roots) and tape.roots[-1] in tape.records and any(_is_updated(tape, node) for node in updated)
