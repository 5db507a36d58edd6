"""`backward` and `grad`: the derivative of tensors, put into ``.grad`` or returned; hooks on the way."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..autodiff import cotangents
from ..dispatch import CHANGES, STATE, apply, leaf
from ..errors import ArgumentError, DtypeError, GradError, ShapeError, TypeMismatch
from ..functions.register import method_only
from ..graph import Hook, Node
from ..ops.arithmetic import add
from ..ops.shape import reshape, zeros
from ..spec import is_float, numel
from ..tensor import Tensor, wrap

Tensors = Tensor | Sequence[Tensor]
Seeds = Tensor | Sequence[Tensor | None] | None

Hears = Callable[[Mapping[Node, Node]], object]
LISTENERS: list[Callable[[Sequence[Tensor]], Hears]] = []
"""Told of every backward pass: what it begins from, and then the gradients, before they are put into `.grad`."""


def backward(
    tensors: Tensors,
    grad_tensors: Seeds = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradient of ``tensors`` to the ``.grad`` of all leaves, or of ``inputs`` alone.

    Args:
        tensors: what is differentiated, one tensor or several.
        grad_tensors: for each of them the cotangent, of its shape; may be None for tensors of one entry.
        retain_graph: keep the graph for another backward; by default as ``create_graph``.
        create_graph: make the gradients differentiable themselves.
        inputs: the tensors that get a gradient; all leaves by default.

    Raises:
        GradError: no graph, a graph that was let go, a value that was overwritten, a tensor of several entries
            without a cotangent. ShapeError, DtypeError: a cotangent that does not fit.

    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> autograd.backward((x * x).sum())
    >>> x.grad
    tensor([2., 4.])
    """
    outputs = listed(tensors, "backward")
    seeds = _seeds(outputs, grad_tensors)
    targets: dict[Node, Tensor] | None = None
    if inputs is not None:
        given = listed(inputs, "inputs")
        if not given:
            raise ArgumentError("inputs is empty: nothing would get a gradient", fix="leave it out for all leaves")
        targets = {_differentiable(x, "inputs").node: x for x in given}
    if STATE.tracer is not None:
        before = list(LISTENERS)
        STATE.tracer.guards.append(lambda: before == LISTENERS)
    heard = [listener(outputs) for listener in LISTENERS]
    found = cotangents(
        [x.node for x in outputs], seeds, targets,
        keep_graph=create_graph if retain_graph is None else retain_graph, create_graph=create_graph,
    )  # fmt: skip
    for hear in heard:
        hear(found)
    owned = set(seeds)  # a Node that one cell shows must not be put into another: writing one would spoil the other
    for node, g in found.items():
        cell = targets.get(node) if targets is not None else None
        if cell is None and node.cell is not None and (targets is None or node.op is not None):
            cell = node.cell()
        if cell is not None:
            _accumulate(cell, g, create_graph, owned)


