"""The computational graph as a still picture: SVG that needs no script, for notebooks, papers and slides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..report import GraphEdge, GraphNode, GraphReport, Summary
from .json import replace
from .layout import Box, arranged, layout

WIDTH, HEIGHT, GAP, BETWEEN, EDGE = 128, 60, 70, 20, 14
INK, SOFT, LINE = "#24221e", "#67625a", "#8f897c"
FACES = {
    "data": ("#f2efe7", LINE),
    "parameter": ("#fdf6e3", "#b99a4a"),
    "value": ("#ffffff", LINE),
    "loss": ("#ffffff", "#79439a"),
    "module": ("#e8f0f9", "#2a5d9f"),
}
BACK = "#ab4a12"
SERIF, SANS = "Palatino, Georgia, serif", "system-ui, Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Picture:
    """A computational graph, as data and as a picture."""

    report: GraphReport

    @property
    def nodes(self) -> tuple[GraphNode, ...]:
        return self.report.nodes

    @property
    def edges(self) -> tuple[GraphEdge, ...]:
        return self.report.edges

    def svg(self, path: str | Path) -> Path:
        """Write the picture to a file."""
        return replace(path, drawn(self.report))

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x:auto">{drawn(self.report)}</div>'

    def __repr__(self) -> str:
        return f"<graph of {len(self.nodes)} nodes and {len(self.edges)} edges; .svg(path) draws it>"


def drawn(graph: GraphReport) -> str:
    """The graph as SVG. Modules that would be too much for one picture are drawn as one box."""
    boxes = layout(graph)
    shown = [_seen(boxes, k, number) for number, box in enumerate(boxes) for k in box.nodes]
    at = dict(zip((k for box in boxes for k in box.nodes), shown, strict=True))
    place = {node.id: k for k, node in enumerate(graph.nodes)}
    links: dict[tuple[str, str], list[GraphEdge]] = {}
    for edge in graph.edges:
        source, target = at[place[edge.source]], at[place[edge.target]]
        if source != target:
            links.setdefault((source, target), []).append(edge)
    places, bends = arranged(list(dict.fromkeys(shown)), links)
    least = min((y for _, y in [*places.values(), *(p for points in bends.values() for p in points)]), default=0.0)
    most = max((y for _, y in [*places.values(), *(p for points in bends.values() for p in points)]), default=0.0)
    wide = (max((x for x, _ in places.values()), default=0) + 1) * (WIDTH + GAP) - GAP + 2 * EDGE
    high = (most - least + 1) * (HEIGHT + BETWEEN) - BETWEEN + 2 * EDGE

    def point(where: tuple[int, float]) -> tuple[float, float]:
        x, y = where
        return EDGE + x * (WIDTH + GAP) + WIDTH / 2, EDGE + (y - least) * (HEIGHT + BETWEEN) + HEIGHT / 2

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" width="{wide:g}" height="{high:g}" '
        f'role="img" aria-label="Computational graph of {len(graph.nodes)} values" font-family="{SANS}">'
    ]
    arriving: dict[str, list[tuple[list[tuple[float, float]], list[GraphEdge]]]] = {}
    for (source, target), edges in links.items():
        route = [point(places[source]), *map(point, bends.get(f"{source}>{target}", [])), point(places[target])]
        arriving.setdefault(target, []).append((route, edges))
    for wires in arriving.values():
        wires.sort(key=lambda wire: wire[0][-2][1])
        gap = min(28, (HEIGHT - 6) / len(wires))
        for k, (route, edges) in enumerate(wires):
            x, y = route[-1]
            route[-1] = x, y + (k - (len(wires) - 1) / 2) * gap
            parts.append(_wire(route, edges, place, graph, gap))
    for key in dict.fromkeys(shown):
        x, y = point(places[key])
        number = int(key[1:])
        parts.append(_node(graph.nodes[number], x, y) if key[0] == "n" else _card(boxes, number, x, y))
    return "\n".join([*parts, "</svg>"])


def _seen(boxes: list[Box], node: int, box: int) -> str:
    """What stands for a node: itself, or the outermost closed box around it."""
    key = f"n{node}"
    while box > 0:
        key = key if boxes[box].open else f"b{box}"
        box = boxes[box].parent
    return key


def _wire(
    route: list[tuple[float, float]], edges: list[GraphEdge], place: dict[int, int], graph: GraphReport, gap: float
) -> str:
    (x, y), last = route[0], len(route) - 1
    x += WIDTH / 2
    path = f"M{x:g},{y:g}"
    for k, (to, end) in enumerate(route[1:], 1):
        right = to - WIDTH / 2 - (7 if k == last else 0)
        bow = max(14.0, (right - x) / 2)
        path += f" C{x + bow:g},{y:g} {right - bow:g},{end:g} {right:g},{end:g}"
        if k < last:
            path += f" L{to + WIDTH / 2:g},{end:g}"
        x, y = to + WIDTH / 2, end
    tip = route[-1][0] - WIDTH / 2
    end = route[-1][1]
    made = [
        f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.3"/>',
        f'<path d="M{tip:g},{end:g} l-8,-4 v8 z" fill="{LINE}"/>',
    ]
    back = [e.gradient for e in edges if e.gradient is not None]
    words = {_brief(graph.nodes[place[e.source]].value) for e in edges}
    if len(words) == 1 and gap >= 12:
        made.append(_text(tip - 10, end - 4, words.pop(), SOFT, 10, "end"))
    if len(back) == 1 and gap >= 26:
        made.append(_text(tip - 10, end + 10, _brief(back[0]), BACK, 10, "end"))
    return "".join(made)


def _node(node: GraphNode, x: float, y: float) -> str:
    fill, line = FACES[node.role]
    left, top = x - WIDTH / 2, y - HEIGHT / 2
    shape = "×".join(map(str, node.value.shape))
    # Without folders: a picture goes to others.
    line = f", {Path(node.line.file).name}:{node.line.number}" if node.line.file else ""
    title = node.name + (f" in {node.module}" if node.module else "") + line
    made = [
        f"<g><title>{escape(title)}</title>",
        f'<rect x="{left:g}" y="{top:g}" width="{WIDTH}" height="{HEIGHT}" rx="{7 if node.op else 20}" '
        f'fill="{fill}" stroke="{line}" stroke-width="{2 if node.role == "loss" else 1.2}"/>',
        _symbol(left + 12, top + 20, node.name),
        _text(left + WIDTH - 10, top + 19, _cut(node.op or shape, 14), SOFT, 10, "end"),
        _text(x, top + 37, _cut(node.value.text, 20), INK, 11.5, "middle"),
    ]
    if node.gradient is not None:
        made.append(_text(x, top + 51, "∂ " + _cut(node.gradient.text, 20), BACK, 10, "middle"))
    return "".join([*made, "</g>"])


def _card(boxes: list[Box], number: int, x: float, y: float) -> str:
    fill, line = FACES["module"]
    left, top = x - WIDTH / 2, y - HEIGHT / 2
    inside = _count(boxes, number)
    return (
        f"<g><title>{escape(boxes[number].path)}</title>"
        f'<rect x="{left + 4:g}" y="{top - 4:g}" width="{WIDTH - 8}" height="{HEIGHT}" rx="8" fill="{fill}" '
        f'stroke="{line}" stroke-opacity="0.5"/>'
        f'<rect x="{left:g}" y="{top:g}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{fill}" stroke="{line}"/>'
        + _text(left + 12, top + 23, _cut(boxes[number].path, 17), INK, 13, "start")
        + _text(left + 12, top + 40, f"{inside} values", SOFT, 10.5, "start")
        + "</g>"
    )


def _count(boxes: list[Box], number: int) -> int:
    found, stack = 0, [number]
    while stack:
        box = boxes[stack.pop()]
        found += len(box.nodes)
        stack += box.boxes
    return found


def _symbol(x: float, y: float, name: str) -> str:
    """A name as a textbook prints it: W1 is W with index 1."""
    match = re.fullmatch(r"([^\W\d_])_?(\d+)(.*)", name)
    front = f'<text x="{x:g}" y="{y:g}" fill="{INK}" font-family="{SERIF}" font-size="15" font-style="italic">'
    if match is None:
        return f"{front}{escape(_cut(name, 10))}</text>"
    letter, index, rest = match.groups()
    tail = f'<tspan dy="-3">{escape(_cut(rest, 6))}</tspan>' if rest else ""
    return f'{front}{escape(letter)}<tspan dy="3" font-size="10" font-style="normal">{index}</tspan>{tail}</text>'


def _text(x: float, y: float, words: str, fill: str, size: float, anchor: str) -> str:
    place = f'x="{x:g}" y="{y:g}" fill="{fill}" font-size="{size}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(words)}</text>" if words else ""


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def _brief(value: Summary) -> str:
    """A number for an edge: itself, of an array its norm."""
    if all(n == 1 for n in value.shape):
        return value.text
    return "" if value.norm is None else f"‖{value.norm:.3g}‖".replace("-", "−")
