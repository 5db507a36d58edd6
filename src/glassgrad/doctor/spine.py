"""The way along which most of the gradient flows through the depth of a net."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..explain.tape import Tape
from ..graph import Node
from .layers import weights_in
from .probe import Probe, norm

NONE = 1e-6
"""A part of a gradient that is no way for it: this share of the whole."""
LOST, BLOWN = 1e-3, 1e2
"""Over all layers, what share of the gradient reaches the first one."""


@dataclass
class Link:
    """One operation on the way along which most of the gradient flows."""

    node: Node
    factor: float
    """The size of the gradient at the operand against that at the result: along a way they multiply."""
    weighted: bool
    """Whether it has a parameter of at least two axes as an operand: it is a layer, and no scale or bias alone."""


def spine(probe: Probe) -> list[Link]:
    """From the loss back to the input, at each operation on to the operand with the most layers before it; of several
    such to the largest, so that it does not lead through the statistics of a norm."""
    tape = probe.tape
    weights = weights_in(tape)
    weighted = {
        node: node not in weights and any(each in weights for each in held.inputs)
        for node, held in tape.records.items()
    }
    size = {node: norm(tape.value(arrived)) for node, arrived in tape.cotangents.items()}
    onward: dict[Node, list[Node]] = {}
    for edge in tape.edges:
        operand = tape.inputs(edge.node)[edge.index]
        if tape.is_leaf(operand) or operand not in size:
            continue
        if norm(tape.value(edge.part)) > NONE * size.get(edge.node, 0.0):
            onward.setdefault(edge.node, []).append(operand)
    depth: dict[Node, int] = {}
    for node in tape.records:
        depth[node] = weighted[node] + max((depth.get(each, 0) for each in onward.get(node, ())), default=0)
    links, node = [], tape.loss
    while onward.get(node) and size[node]:
        onto = max(onward[node], key=lambda each: (depth[each], _entries(tape, each), size[each]))
        links.append(Link(node, size[onto] / size[node], weighted[node]))
        node = onto
    return [*links, Link(node, 1.0, weighted.get(node, False))]


def _entries(tape: Tape, node: Node) -> int:
    """How many entries a value has; of one that is spread over axes, such as the mean of a norm, those before that."""
    operands = [] if tape.is_leaf(node) or node.op is None or node.op.kind != "structural" else tape.inputs(node)
    return min((tape.value(each).size for each in (node, *operands[:1])), default=0)


def between(links: list[Link]) -> list[Link]:
    """The part of the spine from the last layer with weights to the first one."""
    layers = [place for place, link in enumerate(links) if link.weighted and link.node.op is not None]
    return links[layers[0] : layers[-1]] if len(layers) > 2 else []


def lowest(links: list[Link]) -> float:
    """The least share of the gradient on its way: of what goes through time, where the first layer is reached at all
    times at once."""
    return float(np.min(np.cumprod([link.factor for link in links]), initial=1.0))


def highest(links: list[Link]) -> float:
    """The largest multiple of the gradient on its way."""
    return float(np.max(np.cumprod([link.factor for link in links]), initial=1.0))


def reaching(probe: Probe) -> float:
    """What share of the gradient of the last layer reaches the first one; 1 where there is no depth."""
    return float(np.prod([link.factor for link in between(spine(probe))]))
