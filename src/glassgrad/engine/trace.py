"""Tracing: run a step once with symbols in place of numbers, and keep what it computes, from what, into which cells.

The step runs through the same Tensors and the same code as always; `Tracer` is what `dispatch.apply` calls instead of
computing. A cell that existed before and was rebound is state: it goes in and comes out. Everything that the trace
rebinds is put back when it is over, so that a trace changes nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..dispatch import STATE, leaf, look_at
from ..errors import TraceError, here
from ..graph import CONSTANT, Node, Operation, Origin, Overwritten, OverwrittenValue, Params, Symbol
from ..spec import Spec, float64
from ..tensor import Tensor, wrap
from .locks import Undisturbed
from .newborn import Newborn, is_cell
from .reads import Read, Reading
from .traced import REARRANGING, Alarm, Inspection, Option, Slot, Step, Trace, number_of, symbol


class Cold(TraceError):
    """State is begun in this call: run it as it is, and trace the next one."""


class Tracer:
    """Records what a step computes. See `dispatch.Tracing`."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.rebinds: dict[int, tuple[Tensor, Node]] = {}
        self.grads: dict[int, tuple[Tensor, Tensor | None]] = {}
        self.old_values: list[tuple[Node, Any]] = []
        self.options: dict[tuple[int, str, int | None], Option] = {}
        self.groups: dict[int, Any] = {}
        self.deferred: list[tuple[Callable[..., Any], Any, Any]] = []
        self.attributes: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self.guards: list[Callable[[], bool]] = []
        self.modules: dict[int, Any] = {}
        self.optimizers: dict[int, Any] = {}
        self.checks: list[tuple[Any, Callable[[Any], object]]] = []
        self.alarms: list[Alarm] = []
        self.kept: list[tuple[Any, Callable[[float], object]]] = []

    # -- what dispatch and the cells tell ---------------------------------------------------------------------------

    def __call__(self, op: Operation, inputs: tuple[Node, ...], params: Params) -> Node:
        values = [node.value for node in inputs]
        for value in values:
            if isinstance(value, Overwritten):
                value.read()
        spec = op.spec(*[node.spec for node in inputs], **params)
        needs = STATE.grad and op.differentiable and spec.dtype.kind == "f" and any(n.requires_grad for n in inputs)
        origin = STATE.origin or Origin(here(2), STATE.scope)
        if op.kind == "custom":  # a `Function`: what it does was traced when it ran, and its value is that
            made = op.value(np, *values)
        else:
            made = Symbol(_meta(op, spec, values, params))
            if op.refuses is not None and spec.dtype.kind in "iu":
                look_at(inputs[-1], op.refuses)
            place = origin if origin.of is None else Origin(origin.where, origin.scope)  # a trace holds no nodes
            self.steps.append(Step(op, tuple(values), params, made, place))
        node = Node(op, inputs, params, made, needs, origin)
        if STATE.keeper is not None:
            STATE.keeper.made(node)
        return node

    def rebound(self, cell: Tensor) -> None:
        if id(cell) not in self.rebinds:
            self.rebinds[id(cell)] = (cell, cell._node)

    def grad_set(self, cell: Tensor) -> None:
        if id(cell) not in self.grads:
            self.grads[id(cell)] = (cell, cell._grad)

    def grad_read(self, cell: Tensor) -> None:
        if id(cell) not in self.grads:  # what it was before the step decides what the step does
            held = cell._grad
            self.grads[id(cell)] = (cell, held)
            self.guards.append(lambda: cell._grad is held)

    def overwritten(self, node: Node) -> None:
        if not isinstance(node.value, Symbol):
            self.old_values.append((node, node.value))

    def option(self, group: Any, key: str, place: int | None) -> Any:
        self.groups.setdefault(id(group), group)
        value = group[key] if place is None else group[key][place]
        if isinstance(value, Tensor):
            return value.double()
        if value == 0 and key != "lr":  # a rule leaves out what is switched off
            return value
        at = (id(group), key, place)
        if at not in self.options:
            self.options[at] = Option(group, key, place, symbol((), float64))
        return wrap(leaf(self.options[at].symbol))

    def defer(self, action: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.deferred.append((action, args, kwargs))

    def state_set(self, owner: Any, name: str) -> None:
        at = (id(owner), name)
        if at not in self.attributes:
            self.attributes[at] = (owner, name, owner.__dict__.get(name, self))

    def entered(self, module: Any) -> None:
        self.modules.setdefault(id(module), module)

    def stepped(self, optimizer: Any) -> None:
        self.optimizers.setdefault(id(optimizer), optimizer)

    def begins(self, optimizer: Any) -> None:
        raise Cold(
            f"{type(optimizer).__name__} begins the state of a parameter in every step, as no compiled step can",
            fix="make the optimizer outside of the step",
        )

    def look_at(self, value: Any, check: Callable[[Any], object]) -> None:
        self.checks.append((value, check))

    # -- when it is over --------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Put every cell, gradient and attribute back to what it was."""
        for cell, node in self.rebinds.values():
            cell._node = node
        for cell, grad in self.grads.values():
            cell._grad = grad
        for node, value in self.old_values:
            node.value = value
        for owner, name, value in self.attributes.values():
            if value is self:
                owner.__dict__.pop(name, None)
            else:
                owner.__dict__[name] = value

    def check_attributes(self) -> None:
        """Refuse a module whose attribute is another one after every step: a compiled step would not change it."""
        for owner, name, value in self.attributes.values():
            now = owner.__dict__.get(name, self)
            if now is not value and not (isinstance(now, (int, float, str)) and now == value):
                raise TraceError(
                    f"the step sets {type(owner).__name__}.{name} to another object each time, which a compiled step "
                    "cannot do",
                    fix="keep what changes in a tensor (register_buffer) and write it in place, e.g. with copy_",
                )


def _meta(op: Operation, spec: Spec, values: list[Any], params: Params) -> Any:
    """An array like the one that there will be."""
    if op.write is None:
        return np.empty(spec.shape, spec.dtype)
    base = values[0]  # of a view: its strides come from what it looks at
    return op.value(np, base.meta if isinstance(base, Symbol) else base, **params)


@contextmanager
def tracing(tracer: Tracer) -> Iterator[None]:
    """While it is on, operations are recorded and not computed."""
    if STATE.tracer is not None:
        raise TraceError("a compiled step is called inside another one that is being traced",
                         fix="call the plain function there")  # fmt: skip
    outer, STATE.tracer = STATE.tracer, tracer
    scope = STATE.scope
    try:
        yield
    finally:
        STATE.tracer, STATE.scope = outer, scope


def trace(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], newborn: Newborn) -> Trace:
    """Trace a call of ``function``. Raises TraceError where it does what a compiled step cannot."""
    tensors = flatten((args, kwargs))
    made, sharing = _attempt(function, args, kwargs, tensors, newborn)
    if sharing:  # cells with one array between them would be taken for one
        for cell in sharing:
            node = cell.node
            own = leaf(node.value.copy(), node.requires_grad)
            own.hooks, own.cell = node.hooks, node.cell
            cell._hold(own)
        made, _ = _attempt(function, args, kwargs, tensors, newborn)
    return made


