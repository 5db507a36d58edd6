"""Elementwise functions of tensors: every elementwise op under its name, and what is composed of them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, overload

from ..dispatch import apply
from ..errors import ArgumentError, DtypeError
from ..op import REGISTRY, Op
from ..ops import arithmetic, compare, mathematical
from ..spec import as_dtype, bool_, is_float
from ..tensor import Tensor, wrap
from .register import aligned, binary, fit, function, method_only, node_of, to_dtype, unary

OTHER_NAMES = {
    "mul": ("multiply",), "neg": ("negative",), "abs": ("absolute",), "asin": ("arcsin",), "acos": ("arccos",),
    "atan": ("arctan",), "ne": ("not_equal",), "lt": ("less",), "le": ("less_equal",), "gt": ("greater",),
    "ge": ("greater_equal",),
}  # fmt: skip
BY_HAND = {"add", "sub", "div", "floor", "round", "floordiv", "where", "cast"}
"""Ops whose public function takes more than tensors; they stand below."""


def _publish() -> None:
    """Every other elementwise op becomes a function, a method and an in-place method; two operands, an operator."""
    for name, op in REGISTRY.items():
        if op.kind != "elementwise" or name in BY_HAND:
            continue
        made = _unary(op) if len(inspect.signature(op.value).parameters) == 2 else _binary(op)
        made.__name__ = made.__qualname__ = name
        made.__module__ = __name__
        made.__doc__ = op.says
        function(inplace=True, names=OTHER_NAMES.get(name, ()))(made)


def _unary(op: Op) -> Callable[..., Tensor]:
    def made(input: Tensor) -> Tensor:
        return unary(op, input, op.only == "float")

    return made


def _binary(op: Op) -> Callable[..., Tensor]:
    def made(input: Any, other: Any) -> Tensor:
        return binary(op, input, other)

    return made


def _operator(name: str, op: Op, *, floats: bool = False) -> None:
    setattr(Tensor, f"__{name}__", lambda self, other: binary(op, self, other, floats))
    setattr(Tensor, f"__r{name}__", lambda self, other: binary(op, other, self, floats))


_publish()
_operator("add", arithmetic.add)
_operator("sub", arithmetic.sub)
_operator("mul", arithmetic.mul)
_operator("truediv", arithmetic.div, floats=True)
_operator("pow", mathematical.pow)
_operator("mod", arithmetic.remainder)
_operator("and", compare.bitwise_and)
_operator("or", compare.bitwise_or)
_operator("xor", compare.bitwise_xor)
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Tensor, f"__{_name}__", lambda self, other, op=REGISTRY[_name]: binary(op, self, other))
for _name in ("neg", "abs"):
    setattr(Tensor, f"__{_name}__", lambda self, op=REGISTRY[_name]: unary(op, self))
setattr(Tensor, "__invert__", lambda self: unary(compare.bitwise_not, self))  # noqa: B010
setattr(Tensor, "__pos__", lambda self: self)  # noqa: B010


@function(inplace=True)
def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input + alpha * other."""
    return binary(arithmetic.add, input, other if alpha == 1 else binary(arithmetic.mul, other, alpha))


@function(inplace=True, names=("subtract",))
def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input - alpha * other."""
    return binary(arithmetic.sub, input, other if alpha == 1 else binary(arithmetic.mul, other, alpha))


@function(inplace=True, names=("divide", "true_divide"))
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; ``rounding_mode`` "floor" rounds down, "trunc" towards zero. Integers divide as floats."""
    if rounding_mode is None:
        return binary(arithmetic.div, input, other, floats=True)
    if rounding_mode not in ("floor", "trunc"):
        raise ArgumentError('rounding_mode is None, "floor" or "trunc"', got=repr(rounding_mode))
    a, b = aligned((input, other))
    if not is_float(a.dtype):
        if rounding_mode == "floor":
            return binary(arithmetic.floordiv, input, other)
        exact = a - arithmetic.sign(a) * arithmetic.remainder(arithmetic.abs(a), arithmetic.abs(b))
        return wrap(arithmetic.floordiv(exact, b))
    return (floor if rounding_mode == "floor" else trunc)(wrap(a / b))


@function(inplace=True)
def floor_divide(input: Any, other: Any) -> Tensor:
    """input / other, rounded down."""
    return div(input, other, rounding_mode="floor")


