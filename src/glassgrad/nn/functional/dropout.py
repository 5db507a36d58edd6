"""Dropout: numbers or whole channels set to zero by chance, the others scaled up to make up for it."""

from __future__ import annotations

import math
import warnings

from ... import functions as fn
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor

__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "feature_alpha_dropout"]


def _drop(x: Tensor, p: float, training: bool, inplace: bool, shape: tuple[int, ...]) -> Tensor:
    if not 0 <= p <= 1:
        raise ArgumentError("The chance to be dropped is between 0 and 1", got=f"p={p}")
    if not training or p == 0:
        return x
    if p == 1:
        y = fn.where(fn.zeros(shape, dtype=fn.bool), x, 0.0)
    else:
        y = (x * (1.0 / (1.0 - p))).masked_fill(fn.rand(shape, dtype=x.dtype) < p, 0.0)
    return x.copy_(y) if inplace else y


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each number becomes 0 with chance p, else it is divided by 1 - p (Srivastava et al. 2014). Any shape.

    When not ``training`` it is the input itself. Raises ArgumentError for a p outside [0, 1].

    >>> nn.functional.dropout(gg.ones(3), training=False).tolist()
    [1.0, 1.0, 1.0]
    """
    return _drop(input, p, training, inplace, tuple(input.shape))


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drops whole channels of (N, C, L) or (C, L) (Tompson et al. 2014, arXiv:1411.4280).

    >>> tuple(nn.functional.dropout1d(gg.ones(2, 3, 5)).shape)
    (2, 3, 5)
    """
    if input.dim() not in (2, 3):
        raise ShapeError("dropout1d takes (N, C, L) or (C, L)", got=f"shape {tuple(input.shape)}")
    return _drop(input, p, training, inplace, (*input.shape[:-1], 1))


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drops whole channels of (N, C, H, W). Three dimensions are taken as (N, C, L), as torch does, with a warning.

    >>> tuple(nn.functional.dropout2d(gg.ones(2, 3, 5, 7)).shape)
    (2, 3, 5, 7)
    """
    if input.dim() not in (3, 4):
        warnings.warn(f"dropout2d takes (N, C, H, W), not {tuple(input.shape)}", UserWarning, stacklevel=3)
    if input.dim() < 2:
        raise ShapeError("dropout2d takes (N, C, H, W)", got=f"shape {tuple(input.shape)}")
    if input.dim() == 3:
        warnings.warn("dropout2d takes three dimensions as (N, C, L): use dropout1d", UserWarning, stacklevel=3)
    return _drop(input, p, training, inplace, (*input.shape[:2], *(1,) * (input.dim() - 2)))


def _alpha_drop(x: Tensor, p: float, training: bool, inplace: bool, shape: tuple[int, ...]) -> Tensor:
    if not 0 <= p <= 1:
        raise ArgumentError("The chance to be dropped is between 0 and 1", got=f"p={p}")
    if not training or p == 0:
        return x
    if p == 1:
        return _drop(x, p, training, inplace, shape)
    low = -1.7580993408473766  # what SELU tends to for x -> -inf
    a = 1.0 / math.sqrt((1.0 - p) * (1.0 + p * low * low))
    y = x.masked_fill(fn.rand(shape, dtype=x.dtype) < p, low) * a - a * p * low
    return x.copy_(y) if inplace else y


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout for SELU nets: keeps mean 0 and variance 1 (Klambauer et al. 2017, arXiv:1706.02515). Any shape.

    >>> nn.functional.alpha_dropout(gg.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """
    return _alpha_drop(input, p, training, inplace, tuple(input.shape))


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels of (N, C, *).

    >>> tuple(nn.functional.feature_alpha_dropout(gg.ones(2, 3, 5), training=True).shape)
    (2, 3, 5)
    """
    if input.dim() < 2:
        raise ShapeError("feature_alpha_dropout takes (N, C, *)", got=f"shape {tuple(input.shape)}")
    return _alpha_drop(input, p, training, inplace, (*input.shape[:2], *(1,) * (input.dim() - 2)))
