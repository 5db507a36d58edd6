"""What a notebook shows of tensors, tapes and answers to why: HTML that needs no script, server or style sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from ..report import PHASES, TapeReport, WhyReport
from . import written

ROWS, COLUMNS = 8, 8
"""Entries of a tensor that are shown along each of its last two axes."""
PATHS = 12
DRAWN = 500
"""Nodes of a graph up to which a tape shows it; `tape.graph()` draws any."""
OPEN = 24
"""Steps of the backward pass that are open at first."""
COLOURS = {"forward": "#2a5d9f", "loss": "#79439a", "backward": "#ab4a12", "update": "#2b7350"}
CELL = "text-align:right;padding:1px 8px;font-variant-numeric:tabular-nums;white-space:nowrap"
LEFT = "text-align:left;padding:2px 10px 2px 0;white-space:nowrap"
NOTE = "opacity:.7;font-size:90%"


def tensor(shape: Sequence[int], dtype: str, array: Any, requires_grad: bool = False, note: str = "") -> str:
    """A tensor: what it is, and a corner of its values. `array` is None while there are none."""
    facts = [" × ".join(map(str, shape)) or "one number", dtype]
    facts += ["requires_grad"] if requires_grad else []
    facts += [note] if note else []
    head = f'<div style="{NOTE}">tensor · {escape(" · ".join(facts))}</div>'
    if array is None:
        return head
    if array.ndim == 0:
        return f'{head}<div style="font-variant-numeric:tabular-nums">{_number(array[()])}</div>'
    if array.size == 0:
        return f"{head}<div>no entries</div>"
    front = (0,) * max(0, array.ndim - 2)
    where = f'<div style="{NOTE}">[{", ".join(map(str, front))}, …]</div>' if front else ""
    corner = array[front] if array.ndim > 1 else array[None]
    rows = [_row(corner[k]) for k in _ends(corner.shape[0], ROWS)]
    if corner.shape[0] > ROWS:
        rows.insert((ROWS + 1) // 2, f'<tr><td style="{CELL}">⋮</td></tr>')
    return f'{head}{where}<table style="border-collapse:collapse"><tbody>{"".join(rows)}</tbody></table>'


def _ends(size: int, most: int) -> list[int]:
    """The first and the last places of an axis."""
    if size <= most:
        return list(range(size))
    half = (most + 1) // 2
    return [*range(half), *range(size - (most - half), size)]


def _row(values: Any) -> str:
    cells = [f'<td style="{CELL}">{_number(values[k])}</td>' for k in _ends(len(values), COLUMNS)]
    if len(values) > COLUMNS:
        cells.insert((COLUMNS + 1) // 2, f'<td style="{CELL}">⋯</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _number(value: Any) -> str:
    """An entry as it is: whole numbers whole, a truth value by its name."""
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    return str(value) if kind in "biu" else written(float(value))


def tape(report: TapeReport | None) -> str:
    """A tape: the graph, and its steps phase by phase."""
    if report is None:
        return "<div>An empty tape: compute inside the with block.</div>"
    from .picture import Picture

    parts = [f"<div><b>{escape(report.loss)}</b></div>"] if report.loss else []
    parts += [f'<div style="{NOTE}">{escape(note)}</div>' for note in report.notes]
    parts.append(Picture(report.graph)._repr_html_() if 0 < len(report.graph.nodes) <= DRAWN else "")
    parts.append(_legend(report.legend))
    for phase in PHASES:
        steps = [s for s in report.steps if s.phase == phase]
        if steps:
            rows = [(str(s.number), s.formula, s.numbers, s.result, s.sentence) for s in steps]
            title = f'<summary style="color:{COLOURS[phase]};cursor:pointer">{phase}: {len(steps)} steps</summary>'
            table = _table(("", "step", "with numbers", "result", ""), rows)
            mark = ' open="open"' if phase == "backward" and len(steps) <= OPEN else ""
            parts.append(f"<details{mark}>{title}{table}</details>")
    return "".join(parts)


def _legend(legend: dict[str, str]) -> str:
    words = ", ".join(f"{short} = {name}" for short, name in list(legend.items())[:24])
    return f'<div style="{NOTE}">{escape(words)}</div>' if words else ""


def why(report: WhyReport) -> str:
    """An entry of a gradient: its paths, each as a product."""
    at = f"[{','.join(map(str, report.index))}]" if report.index else ""
    listed = len(report.paths)
    of = f"{listed} paths" if listed >= report.count else f"{listed} of {written(report.count)} paths"
    head = f"<div><b>{escape(report.name)}{at} = {written(report.value)}</b>, the sum over {of}</div>"
    parts = []
    for path in report.paths[:PATHS]:
        rows = [(f.formula, written(f.value), f.op, f.module) for f in path.factors]
        table = _table(("factor", "", "op", "module"), rows)
        parts.append(f'<details><summary style="cursor:pointer">{escape(path.numbers)}</summary>{table}</details>')
    rest = "" if listed >= report.count else f"<div>the other paths add up to {written(report.remainder)}</div>"
    return head + "".join(parts) + rest


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th style="{LEFT};font-weight:normal;opacity:.7">{escape(name)}</th>' for name in names)
    body = "".join(
        "<tr>" + "".join(f'<td style="{LEFT}">{escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def of_tensor(given: Any) -> str:
    """A tensor's notebook form; nothing is computed for it, so that a recording sees nothing of it."""
    node = given.node
    if isinstance(node.value, np.ndarray):
        return tensor(node.shape, str(node.dtype), node.value, bool(given.requires_grad))
    return tensor(node.shape, str(node.dtype), None, bool(given.requires_grad), "no value here")