def _accumulate(cell: Tensor, g: Node, create_graph: bool, owned: set[Node]) -> None:
    held = cell._grad
    if not create_graph:
        g = leaf(g.value)
    elif g in owned:
        g = apply(reshape, (g,), {"shape": g.shape})
    owned.add(g)
    if held is None:
        cell._keep_grad(wrap(g))
    elif create_graph or held.requires_grad:
        cell._keep_grad(wrap(apply(add, (held.node, g), {})))
    else:
        held.write(apply(add, (held.node, g), {}))


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Seeds = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradient of ``outputs`` with respect to ``inputs``, as a tuple; no ``.grad`` is touched.

    Args:
        outputs, grad_outputs, retain_graph, create_graph: as in `backward`.
        inputs: the tensors to differentiate by; they may stand anywhere in the graph.
        allow_unused: give None for an input that the outputs do not depend on, instead of an error.
        materialize_grads: give zeros for such an input.

    >>> x = gg.tensor(3.0, requires_grad=True)
    >>> (slope,) = autograd.grad(x**3, x, create_graph=True)
    >>> slope.item(), autograd.grad(slope, x)[0].item()
    (27.0, 18.0)
    """
    if is_grads_batched:
        raise ArgumentError("is_grads_batched=True is not covered", fix="call grad for each cotangent")
    if materialize_grads and allow_unused is False:
        raise ArgumentError("materialize_grads gives zeros for unused inputs, so allow_unused cannot be False")
    results, wanted = listed(outputs, "grad"), listed(inputs, "inputs")
    seeds = _seeds(results, grad_outputs)
    nodes = [_differentiable(x, "inputs").node for x in wanted]
    found = cotangents(
        [x.node for x in results], seeds, set(nodes),
        keep_graph=create_graph if retain_graph is None else retain_graph, create_graph=create_graph,
    )  # fmt: skip
    made: list[Tensor | None] = []
    owned = set(seeds)
    for place, node in enumerate(nodes):
        g = found.get(node)
        if g is None and materialize_grads:
            g = zeros(node.shape, node.dtype)
        if g is None:
            if not allow_unused:
                raise GradError(
                    f"input {place} is not used in the graph of the outputs, so it has no gradient",
                    got=f"{node.spec}{f', made at {node.where}' if node.where else ''}",
                    fix="allow_unused=True gives None for it, materialize_grads=True zeros",
                )
            made.append(None)
            continue
        if g in owned:
            g = apply(reshape, (g,), {"shape": g.shape}) if create_graph else leaf(g.value)
        owned.add(g)
        made.append(wrap(g))
    return tuple(made)


def listed(tensors: Any, what: str) -> list[Tensor]:
    """One tensor or several as a list; TypeMismatch for anything else."""
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for x in given:
        if not isinstance(x, Tensor):
            raise TypeMismatch(f"{what} takes tensors", got=type(x).__name__)
    return given


def _differentiable(x: Tensor, what: str) -> Tensor:
    if not x.requires_grad:
        raise GradError(
            f"{what}: this tensor does not require a gradient", got=str(x.node.spec),
            fix="call requires_grad_() on it before it is used",
        )  # fmt: skip
    return x


def _seeds(outputs: list[Tensor], given: Seeds) -> list[Node]:
    """The cotangent of each output: what was given, or 1 for an output of one entry."""
    many = [given] * len(outputs) if given is None or isinstance(given, Tensor) else list(given)
    if len(many) != len(outputs):
        raise ArgumentError(f"{len(outputs)} tensors need as many cotangents", got=f"{len(many)}")
    return [_seed(x, seed) for x, seed in zip(outputs, many, strict=True)]


def _seed(output: Tensor, given: Tensor | None) -> Node:
    node = output.node
    if not node.requires_grad:
        raise GradError(
            "backward from a tensor that has no graph: it does not require a gradient", got=repr(node),
            fix="some input must have requires_grad=True, outside no_grad() and without detach() on the way",
        )  # fmt: skip
    if given is None:
        if node.shape and numel(node.shape) != 1:
            raise GradError(
                f"backward from {numel(node.shape)} numbers at once: only a loss of one entry needs no cotangent",
                got=repr(node), fix="reduce it (e.g. .mean() or .sum()), or pass gradient=, of its shape",
            )  # fmt: skip
        return leaf(np.ones(node.shape, node.dtype))
    seed = given.node
    if seed.shape != node.shape:
        raise ShapeError("a cotangent has the shape of its tensor", got=f"{seed.spec} for {node.spec}")
    if seed.dtype != node.dtype:
        raise DtypeError(
            "a cotangent has the dtype of its tensor", got=f"{seed.spec} for {node.spec}", fix="use .to(dtype)"
        )
    return seed


@method_only("backward")
def _backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradient of this tensor to the ``.grad`` of all leaves it was computed from, or of ``inputs`` alone.

    A tensor of more than one entry needs ``gradient``, a cotangent of its shape. See `glassgrad.autograd.backward`.
    """
    backward(self, gradient, retain_graph, create_graph, inputs)


@method_only()
def retain_grad(self: Tensor) -> None:
    """Have backward() keep the gradient of this tensor in ``.grad``, though it is not a leaf."""
    node = _differentiable(self, "retain_grad").node
    node.cell = weakref.ref(self)


def _retains_grad(self: Tensor) -> bool:
    """Whether `retain_grad` was called on this tensor."""
    return not self.is_leaf and self.node.cell is not None


setattr(Tensor, "retains_grad", property(_retains_grad))  # noqa: B010


class RemovableHandle:
    """What registering a hook returns: ``remove()`` takes the hook away, and so does the end of a ``with`` block."""

    _numbers: Iterator[int] = itertools.count()

    def __init__(self, hooks: list[Hook], hook: Hook) -> None:
        self.hooks, self.hook = hooks, hook
        self.id = next(self._numbers)
        hooks.append(hook)
        CHANGES.count += 1

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        if self.hook in self.hooks:
            self.hooks.remove(self.hook)
            CHANGES.count += 1

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


@method_only()
def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call ``hook(gradient)`` whenever this tensor's gradient is computed; what it returns, if anything, replaces it.

    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> handle = x.register_hook(lambda g: g * 10)
    >>> x.sum().backward()
    >>> x.grad
    tensor([10., 10.])
    """
    node = _differentiable(self, "register_hook").node
    if node.hooks is None:
        node.hooks = []

    def run(g: Node) -> Node | None:
        new = hook(wrap(leaf(g.value) if not STATE.grad else apply(reshape, (g,), {"shape": g.shape})))
        if new is None:
            return None
        if not isinstance(new, Tensor):
            raise TypeMismatch("a tensor hook returns a Tensor or None", got=type(new).__name__)
        if new.shape != g.shape or not is_float(new.dtype):
            raise ShapeError("a tensor hook keeps the gradient's shape", got=f"{new.node.spec} for {g.spec}")
        return new.node

    return RemovableHandle(node.hooks, run)
