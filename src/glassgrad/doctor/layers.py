"""The layers of a recorded step: operations that multiply what they are given with weights, and how large those are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..explain.tape import Tape
from ..graph import Node
from .probe import Site, norm, rms

LARGE, SMALL = 3.0, 0.1
"""Gains that no usual start has: those of Xavier and Kaiming are 1 to 1.7, torch's own is 0.6, a GPT's above 0.1."""


@dataclass(frozen=True)
class Layer:
    """An operation with weights."""

    site: Site
    fan_in: int
    """How many products are added up for an entry of the result."""
    gain: float
    """The size of the weights times the root of the fan-in: by what factor random inputs grow (LeCun et al., 1998)."""
    path: str
    """The name of the parameter."""

    def gone_through(self, tape: Tape) -> float:
        """By what factor the inputs of this layer grow in it."""
        sizes = [rms(tape.value(each)) for each in tape.inputs(self.site.node) if len(each.shape) > 1]
        return rms(self.site.value) / sizes[0] if sizes and sizes[0] else math.inf


def weights_in(tape: Tape) -> dict[Node, Node]:
    """Every value that is a parameter of at least two axes, or is one moved about: turned, cut, reshaped."""
    found = {leaf: leaf for _, leaf in tape.cells.values() if leaf.requires_grad and len(leaf.shape) > 1}
    for node, held in tape.records.items():
        moved = node.op is not None and node.op.kind == "structural" and len(held.inputs) == 1
        if moved and held.inputs[0] in found and len(node.shape) > 1:
            found[node] = found[held.inputs[0]]
    return found


def layers_of(tape: Tape, sites: list[Site]) -> list[Layer]:
    """The layers in the order in which they run; one that runs many times counts once."""
    weights, found, seen = weights_in(tape), [], set[Node]()
    for site in sites:
        operands, op = tape.inputs(site.node), site.node.op
        used = next((each for each in operands if each in weights), None)
        if used is None or used is site.node or op is None or site.node in weights or weights[used] in seen:
            continue
        products = op.operations(site.node.spec, *(each.spec for each in operands), **site.node.params) / 2  # type: ignore[attr-defined]
        fan_in = int(products / max(1, math.prod(site.node.shape)))
        if not fan_in or op.kind == "elementwise":
            continue
        seen.add(weights[used])
        value = tape.value(used)
        gain = norm(value) / math.sqrt(value.size) * math.sqrt(fan_in) if np.all(np.isfinite(value)) else math.inf
        found.append(Layer(site, fan_in, gain, tape.symbols.text(weights[used])))
    return found
