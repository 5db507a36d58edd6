"""Where the nodes of a computational graph stand: layers and order by igraph's Sugiyama layout.

Modules are boxes within boxes. Each box is laid out by itself, with the boxes directly within it as single items, so
that a page can close and open boxes without a layout of its own: it packs them by the layers and the order given here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..report import GraphReport
from . import needed

VISIBLE, SLIM = 28, 8
"""Items in the whole picture, and in a box, up to which boxes are open at first."""
ALL = 64
"""Nodes of a graph up to which every box is open at first."""

LIGHT, TURNS = 0.02, 9
"""How little leaves pull at what uses them; how often heights are balanced."""

Point = tuple[int, float]
"""A layer, from left to right, and a place within it."""


@dataclass
class Box:
    """A module, or the whole graph (path "").

    Items are named "n3" for node 3 of the report, "b2" for box 2, and "i5" and "o5" for the places in the box's left
    and right side where the value of node 5 comes in and goes out.
    """

    path: str
    parent: int
    nodes: list[int] = field(default_factory=list)
    boxes: list[int] = field(default_factory=list)
    places: dict[str, Point] = field(default_factory=dict)
    bends: dict[str, list[Point]] = field(default_factory=dict)
    """By "from>to" where a long edge passes the layers between."""
    open: bool = True


def layout(graph: GraphReport) -> list[Box]:
    """The boxes of a graph, the whole graph first, parents before their children."""
    boxes, of = _boxes(graph)
    links = _links(graph, boxes, of)
    for number, box in enumerate(boxes):
        items = [f"n{n}" for n in box.nodes] + [f"b{b}" for b in box.boxes]
        box.places, box.bends = arranged(items, links[number])
    _close(graph, boxes)
    return boxes


def _boxes(graph: GraphReport) -> tuple[list[Box], list[int]]:
    """Boxes for all modules that hold more than one item; and the number of the box of each node."""
    count: dict[str, int] = {}
    for node in graph.nodes:
        for path in _ways(node.module, graph.roots):
            count[path] = count.get(path, 0) + 1
    boxes = [Box("", -1)]
    number = {"": 0}
    of = []
    for place, node in enumerate(graph.nodes):
        here = 0
        for path in _ways(node.module, graph.roots):
            if count[path] < 2:
                continue
            if path not in number:
                number[path] = len(boxes)
                boxes[here].boxes.append(len(boxes))
                boxes.append(Box(path, here))
            here = number[path]
        boxes[here].nodes.append(place)
        of.append(here)
    return boxes, of


def _ways(module: str, roots: Iterable[str]) -> list[str]:
    """The paths of the modules that a module lies in, outermost first, itself last."""
    if not module or module in roots:
        return []
    parts = module.split(".")
    return [".".join(parts[: k + 1]) for k in range(len(parts))]


def _links(graph: GraphReport, boxes: list[Box], of: list[int]) -> list[dict[tuple[str, str], None]]:
    """For each box which items lead to which: edges between boxes go out by the one's side and in by the other's."""
    place = {node.id: k for k, node in enumerate(graph.nodes)}
    links: list[dict[tuple[str, str], None]] = [{} for _ in boxes]
    for edge in graph.edges:
        source, target = place[edge.source], place[edge.target]
        up, down = _chain(boxes, of[source]), _chain(boxes, of[target])
        common = next(b for b in up if b in down)
        at = f"n{source}"
        for box in up[: up.index(common)]:
            links[box].setdefault((at, f"o{source}"))
            at = f"b{box}"
        to = f"n{target}"
        for box in down[: down.index(common)]:
            links[box].setdefault((f"i{source}", to))
            to = f"b{box}"
        links[common].setdefault((at, to))
    return links


def _chain(boxes: list[Box], box: int) -> list[int]:
    """A box and those around it, innermost first."""
    chain = [box]
    while chain[-1]:
        chain.append(boxes[chain[-1]].parent)
    return chain


def arranged(items: list[str], links: Iterable[tuple[str, str]]) -> tuple[dict[str, Point], dict[str, list[Point]]]:
    """The place of every item, and of the bends of links that go past a layer."""
    pairs = [pair for pair in dict.fromkeys(links) if pair[0] != pair[1]]
    names = list(dict.fromkeys([*items, *(name for pair in pairs for name in pair)]))
    if not names:
        return {}, {}
    number = {name: k for k, name in enumerate(names)}
    igraph = needed("igraph", "the layout of a graph")
    whole = igraph.Graph(len(names), [(number[a], number[b]) for a, b in pairs], directed=True)
    layers = _layers(whole, names, [round(y) for _, y in whole.layout_sugiyama(maxiter=1).coords])
    points: dict[str, Point] = {}
    below = 0.0
    for part in whole.connected_components(mode="weak"):  # igraph mixes up the bends of several parts
        made = whole.induced_subgraph(part)
        found = made.layout_sugiyama(layers=[layers[k] - min(layers[p] for p in part) for k in part], maxiter=200)
        first = min(layers[p] for p in part)
        here = {names[k]: (layers[k], float(x)) for k, (x, _) in zip(part, found.coords, strict=True)}
        for edge, route in zip(made.get_edgelist(), found.edge_routing, strict=True):
            link = ">".join(names[part[end]] for end in edge)
            here |= {f"{link} {k}": (round(float(y)) + first, float(x)) for k, (x, y) in enumerate(route)}
        lift = below - min(y for _, y in here.values())
        points |= {name: (layer, y + lift) for name, (layer, y) in here.items()}
        below = max(y for _, y in points.values()) + 1
    bends: dict[str, list[str]] = {}
    for name in sorted(points, key=lambda name: points[name][0]):
        link, _, bend = name.partition(" ")
        if bend:
            bends.setdefault(link, []).append(name)
    points = _settled(points, [[a, *bends.get(f"{a}>{b}", []), b] for a, b in pairs])
    routes = {link: [points[bend] for bend in found] for link, found in bends.items()}
    return {name: points[name] for name in names}, routes


def _settled(points: dict[str, Point], routes: list[list[str]]) -> dict[str, Point]:
    """Linked items at the same height as far as the order allows, at least 1 apart within each layer. What nothing was
    computed before, such as a parameter, makes way: the chain of what is computed stays straight."""
    layers: dict[int, list[str]] = {}
    for name in sorted(points, key=lambda name: points[name][1]):
        layers.setdefault(points[name][0], []).append(name)
    inner = {name for route in routes for name in route[1:]}
    weight = {name: 1.0 if name in inner else LIGHT for name in points}
    near: dict[str, list[tuple[str, float]]] = {name: [] for name in points}
    for route in routes:
        for a, b in itertools.pairwise(route):
            near[b].append((a, weight[a]))
            near[a].append((b, 1.0))
    place = {name: y for name, (_, y) in points.items()}
    order = [layers[layer] for layer in sorted(layers)]
    for turn in range(TURNS + 1):
        for names in order if turn % 2 else reversed(order):
            wanted = [_drawn(place, near[name], name) if turn else place[name] for name in names]
            found = spread(wanted, [1.0] * len(names), [weight[name] for name in names])
            place |= zip(names, found, strict=True)
    return {name: (layer, round(place[name], 3)) for name, (layer, _) in points.items()}


def _drawn(place: dict[str, float], near: list[tuple[str, float]], name: str) -> float:
    """The height that an item's neighbours draw it to."""
    total = sum(weight for _, weight in near)
    return sum(place[other] * weight for other, weight in near) / total if total else place[name]


