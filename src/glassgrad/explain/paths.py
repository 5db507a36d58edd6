"""`why`: a gradient's entry as a sum over the paths from the loss to it, each a product of local factors.

The largest paths are found one by one and none of the others is built: from every entry the size of the best way on to
the loss is known beforehand (`potentials`, one backward pass over maxima), so that a best-first search takes no wrong
turn (P. Hart, N. Nilsson, B. Raphael, 1968, with an exact estimate). How many paths there are is counted, not listed.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ArgumentError, GradError
from ..graph import Node
from .entries import Index
from .formula import Expr, Product, written
from .recording import unseen
from .textbook import tidy

EXACT = 2.0**53
TOP = 10


@dataclass
class Factor:
    """One local derivative on a path: how the value `of` changes with its operand `by`."""

    op: str
    of: str
    by: str
    value: float
    node: Node
    index: Index
    operand: int
    at: Index
    why: Any = field(repr=False, default=None)
    parts: tuple[Factor, ...] = field(repr=False, default=())
    """The factors of the ops that this op stands for."""

    @property
    def formula(self) -> str:
        """∂of/∂by and what it is, by the op's derivative rule."""
        return f"∂{self.of}/∂{self.by} = {self.expr}"

    @property
    def expr(self) -> Expr:
        """The factor as a formula over recorded entries."""
        return self.why.factor_formula(self)  # type: ignore[no-any-return]

    @property
    def module(self) -> str:
        held = self.why.tape.records.get(self.node)
        return held.path if held is not None else ""


@dataclass
class Path:
    """A way from the loss back to an entry; the loss comes first, as in the chain rule."""

    factors: list[Factor]
    seed: float = 1.0

    @property
    def product(self) -> float:
        return math.prod((f.value for f in self.factors), start=self.seed)

    def __str__(self) -> str:
        words = [written(f.value) for f in self.factors if f.value != 1 or len(self.factors) == 1]
        return " · ".join(f"({w})" if w.startswith("−") else w for w in words) + f" = {written(self.product)}"


@dataclass
class Share:
    """What goes through one entry of a layer's result: its gradient times how it changes with the entry at hand."""

    index: Index
    gradient: float
    slope: float

    @property
    def contribution(self) -> float:
        return self.gradient * self.slope


@dataclass
class Layer:
    """A gradient's entry taken apart at one layer: the contributions and the rest add up to it."""

    layer: str
    value: float
    shares: list[Share]
    rest: float
    """What goes around the layer, as through a residual connection."""


