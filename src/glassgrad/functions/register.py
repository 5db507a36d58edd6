"""How a function of tensors gets its name: in the package, as a Tensor method, and as the in-place method."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from ..dispatch import STATE, apply, constant
from ..errors import DtypeError, TypeMismatch
from ..graph import Node, is_constant
from ..op import Op
from ..ops.compare import cast
from ..ops.shape import expand, reshape
from ..spec import CATEGORY, Dtype, Spec, broadcast_shapes, default_dtype, is_float, number_dtype, result_type
from ..tensor import Tensor, wrap

F = TypeVar("F", bound=Callable[..., Any])
FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""Every function of tensors by its public name; the package exports them all."""


def function(*, method: bool = True, inplace: bool = False, names: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Make a function public under its own name and ``names``: in the package and, if asked, as a method.

    With ``inplace`` the method with a trailing underscore writes the result into the tensor.
    """

    def declare(made: F) -> F:
        for name in (made.__name__.rstrip("_"), *names):
            FUNCTIONS[name] = made
            if method:
                setattr(Tensor, name, made)
            if inplace:
                setattr(Tensor, f"{name}_", _in_place(made, name))
        return made

    return declare


def method_only(*names: str) -> Callable[[F], F]:
    """Make a function a Tensor method alone, under its own name or under ``names``."""

    def declare(made: F) -> F:
        for name in names or (made.__name__,):
            setattr(Tensor, name, made)
        return made

    return declare


def _in_place(made: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    @functools.wraps(made)
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        result = made(_held(self, args) if STATE.grad else self, *args, **kwargs)
        if result is NotImplemented:
            raise TypeMismatch(f"{name}_ does not take these operands", got=", ".join(type(a).__name__ for a in args))
        return self.write(result.node)

    method.__name__ = f"{name}_"
    method.__doc__ = f"`{name}`, its result put in place of this tensor's value."
    return method


def _held(self: Tensor, args: tuple[Any, ...]) -> Tensor:
    """``self`` as a tensor of its own, where a gradient may need the value that is about to be overwritten."""
    if self.requires_grad or any(isinstance(given, Tensor) and given.requires_grad for given in args):
        node = self.node
        return wrap(apply(reshape, (node,), {"shape": node.shape}))
    return self


def node_of(given: Any, like: Node | None = None) -> Node:
    """The Node of a tensor, an array or a number (a constant, of ``like``'s dtype where that loses nothing)."""
    if isinstance(given, Tensor):
        return given._node if given._base is None else given.node
    if isinstance(given, (bool, int, float)):
        dtype = number_dtype(given)
        if like is not None and CATEGORY[like.dtype] >= CATEGORY[dtype]:
            dtype = like.dtype
        return constant(given, dtype)
    if hasattr(given, "__array__"):
        from .create import make

        return make(given).node
    raise TypeMismatch(
        f"a tensor or a number was expected, not {type(given).__name__}",
        got=repr(given)[:80],
        fix="make it a tensor with glassgrad.tensor(...)",
    )


def tensor_of(given: Any, what: str = "input") -> Tensor:
    """``given`` if it is a Tensor; TypeMismatch otherwise."""
    if isinstance(given, Tensor):
        return given
    raise TypeMismatch(
        f"{what} must be a Tensor, not {type(given).__name__}",
        got=repr(given)[:80],
        fix="make it one with glassgrad.tensor(...)",
    )


def to_dtype(node: Node, dtype: Dtype) -> Node:
    """``node`` in ``dtype``, itself where it is that already."""
    if node.dtype == dtype:
        return node
    return constant(node.value.item(), dtype) if is_constant(node) else cast(node, dtype=dtype)


def fit(node: Node, shape: tuple[int, ...]) -> Node:
    """``node`` repeated to ``shape``; 0-d values that no gradient flows to may stay as they are."""
    if node.shape == shape or (not node.shape and not node.requires_grad):
        return node
    return expand(node, shape=shape)


def aligned(given: tuple[Any, ...], floats: bool = False) -> tuple[Node, ...]:
    """The Nodes of elementwise operands, in one dtype (PyTorch's promotion) and one shape.

    With ``floats`` integers become the default float dtype first.
    """
    like = next((node_of(entry) for entry in given if isinstance(entry, Tensor)), None)
    nodes = tuple(node_of(entry, like) for entry in given)
    numbers = [entry for entry in given if isinstance(entry, (bool, int, float))]
    tensors = [node for node, entry in zip(nodes, given, strict=True) if not isinstance(entry, (bool, int, float))]
    dtype = result_type([Spec(node.shape, node.dtype) for node in tensors], numbers)
    if floats and not is_float(dtype):
        dtype = default_dtype()
    shape = broadcast_shapes(*(node.shape for node in nodes))
    return tuple(fit(to_dtype(node, dtype), shape) for node in nodes)


def unary(op: Op, x: Any, floats: bool = False) -> Tensor:
    """An elementwise op of one tensor; with ``floats`` integers become floats first."""
    node = node_of(x)
    if floats and not is_float(node.dtype):
        node = cast(node, dtype=default_dtype())
    if node.dtype.kind != "f":
        op.spec(node.spec)  # NumPy computes more on integers and booleans than is meant
    return wrap(apply(op, (node,), {}))


def binary(op: Op, a: Any, b: Any, floats: bool = False) -> Tensor:
    """An elementwise op of two tensors or numbers. The case of floats of one dtype is kept short: it is hot."""
    if isinstance(a, Tensor):
        left = a._node if a._base is None else a.node
        kind = type(b)
        if isinstance(b, Tensor):
            right = b._node if b._base is None else b.node
            if left.dtype is right.dtype and left.dtype.kind == "f":
                if left.shape != right.shape:
                    shape = broadcast_shapes(left.shape, right.shape)
                    left, right = fit(left, shape), fit(right, shape)
                return wrap(apply(op, (left, right), {}))
        elif (kind is float or kind is int) and left.dtype.kind == "f":
            return wrap(apply(op, (left, constant(b, left.dtype)), {}))
        elif not isinstance(b, (bool, int, float)) and not hasattr(b, "__array__"):
            return NotImplemented  # type: ignore[no-any-return]
    operands = aligned((a, b), floats)
    if operands[0].dtype.kind != "f":
        op.spec(*[node.spec for node in operands])
    return wrap(apply(op, operands, {}))


def check_dtype(node: Node, what: str, *, floats: bool = True) -> None:
    """DtypeError unless ``node`` holds floats (or integers, with ``floats=False``)."""
    if is_float(node.dtype) != floats:
        raise DtypeError(
            f"{what} must be {'a float' if floats else 'an integer'} tensor, not {node.dtype}",
            got=str(node.spec),
            fix="convert it with " + (".float()" if floats else ".long()"),
        )
