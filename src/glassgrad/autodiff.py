"""Reverse-mode differentiation of Nodes: walk the graph from the outputs to the inputs and add up cotangents.

Each op's own rule says what a cotangent of its result becomes for an operand; the rules are made of ops, so the
result is a graph again and can be differentiated again. Source: A. Griewank, A. Walther, "Evaluating Derivatives"
(2nd ed., 2008), chapter 3; the walk is their incremental reverse mode.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .dispatch import STATE, GradMode, Quiet, apply
from .errors import GradError, line_of
from .graph import RELEASED, Forgotten, Node, Origin, Overwritten, OverwrittenValue, Part, ancestors
from .ops.arithmetic import add


def _needs_gradient(node: Node) -> bool:
    return node.requires_grad


def cotangents(
    outputs: Sequence[Node],
    seeds: Sequence[Node],
    wanted: Collection[Node] | None = None,
    *,
    keep_graph: bool = False,
    create_graph: bool = False,
) -> dict[Node, Node]:
    """The gradient of sum(outputs * seeds) with respect to ``wanted``, or to every leaf that requires one.

    Args:
        seeds: one for each output, of its shape.
        keep_graph: whether the graph may be walked again; otherwise its nodes let go of their inputs.
        create_graph: whether the result can itself be differentiated.

    Nodes whose gradient a cell waits for (``node.cell``) are in the result too; nodes that the outputs do not depend
    on are not. Raises GradError for a graph that was let go, and for a value that was overwritten in place and is
    needed.
    """
    order = ancestors(outputs, only=_needs_gradient)
    alive: set[Node] | None = None
    if wanted is not None:
        alive = _leading_to(order, wanted)
        order = [node for node in order if node in alive]
    _check_alive(order, wanted)
    observer = STATE.observer
    if observer is not None:
        observer.begins(outputs, seeds)
    sums: dict[Node, Node] = {}
    for output, seed in zip(outputs, seeds, strict=True):
        held = sums.get(output)
        sums[output] = seed if held is None else add(held, seed)
    found: dict[Node, Node] = {}
    called: list[Part] = []
    note = create_graph or STATE.observer is not None
    outer = STATE.origin
    try:
        with Quiet(), GradMode(create_graph):
            while order:
                node = order.pop()  # held by nobody else, it goes when what was made of it has gone
                if alive is not None:
                    alive.discard(node)
                while called and node.id < called[-1].first:
                    called.pop().forget()
                g = sums.pop(node, None)
                if g is None:
                    continue
                if node.hooks:
                    g = _run_hooks(node, g)
                if observer is not None:
                    observer.arrived(node, g)
                if node.op is None or node.cell is not None or (wanted is not None and node in wanted):
                    found[node] = g
                if node.op is None or (alive is not None and not any(source in alive for source in node.inputs)):
                    continue
                if note:
                    made = node.origin
                    STATE.origin = Origin(made.where, made.scope, node) if made else Origin(None, None, node)
                _push(node, g, sums, alive, called)
                if not keep_graph:
                    node.release()
    finally:
        STATE.origin = outer
        for part in called:
            part.forget()
    return found


def _push(node: Node, g: Node, sums: dict[Node, Node], alive: set[Node] | None, called: list[Part]) -> None:
    """Send the cotangent of ``node`` on to its inputs."""
    op = node.op
    assert op is not None
    inputs = node.inputs
    for each in (node, *inputs):
        if type(each.value) is Forgotten:
            each.value.part.recall(g, called)
    for index, source in enumerate(inputs):
        if not source.requires_grad or (alive is not None and source not in alive):
            continue
        rule = op.rule(index)
        if rule is None:
            continue
        try:
            part = rule(g, node, *inputs, **node.params)
        except OverwrittenValue:
            raise _overwritten(node) from None
        if STATE.observer is not None:
            STATE.observer.passed(node, index, part)
        held = sums.get(source)
        sums[source] = part if held is None else apply(add, (held, part), {})


def _leading_to(order: list[Node], wanted: Collection[Node]) -> set[Node]:
    """The nodes of ``order`` from which a wanted node is reached, the wanted ones included."""
    found: set[Node] = set()
    for node in order:
        if node in wanted or (node.inputs is not RELEASED and any(source in found for source in node.inputs)):
            found.add(node)
        elif node.released:
            found.add(node)  # it may have led there: _check_alive must see it
    return found


def _check_alive(order: list[Node], wanted: Collection[Node] | None) -> None:
    for node in order:
        if node.released and not (wanted is not None and node in wanted):
            assert node.op is not None
            raise GradError(
                "backward a second time through a graph that was let go after the first",
                got=f"the result {node.spec} of {node.op.name}, made at {node.where}",
                fix="call the first backward with retain_graph=True, or compute the result again before the second",
            )


def _overwritten(node: Node) -> GradError:
    assert node.op is not None
    culprits = [held.value.where for held in (node, *node.inputs) if isinstance(held.value, Overwritten)]
    places = " and ".join(sorted({line_of(where) for where in culprits if where})) or "an unknown line"
    return GradError(
        f"the gradient of {node.op.name} needs a value that was changed in place since",
        got=f"{node.op.name} at {node.where}, changed at {places}",
        fix="use the form that makes a new tensor (x = x + 1 rather than x += 1), or clone() the value before",
    )


def _run_hooks(node: Node, g: Node) -> Node:
    for hook in list(node.hooks or ()):
        replaced = hook(g)
        if replaced is not None:
            g = replaced
    return g