def _attempt(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    tensors: list[Tensor],
    newborn: Newborn,
) -> tuple[Trace, list[Tensor]]:
    """A trace, and the cells whose arrays other cells of the trace have too."""
    tracer = Tracer()
    known: dict[int, tuple[int, Symbol]] = {}
    with Undisturbed(), tracing(tracer):  # whatever happens, the symbols have to go from the cells again
        try:
            for number, tensor in enumerate(tensors):
                _enter(tracer, tensor, number, known)
            with Reading(tracer.entered, newborn) as reading:
                returned = function(*args, **kwargs)
            return _finish(tracer, tensors, known, returned, reading.checked())
        except OverwrittenValue as error:
            raise TraceError(str(error.asked), fix="use the form that makes a new tensor") from None
        finally:
            tracer.restore()


def _enter(tracer: Tracer, tensor: Tensor, number: int, known: dict[int, tuple[int, Symbol]]) -> None:
    """Put a symbol into an argument's cell."""
    if id(tensor) in known:
        return
    node = tensor.node
    if node.requires_grad and (tensor._base is not None or node.op is not None):
        raise TraceError(
            "an argument of a compiled step is the result of a recorded operation: its gradient would end there",
            got=repr(node),
            fix="pass x.detach(), or compute it inside the step",
        )
    made = Symbol(np.empty(node.shape, node.dtype))
    stand_in = leaf(made, node.requires_grad)
    stand_in.cell, stand_in.hooks = node.cell, node.hooks
    tracer.rebinds[id(tensor)] = (tensor, tensor._node)
    tensor._node = stand_in
    if tensor._base is not None:
        tensor._seen = tensor._base.node
    known[id(tensor)] = (number, made)


