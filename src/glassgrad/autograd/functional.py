"""Derivatives of functions: vector-Jacobian and Jacobian-vector products, Jacobian, Hessian and its products.

The names and arguments are those of ``torch.autograd.functional``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import functions as fn
from ..dispatch import enable_grad
from ..errors import ArgumentError, GradError, ShapeError
from ..tensor import Tensor
from .backward import grad, listed

Function = Callable[..., Any]
Tensors = Tensor | Sequence[Tensor]


def _run(func: Function, inputs: Tensors, create_graph: bool) -> tuple[list[Tensor], list[Tensor], bool]:
    """The inputs as fresh differentiable tensors, the outputs, and whether ``func`` gave more than one."""
    given = listed(inputs, "inputs")
    xs = [
        x.reshape(x.shape) if create_graph and x.requires_grad else x.detach().clone().requires_grad_() for x in given
    ]
    made = func(*xs)
    ys = listed(made, "the function's result")
    return xs, ys, not isinstance(made, Tensor)


def _vectors(v: Tensors | None, like: list[Tensor], what: str) -> list[Tensor]:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise ArgumentError(f"v can be left out only where {what} is a single number")
        return [fn.ones_like(like[0])]
    given = listed(v, "v")
    if [x.shape for x in given] != [x.shape for x in like]:
        raise ShapeError(
            f"v has the shapes of {what}",
            got=f"{[list(x.shape) for x in given]} for {[list(x.shape) for x in like]}",
        )
    return given


def _grad(ys: list[Tensor], xs: list[Tensor], vs: list[Tensor], create_graph: bool, strict: bool) -> list[Tensor]:
    """`grad` where a result that does not depend on the inputs counts as constant, unless ``strict``."""
    kept = [(y, v) for y, v in zip(ys, vs, strict=True) if y.requires_grad]
    if strict and len(kept) < len(ys):
        raise GradError("a result does not depend on the inputs", fix="strict=False takes its derivative as 0")
    if not kept:
        return [fn.zeros_like(x) for x in xs]
    return list(
        grad([y for y, _ in kept], xs, [v for _, v in kept], retain_graph=True, create_graph=create_graph,
             allow_unused=not strict, materialize_grads=not strict)
    )  # fmt: skip


def _give(found: list[Tensor], like: Any, create_graph: bool) -> Any:
    made = tuple(x if create_graph else x.detach() for x in found)
    return made[0] if isinstance(like, Tensor) else made


def vjp(
    func: Function, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The function's result, and the vector-Jacobian product: the gradient of sum(v * result).

    >>> autograd.functional.vjp(lambda x: x * x, gg.tensor([1.0, 3.0]), gg.tensor([1.0, 10.0]))[1]
    tensor([ 2., 60.])
    """
    with enable_grad():
        xs, ys, several = _run(func, inputs, create_graph)
        found = _grad(ys, xs, _vectors(v, ys, "the result"), create_graph, strict)
    return _give(ys, ys if several else ys[0], create_graph), _give(found, inputs, create_graph)


def jvp(
    func: Function, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The function's result, and the Jacobian-vector product: how the result moves when the inputs move along v.

    Computed by differentiating the vector-Jacobian product, which is linear in its cotangent u: the derivative by u
    of v . (J^T u) is J v.

    >>> autograd.functional.jvp(lambda x: x * x, gg.tensor([1.0, 3.0]), gg.tensor([1.0, 10.0]))[1]
    tensor([ 2., 60.])
    """
    with enable_grad():
        xs, ys, several = _run(func, inputs, create_graph)
        vs = _vectors(v, xs, "the inputs")
        us = [fn.zeros_like(y).requires_grad_() for y in ys]
        pulled = _grad(ys, xs, us, True, strict)
        moved = _grad(pulled, us, vs, create_graph, False)
    like = ys if several else ys[0]
    return _give(ys, like, create_graph), _give(moved, like, create_graph)


def _scalar(ys: list[Tensor], several: bool) -> None:
    if several or ys[0].numel() != 1:
        raise ShapeError("the function must give a single number", got=str([list(y.shape) for y in ys]))


def hvp(
    func: Function, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The function's result, and the product of its Hessian with v; the Hessian itself is never built.

    B. Pearlmutter, "Fast exact multiplication by the Hessian" (Neural Computation 6, 1994).

    >>> autograd.functional.hvp(lambda x: (x**3).sum(), gg.tensor([1.0, 2.0]), gg.tensor([1.0, 1.0]))[1]
    tensor([ 6., 12.])
    """
    with enable_grad():
        xs, ys, several = _run(func, inputs, create_graph)
        _scalar(ys, several)
        vs = _vectors(v, xs, "the inputs")
        slopes = _grad(ys, xs, [fn.ones_like(ys[0])], True, strict)
        found = _grad(slopes, xs, vs, create_graph, False)
    return _give(ys, ys[0], create_graph), _give(found, inputs, create_graph)


vhp = hvp  # the Hessian is symmetric


def jacobian(func: Function, inputs: Tensors, create_graph: bool = False, strict: bool = False) -> Any:
    """All derivatives of all entries of the result by all entries of the inputs: shape (*result, *input).

    For several results or inputs it is a tuple (of tuples).

    >>> autograd.functional.jacobian(lambda x: x * x, gg.tensor([1.0, 3.0])).tolist()
    [[2.0, 0.0], [0.0, 6.0]]
    """
    with enable_grad():
        xs, ys, several = _run(func, inputs, create_graph)
        rows = []
        for y in ys:
            parts: list[list[Tensor]] = [[] for _ in xs]
            for place in range(y.numel()):
                one = fn.zeros(y.numel(), dtype=y.dtype)
                one[place] = 1.0
                for part, found in zip(
                    parts, _grad([y], xs, [one.reshape(y.shape)], create_graph, strict), strict=True
                ):
                    part.append(found)
            blocks = [_stacked(part, y, x) for part, x in zip(parts, xs, strict=True)]
            rows.append(_give(blocks, inputs, create_graph))
    return tuple(rows) if several else rows[0]


def _stacked(part: list[Tensor], y: Tensor, x: Tensor) -> Tensor:
    shape = (*y.shape, *x.shape)
    return fn.stack(part).reshape(shape) if part else fn.zeros(shape, dtype=x.dtype)


def hessian(func: Function, inputs: Tensors, create_graph: bool = False, strict: bool = False) -> Any:
    """All second derivatives of a function that gives a single number: shape (*input, *input).

    For several inputs it is a tuple of tuples.

    >>> autograd.functional.hessian(lambda x: x[0] * x[1], gg.tensor([2.0, 3.0])).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """

    def slopes(*xs: Tensor) -> Any:
        made = func(*xs)
        ys = listed(made, "the function's result")
        _scalar(ys, not isinstance(made, Tensor))
        found = _grad(ys, list(xs), [fn.ones_like(ys[0])], True, strict)
        return found[0] if isinstance(inputs, Tensor) else tuple(found)

    return jacobian(slopes, inputs, create_graph)
