"""The softmax family and the gated linear unit as layers: activations that look along a dimension."""

from __future__ import annotations

from ..errors import ArgumentError
from ..tensor import Tensor
from . import functional as F
from .module import Module

__all__ = ["GLU", "LogSoftmax", "Softmax", "Softmax2d", "Softmin"]


class GLU(Module):
    """a * sigmoid(b) for the two halves of ``dim`` (Dauphin et al. 2016, arXiv:1612.08083). Halves that dimension.

    Raises ShapeError when it is odd.

    >>> nn.GLU()(gg.tensor([4.0, 0.0])).tolist()
    [2.0]
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class _Dim(Module):
    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_Dim):
    """exp(x) / sum(exp(x)) over ``dim``. Any shape. Without ``dim`` it is guessed, with a warning.

    >>> nn.Softmax(dim=1)(gg.tensor([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)


class Softmin(_Dim):
    """softmax(-x) over ``dim``. Any shape. Without ``dim`` it is guessed, with a warning.

    >>> nn.Softmin(dim=0)(gg.tensor([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim)


class LogSoftmax(_Dim):
    """log(softmax(x)) over ``dim``, without overflow. Any shape. Without ``dim`` it is guessed, with a warning.

    >>> nn.LogSoftmax(dim=0)(gg.tensor([1000.0, 0.0])).tolist()
    [0.0, -1000.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)


class Softmax2d(Module):
    """softmax over the channels of (N, C, H, W) or (C, H, W). Raises ArgumentError for another number of dimensions.

    >>> nn.Softmax2d()(gg.zeros(2, 1, 1)).flatten().tolist()
    [0.5, 0.5]
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ArgumentError("Softmax2d takes (N, C, H, W) or (C, H, W)", got=f"shape {tuple(input.shape)}")
        return F.softmax(input, -3)