def spread(wanted: list[float], sizes: list[float], weights: list[float]) -> list[float]:
    """Centres as near as can be to those wanted, in the same order, without overlap (pool adjacent violators)."""
    offset, total = [], 0.0
    for k, size in enumerate(sizes):
        total += (sizes[k - 1] + size) / 2 if k else 0.0
        offset.append(total)
    blocks: list[tuple[float, float, int]] = []  # the mean of a run that stands close together, its weight and length
    for want, back, weight in zip(wanted, offset, weights, strict=True):
        mean, heavy, count = want - back, weight, 1
        while blocks and blocks[-1][0] >= mean:
            before, more, length = blocks.pop()
            mean = (before * more + mean * heavy) / (more + heavy)
            heavy, count = heavy + more, count + length
        blocks.append((mean, heavy, count))
    flat = [mean for mean, _, count in blocks for _ in range(count)]
    return [mean + back for mean, back in zip(flat, offset, strict=True)]


def _layers(made: object, names: list[str], layers: list[int]) -> list[int]:
    """igraph puts what has nothing before it first of all: here it stands directly before what it is used in. What
    comes into a box stands at its left side, and what goes out at its right."""
    after: list[list[int]] = made.get_adjlist(mode="out")  # type: ignore[attr-defined]
    before: list[list[int]] = made.get_adjlist(mode="in")  # type: ignore[attr-defined]
    for k, name in enumerate(names):
        if not before[k] and after[k] and name[0] != "i":
            layers[k] = max(layers[k], min(layers[t] for t in after[k]) - 1)
    first = min((layers[k] for k, name in enumerate(names) if name[0] not in "io"), default=0)
    last = max((layers[k] for k, name in enumerate(names) if name[0] not in "io"), default=0)
    made_layers = [
        first - 1 if name[0] == "i" else last + 1 if name[0] == "o" else layers[k] for k, name in enumerate(names)
    ]
    least = min(made_layers)
    return [layer - least for layer in made_layers]


def _close(graph: GraphReport, boxes: list[Box]) -> None:
    """Leave open what is small, from the outside in, as long as what is to be seen at once stays a picture."""
    if len(graph.nodes) <= ALL:
        return
    for box in boxes[1:]:
        box.open = False
    shown = len(boxes[0].nodes) + len(boxes[0].boxes)
    level = boxes[0].boxes
    while level:
        slim = [boxes[b] for b in level if len(boxes[b].nodes) + len(boxes[b].boxes) <= SLIM]
        shown += sum(len(box.nodes) + len(box.boxes) - 1 for box in slim)
        if shown > VISIBLE:
            return
        for box in slim:
            box.open = True
        level = [b for box in slim for b in box.boxes]
