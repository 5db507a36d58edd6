"""Making tensors: from data, of constants, of ranges, like another one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dispatch import leaf
from ..errors import ArgumentError, ShapeError, TypeMismatch
from ..spec import Device, Dtype, Shape, as_dtype, default_dtype, number_dtype
from ..tensor import Tensor, wrap
from .register import function, method_only


def make(data: Any, dtype: Any = None, requires_grad: bool = False, *, share: bool = False) -> Tensor:
    """A leaf from numbers, nested lists, arrays or tensors; floats become the default dtype unless they are arrays."""
    array = data.value if isinstance(data, Tensor) else _as_array(data)
    wanted = as_dtype(dtype) if dtype is not None else _natural(data, array)
    with np.errstate(all="ignore"):  # what the dtype cannot hold becomes inf, as everywhere
        array = np.asarray(array, wanted) if share else np.array(array, wanted)
    made = wrap(leaf(array))
    return made.requires_grad_() if requires_grad else made


def _as_array(data: Any) -> Any:
    if isinstance(data, (list, tuple)):
        data = _plain(data)
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ShapeError(f"the nested lists do not form an array: {error}", fix="make all rows equally long") from None
    if array.dtype == object or array.dtype.kind in "USO":
        raise TypeMismatch(f"cannot make a tensor of {type(data).__name__}", got=repr(data)[:80])
    return array


def _plain(data: Any) -> Any:
    """Nested lists with the tensors in them as arrays."""
    if isinstance(data, (list, tuple)):
        return [_plain(entry) for entry in data]
    return np.asarray(data.detach().value) if isinstance(data, Tensor) else data


def _natural(data: Any, array: Any) -> Dtype:
    """The dtype a tensor of ``data`` gets when none is asked for."""
    if isinstance(data, (np.ndarray, np.generic, Tensor)):
        return as_dtype(array.dtype)
    first = data
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    if isinstance(first, (np.ndarray, np.generic, Tensor)):
        return as_dtype(array.dtype)
    return default_dtype() if array.dtype.kind == "f" else as_dtype(array.dtype)


@function(method=False)
def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of ``data``: numbers, nested lists, arrays or tensors.

    >>> import glassgrad as gg
    >>> gg.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    check_device(device)
    return make(data, dtype, requires_grad)


@function(method=False, names=("asarray",))
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` as a tensor: a tensor of the dtype is returned as it is, an array's memory is shared."""
    check_device(device)
    if isinstance(data, Tensor):
        return data if dtype is None or data.dtype == as_dtype(dtype) else data.to(as_dtype(dtype))
    return make(data, dtype, share=isinstance(data, np.ndarray))


@function(method=False)
def from_numpy(array: Any) -> Tensor:
    """A tensor over the array's memory: changes to the array are seen, in-place operations leave it alone."""
    if not isinstance(array, np.ndarray):
        raise TypeMismatch("from_numpy takes a NumPy array", got=type(array).__name__, fix="use glassgrad.tensor(...)")
    return make(array, share=True)


def check_device(device: Any) -> None:
    """glassgrad computes on the CPU; any other device is refused."""
    if device is not None:
        Device(device)


def sizes(given: tuple[Any, ...], what: str = "size") -> Shape:
    """A shape given as separate integers or as one sequence."""
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = tuple(given[0])
    try:
        shape = tuple(size.__index__() for size in given)
    except (AttributeError, TypeError):
        raise TypeMismatch(f"{what} must be integers", got=repr(given)) from None
    if any(size < 0 for size in shape):
        raise ShapeError(f"{what} cannot be negative", got=repr(list(shape)))
    return shape


def _leaf(array: Any, requires_grad: bool = False) -> Tensor:
    made = wrap(leaf(array))
    return made.requires_grad_() if requires_grad else made


def _dtype(dtype: Any, otherwise: Dtype | None = None) -> Dtype:
    return as_dtype(dtype) if dtype is not None else otherwise or default_dtype()


