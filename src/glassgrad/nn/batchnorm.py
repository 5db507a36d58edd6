"""Normalisation layers that may keep running statistics: over the batch, over each example's channels."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from .. import functions as fn
from ..errors import ArgumentError
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["BatchNorm1d", "BatchNorm2d", "InstanceNorm1d", "InstanceNorm2d"]


class _Norm(Module):
    """Weight and bias for each channel, and running statistics: what these layers share."""

    dims: ClassVar[tuple[int, ...]]  # how many dimensions the input may have
    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: Any,
        bias: bool,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats

        def empty() -> Tensor:
            made: Tensor = fn.empty(num_features, device=device, dtype=dtype)
            return made

        self.register_parameter("weight", Parameter(empty()) if affine else None)
        self.register_parameter("bias", Parameter(empty()) if affine and bias else None)
        self.register_buffer("running_mean", empty() if track_running_stats else None)
        self.register_buffer("running_var", empty() if track_running_stats else None)
        self.register_buffer("num_batches_tracked", fn.tensor(0) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Sets the running mean to 0, the running variance to 1, the count of batches to 0."""
        for tensor, start in ((self.running_mean, 0.0), (self.running_var, 1.0), (self.num_batches_tracked, 0)):
            if tensor is not None:
                tensor.fill_(start)

    def reset_parameters(self) -> None:
        """Sets the weight to 1, the bias to 0, and the running statistics back."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_dims(self, input: Tensor) -> None:
        if input.dim() not in self.dims:
            raise ArgumentError(
                f"{type(self).__name__} takes {' or '.join(map(str, self.dims))} dimensions",
                got=f"input of shape {tuple(input.shape)}",
                fix="reshape it, or unsqueeze the dimension that is missing",
            )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_Norm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_dims(input)
        momentum: float | Tensor = 0.0 if self.momentum is None else self.momentum
        moving = self.training and self.track_running_stats
        if moving and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None and self.running_mean is not None:  # the mean of all batches so far
                momentum = 1.0 / self.num_batches_tracked.to(self.running_mean.dtype)
        alone = self.running_mean is None and self.running_var is None
        kept = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if kept else None,
            self.running_var if kept else None,
            self.weight,
            self.bias,
            self.training or alone,
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """(x - mean) / sqrt(var + eps) for each channel of (N, C) or (N, C, L), times weight, plus bias (Ioffe & Szegedy
    2015, arXiv:1502.03167).

    In training mode mean and variance are the batch's, and the running ones move towards them by ``momentum`` (None:
    they are the mean over all batches); in evaluation mode they are the running ones, or again the batch's where
    ``track_running_stats`` is False. Weight starts at 1, bias at 0.
    Raises ArgumentError for another number of dimensions and for a single number for each channel, ShapeError for
    another number of channels.

    >>> layer = nn.BatchNorm1d(1, eps=0.0)
    >>> layer(gg.tensor([[1.0], [3.0]])).tolist(), layer.running_mean.mul(10).round().tolist()
    ([[-1.0], [1.0]], [2.0])
    """

    dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """`BatchNorm1d` for images: (x - mean) / sqrt(var + eps) for each channel of (N, C, H, W).

    >>> tuple(nn.BatchNorm2d(3)(gg.ones(2, 3, 5, 7)).shape)
    (2, 3, 5, 7)
    """

    dims = (4,)


class _InstanceNorm(_Norm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_dims(input)
        alone = input.dim() == self.dims[0]
        channels = input.shape[0 if alone else 1]
        if channels != self.num_features:
            if self.affine:
                raise ArgumentError(
                    f"{type(self).__name__} takes {self.num_features} channels",
                    got=f"input of shape {tuple(input.shape)}",
                )
            warnings.warn(
                f"{type(self).__name__} was made for {self.num_features} channels, not {channels}; without affine "
                "it does not matter",
                UserWarning,
                stacklevel=2,
            )
        y = F.instance_norm(
            input.unsqueeze(0) if alone else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return y.squeeze(0) if alone else y


class InstanceNorm1d(_InstanceNorm):
    """(x - mean) / sqrt(var + eps) for each channel of each example of (N, C, L) or (C, L) (Ulyanov et al. 2016,
    arXiv:1607.08022).

    With ``affine`` times weight, plus bias; with ``track_running_stats`` running statistics are kept, and used in
    evaluation mode. Raises ArgumentError for another number of dimensions and for a channel of one number.

    >>> nn.InstanceNorm1d(1, eps=0.0)(gg.tensor([[[1.0, 3.0]]])).tolist()
    [[[-1.0, 1.0]]]
    """

    dims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """`InstanceNorm1d` for images: (x - mean) / sqrt(var + eps) for each channel of (N, C, H, W) or (C, H, W).

    >>> tuple(nn.InstanceNorm2d(3)(gg.ones(2, 3, 5, 7)).shape)
    (2, 3, 5, 7)
    """

    dims = (3, 4)
