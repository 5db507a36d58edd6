"""The layers of a recorded step: operations that multiply what they are given with weights, and how large those are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..dispatch import no_grad
from ..explain.tape import Tape
from ..findings import Place
from ..graph import Node
from ..nn.init import normal_
from .patient import Patient, drawing
from .probe import Probe, Site, Weight, rms
from .rule import Remedy

LARGE, SMALL = 3.0, 0.1
"""Gains that no usual start has: those of Xavier and Kaiming are 1 to 1.7, torch's own is 0.6, a GPT's 0.02 times the
root of its width, which is 0.16 for 64."""


@dataclass(frozen=True)
class Layer:
    """An operation with weights."""

    site: Site
    fan_in: int
    """How many products are added up for an entry of the result."""
    gain: float
    """The size of the weights times the root of the fan-in: by what factor random inputs grow (LeCun et al., 1998)."""
    name: str
    """Of the parameter."""

    @property
    def place(self) -> Place:
        """Where it is: its module, or its parameter where there is none."""
        return self.site.place if self.site.place.module else replace(self.site.place, module=self.name)

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


def layers_of(probe: Probe) -> list[Layer]:
    """The layers in the order in which they run; one that runs many times counts once."""
    tape, found, seen = probe.tape, [], set[Node]()
    weights, cells = weights_in(tape), {leaf: cell for cell, leaf in tape.cells.values()}
    names = {id(each.cell): each.name for each in probe.weights}
    for site in probe.sites:
        operands, op = tape.inputs(site.node), site.node.op
        used = next((each for each in operands if each in weights), None)
        if used is None or op is None or site.node in weights or weights[used] in seen or op.kind == "elementwise":
            continue
        products = op.operations(site.node.spec, *(each.spec for each in operands), **site.node.params) / 2  # type: ignore[attr-defined]
        fan_in = int(products / max(1, math.prod(site.node.shape)))
        if not fan_in:
            continue
        seen.add(weights[used])
        value = tape.value(used)
        gain = rms(value) * math.sqrt(fan_in) if np.all(np.isfinite(value)) else math.inf
        leaf = weights[used]
        found.append(Layer(site, fan_in, gain, names.get(id(cells[leaf]), tape.symbols.text(leaf))))
    return found


def wide_in(probe: Probe) -> list[Layer]:
    """The layers whose weights are too large."""
    return [each for each in layers_of(probe) if each.gain > LARGE]


def told(off: list[Layer], layers: list[Layer]) -> dict[str, float]:
    """What there is to say of layers whose weights are off."""
    return {
        f"size of {off[0].name} times the root of the fan-in": off[0].gain,
        "fan-in": float(off[0].fan_in),
        "layers that are off": float(len(off)),
        "layers": float(len(layers)),
    }


def rescaled(off: list[Layer]) -> Remedy:
    """Weights of a size of one over the root of the fan-in, in layers that are off (LeCun et al., 1998)."""
    first, more = off[0], f", and so for {len(off) - 1} more" if len(off) > 1 else ""
    usual = 1 / math.sqrt(first.fan_in)

    def apply(patient: Patient) -> None:
        held = dict(patient.model.named_parameters())
        with no_grad():
            for each in off:
                if each.name not in held or not 0 < each.gain < math.inf:
                    continue
                held[each.name].mul_(1 / each.gain)
                owner = each.name.rpartition(".")[0]
                for name, p in held.items():  # biases beside it that are as large
                    beside = name.rpartition(".")[0] == owner and p.ndim == 1
                    if beside and each.gain > LARGE and rms(p.detach().numpy()) > LARGE:
                        p.mul_(1 / rms(p.detach().numpy()))

    return Remedy(
        f"begin with weights of the size 1 / sqrt(fan-in): {usual:.2g} instead of {first.gain * usual:.2g} for "
        f"{first.name}{more}",
        apply,
    )


def redrawn(layers: list[Layer]) -> Remedy:
    """Random weights for all layers, whoever holds them, of a size of one over the root of the fan-in."""

    def apply(patient: Patient) -> None:
        held = dict(patient.model.named_parameters())
        with no_grad(), drawing(patient.seed):
            for each in layers:
                if each.name in held:
                    normal_(held[each.name], std=1 / math.sqrt(each.fan_in))

    return Remedy("draw the weights at random, with a deviation of 1 / sqrt(fan-in)", apply)


def grown(tables: Sequence[Weight], size: float) -> Remedy:
    """Tables of parameters, such as embeddings, made as large as this."""

    def apply(patient: Patient) -> None:
        held = dict(patient.model.named_parameters())
        with no_grad():
            for each in tables:
                held[each.name].mul_(size / rms(each.before))

    return Remedy(f"begin with numbers of a deviation of {size:g}: nn.init.normal_(weight, std={size:g})", apply)


def judged(*remedies: Remedy) -> tuple[Remedy, ...]:
    """A start is judged by all steps of a trial: in the end a net may well have got over it."""
    return tuple(replace(each, judge=_mean, measured="the mean loss of all steps") for each in remedies)


def _mean(losses: Sequence[float]) -> float:
    return float(np.mean(losses))
