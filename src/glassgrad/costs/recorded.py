"""The forward pass of a recorded step, to be computed again: from other numbers, in parts, as often as one likes.

What is recorded is what was computed from what, so it can be run without the program that did it: nothing of the
user's changes, random numbers are those of the first time, and each of its ops can be timed, compiled or cut out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..dispatch import STATE, GradMode, Quiet, apply, leaf
from ..explain import Tape
from ..graph import Node, Params
from ..spec import Spec
from ..tensor import Tensor, wrap
from ..utils.checkpoint import checkpoint


class Step(NamedTuple):
    """One op of the forward pass."""

    op: Any
    params: Params
    sources: tuple[int | Node, ...]
    """What it is made of: values by number, and constants."""
    out: int
    cuts: bool
    """Whether no gradient went through it, though one could (`no_grad`)."""
    path: str
    """The module that it ran in."""
    done: tuple[int, ...]
    """Which values nobody needs after it."""
    operations: int


class Forward:
    """The recorded forward pass up to the loss. Values have numbers, those from outside the first ones."""

    def __init__(self, tape: Tape) -> None:
        order = sorted(tape.leading_to([tape.loss]), key=lambda node: node.id)
        leaves = [node for node in order if tape.is_leaf(node)]
        made = [node for node in order if not tape.is_leaf(node)]
        numbers = {node: place for place, node in enumerate([*leaves, *made])}
        last: dict[Node, Node] = {}
        for node in made:
            last.update(dict.fromkeys(tape.inputs(node), node))
        ends: dict[Node, list[int]] = {}
        for source, node in last.items():
            if source in numbers:
                ends.setdefault(node, []).append(numbers[source])
        held = {node: cell for cell, node in tape.cells.values()}
        self.arrays = [tape.value(node) for node in leaves]
        self.names = [tape.records[node].name for node in leaves]
        self.cells = [held.get(node) for node in leaves]
        """The user's tensors, where they are known."""
        self.wanted = [number for number, node in enumerate(leaves) if node.requires_grad]
        """The numbers of the parameters."""
        self.loss = numbers[tape.loss]
        self.value = float(tape.value(tape.loss))
        self.own = sorted({node.op.name for node in made if node.op is not None and node.op.kind == "custom"})
        """Names of the user's own operations, which can only say what they said the first time."""
        self.steps = [_step(tape, node, numbers, ends.get(node, [])) for node in made]

    def tensors(self) -> list[Tensor]:
        """New tensors with the values from outside."""
        wanted = set(self.wanted)
        return [wrap(leaf(array, number in wanted)) for number, array in enumerate(self.arrays)]

    def run(self, given: Sequence[Tensor], parts: Sequence[range] = ()) -> Tensor:
        """The loss.

        Args:
            given: what stands for the values from outside.
            parts: steps whose values are not to be kept.
        """
        values = {number: cell.node for number, cell in enumerate(given)}
        at = 0
        with Quiet():
            for part in parts:
                self._run(values, range(at, part.start))
                checkpoint(self._run, values, part)
                at = part.stop
            self._run(values, range(at, len(self.steps)))
        return wrap(values[self.loss])

    def _run(self, values: dict[int, Node], part: range) -> None:
        for number in part:
            step = self.steps[number]
            inputs = tuple(values[source] if isinstance(source, int) else source for source in step.sources)
            if step.cuts and STATE.grad:
                with GradMode(False):
                    values[step.out] = apply(step.op, inputs, step.params)
            else:
                values[step.out] = apply(step.op, inputs, step.params)
            for each in step.done:
                del values[each]
            del inputs


def _step(tape: Tape, node: Node, numbers: dict[Node, int], done: list[int]) -> Step:
    inputs = tape.inputs(node)
    cuts = not node.requires_grad and any(each.requires_grad for each in inputs)
    sources = tuple(numbers.get(each, each) for each in inputs)
    path = tape.records[node].path
    return Step(node.op, node.params, sources, numbers[node], cuts, path, tuple(done), operations(node, inputs))


def operations(node: Node, inputs: Sequence[Node]) -> int:
    """Floating-point operations of a node; an operation of the user's own is not known to take any."""
    op: Any = node.op
    found: int = op.operations(node.spec, *(Spec(each.shape, each.dtype) for each in inputs), **node.params)
    return found
