"""Operations of one's own: a forward and a backward written in tensors, put into the graph as one op."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

from .. import functions as fn
from ..dispatch import STATE, apply, enable_grad, leaf, no_grad
from ..errors import GradError, ShapeError, TypeMismatch
from ..graph import Node
from ..op import ATOM, Op
from ..ops.compare import cast
from ..ops.shape import reshape, slice_, zeros
from ..spec import Dtype, Shape, Spec, is_float, numel
from ..tensor import Tensor, wrap


class Context(SimpleNamespace):
    """What ``forward`` hands to ``backward``: ``ctx.save_for_backward(...)``, or any attribute."""

    saved_tensors: tuple[Any, ...] = ()
    needs_input_grad: tuple[bool, ...] = ()
    materialize: bool = True
    not_differentiable: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for ``backward``, which finds them in ``ctx.saved_tensors``."""
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say that some results have no gradient."""
        self.not_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether ``backward`` gets zeros (the default) or None for a result that no gradient came to."""
        self.materialize = value

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Not covered."""
        raise GradError("mark_dirty is not covered: a Function cannot change its inputs in place",
                        fix="return a new tensor")  # fmt: skip


class Function:
    """The base of operations of one's own: two static methods, ``forward(ctx, ...)`` and ``backward(ctx, *grads)``.

    ``backward`` returns one gradient (or None) for each argument of ``forward``; written in tensor operations it can
    itself be differentiated. Use it by ``Name.apply(...)``.

    >>> class Double(autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> x = gg.tensor([1.0, 3.0], requires_grad=True)
    >>> Double.apply(x).sum().backward()
    >>> x.grad
    tensor([2., 2.])
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result: of (ctx, *arguments), or of the arguments alone with a `setup_context` beside it."""
        raise NotImplementedError("a Function needs a static method forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients of the arguments from those of the results."""
        raise NotImplementedError("a Function needs a static method backward(ctx, *grad_outputs)")

    vjp: Any = None
    setup_context: Any = None

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` and put it into the graph."""
        ctx = Context(needs_input_grad=tuple(isinstance(a, Tensor) and a.requires_grad for a in args))
        places = [place for place, given in enumerate(args) if isinstance(given, Tensor)]
        with no_grad():
            if cls.setup_context is None:
                made = cls.forward(ctx, *args, **kwargs)
            else:
                made = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, made)
        results = list(made) if isinstance(made, (tuple, list)) else [made]
        for given in results:
            if not isinstance(given, Tensor) and given is not None:
                raise TypeMismatch(f"{cls.__name__}.forward returns tensors", got=type(given).__name__)
        cut = {id(x) for x in ctx.not_differentiable}
        flowing = [x for x in results if x is not None and is_float(x.dtype) and id(x) not in cut]
        if flowing and places:
            inputs = tuple(args[place].node for place in places)
            parts = _pack(cls, ctx, inputs, places, len(args), results, flowing)
        else:
            parts = []
        fresh = iter(parts)
        ids = {id(x) for x in flowing}
        final = [x if x is None else wrap(next(fresh)) if parts and id(x) in ids else _cut(x) for x in results]
        return tuple(final) if isinstance(made, (tuple, list)) else final[0]


def _cut(x: Tensor) -> Tensor:
    return wrap(leaf(x.value))


def _pack(
    cls: type[Function],
    ctx: Context,
    inputs: tuple[Node, ...],
    places: list[int],
    count: int,
    results: list[Any],
    flowing: list[Tensor],
) -> list[Node]:
    """One Node with all differentiable results in it, one after another; and for each result the Node of its part.

    A Node has one value; packing the results into one keeps ``backward`` a single call, however many there are.
    """
    shapes = [x.shape for x in flowing]
    dtype = max((x.dtype for x in flowing), key=lambda d: d.itemsize)
    if len(flowing) == 1:
        value = flowing[0].value
    else:
        with no_grad():
            value = fn.cat([x.to(dtype).reshape(-1) for x in flowing]).value
    op = _op(cls, value)
    ids = {id(x) for x in flowing}

    def rule(index: int, g: Node, y: Node, *xs: Node) -> Node:
        found = known.get(g)
        if found is None:
            known.clear()
            parts = [wrap(g)] if len(flowing) == 1 else [wrap(p) for p in _parts(g, shapes, [x.dtype for x in flowing])]
            fresh = iter(parts)
            grads = [next(fresh) if id(x) in ids else None if x is None else fn.zeros_like(x) for x in results]
            if not ctx.materialize:
                grads = [given if id(x) in came else None for given, x in zip(grads, results, strict=True)]
                came.difference_update(map(id, flowing if len(flowing) > 1 else ()))
            found = known[g] = _pull(cls, _seen(ctx, flowing, y), grads, places, count, xs)
        return found[index]

    known: dict[Node, list[Node]] = {}
    op.each = rule
    came: set[int] = set()  # results that a gradient came to, where zeros must not stand for one
    whole = apply(op, inputs, {})
    if len(flowing) == 1:
        came.add(id(flowing[0]))
        return [whole]
    parts = _parts(whole, shapes, [x.dtype for x in flowing])
    if not ctx.materialize:
        for part, x in zip(parts, flowing, strict=True):
            part.hooks = [partial(_note, came, id(x))]
    return parts


def _note(came: set[int], result: int, _: Node) -> None:
    came.add(result)


def _seen(ctx: Context, flowing: list[Tensor], y: Node) -> Context:
    """The context as ``backward`` sees it: a saved result is the one in the graph, so that it can be differentiated.

    It is put in only now: a context that held it all along would keep its own graph alive.
    """
    whole = [y] if len(flowing) == 1 else _parts(y, [x.shape for x in flowing], [x.dtype for x in flowing])
    now = {id(x): wrap(part) for x, part in zip(flowing, whole, strict=True)}
    seen = Context(**vars(ctx))
    seen.saved_tensors = tuple(now.get(id(x), x) for x in ctx.saved_tensors)
    return seen


def _pull(
    cls: type[Function], ctx: Context, grads: list[Any], places: list[int], count: int, xs: tuple[Node, ...]
) -> list[Node]:
    """The gradients of the tensor arguments, by the user's ``backward``."""
    recorded = enable_grad() if STATE.grad else no_grad()
    with recorded:
        given = cls.backward(ctx, *grads)
    answers = list(given) if isinstance(given, (tuple, list)) else [given]
    if len(answers) < count or any(x is not None for x in answers[count:]):
        raise GradError(
            f"{cls.__name__}.backward returns one gradient for each of the {count} arguments of forward",
            got=f"{len(answers)}", fix="return None for arguments without a gradient",
        )  # fmt: skip
    found = []
    for place, x in zip(places, xs, strict=True):
        answer = answers[place]
        if answer is None:
            found.append(zeros(x.shape, x.dtype))
            continue
        if answer.shape != x.shape:
            raise ShapeError(
                f"{cls.__name__}.backward: gradient {place} has the shape of its argument",
                got=f"{answer.node.spec} for {x.spec}",
            )
        found.append(answer.node if answer.dtype == x.dtype else cast(answer.node, dtype=x.dtype))
    return found


def _parts(whole: Node, shapes: list[Shape], dtypes: list[Dtype]) -> list[Node]:
    parts, start = [], 0
    for shape, dtype in zip(shapes, dtypes, strict=True):
        stop = start + numel(shape)
        part = apply(slice_, (whole,), {"cuts": ((start, stop, 1),)})
        part = apply(reshape, (part,), {"shape": shape})
        parts.append(part if part.dtype == dtype else cast(part, dtype=dtype))
        start = stop
    return parts


def _op(cls: type[Function], value: Any) -> Op:
    """An op of this one call: its value is known already."""
    name = cls.__name__
    return Op(
        name, lambda xp, *xs: value, lambda *specs: Spec(value.shape, value.dtype),
        lambda *xs: rf"\operatorname{{{name}}}({', '.join(xs)})", ATOM, f"The user's own operation {name}.",
        (), "custom",
    )  # fmt: skip
