"""Why a tensor has no gradient, or one of zeros: the edge that cut it, and the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import Node
from ..tensor import Tensor


@dataclass
class Missing:
    """Where a gradient stops."""

    reason: str
    """In one word: "fine", "no backward", "not required", "unused", "cut", "not reached", "zero", "inner"."""
    text: str
    op: str = ""
    line: str = ""
    fix: str = ""

    def __str__(self) -> str:
        lines = [self.text]
        if self.line:
            lines.append(f"  line: {self.line}")
        if self.fix:
            lines.append(f"  fix:  {self.fix}")
        return "\n".join(lines)


def why_none(tape: Any, what: Any) -> Missing:
    """See `Tape.why_none`."""
    node = _recorded(tape, what)
    if node is None:
        return Missing(
            "unused", "Nothing that was recorded used this tensor: a branch was not taken, or a layer not called.",
            fix="use it in the forward pass, and record that; a parameter that a model never calls gets no gradient",
        )  # fmt: skip
    name = tape.symbols.text(node)
    if not tape.roots:
        return Missing("no backward", "No backward pass was recorded.", fix="call loss.backward() in the with block")
    g = tape.cotangents.get(node)
    if g is not None:
        if not np.any(tape.value(g)):
            return _zero(tape, node, name)
        if isinstance(what, Tensor) and not what.is_leaf:
            return Missing(
                "inner", f"{name} has a gradient, but .grad is kept for leaves alone.",
                fix="call retain_grad() on it before backward, or read tape.why(...).value",
            )  # fmt: skip
        norm = float(np.linalg.norm(tape.value(g).ravel()))
        return Missing("fine", f"{name} has a gradient; its norm is {norm:.4g}.")
    return _cut(tape, node, name)


def _recorded(tape: Any, what: Any) -> Node | None:
    if isinstance(what, Node):
        return what if what in tape.records else None
    held = tape.cells.get(id(what))
    node = held[1] if held is not None and held[0] is what else what.node
    if node in tape.records:
        return node  # type: ignore[no-any-return]
    return tape.producers.get(id(node.value))  # type: ignore[no-any-return]


def _cut(tape: Any, node: Node, name: str) -> Missing:
    """Follow the value to everything made of it and find the edge where `requires_grad` ends, nearest the loss."""
    leading = tape.leading_to(tape.roots)
    consumers = tape.consumers()
    if node not in leading:
        used = consumers.get(node)
        last = _last_reached(tape, node)
        if not used:
            return Missing("unused", f"Nothing was computed from {name}.", fix="use it in the forward pass")
        return Missing(
            "not reached", f"{name} was used, but what was made of it does not lead to the loss: the last is "
            f"{tape.symbols.text(last)} by {last.op.name if last.op else 'nothing'}.",
            op=last.op.name if last.op else "", line=last.where, fix="let the loss depend on it, or leave it out",
        )  # fmt: skip
    if not node.requires_grad:
        if not tape.is_leaf(node):
            cut = _where_it_ended(tape, node)
            if cut is not None:
                return cut
        return Missing(
            "not required", f"{name} does not require a gradient.",
            fix="tensor.requires_grad_(), or make it a Parameter of the module, before the forward pass",
        )  # fmt: skip
    seen, stack, cuts = {node}, [node], []
    while stack:
        here = stack.pop()
        for user, index in consumers.get(here, ()):
            if user not in leading or tape.phase(user) not in ("forward", "loss"):
                continue
            op = user.op
            closed = not op.differentiable or (index < len(op.rules) and op.rules[index] is None and op.each is None)
            if closed or not user.requires_grad:
                cuts.append((user, here, closed))
            elif user not in seen:
                seen.add(user)
                stack.append(user)
    if cuts:
        return _say_cut(tape, name, *max(cuts, key=lambda c: c[0].id))
    return Missing(
        "not reached", f"Backward began elsewhere: no way leads from its root to {name} through gradients.",
        fix="call backward on the loss that this tensor leads to; torch.autograd.grad's inputs limit where it goes",
    )  # fmt: skip


def _say_cut(tape: Any, name: str, user: Node, source: Node, closed: bool) -> Missing:
    assert user.op is not None
    of = tape.symbols.text(source)
    held = tape.records.get(user)
    module = f", in {held.path}" if held is not None and held.path else ""
    cut = f"The gradient of {name} is cut at {user.op.name} of {of}{module}"
    if closed:
        text = f"{cut}: {user.op.says}"  # type: ignore[attr-defined]
        fix = "leave this operation out of the way to the loss, or use a differentiable one"
    elif user.dtype.kind != "f":
        text = f"{cut}: its result is {user.dtype}, and only floats have gradients."
        fix = "stay with floats on the way to the loss"
    else:
        text = f"{cut}: it ran while gradients were off (no_grad)."
        fix = "compute it outside of no_grad"
    return Missing("cut", text, user.op.name, user.where, fix)


def _where_it_ended(tape: Any, node: Node) -> Missing | None:
    """For an inner value without gradient: the op before it that ended what came in with one."""
    for before in sorted(tape.leading_to([node]), key=lambda n: -n.id):
        if before.op is None or tape.is_leaf(before) or before.requires_grad:
            continue
        for source in tape.inputs(before):
            if source.requires_grad:
                return _say_cut(tape, tape.symbols.text(node), before, source, not before.op.differentiable)
    return None


def _last_reached(tape: Any, node: Node) -> Node:
    seen, stack = {node}, [node]
    while stack:
        for user, _ in tape.consumers().get(stack.pop(), ()):
            if user not in seen and tape.phase(user) in ("forward", "loss"):
                seen.add(user)
                stack.append(user)
    return max(seen, key=lambda n: n.id)


def _zero(tape: Any, node: Node, name: str) -> Missing:
    """A gradient of zeros: the first op, from the loss down, that lets nothing through on all ways to it."""
    below = {node}
    for other in tape.records:
        if any(s in below for s in tape.inputs(other)):
            below.add(other)
    for edge in tape.edges:
        source = tape.inputs(edge.node)[edge.index]
        came = tape.value(tape.cotangents[edge.node])
        if source in below and np.any(came) and not np.any(tape.value(edge.part)):
            others = [x for k, x in enumerate(tape.inputs(edge.node)) if k != edge.index]
            dead = [tape.symbols.text(x) for x in others if tape.value(x).size and not np.any(tape.value(x))]
            op = edge.node.op.name
            slope = f"its slope is 0 at all of {tape.symbols.text(source)}"
            because = f"{', '.join(dead)} is 0 there" if dead else slope
            return Missing(
                "zero", f"The gradient of {name} is 0: {op} lets nothing through, as {because}.", op, edge.node.where,
                "move the values away from where the slope is 0 (initialisation, a bias, a leaky activation)",
            )  # fmt: skip
    return Missing("zero", f"The gradient of {name} is 0: the ways to it cancel out, or no error arrived at all.")
