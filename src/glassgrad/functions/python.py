"""A tensor where Python asks for a number, an index, a sequence or a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import TypeMismatch
from ..spec import is_float
from ..tensor import Tensor
from .register import method_only


@method_only("__float__")
def _float(self: Tensor) -> float:
    return float(self.item())


@method_only("__int__")
def _int(self: Tensor) -> int:
    return int(self.item())


@method_only("__index__")
def _index(self: Tensor) -> int:
    if is_float(self.dtype):
        raise TypeMismatch("only an integer tensor of one entry can be an index", got=str(self.node.spec))
    return int(self.item())


@method_only("__len__")
def _len(self: Tensor) -> int:
    if not self.shape:
        raise TypeMismatch("len() of a 0-d tensor", fix="use numel() for the number of entries")
    return self.shape[0]


@method_only("__iter__")
def _iter(self: Tensor) -> Iterator[Tensor]:
    if not self.shape:
        raise TypeMismatch("iteration over a 0-d tensor", fix="use item() for its number")
    return iter([self[position] for position in range(self.shape[0])])


@method_only("__contains__")
def _contains(self: Tensor, element: Any) -> bool:
    other = element.value if isinstance(element, Tensor) else element
    return bool((np.asarray(self.value) == other).any())


@method_only("__format__")
def _format(self: Tensor, style: str) -> str:
    return format(self.item(), style) if style and not self.shape else str(self)