def _finish(
    tracer: Tracer,
    tensors: list[Tensor],
    known: dict[int, tuple[int, Symbol]],
    returned: Any,
    reads: list[Read],
) -> tuple[Trace, list[Tensor]]:
    """Sort out what was read, what was rebound and what came out."""
    values: list[Any] = []
    results = _slots(returned, values)
    deferred = [(action, _slots(args, values), _slots(kwargs, values)) for action, args, kwargs in tracer.deferred]
    updates: list[tuple[Tensor, Any]] = []
    argument_updates: list[tuple[int, Any]] = []
    old_cells: dict[int, Tensor] = {}
    originals = {id(node): value for node, value in tracer.old_values}
    for cell, node in tracer.rebinds.values():
        new = cell._node.value
        if id(cell) in known:
            if new is not known[id(cell)][1]:
                argument_updates.append((known[id(cell)][0], new))
            continue
        old = originals.get(id(node), node.value)
        if isinstance(old, (Symbol, Overwritten)):
            continue  # born in the step: not state
        old_cells[id(old)] = cell
        updates.append((cell, new))
    tracer.check_attributes()
    grads = [
        cell for cell, held in tracer.grads.values()
        if cell._grad is not held and cell._grad is not None and isinstance(cell._grad._node.value, Symbol)
    ]  # fmt: skip
    read = _arrays_read(tracer.steps, values, [value for _, value in (*updates, *argument_updates)])
    cells, sharing = _cells_of(read, old_cells)
    inspections, computed = _inspections(tracer, known, cells)
    watched = []
    for value, check in computed:
        values.append(value)
        watched.append((len(values) - 1, check))
    shown = len(values)
    kept = [(number_of(value, values), told) for value, told in tracer.kept]
    made = Trace(
        steps=tracer.steps,
        arguments=[*known.values()],
        cells=cells,
        options=list(tracer.options.values()),
        updates=updates,
        argument_updates=argument_updates,
        grads=grads,
        results=results,
        values=values,
        deferred=deferred,
        guards=tracer.guards,
        groups=list(tracer.groups.values()),
        modules=list(tracer.modules.values()),
        optimizers=list(tracer.optimizers.values()),
        inspections=inspections,
        watched=watched,
        reads=reads,
        alarms=tracer.alarms,
        kept=kept,
        shown=shown,
    )
    return made, sharing


