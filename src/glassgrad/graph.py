"""Node and Graph: what was computed from what, where, with which shapes. Immutable, apart from letting go of memory.

A `Node` is one value and how it came to be. Everything that computes on Nodes goes through `dispatch.apply`. Two
things may be taken from a Node after it was made: its inputs, when a backward pass has used them up (`release`),
and its value, when the cell that showed it was written in place (`overwrite`), or until a backward pass needs it, when
it can be had again (`Forgotten`). All leave a note that later readers turn into an error with the user's line.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np

from .errors import GlassgradError, TraceError, Where, line_of
from .spec import Dtype, Shape, Spec

Params = Mapping[str, Any]
Hook = Callable[["Node"], "Node | None"]
_ids = itertools.count()


class Operation(Protocol):
    """What a Node needs to know of the op that made it (`op.Op` is the real thing)."""

    name: str
    kind: str
    differentiable: bool
    write: Callable[..., Node] | None
    refuses: Callable[[Any], object] | None

    @property
    def value(self) -> Callable[..., Any]: ...
    def spec(self, *specs: Spec, **params: Any) -> Spec: ...
    def rule(self, index: int) -> Callable[..., Node] | None: ...


class Origin:
    """Where a Node was made: the user's place, the innermost module, and (in a backward pass) the Node it is for."""

    __slots__ = ("of", "scope", "where")

    def __init__(self, where: Where | None, scope: Any, of: Node | None = None) -> None:
        self.where, self.scope, self.of = where, scope, of


