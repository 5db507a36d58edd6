"""Dropout layers: in training mode numbers or whole channels become 0 by chance."""

from __future__ import annotations

from ..errors import ArgumentError
from ..tensor import Tensor
from . import functional as F
from .module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "FeatureAlphaDropout"]


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError("The chance to be dropped is between 0 and 1", got=f"p={p}")
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training mode each number becomes 0 with chance p, else it is divided by 1 - p (Srivastava et al. 2014).

    Any shape. In evaluation mode it is the input itself. Raises ArgumentError for a p outside [0, 1].

    >>> nn.Dropout(0.5).eval()(gg.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """In training mode drops whole channels of (N, C, L) or (C, L) (Tompson et al. 2014, arXiv:1411.4280).

    >>> tuple(nn.Dropout1d()(gg.ones(2, 3, 5)).shape)
    (2, 3, 5)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """In training mode drops whole channels of (N, C, H, W).

    >>> tuple(nn.Dropout2d()(gg.ones(2, 3, 5, 7)).shape)
    (2, 3, 5, 7)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout for SELU nets: keeps mean 0 and variance 1 (Klambauer et al. 2017, arXiv:1706.02515). Any shape.

    >>> nn.AlphaDropout().eval()(gg.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels of (N, C, *).

    >>> tuple(nn.FeatureAlphaDropout()(gg.ones(2, 3, 5)).shape)
    (2, 3, 5)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)
