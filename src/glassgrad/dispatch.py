"""The door: `apply(op, inputs, params)` is the only place where an op becomes a Node.

What it does depends on the mode that is on: eager computes the value at once with the op's NumPy rule; a tracer
only records. Gradient mode decides whether the inputs are kept for a backward pass.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Protocol, TypeVar

import numpy as np

from .errors import GlassgradError, here
from .graph import CONSTANT, Node, Operation, Origin, Params, Symbol
from .spec import Dtype

F = TypeVar("F", bound=Callable[..., Any])


class Tracing(Protocol):
    """What a tracer does: it makes the nodes, and is told what changes that is not a node."""

    guards: list[Callable[[], bool]]
    alarms: list[Any]
    kept: list[tuple[Any, Callable[[float], object]]]

    def __call__(self, op: Operation, inputs: tuple[Node, ...], params: Params) -> Node: ...
    def rebound(self, cell: Any) -> None: ...
    def grad_set(self, cell: Any) -> None: ...
    def grad_read(self, cell: Any) -> None: ...
    def overwritten(self, node: Node) -> None: ...
    def option(self, group: Any, key: str, place: int | None) -> Any: ...
    def defer(self, action: Callable[..., Any], *args: Any, **kwargs: Any) -> None: ...
    def state_set(self, owner: Any, name: str) -> None: ...
    def entered(self, module: Any) -> None: ...
    def stepped(self, optimizer: Any) -> None: ...
    def begins(self, optimizer: Any) -> None: ...
    def look_at(self, value: Any, check: Callable[[Any], object]) -> None: ...


class Observing(Protocol):
    """What an observer is told: every node that is made, what a backward pass does with them, and whose turn it is."""

    def made(self, node: Node) -> None: ...
    def begins(self, outputs: Sequence[Node], seeds: Sequence[Node]) -> None: ...
    def arrived(self, node: Node, cotangent: Node) -> None: ...
    def passed(self, node: Node, index: int, part: Node) -> None: ...
    def named(self, number: float, name: str) -> float: ...
    def written(self, constant: Node, number: Any) -> None: ...
    def entering(self, module: Any, args: Any, kwargs: Any) -> None: ...
    def leaving(self, module: Any, result: Any) -> None: ...
    def stepping(self, optimizer: Any) -> None: ...
    def runs(self, compiled: Any, args: Any, kwargs: Any) -> Any: ...


class Bystander:
    """What an observer does that minds the nodes alone: what is recorded runs as it is, and nobody's turn counts."""

    def entering(self, module: Any, args: Any, kwargs: Any) -> None: ...
    def leaving(self, module: Any, result: Any) -> None: ...
    def stepping(self, optimizer: Any) -> None: ...

    def runs(self, compiled: Any, args: Any, kwargs: Any) -> Any:
        """A compiled step is called: it runs as the plain function that it is."""
        return compiled.function(*args, **kwargs)


class Keeping(Protocol):
    """What a checkpoint is told while its function runs: every node that is made, each with its inputs."""

    def made(self, node: Node) -> None: ...