@function(method=False)
def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the given shape."""
    check_device(device)
    return _leaf(np.zeros(sizes(size), _dtype(dtype)), requires_grad)


@function(method=False)
def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the given shape."""
    check_device(device)
    return _leaf(np.ones(sizes(size), _dtype(dtype)), requires_grad)


@function(method=False)
def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor to be filled; its entries are 0 until then."""
    return zeros(*size, dtype=dtype, device=device, requires_grad=requires_grad)


@function(method=False)
def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of shape ``size`` with ``fill_value`` everywhere."""
    check_device(device)
    number = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    with np.errstate(all="ignore"):
        return _leaf(np.full(sizes((size,)), number, _dtype(dtype, number_dtype(number))), requires_grad)


@function(method=False)
def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape and dtype of ``input``."""
    return zeros(input.shape, dtype=_dtype(dtype, input.dtype), device=device, requires_grad=requires_grad)


@function(method=False)
def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the shape and dtype of ``input``."""
    return ones(input.shape, dtype=_dtype(dtype, input.dtype), device=device, requires_grad=requires_grad)


@function(method=False)
def empty_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor to be filled, of the shape and dtype of ``input``."""
    return zeros_like(input, dtype=dtype, device=device, requires_grad=requires_grad)


@function(method=False)
def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``fill_value`` everywhere, in the shape and dtype of ``input``."""
    dtype = _dtype(dtype, input.dtype)
    return full(input.shape, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


@method_only()
def new_zeros(self: Tensor, *size: Any, dtype: Any = None) -> Tensor:
    """Zeros of another shape in this tensor's dtype."""
    return zeros(*size, dtype=_dtype(dtype, self.dtype))


@method_only()
def new_ones(self: Tensor, *size: Any, dtype: Any = None) -> Tensor:
    """Ones of another shape in this tensor's dtype."""
    return ones(*size, dtype=_dtype(dtype, self.dtype))


@method_only()
def new_full(self: Tensor, size: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """``fill_value`` in another shape, in this tensor's dtype."""
    return full(size, fill_value, dtype=_dtype(dtype, self.dtype))


@method_only()
def new_tensor(self: Tensor, data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ``data`` in this tensor's dtype."""
    return make(data, _dtype(dtype, self.dtype), requires_grad)


@function(method=False)
def eye(n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal, zeros elsewhere."""
    return _leaf(np.eye(n, n if m is None else m, dtype=_dtype(dtype)), requires_grad)


@function(method=False)
def arange(
    start: float, end: float | None = None, step: float = 1, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Numbers from ``start`` (0 if only the end is given) up to, not including, ``end``."""
    check_device(device)
    low, high = (0, start) if end is None else (start, end)
    if step == 0 or (high - low) * step < 0:
        raise ArgumentError("arange: the step must lead from start to end", got=f"start {low}, end {high}, step {step}")
    floats = any(isinstance(number, float) for number in (low, high, step))
    wanted = _dtype(dtype, default_dtype() if floats else np.dtype(np.int64))
    count = math.ceil((high - low) / step)
    return _leaf((low + np.arange(count) * step).astype(wanted), requires_grad)


@function(method=False)
def linspace(start: float, end: float, steps: int, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """``steps`` numbers from ``start`` to ``end``, both included."""
    return _leaf(np.linspace(start, end, steps).astype(_dtype(dtype)), requires_grad)


@function(method=False)
def logspace(
    start: float, end: float, steps: int, base: float = 10.0, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """``steps`` powers of ``base``, from ``base**start`` to ``base**end``."""
    return _leaf(np.logspace(start, end, steps, base=base).astype(_dtype(dtype)), requires_grad)


@function(method=False)
def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a Tensor."""
    return isinstance(obj, Tensor)


@function()
def is_floating_point(input: Tensor) -> bool:
    """Whether the tensor holds floats."""
    return input.dtype.kind == "f"