class Node:
    """One value of the computation: an op applied to inputs, or a leaf (``op`` is None)."""

    __slots__ = (
        "__weakref__", "cell", "dtype", "hooks", "id", "inputs", "op", "origin", "params", "requires_grad", "shape",
        "value",
    )  # fmt: skip

    if TYPE_CHECKING:  # the declarations in ops/ put these on the class (see op.Op.operator)
        op: Operation | None
        cell: weakref.ref[Any] | None
        hooks: list[Hook] | None

        def __add__(self, other: Operand) -> Node: ...
        def __radd__(self, other: Operand) -> Node: ...
        def __sub__(self, other: Operand) -> Node: ...
        def __rsub__(self, other: Operand) -> Node: ...
        def __mul__(self, other: Operand) -> Node: ...
        def __rmul__(self, other: Operand) -> Node: ...
        def __truediv__(self, other: Operand) -> Node: ...
        def __rtruediv__(self, other: Operand) -> Node: ...
        def __pow__(self, other: Operand) -> Node: ...
        def __neg__(self) -> Node: ...
        def __lt__(self, other: Operand) -> Node: ...
        def __le__(self, other: Operand) -> Node: ...
        def __gt__(self, other: Operand) -> Node: ...
        def __ge__(self, other: Operand) -> Node: ...
        def __and__(self, other: Operand) -> Node: ...
        def __or__(self, other: Operand) -> Node: ...
        def __invert__(self) -> Node: ...

    def __init__(
        self, op: Any, inputs: tuple[Node, ...], params: Params, value: Any, requires_grad: bool, origin: Origin | None
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.params = params
        self.value = value
        self.shape: Shape = value.shape
        self.dtype: Dtype = value.dtype
        self.requires_grad = requires_grad
        self.id = next(_ids)
        self.origin = origin
        self.cell = None
        self.hooks = None

    @property
    def spec(self) -> Spec:
        return Spec(self.shape, self.dtype)

    @property
    def where(self) -> str:
        """The user's line that made this node, as ``file.py:12 in function``; empty if unknown."""
        return "" if self.origin is None else line_of(self.origin.where)

    @property
    def released(self) -> bool:
        return self.inputs is RELEASED

    def release(self) -> None:
        """Let the inputs go: a backward pass has used this node and will not come again."""
        if self.inputs:
            self.inputs = RELEASED

    def overwrite(self, where: Where | None) -> None:
        """Note that the cell that showed this value was written in place at ``where``."""
        self.value = Overwritten(where)

    def __repr__(self) -> str:
        name = "leaf" if self.op is None else self.op.name
        return f"<{name} {self.spec}{' requires_grad' if self.requires_grad else ''}>"


Operand = Node | int | float | bool
RELEASED: tuple[Node, ...] = tuple([Node(None, (), {}, np.zeros(()), False, None)])


class OverwrittenValue(GlassgradError, RuntimeError):
    """Raised where an overwritten value is read; the backward pass turns it into a GradError naming the op."""


class Overwritten:
    """Stands in the place of a value that was overwritten, and says so to whoever reads it."""

    __slots__ = ("where",)

    def __init__(self, where: Where | None) -> None:
        self.where = where

    def read(self, *_: object, **__: object) -> NoReturn:
        raise OverwrittenValue(f"this value was overwritten in place at {line_of(self.where) or 'an unknown line'}")

    __array__ = __array_ufunc__ = __array_function__ = __getattr__ = __getitem__ = __len__ = __iter__ = read


class Part(Protocol):
    """A part of the computation whose values were not kept (`utils.checkpoint`)."""

    first: int

    def recall(self, after: Node, called: list[Part]) -> None: ...
    def forget(self) -> None: ...


class Forgotten:
    """Stands in the place of a value that was not kept, and that its `part` computes again for a backward pass."""

    __slots__ = ("dtype", "part", "shape")

    def __init__(self, shape: Shape, dtype: Dtype, part: Part) -> None:
        self.shape, self.dtype, self.part = shape, dtype, part

    def read(self, *_: object, **__: object) -> NoReturn:
        raise GlassgradError(
            "this value was not kept: it lies inside of a checkpoint, and is computed again in a backward pass",
            got=str(Spec(self.shape, self.dtype)), fix="return the tensor from the checkpointed function",
        )  # fmt: skip

    __array__ = __array_ufunc__ = __array_function__ = __getattr__ = __getitem__ = __len__ = __iter__ = read


class Symbol:
    """Stands for a value that is not there yet: a step is being traced. Its shape and dtype are known.

    `meta` is an array of that shape and of the strides that the value will have; its entries mean nothing.
    """

    __slots__ = ("dtype", "meta", "shape")

    def __init__(self, meta: Any) -> None:
        self.meta, self.shape, self.dtype = meta, meta.shape, meta.dtype

    @property
    def size(self) -> int:
        """How many entries there will be."""
        return int(self.meta.size)

    @property
    def ndim(self) -> int:
        """How many dimensions there will be."""
        return len(self.shape)

    def read(self, *_: object, **__: object) -> NoReturn:
        raise TraceError(
            "a compiled step cannot look at a value: while it is traced there are no numbers yet",
            got=f"a value of {Spec(self.shape, self.dtype)}",
            fix="return the tensor and look at it outside; choose between numbers with glassgrad.where; "
            "or compile with fallback=True",
        )

    __array__ = __array_ufunc__ = __array_function__ = __getitem__ = __len__ = __iter__ = read
    item = tolist = min = max = any = all = sum = astype = reshape = read


def shares_memory(a: Node, b: Node) -> bool:
    """Whether two nodes' values may lie in the same memory."""
    first, second = (n.value.meta if isinstance(n.value, Symbol) else n.value for n in (a, b))
    return first is second or bool(np.may_share_memory(first, second))


def ancestors(outputs: Iterable[Node], *, only: Callable[[Node], bool] = lambda _: True) -> list[Node]:
    """All nodes that ``outputs`` were computed from, themselves included, inputs before what uses them.

    Nodes for which ``only`` is false are left out, with all that is reached through them alone. Nodes get their id
    when they are made, and are made after their inputs, so the order is the order of ids; nothing here recurses.
    """
    stack = [node for node in outputs if only(node)]
    seen = set(stack)
    while stack:
        node = stack.pop()
        if node.inputs is RELEASED:
            continue
        for source in node.inputs:
            if source not in seen and only(source):
                seen.add(source)
                stack.append(source)
    return sorted(seen, key=attrgetter("id"))


class Graph:
    """A part of the computation: what ``outputs`` were computed from.

    ``print(graph)`` gives Python that rebuilds the outputs from the leaves, one op to a line. ``labels`` says what
    leaves are, ``ends`` what each output is.
    """

    def __init__(
        self, outputs: Iterable[Node], labels: Mapping[Node, str] | None = None, ends: Sequence[str] = ()
    ) -> None:
        self.outputs = tuple(outputs)
        self.nodes = ancestors(self.outputs)
        self.labels, self.ends = dict(labels or {}), tuple(ends)

    @property
    def leaves(self) -> list[Node]:
        """The nodes that no op made, in the order they came to be; 0-d constants are not among them."""
        return [node for node in self.nodes if node.op is None and not is_constant(node)]

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __str__(self) -> str:
        names: dict[Node, str] = {}
        lines = []
        for number, leaf in enumerate(self.leaves):
            names[leaf] = f"x{number}"
            label = self.labels.get(leaf)
            lines.append(f"# x{number}: {leaf.spec}" + (f", {label}" if label else ""))
        count = itertools.count()
        for node in self.nodes:
            if is_constant(node):
                names[node] = f"constant({np.asarray(node.value).item()!r}, {str(node.dtype)!r})"
            elif node.op is not None:
                names[node] = f"v{next(count)}"
                arguments = [names[source] for source in node.inputs]
                arguments += [f"{key}={value!r}" for key, value in node.params.items()]
                lines.append(f"{names[node]} = {node.op.name}({', '.join(arguments)})  # {node.spec}")
        if self.ends:
            ends = zip(self.outputs, self.ends, strict=True)
            lines += ["return (", *(f"    {names[node]},  # {end}" for node, end in ends), ")"]
        else:
            lines.append(f"return {', '.join(names[node] for node in self.outputs)}")
        return "\n".join(lines)


def is_constant(node: Node) -> bool:
    """Whether ``node`` is a 0-d number that was written in the code (never a tensor that a user holds)."""
    return node.op is None and node.origin is CONSTANT


CONSTANT = Origin(None, None)