class Changes:
    """Counts what could make a compiled step stale, outside of a trace: tensors rebound, gradients set, attributes of
    modules changed, hooks put on or taken off, optimizers given other groups or state. One number to compare instead
    of all of them."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


CHANGES = Changes()


class State(threading.local):
    """What is on in this thread."""

    grad: bool = True
    scope: Any = None  # the innermost running module, linked to the ones around it: (module, outer)
    origin: Origin | None = None  # in a backward pass: that of the forward node whose rule runs
    observer: Observing | None = None  # while it is on, all nodes keep their inputs until backward lets them go
    tracer: Tracing | None = None
    keeper: Keeping | None = None  # while it is on, all nodes keep their inputs: they may have to be made again
    quiet: bool = False  # whether NumPy's floating point warnings are off already


STATE = State()


def apply(op: Operation, inputs: tuple[Node, ...], params: Params) -> Node:
    """Make the Node for ``op`` over ``inputs``; the sole maker of Nodes that have an op."""
    state = STATE
    if state.tracer is not None:
        return state.tracer(op, inputs, params)
    try:
        if state.quiet or op.kind == "structural":  # moving entries around warns of nothing
            value = op.value(np, *[node.value for node in inputs], **params)
        else:
            with np.errstate(all="ignore"):
                value = op.value(np, *[node.value for node in inputs], **params)
    except (GlassgradError, MemoryError):
        raise
    except Exception:
        op.spec(*[node.spec for node in inputs], **params)  # says what is wrong in the user's terms, if it can
        raise
    needs = False
    if state.grad and op.differentiable:
        for node in inputs:
            if node.requires_grad:
                needs = value.dtype.kind == "f"  # only floats have gradients: a cast to integers ends them
                break
    if not needs and state.observer is None and state.keeper is None:
        return Node(op, (), params, value, False, None)
    node = Node(op, inputs, params, value, needs, state.origin or Origin(here(2), state.scope))
    if state.observer is not None:
        state.observer.made(node)
    if state.keeper is not None:
        state.keeper.made(node)
    return node


def look_at(node: Node, check: Callable[[Any], object]) -> None:
    """Have ``check`` look at the value of a Node and raise if it is bad: now, or, while a step is traced, before every
    run of the step. What the step itself computes is looked at when it has run."""
    if STATE.tracer is not None:
        STATE.tracer.look_at(node.value, check)
    if not isinstance(node.value, Symbol):
        check(node.value)


def leaf(value: Any, requires_grad: bool = False) -> Node:
    """A Node that no op made: data."""
    return Node(None, (), {}, value, requires_grad, None)


_small: dict[tuple[float, Dtype], Node] = {}


def constant(number: bool | int | float, dtype: Dtype) -> Node:
    """The 0-d Node of a number that is written in the code; one Node for the same number."""
    node = _small.get((number, dtype))
    if node is None:
        if -1e38 < number < 1e38:
            value = np.array(number, dtype)
        else:
            with np.errstate(over="ignore"):  # what the dtype cannot hold is inf
                value = np.array(number, dtype)
        node = Node(None, (), {}, value, False, CONSTANT)
        if STATE.observer is not None and type(number) not in (float, int, bool):
            STATE.observer.written(node, number)  # a number that knows what it is called: never one Node for all
        elif number and len(_small) < 10_000:  # 0.0 and -0.0 are equal as keys
            _small[number, dtype] = node
    return node


class Quiet:
    """Turns NumPy's floating point warnings off once around many ops: inf and nan are values here, as in PyTorch."""

    __slots__ = ("errstate", "outer")

    def __enter__(self) -> None:
        self.outer = STATE.quiet
        if not self.outer:
            self.errstate = np.errstate(all="ignore")
            self.errstate.__enter__()
            STATE.quiet = True

    def __exit__(self, *error: Any) -> None:
        if not self.outer:
            STATE.quiet = False
            self.errstate.__exit__(*error)


class GradMode:
    """Switches the recording of the graph; a context manager and a decorator."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.outer: list[bool] = []

    def __enter__(self) -> None:
        self.outer.append(STATE.grad)
        STATE.grad = self.enabled

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        STATE.grad = self.outer.pop()

    def __call__(self, function: F) -> F:
        make = self.again
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generated(*args: Any, **kwargs: Any) -> Any:
                return _resumed(make, function(*args, **kwargs))

            return generated  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with make():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]

    def again(self) -> GradMode:
        """Another switch like this one, for each call of a decorated function."""
        return GradMode(self.enabled)


def _resumed(make: Callable[[], GradMode], inner: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """``inner`` with the mode on while it runs and off while it waits: what resumes it has a mode of its own."""
    step: Callable[[Any], Any] = inner.send
    given: Any = None
    try:
        while True:
            with make():
                made = step(given)
            try:
                step, given = inner.send, (yield made)
            except GeneratorExit:
                with make():
                    inner.close()
                raise
            except BaseException as error:  # thrown in by whoever consumes it: for the generator to handle
                step, given = inner.throw, error
    except StopIteration as end:
        return end.value


class no_grad(GradMode):
    """Inside, results keep no graph: nothing can be differentiated through them."""

    def __new__(cls, function: Any = None) -> Any:
        made = super().__new__(cls)
        if callable(function):  # @no_grad without parentheses
            GradMode.__init__(made, False)
            return made(function)
        return made

    def __init__(self, enabled: bool = False) -> None:
        super().__init__(bool(enabled))


class inference_mode(no_grad):
    """`no_grad`, under the name that PyTorch gives its stricter form; ``inference_mode(False)`` records the graph."""

    def __init__(self, mode: bool = True) -> None:
        GradMode.__init__(self, not mode)


class enable_grad(GradMode):
    """Inside, results keep their graph again, also within `no_grad`."""

    def __init__(self, enabled: bool = True) -> None:
        super().__init__(enabled)


class set_grad_enabled(GradMode):
    """Switches the recording of the graph at once; as a context manager it switches back at the end."""

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self.before = STATE.grad
        STATE.grad = mode

    def __enter__(self) -> None:
        self.outer.append(self.before)
        STATE.grad = self.enabled

    def __call__(self, function: F) -> F:
        STATE.grad = self.before  # it decorates: the mode is for the function's calls alone
        return super().__call__(function)


def is_grad_enabled() -> bool:
    """Whether results keep their graph in this thread right now."""
    return STATE.grad


def push_scope(module: Any) -> Any:
    """Enter ``module``: nodes made from now on belong to it. Returns what `pop_scope` needs."""
    outer = STATE.scope
    STATE.scope = (module, outer)
    if STATE.tracer is not None:
        STATE.tracer.entered(module)
    return outer


def pop_scope(outer: Any) -> None:
    """Leave the module that `push_scope` entered."""
    STATE.scope = outer
