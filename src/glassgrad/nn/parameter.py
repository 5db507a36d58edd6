"""A tensor that a module counts among its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import functions as fn
from ..errors import DtypeError, TypeMismatch
from ..tensor import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A tensor to be learned: a `Module` that gets one as an attribute lists it in `parameters()`.

    It shares its values with ``data``; what is computed from it is a plain Tensor.

    Raises TypeMismatch when ``data`` is not a Tensor, DtypeError when a gradient is asked for integers.

    >>> w = nn.Parameter(gg.zeros(2, 3))
    >>> w.requires_grad, type(w + 1) is gg.Tensor
    (True, True)
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = fn.empty(0)
        if not isinstance(data, Tensor):
            raise TypeMismatch(
                "A Parameter is made from a Tensor",
                got=type(data).__name__,
                fix="wrap the values first: Parameter(glassgrad.tensor(values))",
            )
        if requires_grad and data.dtype not in (fn.float32, fn.float64):
            raise DtypeError(
                "Only floating-point tensors can have a gradient",
                got=f"dtype {data.dtype}",
                fix="pass data.float(), or requires_grad=False",
            )
        made: Parameter = cls._adopt(data, requires_grad)
        return made

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        """All is done in `__new__`; this keeps Tensor's own initialiser from running again."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        copied: Parameter = memo[id(self)]
        return copied

    def __reduce_ex__(self, protocol: object) -> tuple[Callable[..., Parameter], tuple[Any, ...]]:
        return _rebuild, (type(self), np.array(self.detach().numpy()), self.requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


def _rebuild(cls: type[Parameter], values: np.ndarray[Any, Any], requires_grad: bool) -> Parameter:
    return cls(fn.tensor(values), requires_grad)
