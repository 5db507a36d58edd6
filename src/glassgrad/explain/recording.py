"""`record()`: keeps every node of a training step with its numbers, sorted into forward, loss, backward, update."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..dispatch import STATE, Bystander, GradMode, Quiet
from ..errors import ArgumentError, GlassgradError, StateError, user_frame
from ..graph import CONSTANT, Node, Overwritten, Symbol
from ..optim import Optimizer
from ..tensor import Tensor
from .formula import Expr
from .named import Named, named
from .naming import Modules, held_in_frames, latex_of

FORWARD, LOSS, BACKWARD, UPDATE = PHASES = ("forward", "loss", "backward", "update")


class Record:
    """One node as it was when it was made: later backward lets its inputs go, or a cell overwrites its value."""

    __slots__ = ("inputs", "name", "node", "path", "value")

    def __init__(self, node: Node, path: str) -> None:
        self.node, self.inputs, self.value, self.path = node, node.inputs, node.value, path
        self.name = ""


class Edge:
    """What backward passed from a node to its operand `index`."""

    __slots__ = ("index", "node", "part")

    def __init__(self, node: Node, index: int, part: Node) -> None:
        self.node, self.index, self.part = node, index, part


class Recording(Bystander):
    """What a tape is made of. An observer (`dispatch.Observing`) while it is on; it changes nothing that it sees."""

    def __init__(self, only: str | None = None) -> None:
        self.only = only
        self.records: dict[Node, Record] = {}
        self.outside: set[Node] = set()
        """Values that were computed before the recording began."""
        self.producers: dict[int, Node] = {}
        """By the identity of an array, the node that made it: cells put values into new leaves."""
        self.cells: dict[int, tuple[Tensor, Node]] = {}
        """By the identity of a cell, the cell and the leaf that it held when it was first used."""
        self.roots: list[Node] = []
        """What backward began from, last one last."""
        self.seeds: dict[Node, Node] = {}
        self.cotangents: dict[Node, Node] = {}
        self.sent: list[Edge] = []
        """What every backward pass sent, in order; see `edges`."""
        self.begun: list[tuple[tuple[Node, ...], int]] = []
        """What each backward pass began from, and how many edges there were before it."""
        self.modules = Modules()
        self.optimizers: dict[int, Optimizer] = {}
        self.on = False
        self.states: dict[Node, tuple[str, Tensor]] = {}
        """What a value is to an optimizer: the name of the state, and the parameter's cell."""
        self.constants: dict[Node, Expr] = {}
        """How numbers of the code that have a name are written: a rate, a step count."""
        self._rule: Optimizer | None = None

    # -- what dispatch and autodiff tell ----------------------------------------------------------------------------

    def made(self, node: Node) -> None:
        scope = None if node.origin is None else node.origin.scope
        rule = scope[0] if scope is not None and isinstance(scope[0], Optimizer) else None
        if rule is not self._rule:
            self._rule = rule
            if rule is not None:
                self._take_up_state(rule)
        path = self.modules.path(scope)
        if self.only is not None and not self._wanted(path):
            return
        for source in node.inputs:
            if source not in self.records and source.origin is not CONSTANT:
                self._leaf(source, scope)
        self.records[node] = Record(node, path)
        self.producers.setdefault(id(node.value), node)

    def begins(self, outputs: Sequence[Node], seeds: Sequence[Node]) -> None:
        self.roots.extend(outputs)
        self.begun.append((tuple(outputs), len(self.sent)))
        self.seeds.update(zip(outputs, seeds, strict=True))

    def arrived(self, node: Node, cotangent: Node) -> None:
        if node in self.records:
            self.cotangents[node] = cotangent

    def passed(self, node: Node, index: int, part: Node) -> None:
        if node in self.records and node not in self.outside:  # what was made before has no operands here
            self.sent.append(Edge(node, index, part))

    def named(self, number: float, name: str) -> float:
        return named(number, name, latex_of(name))

    def written(self, constant: Node, number: Any) -> None:
        if isinstance(number, Named):
            self.constants[constant] = number.expr

    def _wanted(self, path: str) -> bool:
        assert self.only is not None
        return fnmatch.fnmatchcase(path, self.only) or fnmatch.fnmatchcase(f"{path}.", self.only)

    def _take_up_state(self, rule: Optimizer) -> None:
        """An optimizer begins its step: note what its state is called."""
        self.optimizers.setdefault(id(rule), rule)
        for p, state in rule.state.items():
            for key, cell in state.items():
                if isinstance(cell, Tensor):
                    self.states[cell.node] = key, p

    def _leaf(self, source: Node, scope: Any) -> None:
        """Take up data: a parameter under the name that its module has for it, a tensor under its variable's."""
        if source.op is not None:  # made before
            self.outside.add(source)
        elif id(source.value) in self.producers:  # a result in a new leaf, such as `.grad`
            self.records[source] = Record(source, "")
            return
        made = self.records[source] = Record(source, "")
        made.inputs = ()
        if self._rule is not None:
            return
        found = self.modules.parameter(source) if source.requires_grad or scope is not None else None
        found = found or held_in_frames(source, user_frame())
        cell = None if source.cell is None else source.cell()
        if found is not None:
            made.name, cell = found
        if cell is not None:
            self.cells.setdefault(id(cell), (cell, source))

    # -- what readers ask -------------------------------------------------------------------------------------------

    def value(self, node: Node) -> Any:
        """The array of a node as it was when it was made."""
        found = self.records.get(node)
        value = node.value if found is None else found.value
        if isinstance(value, Overwritten):
            raise StateError("this value was overwritten before it was recorded", fix="record from the first use on")
        return value

    def inputs(self, node: Node) -> tuple[Node, ...]:
        found = self.records.get(node)
        return found.inputs if found is not None else node.inputs

    def is_leaf(self, node: Node) -> bool:
        """Whether nothing that was recorded made this value."""
        return node.op is None or node in self.outside

    def source(self, node: Node) -> Node:
        """The node that computed what a leaf shows, if a node of this recording did."""
        if node.op is not None or node.origin is CONSTANT:
            return node
        return self.producers.get(id(self.value(node)), node)

    def phase(self, node: Node) -> str:
        """In which phase a node was made."""
        origin = node.origin
        if node in self._seed_nodes():
            return BACKWARD
        if node in self._leading() and node not in self.outside:
            return LOSS if node in self._losses() else FORWARD
        if origin is not None and origin.of is not None:
            return BACKWARD
        if self.in_rule(node):
            return UPDATE
        if node in self._after_gradients():
            return UPDATE
        if node in self.outside:
            return ""
        return LOSS if node in self._losses() else FORWARD

    def in_rule(self, node: Node) -> bool:
        """Whether an optimizer made a node."""
        origin = node.origin
        return origin is not None and origin.scope is not None and isinstance(origin.scope[0], Optimizer)

    def _seed_nodes(self) -> set[Node]:
        return self._once("_seeds", lambda: set(self.seeds.values()))  # type: ignore[no-any-return]

    def _leading(self) -> set[Node]:
        """What the last root was computed from, itself included: also what a backward pass within the loss made."""
        return self._once("_leading_nodes", lambda: self.leading_to(self.roots[-1:]))  # type: ignore[no-any-return]

    def leading_to(self, ends: Iterable[Node]) -> set[Node]:
        """The recorded nodes that these were computed from, themselves included."""
        found: set[Node] = set()
        stack = list(ends)
        while stack:
            node = stack.pop()
            if node not in found and node in self.records:
                found.add(node)
                stack.extend(self.records[node].inputs)
        return found

    @property
    def edges(self) -> list[Edge]:
        """What backward passes sent from nodes to their operands. A pass within the loss, such as one for a penalty of
        slopes, is a part of the forward pass."""

        def find() -> list[Edge]:
            return [edge for sent in self.passes for edge in sent]

        return self._once("_edges", find)  # type: ignore[no-any-return]

    @property
    def passes(self) -> list[list[Edge]]:
        """The edges of each backward pass that is none within the loss."""
        leading = self._leading()
        ends = [*(start for _, start in self.begun), len(self.sent)]
        whole = [self.sent[start:end] for start, end in itertools.pairwise(ends)]
        return [sent for sent in whole if not any(edge.part in leading for edge in sent)]

    def is_one(self, node: Node) -> bool:
        """Whether a node is what backward begins with: dL/dL = 1."""
        return node in self._seed_nodes() and bool(np.all(node.value == 1))

    @property
    def arrived_nodes(self) -> set[Node]:
        """The nodes that are the gradient of something."""
        return self._once("_arrived", lambda: set(self.cotangents.values()))  # type: ignore[no-any-return]

    def _after_gradients(self) -> set[Node]:
        """The nodes made of gradients outside of an optimizer: clipping."""
        return self._once("_gradients", self._descendants)  # type: ignore[no-any-return]

    def _descendants(self) -> set[Node]:
        grads = set(self.cotangents.values())
        found: set[Node] = set()
        for node, held in self.records.items():
            if node.origin is not None and node.origin.of is not None:
                continue
            if any(s in found or s in grads or self.source(s) in grads for s in held.inputs):
                found.add(node)
        return found - set(self.cotangents)

    def _losses(self) -> set[Node]:
        """The nodes that the line of each backward's root made, in the same call of the same module."""

        def find() -> set[Node]:
            found: set[Node] = set()
            for root in self.roots:
                stack = [root]
                while stack:
                    node = stack.pop()
                    if node in found or node not in self.records or node.op is None:
                        continue
                    if place_of(node) == place_of(root):
                        found.add(node)
                        stack.extend(self.records[node].inputs)
            return found

        return self._once("_loss_nodes", find)  # type: ignore[no-any-return]

    def _once(self, name: str, make: Any) -> Any:
        """A table that is made when it is first asked for, and anew when more was recorded since."""
        held = self.__dict__.get(name)
        size = len(self.records), len(self.roots), len(self.sent)
        if held is None or held[0] != size:
            held = self.__dict__[name] = size, make()
        return held[1]

    @property
    def loss(self) -> Node:
        """What the last backward began from."""
        if not self.roots:
            raise ArgumentError(
                "no backward pass was recorded",
                got=f"{len(self.records)} recorded values" if self.records else "nothing recorded",
                fix="call loss.backward() inside the with block",
            )
        if self.roots[-1] not in self.records:
            raise ArgumentError(
                "the forward pass was not recorded, only the backward pass that followed", got=repr(self.roots[-1]),
                fix="compute the loss inside the with block, too" if self.only is None
                else f"only {self.only!r} was recorded: paths begin at the loss, so record that as well",
            )  # fmt: skip
        return self.roots[-1]

    def node_of(self, what: Any) -> Node:
        """The recorded node behind a tensor; for a parameter the one that the forward pass used."""
        if isinstance(what, Node):
            node = what
        elif isinstance(what, Tensor):
            held = self.cells.get(id(what))
            node = held[1] if held is not None and held[0] is what else what.node
        else:
            raise ArgumentError("a tensor is asked for", got=type(what).__name__)
        if node in self.records:
            return node
        made = self.producers.get(id(node.value))
        if made is None:
            raise ArgumentError(
                "this tensor is not on the tape",
                got=str(node.spec) + (f", made at {node.where}" if node.where else ""),
                fix=f"use it inside the with block; {f'only {self.only!r} was' if self.only else 'or more'} recorded",
            )  # fmt: skip
        return made

    def consumers(self) -> dict[Node, list[tuple[Node, int]]]:
        """For each node what was made of it: (node, operand number)."""

        def find() -> dict[Node, list[tuple[Node, int]]]:
            found: dict[Node, list[tuple[Node, int]]] = {}
            for node, held in self.records.items():
                for index, source in enumerate(held.inputs):
                    found.setdefault(source, []).append((node, index))
            return found

        return self._once("_consumers", find)  # type: ignore[no-any-return]


