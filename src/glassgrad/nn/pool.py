"""Pooling layers: the largest number or the mean of each window."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from . import functional as F
from .functional._common import sizes
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "MaxPool1d",
    "MaxPool2d",
]


class _MaxPool(Module):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest number of each window: (N, C, L) or (C, L) gives (N, C, L').

    The stride is the kernel size unless given. With ``return_indices`` the places come too. Its gradient goes to the
    first of equals. Raises ArgumentError for padding of more than half the kernel.

    >>> nn.MaxPool1d(2)(gg.tensor([[[1.0, 5.0, 2.0, 3.0]]])).tolist()
    [[[5.0, 3.0]]]
    """

    def forward(self, input: Tensor) -> Any:
        return F.max_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxPool2d(_MaxPool):
    """The largest number of each window: (N, C, H, W) or (C, H, W) gives (N, C, H', W').

    Arguments are one number or two; the stride is the kernel size unless given. With ``return_indices`` the places
    come too. Its gradient goes to the first of equals. Raises ArgumentError for padding of more than half the kernel.

    >>> nn.MaxPool2d(2)(gg.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """

    def forward(self, input: Tensor) -> Any:
        return F.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class AvgPool1d(Module):
    """The mean of each window: (N, C, L) or (C, L) gives (N, C, L').

    The stride is the kernel size unless given; ``count_include_pad`` counts the zeros put around.
    Raises ArgumentError for padding of more than half the kernel.

    >>> nn.AvgPool1d(2)(gg.tensor([[[1.0, 5.0, 2.0, 4.0]]])).tolist()
    [[[3.0, 3.0]]]
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 1, "kernel_size")
        self.stride = self.kernel_size if stride is None else sizes(stride, 1, "stride")
        self.padding = sizes(padding, 1, "padding")
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of each window: (N, C, H, W) or (C, H, W) gives (N, C, H', W').

    Arguments are one number or two; the stride is the kernel size unless given. ``count_include_pad`` counts the
    zeros put around; ``divisor_override`` divides by another number than that of the entries.
    Raises ArgumentError for padding of more than half the kernel.

    >>> nn.AvgPool2d(2)(gg.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _Adaptive(Module):
    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_Adaptive):
    """Means of nearly equal windows, so that (N, C, L) or (C, L) becomes (N, C, output_size).

    >>> nn.AdaptiveAvgPool1d(2)(gg.tensor([[[1.0, 3.0, 5.0]]])).tolist()
    [[[2.0, 4.0]]]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_Adaptive):
    """Means of nearly equal windows, so that (N, C, H, W) or (C, H, W) becomes (N, C, *output_size).

    ``output_size`` is one number or two; None keeps a size.

    >>> tuple(nn.AdaptiveAvgPool2d((3, None))(gg.ones(1, 2, 5, 7)).shape)
    (1, 2, 3, 7)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


class _AdaptiveMax(_Adaptive):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class AdaptiveMaxPool1d(_AdaptiveMax):
    """Maxima of nearly equal windows, so that (N, C, L) or (C, L) becomes (N, C, output_size).

    With ``return_indices`` the places come too.

    >>> nn.AdaptiveMaxPool1d(2)(gg.tensor([[[1.0, 3.0, 2.0]]])).tolist()
    [[[3.0, 3.0]]]
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMax):
    """Maxima of nearly equal windows, so that (N, C, H, W) or (C, H, W) becomes (N, C, *output_size).

    ``output_size`` is one number or two; None keeps a size. With ``return_indices`` the places come too.

    >>> tuple(nn.AdaptiveMaxPool2d(3)(gg.ones(1, 2, 5, 7)).shape)
    (1, 2, 3, 3)
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)
