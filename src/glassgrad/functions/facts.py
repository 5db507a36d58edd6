"""What a tensor is: sizes in bytes, kinds of dtype, where it lies; and what it lacks."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..errors import NotCovered, ShapeError, StateError
from ..spec import DTYPES
from ..tensor import Tensor
from .arranging import cross, matrix_power
from .create import zeros
from .picking import diagonal
from .products import matmul
from .reduction import norm
from .register import function, method_only

finfo, iinfo = np.finfo, np.iinfo


def _linalg_norm(x: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The p-norm of the entries along ``dim``; of a matrix only Frobenius' norm is covered."""
    axes = dim if isinstance(dim, (tuple, list)) else (dim,)
    if isinstance(ord, str) and ord != "fro":
        raise NotCovered(f"linalg.norm: ord={ord!r} is not covered", fix='use a number, or "fro"')
    if ord is not None and ord != "fro" and (len(axes) == 2 or (dim is None and x.ndim == 2)):
        raise NotCovered("linalg.norm: of a matrix only Frobenius' norm is covered", fix="use x.norm(p)")
    return norm(x if dtype is None else x.to(dtype), 2 if ord is None else ord, dim, keepdim)


def _diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonal of the last two dimensions: a view."""
    return diagonal(A, offset, dim1, dim2)


def _multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of several matrices, from left to right."""
    return functools.reduce(matmul, tensors)


@method_only()
def element_size(self: Tensor) -> int:
    """How many bytes one entry takes."""
    return int(self.dtype.itemsize)


@method_only()
def ndimension(self: Tensor) -> int:
    """How many dimensions there are."""
    return self.ndim


@method_only()
def get_device(self: Tensor) -> int:
    """The number of the device: -1, the CPU."""
    return -1


@method_only()
def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Whether both have one shape."""
    return self.shape == other.shape


@method_only()
def new_empty(self: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of another shape to be filled, in this tensor's dtype."""
    return zeros(*size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


@method_only()
def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """Summed down to a shape that broadcasts to this one: what a broadcast operand's gradient is."""
    shape = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    new = self.ndim - len(shape)
    if new < 0 or any(n not in (1, self.shape[at + new]) for at, n in enumerate(shape)):
        raise ShapeError(f"sum_to_size: {list(shape)} does not broadcast to {list(self.shape)}")
    dims = (*range(new), *(at + new for at, n in enumerate(shape) if n == 1 and self.shape[at + new] != 1))
    return (self.sum(dims, True) if dims else self.clone()).reshape(shape)


@function()
def is_nonzero(input: Tensor) -> bool:
    """Whether the one entry is not 0."""
    if input.numel() != 1:
        raise StateError("is_nonzero is for one entry", got=str(input.node.spec), fix="use .any() or .all()")
    return bool(input)


@function()
def is_complex(input: Tensor) -> bool:
    """Whether the tensor holds complex numbers: never."""
    return False


@function()
def is_signed(input: Tensor) -> bool:
    """Whether there are numbers below 0 in the dtype."""
    return input.dtype.kind != "b"


@function(method=False)
def can_cast(from_: Any, to: Any) -> bool:
    """Whether a result of the first dtype may be kept in place in a tensor of the second."""
    from ..spec import CATEGORY, as_dtype

    return CATEGORY[as_dtype(from_)] <= CATEGORY[as_dtype(to)]


@function(method=False)
def result_type(tensor1: Any, tensor2: Any) -> Any:
    """The dtype in which two tensors, or a tensor and a number, meet."""
    from ..spec import Spec
    from ..spec import result_type as rule

    given = (tensor1, tensor2)
    specs = [Spec(x.shape, x.dtype) for x in given if isinstance(x, Tensor)]
    return rule(specs, [x for x in given if not isinstance(x, Tensor)])


cuda = SimpleNamespace(
    is_available=lambda: False, device_count=lambda: 0, manual_seed=lambda seed: None,
    manual_seed_all=lambda seed: None, empty_cache=lambda: None, synchronize=lambda device=None: None,
)  # fmt: skip
"""What scripts ask before they go on on the CPU."""
linalg = SimpleNamespace(
    norm=_linalg_norm, vector_norm=_linalg_norm, matmul=matmul, cross=cross, matrix_power=matrix_power,
    diagonal=_diagonal, multi_dot=_multi_dot,
)  # fmt: skip
"""The functions of ``torch.linalg`` that are covered."""
FACTS: dict[str, Any] = {
    "is_cuda": lambda self: False,
    "is_mps": lambda self: False,
    "is_cpu": lambda self: True,
    "is_sparse": lambda self: False,
    "is_quantized": lambda self: False,
    "itemsize": lambda self: self.dtype.itemsize,
    "nbytes": lambda self: self.dtype.itemsize * self.numel(),
    "H": lambda self: self.t(),
    "mH": lambda self: self.mT,
    "real": lambda self: self,
    "output_nr": lambda self: 0,
}
for _name, _fact in FACTS.items():
    setattr(Tensor, _name, property(_fact))


def _missing(self: Tensor, name: str) -> Any:
    """Only called for names that are not there."""
    if name.startswith("_"):
        raise AttributeError(name)
    if name in ("cuda", "xpu", "mps", "ipu", "hpu"):
        fix = "leave it out, or use .to(device): glassgrad computes on the CPU"
    elif name in ("half", "bfloat16", "short", "char", "byte", "cfloat", "cdouble"):
        fix = "dtypes are " + ", ".join(str(dtype) for dtype in DTYPES)
    else:
        near = difflib.get_close_matches(name, [n for n in dir(type(self)) if not n.startswith("_")], n=1)
        fix = f"the nearest there is: {near[0]}" if near else ""
    raise NotCovered(f"Tensor.{name} is not covered", fix=fix)


setattr(Tensor, "__getattr__", _missing)  # noqa: B010