class Why:
    """Why an entry of a gradient is what it is."""

    def __init__(self, tape: Any, node: Node, index: Index, top: int = TOP) -> None:
        self.tape: Any = tape
        self.node, self.index, self.top = node, index, top
        if tape.loss is None or node not in tape.cotangents:
            raise GradError(
                "no gradient arrived at this tensor", got=tape.symbols.text(node), fix="tape.why_none(tensor) says why"
            )
        self.value = float(tape.value(tape.cotangents[node])[index])
        self.net = tape.net
        self.paths: list[Path] = list(itertools.islice(self._search(), top))
        self.listed = math.fsum(p.product for p in self.paths)

    @property
    def count(self) -> float:
        """How many paths there are whose factors are all other than 0; inexact above 2^53."""
        return float(self.net.counts(self.node)[self.index])

    @property
    def complete(self) -> bool:
        """Whether all paths are listed."""
        return len(self.paths) == self.count

    @property
    def remainder(self) -> float:
        """What the paths that are not listed add up to: the gradient less the listed ones."""
        return 0.0 if self.complete else self.value - self.listed

    def _search(self) -> Iterator[Path]:
        """Paths, the largest first."""
        net = self.net
        with unseen():
            net.prepare(self.node)
            start = net.potential.get(self.node)
            if start is None:
                return
            order = itertools.count()
            first = int(np.ravel_multi_index(self.index, self.node.shape)) if self.index else 0
            best = float(start.ravel()[first])
            heap: list[tuple[float, int, Node, int, float, Any]] = []
            if best:
                heap.append((-best, next(order), self.node, first, 1.0, None))
            while heap:
                _, _, node, entry, product, trail = heapq.heappop(heap)
                if node in net.ends:
                    seed = net.ends[node].ravel()[entry]
                    found = self._path(trail, float(seed))
                    yield found
                    if node not in net.consumers:
                        continue
                if node in net.ends and not net.consumers.get(node):
                    continue
                for consumer, operand in net.consumers.get(node, ()):
                    if consumer not in net.potential:  # no error arrived there at all
                        continue
                    places, factors = net.map(consumer, operand).column(entry)
                    bounds = np.abs(factors) * net.potential[consumer].ravel()[places] * abs(product)
                    some = np.argsort(-bounds, kind="stable")[: self.top] if len(bounds) > 1 else range(len(bounds))
                    for k in some:
                        if bounds[k] > 0:
                            step = (consumer, int(places[k]), operand, node, entry, float(factors[k]), trail)
                            reached = product * float(factors[k])
                            heapq.heappush(
                                heap, (-float(bounds[k]), next(order), consumer, int(places[k]), reached, step)
                            )

    def _path(self, trail: Any, seed: float) -> Path:
        found = []
        while trail is not None:
            consumer, place, operand, node, entry, factor, trail = trail
            found.append(self._factor(consumer, place, operand, node, entry, factor))
        found = self._together(found)
        return Path([f for f in found if not _only_moves(f)] or found, seed)

    def _together(self, factors: list[Factor]) -> list[Factor]:
        """The factors within an op that was taken apart, as one factor of that op."""
        made: list[Factor] = []
        inside = self.net.inside
        for whole, run in itertools.groupby(factors, key=lambda f: inside.get(f.node)):
            parts = list(run)
            if whole is None or len(parts) == 1:
                made += parts
                continue
            first, last = parts[0], parts[-1]
            value = math.prod(f.value for f in parts)
            made.append(Factor(
                whole.op.name, first.of, last.by, value, whole, first.index, -1, last.at, self, tuple(parts)
            ))  # fmt: skip
        return made

    def _factor(self, consumer: Node, place: int, operand: int, node: Node, entry: int, value: float) -> Factor:
        at_out = tuple(int(i) for i in np.unravel_index(place, consumer.shape)) if consumer.shape else ()
        at_in = tuple(int(i) for i in np.unravel_index(entry, node.shape)) if node.shape else ()
        name = self.net.name
        assert consumer.op is not None
        of, by = (_entry_name(name(n), i) for n, i in ((consumer, at_out), (node, at_in)))
        return Factor(consumer.op.name, of, by, value, consumer, at_out, operand, at_in, self)

    def factor_formula(self, factor: Factor) -> Expr:
        """The local derivative by the op's own rule, run on a cotangent of 1."""
        if factor.parts:
            return tidy(Product(tuple(self.factor_formula(part) for part in factor.parts)))
        return self.net.local_formula(factor.node, factor.operand, factor.index, factor.at, factor.value)  # type: ignore[no-any-return]

    def at(self, layer: Any) -> Layer:
        """The entry as a sum over the entries of a layer's result. See `Layer`."""
        node, name = self.tape.output_of(layer)
        with unseen():
            slopes = self.net.slopes(self.node, self.index, node)
        if node is self.node:
            raise ArgumentError(
                "a value is not explained by itself", got=name, fix="name a layer between it and the loss"
            )
        if slopes is None or node not in self.tape.cotangents:
            raise ArgumentError(
                "no path from the loss to this entry leads through this layer", got=name,
                fix="name a layer that the entry has an influence on",
            )  # fmt: skip
        gradient = self.tape.value(self.tape.cotangents[node]).astype(np.float64)
        parts = gradient * slopes
        order = np.argsort(-np.abs(parts), axis=None, kind="stable")
        order = order[parts.ravel()[order] != 0]
        shares = []
        for flat in order:
            at = tuple(int(i) for i in np.unravel_index(int(flat), parts.shape)) if parts.shape else ()
            shares.append(Share(at, float(gradient[at]), float(slopes[at])))
        total = math.fsum(s.contribution for s in shares)
        rest = self.value - total
        return Layer(name, self.value, shares, rest)

    def __str__(self) -> str:
        name = self.tape.symbols.gradient(self.node)[0]
        where = f"[{','.join(map(str, self.index))}]" if self.index else ""
        lines = [f"{name}{where} = {written(self.value)}"]
        lines += [f"  {path}" for path in self.paths]
        if not self.complete:
            lines.append(f"  and {self.count - len(self.paths):.4g} more paths: {written(self.remainder)}")
        return "\n".join(lines)


def _only_moves(factor: Factor) -> bool:
    return factor.value == 1 and factor.node.op is not None and factor.node.op.kind == "structural"


def _entry_name(name: str, index: Index) -> str:
    return name + (f"[{','.join(map(str, index))}]" if index else "")
