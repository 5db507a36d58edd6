"""What the page of a report is told: the report in tables, with what repeats in it written once.

A field whose name ends in `$` holds the number of a string in `strings`, one in `@` that of a row of `values` (arrays
at a glance) or `lines`. Nodes are counted from 0, in the order of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

from ..report import PHASES, FactorReport, GraphReport, Line, Summary, TapeReport
from .layout import Box, layout
from .mathml import LETTERS, short

DIGITS = 8


class Tables:
    """Rows that are written once and then named by their number."""

    def __init__(self) -> None:
        self.strings: dict[str, int] = {}
        self.values: dict[tuple[Any, ...], int] = {}
        self.lines: dict[tuple[Any, ...], int] = {}

    def string(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))

    def math(self, latex: str, text: str = "") -> int:
        return self.string(short(latex, text))

    def value(self, each: Summary | None) -> int:
        if each is None:
            return -1
        row = (
            each.shape, each.dtype, each.text, *map(number, (each.norm, each.zeros, each.flat, each.mean)),
            each.not_finite, tuple((entry.index, number(entry.value)) for entry in each.largest),
        )  # fmt: skip
        return self.values.setdefault(row, len(self.values))

    def line(self, each: Line) -> int:
        if not each.file:
            return -1
        row = PurePath(each.file).name, each.number, each.function, each.text
        return self.lines.setdefault(row, len(self.lines))


def page_data(report: TapeReport) -> dict[str, Any]:
    """All that the page shows, as JSON has it."""
    tables = Tables()
    place = {node.id: k for k, node in enumerate(report.graph.nodes)}
    share = report.responsibility
    made = {
        "title": report.title or "A training step",
        "loss": report.loss,
        "phases": PHASES,
        "legend": list(report.legend.items()),
        "notes": report.notes,
        "letters": LETTERS,
        "nodes": _nodes(report.graph, tables),
        "edges": _table(
            ("source", "target", "gradient@"),
            ((place[e.source], place[e.target], tables.value(e.gradient)) for e in report.graph.edges),
        ),
        "boxes": [_box(box) for box in layout(report.graph)],
        "steps": _steps(report, tables, place),
        **_whys(report, tables, place),
        "updates": _updates(report, tables),
        "shares": None if share is None else {
            "layers": [
                (s.layer, s.parameters, *map(number, (s.first_order, s.measured, s.gradient, s.change)))
                for s in share.layers
            ],
            "all": [number(x) for x in (share.before, share.after, share.first_order, share.together)],
        },
    }  # fmt: skip
    fields = ("shape", "dtype", "text", "norm", "zeros", "flat", "mean", "lost", "largest")
    made["values"] = _table(fields, tables.values)
    made["lines"] = _table(("file", "number", "function", "text"), tables.lines)
    made["strings"] = list(tables.strings)
    return made


def number(value: float | None) -> float | int | str | None:
    """A number to a few digits; what is not finite as the page writes it."""
    if value is None:
        return None
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "∞" if value > 0 else "−∞"
    shortened = float(f"{value:.{DIGITS}g}")
    return int(shortened) if shortened == int(shortened) and abs(shortened) < 1e15 else shortened


def _table(fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
    return {"fields": fields, "rows": [list(row) for row in rows]}


def _box(box: Box) -> dict[str, Any]:
    return {
        "path": box.path, "parent": box.parent, "nodes": box.nodes, "boxes": box.boxes, "places": box.places,
        "bends": box.bends, "open": box.open,
    }  # fmt: skip


def _nodes(graph: GraphReport, tables: Tables) -> dict[str, Any]:
    fields = ("name", "math$", "op", "role", "module", "phase", "line@", "value@", "gradient@")
    rows = (
        (
            n.name, tables.math(n.name_latex, n.name), n.op, n.role, n.module, n.phase, tables.line(n.line),
            tables.value(n.value), tables.value(n.gradient),
        )
        for n in graph.nodes
    )  # fmt: skip
    return _table(fields, rows)


def _steps(report: TapeReport, tables: Tables, place: dict[int, int]) -> dict[str, Any]:
    fields = (
        "phase", "op", "module", "name", "formula$", "math$", "left$", "numbers$", "entry", "entryFormula$", "result",
        "sentence$", "line@", "value@", "node", "operand", "lost",
    )  # fmt: skip
    rows = (
        (
            PHASES.index(s.phase), s.op, s.module, s.name, tables.string(s.formula), tables.math(s.latex, s.formula),
            tables.math(s.name_latex, s.name), tables.math(s.numbers_latex, s.numbers), s.entry,
            tables.string(s.entry_formula), s.result, tables.string(s.sentence), tables.line(s.line),
            tables.value(s.value), place.get(s.node, -1), -1 if s.operand is None else place.get(s.operand, -1),
            int(s.lost),
        )
        for s in report.steps
    )  # fmt: skip
    return _table(fields, rows)


def _whys(report: TapeReport, tables: Tables, place: dict[int, int]) -> dict[str, Any]:
    factors: dict[tuple[Any, ...], int] = {}

    def factor(f: FactorReport) -> int:
        row = (
            f.op, f.module, tables.string(f.formula), tables.math(f.latex, f.formula), number(f.value),
            place.get(f.node, -1), place.get(f.by_node, -1),
        )  # fmt: skip
        return factors.setdefault(row, len(factors))

    whys = [
        (
            tables.string(w.name), tables.math(w.name_latex, w.name), place.get(w.node, -1), w.index, number(w.value),
            number(w.count), number(w.remainder),
            [(number(p.product), [factor(f) for f in p.factors]) for p in w.paths],
        )
        for w in report.whys
    ]  # fmt: skip
    return {
        "whys": _table(("name$", "math$", "node", "index", "value", "count", "remainder", "paths"), whys),
        "factors": _table(("op", "module", "formula$", "math$", "value", "node", "by"), factors),
    }


def _updates(report: TapeReport, tables: Tables) -> dict[str, Any]:
    moves = [
        [
            (tables.string(m.formula), tables.math(m.latex, m.formula), tables.string(m.numbers), number(m.value))
            for m in u.moves
        ]
        for u in report.updates
    ]
    rows = [
        (u.name, u.index, number(u.old), number(u.new), u.rule, found)
        for u, found in zip(report.updates, moves, strict=True)
    ]
    return _table(("name", "index", "old", "new", "rule", "moves"), rows)
