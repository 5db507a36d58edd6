"""Answers as plain data: why an entry is what it is, how it got its new value, which layer did how much."""

from __future__ import annotations

from typing import Any

from .. import report as r
from ..errors import GlassgradError
from ..graph import Node
from ..view import install, notebook
from .entries import Index
from .formula import LATEX, TEXT
from .paths import Factor, Why
from .paths import Path as Way
from .update import Update

Known = dict[tuple[Any, ...], r.FactorReport]


def why_report(why: Why, known: Known | None = None) -> r.WhyReport:
    """An entry's paths as plain data. Factors that are `known` from other entries' paths are not made again."""
    text, latex = why.tape.symbols.gradient(why.node)
    table: Known = {} if known is None else known
    paths = tuple(_path(path, table) for path in why.paths)
    return r.WhyReport(text, latex, why.node.id, why.index, why.value, paths, why.count, why.remainder)


def _path(path: Way, known: Known) -> r.PathReport:
    made = []
    for factor in path.factors:
        inner = tuple((f.node, f.index, f.operand, f.at) for f in factor.parts)
        key = factor.node, factor.index, factor.operand, factor.at, inner
        if key not in known:
            known[key] = _factor(factor)
        made.append(known[key])
    return r.PathReport(tuple(made), path.product, str(path))


def _factor(factor: Factor) -> r.FactorReport:
    net = factor.why.net
    last = factor.parts[-1] if factor.parts else factor
    by = net.inputs[last.node][last.operand]
    expr = factor.expr
    top, bottom = _entry_latex(net, factor.node, factor.index), _entry_latex(net, by, factor.at)
    return r.FactorReport(
        op=factor.op,
        module=factor.module,
        of=factor.of,
        by=factor.by,
        formula=f"∂{factor.of}/∂{factor.by} = {expr.write(TEXT)}",
        latex=rf"\frac{{\partial {top}}}{{\partial {bottom}}} = {expr.write(LATEX)}",
        value=factor.value,
        node=net.inside.get(factor.node, factor.node).id,
        by_node=net.inside.get(by, by).id,
    )


def _entry_latex(net: Any, node: Node, index: Index) -> str:
    name: str = net.tape.symbols.both(net.inside.get(node, node))[1]
    mark = r"^{\circ}" if node not in net.tape.records else ""
    return name + mark + (f"[{','.join(map(str, index))}]" if index else "")


def update_report(update: Update) -> r.UpdateReport:
    """An entry's way to its new value as plain data."""
    moves = tuple(r.MoveReport(m.name, m.formula, m.latex, m.numbers, m.value) for m in update.moves)
    return r.UpdateReport(update.name, update.index, update.old, update.new, update.rule, moves)


def shares(tape: Any, notes: list[str]) -> r.ResponsibilityReport | None:
    """Every layer's share; None, and a note, where it cannot be known."""
    try:
        found = tape.responsibility()
    except GlassgradError as error:
        notes.append(f"The layers' shares are not known: {error.asked}.")
        return None
    layers = tuple(
        r.ShareReport(s.layer, s.parameters, s.first_order, s.measured, s.gradient, s.change) for s in found.layers
    )
    return r.ResponsibilityReport(layers, found.before, found.after, found.first_order, found.together)


install(Why, lambda why: notebook.why(why_report(why)))