def _inspections(
    tracer: Tracer, known: dict[int, tuple[int, Symbol]], cells: list[tuple[Tensor, Any]]
) -> tuple[list[Inspection], list[tuple[Any, Callable[[Any], object]]]]:
    """The checks of values that come from outside, before a run, and those of what the step computes, after it; kernels
    never read or write outside of an array, whatever the step computes."""
    made = {id(step.out): step for step in tracer.steps if len(step.inputs) == 1 and step.op.kind in REARRANGING}
    numbers = {id(symbol): number for number, symbol in known.values()}
    outside = {id(value): cell for cell, value in cells}
    found, computed = [], []
    for value, check in tracer.checks:
        steps: list[Step] = []
        base = value
        while id(base) in made:
            steps.insert(0, made[id(base)])
            base = steps[0].inputs[0]
        if id(base) in numbers or id(base) in outside:
            found.append(Inspection(numbers.get(id(base), -1), outside.get(id(base)), steps, check))
        elif isinstance(value, Symbol):
            computed.append((value, check))
    return found, computed


def _slots(given: Any, values: list[Any]) -> Any:
    """``given`` with every tensor in it replaced by a Slot."""
    if isinstance(given, Tensor):
        node = given.node
        values.append(node.value)
        return Slot(len(values) - 1, node.requires_grad and not node.released and node.op is not None)
    if isinstance(given, dict):
        return {key: _slots(value, values) for key, value in given.items()}
    if isinstance(given, tuple) and hasattr(given, "_fields"):
        return type(given)(*(_slots(value, values) for value in given))
    if isinstance(given, (list, tuple)):
        return type(given)(_slots(value, values) for value in given)
    return given


def filled(results: Any, tensors: Sequence[Any]) -> Any:
    """`_slots` undone: the results with tensors in place of the slots."""
    if isinstance(results, Slot):
        return tensors[results.number]
    if isinstance(results, dict):
        return {key: filled(value, tensors) for key, value in results.items()}
    if isinstance(results, tuple) and hasattr(results, "_fields"):
        return type(results)(*(filled(value, tensors) for value in results))
    if isinstance(results, (list, tuple)):
        return type(results)(filled(value, tensors) for value in results)
    return results


def flatten(given: Any) -> list[Tensor]:
    """All tensors in nested containers, in order."""
    if isinstance(given, Tensor):
        return [given]
    if isinstance(given, Mapping):
        return [tensor for value in given.values() for tensor in flatten(value)]
    if isinstance(given, (list, tuple)):
        return [tensor for value in given for tensor in flatten(value)]
    return []


def _arrays_read(steps: list[Step], *more: list[Any]) -> dict[int, Any]:
    """The arrays among the inputs of all steps, and among other values, by id."""
    found: dict[int, Any] = {}
    for step in steps:
        for value in step.inputs:
            if not isinstance(value, Symbol):
                found[id(value)] = value
    for values in more:
        for value in values:
            if not isinstance(value, Symbol):
                found[id(value)] = value
    return found


def _cells_of(arrays: dict[int, Any], known: dict[int, Tensor]) -> tuple[list[tuple[Tensor, Any]], list[Tensor]]:
    """The cells that show these arrays, one for each array, and the further ones of arrays that several show; an array
    without one is a constant of the step.

    A Node does not know which cells hold it, so the garbage collector is asked, once for all.
    """
    cells = {key: cell for key, cell in known.items() if key in arrays}
    sharing: list[Tensor] = []
    nodes = [n for n in gc.get_referrers(*arrays.values()) if type(n) is Node and id(n.value) in arrays]
    wanted = {id(n) for n in nodes if n.origin is not CONSTANT}
    for cell in gc.get_referrers(*nodes) if wanted else ():
        if is_cell(cell) and id(cell._node) in wanted:
            first = cells.setdefault(id(cell._node.value), cell)
            if cell is not first and cell._base is None and cell._node.op is None:
                sharing.append(cell)
    return [(cell, arrays[key]) for key, cell in cells.items()], sharing


def specs_of(tensors: Sequence[Tensor]) -> tuple[Any, ...]:
    """What a signature says of the tensors a step is called with."""
    order: dict[int, int] = {}
    found = []
    for tensor in tensors:
        node = tensor.node
        found.append((order.setdefault(id(tensor), len(order)), Spec(node.shape, node.dtype), node.requires_grad))
    return tuple(found)