class Inner(Recording):
    """What an explanation computes itself, with the inputs of every node."""

    def made(self, node: Node) -> None:
        self.records[node] = Record(node, "")

    @contextmanager
    def watching(self) -> Iterator[None]:
        with unseen(grad=True):
            STATE.observer = self
            yield


def place_of(node: Node) -> tuple[Any, ...]:
    origin = node.origin
    if origin is None or origin.where is None:
        return (id(node),)
    code, offset = origin.where
    line = next((n for start, end, n in code.co_lines() if start <= offset < end), None)
    return code, line, id(origin.scope[0]) if origin.scope else None


@contextmanager
def recording(made: Recording) -> Iterator[None]:
    """Have everything in this thread recorded."""
    host = getattr(STATE.observer, "host", None)
    if host is not None:  # a script that is being explained records for itself
        with host(made):
            yield
        return
    if STATE.observer is not None:
        raise StateError("a recording is on already in this thread", fix="end it before the next, or use its tape")
    STATE.observer, made.on = made, True
    try:
        yield
    finally:
        STATE.observer, made.on = None, False


@contextmanager
def unseen(grad: bool = False) -> Iterator[None]:
    """Compute something that no recording sees, such as an explanation."""
    outer, STATE.observer = STATE.observer, None
    origin, STATE.origin = STATE.origin, None
    try:
        with Quiet(), GradMode(grad):
            yield
    finally:
        STATE.observer, STATE.origin = outer, origin


def as_index(index: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """An index that a user gave for one entry, as a tuple within the shape."""
    given = () if index is None else index if isinstance(index, tuple) else (index,)
    if not given and int(np.prod(shape)) == 1:
        return (0,) * len(shape)
    good = len(given) == len(shape) and all(isinstance(i, (int, np.integer)) for i in given)
    if not good or any(not -n <= i < n for i, n in zip(given, shape, strict=True)):
        raise _IndexOutside(
            f"no entry {tuple(given)} in a tensor of shape {shape}",
            fix=f"give {len(shape)} whole numbers, each below the size of its axis",
        )
    return tuple(int(i) % n for i, n in zip(given, shape, strict=True))


class _IndexOutside(GlassgradError, IndexError, ValueError):
    """An entry that is not there."""


def is_symbolic(node: Node) -> bool:
    return isinstance(node.value, Symbol)
