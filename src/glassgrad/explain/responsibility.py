"""Which layer did how much of a step's work: its share of the loss's decrease, predicted and measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..graph import Node
from .formula import written
from .replay import replay


@dataclass
class LayerShare:
    """What the update of one layer's parameters did to the loss; negative numbers are a decrease."""

    layer: str
    parameters: int
    first_order: float
    """The gradient times the change of the weights: what a small step would do."""
    measured: float
    """The loss with this layer's new weights and the old ones everywhere else, less the loss before."""
    gradient: float
    """The norm of the layer's gradient."""
    change: float
    """The norm of its update."""


@dataclass
class Responsibility:
    """Every layer's share in one step's change of the loss."""

    layers: list[LayerShare]
    before: float
    after: float
    """The loss on the same batch with all new weights."""

    @property
    def first_order(self) -> float:
        return sum(each.first_order for each in self.layers)

    @property
    def measured(self) -> float:
        return self.after - self.before

    @property
    def together(self) -> float:
        """What the layers' updates do only together: the measured change less those of the layers alone."""
        return self.measured - sum(each.measured for each in self.layers)

    def __str__(self) -> str:
        width = max([len(each.layer) for each in self.layers] + [5])
        lines = [f"{'layer':{width}}  first order     measured"]
        for each in self.layers:
            lines.append(f"{each.layer:{width}}  {written(each.first_order):>11}  {written(each.measured):>11}")
        lines.append(f"{'together':{width}}  {'':11}  {written(self.together):>11}")
        lines.append(f"{'all':{width}}  {written(self.first_order):>11}  {written(self.measured):>11}")
        return "\n".join(lines)


def responsibility(tape: Any) -> Responsibility:
    """See `Tape.responsibility`."""
    root = tape.loss
    news: dict[Node, Any] = {}
    for new, old in tape.symbols.updated.items():
        if tape.symbols.text(new) == tape.symbols.text(old) + "′":
            news[old] = tape.value(new)
    if not news:
        raise ArgumentError(
            "no update was recorded, so no layer has a share in it", got=f"loss {tape.symbols.text(root)}",
            fix="call optimizer.step() inside the with block",
        )  # fmt: skip
    layers: dict[str, list[Node]] = {}
    for old in news:
        name = tape.records[old].name
        layers.setdefault(name.rpartition(".")[0] or name, []).append(old)
    before = replay(tape, {})
    shares = []
    for layer, nodes in layers.items():
        gradients = [_gradient(tape, n) for n in nodes]
        changes = [news[n].astype(np.float64) - tape.value(n).astype(np.float64) for n in nodes]
        first = sum(float(np.sum(g * c)) for g, c in zip(gradients, changes, strict=True))
        measured = replay(tape, {n: news[n] for n in nodes}) - before
        shares.append(LayerShare(
            layer, sum(int(np.prod(n.shape)) for n in nodes), first, measured, _norm(gradients), _norm(changes)
        ))  # fmt: skip
    return Responsibility(shares, before, replay(tape, news))


def _gradient(tape: Any, node: Node) -> Any:
    g = tape.cotangents.get(node)
    return np.zeros(node.shape) if g is None else tape.value(g).astype(np.float64)


def _norm(arrays: list[Any]) -> float:
    return float(np.sqrt(sum(float(np.sum(a * a)) for a in arrays)))