setattr(Tensor, "__floordiv__", floor_divide)  # noqa: B010
setattr(Tensor, "__rfloordiv__", lambda self, other: floor_divide(other, self))  # noqa: B010


@function(inplace=True)
def floor(input: Tensor) -> Tensor:
    """Rounded down; integers stay as they are."""
    return unary(arithmetic.floor, input) if is_float(input.dtype) else clone(input)


@function(inplace=True)
def ceil(input: Tensor) -> Tensor:
    """Rounded up."""
    return -floor(-input)


@function(inplace=True, names=("fix",))
def trunc(input: Tensor) -> Tensor:
    """Rounded towards zero."""
    return sign(input) * floor(abs(input))


@function(inplace=True)
def frac(input: Tensor) -> Tensor:
    """What `trunc` takes away."""
    return input - trunc(input)


@function(inplace=True)
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Rounded to the nearest, halves to even; ``decimals`` places are kept."""
    if not is_float(input.dtype):
        return clone(input)
    if decimals == 0:
        return unary(arithmetic.round, input)
    return unary(arithmetic.round, input * 10.0**decimals) / 10.0**decimals


@function(inplace=True)
def fmod(input: Any, other: Any) -> Tensor:
    """What is left of the division towards zero; it has the sign of ``input``."""
    taken: Tensor = div(input, other, rounding_mode="trunc") * other
    return binary(arithmetic.sub, input, taken)


@overload
def where_(condition: Tensor, input: Any, other: Any) -> Tensor: ...
@overload
def where_(condition: Tensor) -> tuple[Tensor, ...]: ...
@function(names=("where",))
def where_(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """``input`` where the condition holds, else ``other``; with a condition alone, the indices where it holds.

    The gradient goes to the branch that was taken; the other one's may be inf or nan without harm.
    """
    if input is None or other is None:
        return condition.nonzero(as_tuple=True)
    if condition.dtype != bool_:
        raise DtypeError("where needs a boolean condition", got=str(condition.node.spec), fix="compare, e.g. x > 0")
    a, b = aligned((input, other))
    shape = _broadcast(condition.shape, a.shape, b.shape)
    return wrap(apply(compare.where, (fit(condition.node, shape), fit(a, shape), fit(b, shape)), {}))


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    from ..spec import broadcast_shapes

    return broadcast_shapes(*shapes)


@method_only("where")
def _where_method(self: Tensor, condition: Tensor, other: Any) -> Any:
    """This tensor where the condition holds, else ``other``."""
    return where_(condition, self, other)


@function(inplace=True, names=("clip",))
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Held between ``min`` and ``max`` (numbers or tensors); the gradient is cut where the bound was taken."""
    if min is None and max is None:
        raise ArgumentError("clamp needs min, max or both", fix="use clamp(min=...) or clamp(max=...)")
    result = input
    if min is not None:
        result = where_(result < min, min, result)
    if max is not None:
        result = where_(result > max, max, result)
    return result


@function(inplace=True)
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """Held above ``min``."""
    return clamp(input, min=min)


@function(inplace=True)
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """Held below ``max``."""
    return clamp(input, max=max)


@function(inplace=True)
def rsqrt(input: Tensor) -> Tensor:
    """1 / sqrt(input)."""
    return 1.0 / sqrt(input)


@function(inplace=True)
def reciprocal(input: Tensor) -> Tensor:
    """1 / input."""
    return 1.0 / input


@function(inplace=True)
def square(input: Tensor) -> Tensor:
    """input * input."""
    return input**2


@function(inplace=True)
def log2(input: Tensor) -> Tensor:
    """The logarithm to base 2."""
    return log(input) * (1 / math.log(2))


@function(inplace=True)
def log10(input: Tensor) -> Tensor:
    """The logarithm to base 10."""
    return log(input) * (1 / math.log(10))


@function(inplace=True)
def exp2(input: Tensor) -> Tensor:
    """2 to the power of the input."""
    return exp(input * math.log(2))


@function(inplace=True)
def erfc(input: Tensor) -> Tensor:
    """1 - erf(input)."""
    return 1.0 - erf(input)


