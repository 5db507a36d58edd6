"""Layers that multiply with a weight, and those that only change the shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import functions as fn
from ..errors import ArgumentError, TypeMismatch
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Bilinear", "Flatten", "Identity", "Linear", "Unflatten"]


class Identity(Module):
    """The input itself. Any arguments are taken and ignored, so that it can stand in for any layer.

    >>> nn.Identity(54, unused=0.1)(gg.tensor([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """x @ weight.T + bias: (*, in_features) gives (*, out_features).

    The weight is (out_features, in_features); both start even in [-r, r], r = 1 / sqrt(in_features).
    Raises ShapeError when the input's last dimension is not ``in_features``.

    >>> layer = nn.Linear(3, 5)
    >>> tuple(layer(gg.ones(7, 3)).shape), layer
    ((7, 5), Linear(in_features=3, out_features=5, bias=True))
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(fn.empty(out_features, in_features, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(fn.empty(out_features, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias anew."""
        bound = 1.0 / math.sqrt(self.in_features) if self.in_features > 0 else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """sum over i, j of a_i * weight[o, i, j] * b_j, plus bias: (*, in1) and (*, in2) give (*, out).

    Weight and bias start even in [-r, r], r = 1 / sqrt(in1_features).
    Raises ShapeError when the inputs do not fit it or each other.

    >>> tuple(nn.Bilinear(3, 5, 2)(gg.ones(7, 3), gg.ones(7, 5)).shape)
    (7, 2)
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ArgumentError("Bilinear takes one feature or more", got=f"in1_features={in1_features}")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(fn.empty(out_features, in1_features, in2_features, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(fn.empty(out_features, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias anew."""
        bound = 1.0 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Flatten(Module):
    """The dimensions from ``start_dim`` to ``end_dim`` as one: (N, C, H, W) gives (N, C H W).

    >>> tuple(nn.Flatten()(gg.ones(2, 3, 5)).shape)
    (2, 15)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        flat: Tensor = input.flatten(self.start_dim, self.end_dim)
        return flat

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One dimension as several, of the given sizes; one size may be -1. Undoes `Flatten`.

    Raises TypeMismatch unless the sizes are a tuple or list of integers.

    >>> tuple(nn.Unflatten(1, (3, 5))(gg.ones(2, 15)).shape)
    (2, 3, 5)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(unflattened_size, (tuple, list)) or not all(isinstance(s, int) for s in unflattened_size):
            raise TypeMismatch(
                "Unflatten takes a dimension and a tuple of integers as its new sizes",
                got=f"unflattened_size={unflattened_size!r}",
            )
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        wide: Tensor = input.unflatten(self.dim, self.unflattened_size)
        return wide

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