@function()
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(input) + exp(other)) without overflow."""
    larger = maximum(input, other).detach()
    return larger + log(exp(input - larger) + exp(other - larger))


@function(inplace=True, names=("arctan2",))
def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle of the point (other, input), in radians, with its quadrant."""
    flat = atan(input / where_(other == 0, 1.0, other))
    turned = where_(other < 0, where_(input < 0, flat - math.pi, flat + math.pi), flat)
    upright = atan(other / where_(input == 0, 1.0, input))
    steep = abs(input) > abs(other)
    return where_(steep, where_(input > 0, math.pi / 2 - upright, -math.pi / 2 - upright), turned)


@function(inplace=True)
def xlogy(input: Any, other: Any) -> Tensor:
    """input * log(other), and 0 where input is 0."""
    flat = (input == 0) & ((other <= 0) | (other == math.inf))
    return where_(flat, 0.0, input * log(where_(flat, 1.0, other)))


@function(inplace=True)
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight * (end - input)."""
    moved: Tensor = (end - input) * weight
    return input + moved


@function(inplace=True)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 * tensor2."""
    return input + tensor1 * (tensor2 if value == 1 else tensor2 * value)


@function(inplace=True)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 / tensor2."""
    return input + (tensor1 if value == 1 else tensor1 * value) / tensor2


@function()
def clone(input: Tensor) -> Tensor:
    """A copy that keeps the history."""
    from ..ops.shape import copy

    return wrap(apply(copy, (node_of(input),), {}))


@method_only("to")
def _to(
    self: Tensor, *args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False, copy: bool = False
) -> Tensor:
    """This tensor in another dtype, or in that of another tensor; a device must be the CPU. A new one with ``copy``."""
    from .create import check_device

    for given in (*args, device):
        if isinstance(given, Tensor):
            dtype = given.dtype
        elif isinstance(given, str) and given.split(":")[0] in ("cpu", "cuda", "mps", "xpu"):
            check_device(given)
        elif given is not None and not isinstance(given, bool):
            dtype = given
    made = self if dtype is None else type_(self, dtype)
    return clone(made) if copy and made is self else made


@method_only("type", "astype")
def type_(self: Tensor, dtype: Any) -> Tensor:
    """This tensor in another dtype; itself if it has it already."""
    wanted = as_dtype(dtype)
    return self if self.dtype == wanted else wrap(to_dtype(self.node, wanted))


for _name, _wanted in (
    ("float", "float32"),
    ("double", "float64"),
    ("int", "int32"),
    ("long", "int64"),
    ("bool", "bool"),
):
    method_only(_name)(lambda self, dtype=_wanted: type_(self, dtype))


@method_only("type_as")
def _type_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor in the dtype of another."""
    return type_(self, other.dtype)


@method_only()
def contiguous(self: Tensor, *_: Any, **__: Any) -> Tensor:
    """This tensor if its entries lie in order, else a copy of it in which they do."""
    return self if self.is_contiguous() else clone(self)


@method_only("cpu")
def _itself(self: Tensor, *_: Any, **__: Any) -> Tensor:
    """This tensor: it is on the CPU."""
    return self


@method_only()
def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Put the entries of ``src``, broadcast to this tensor's shape, in place of its own."""
    from ..ops.shape import copy, expand

    node = to_dtype(node_of(src, self.node), self.dtype)
    node = apply(copy, (node,), {}) if node.shape == self.shape else expand(node, shape=self.shape)
    return self.write(node)


@method_only()
def fill_(self: Tensor, value: Any) -> Tensor:
    """Put one number everywhere, in place."""
    return copy_(self, value)


@method_only()
def zero_(self: Tensor) -> Tensor:
    """Put 0 everywhere, in place."""
    return copy_(self, 0)


IN_PLACE = {
    "iadd": "add_", "isub": "sub_", "imul": "mul_", "itruediv": "div_", "ifloordiv": "floor_divide_",
    "imod": "remainder_", "ipow": "pow_", "iand": "bitwise_and_", "ior": "bitwise_or_", "ixor": "bitwise_xor_",
}  # fmt: skip
"""Augmented assignments write in place, as in PyTorch: ``x += 1`` is ``x.add_(1)``, also for all views of x."""
for _name, _method in IN_PLACE.items():
    setattr(Tensor, f"__{_name}__", getattr(Tensor, _method))

_published: list[Callable[..., Tensor]] = [
    getattr(Tensor, name) for name in ("exp", "log", "sqrt", "abs", "sign", "erf", "atan", "maximum")
]
exp, log, sqrt, abs, sign, erf, atan, maximum = _published
