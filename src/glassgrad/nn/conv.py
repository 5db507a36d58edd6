"""Convolution layers over one or two spatial dimensions, and their transposes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from .. import functions as fn
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from . import functional as F
from . import init
from .functional._common import sizes
from .functional.conv import same_padding
from .module import Module
from .parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"]

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    """What all convolutions share: checked arguments, weight and bias, printing."""

    dimensions: ClassVar[int]
    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        output_padding: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        transposed: bool,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        n, name = self.dimensions, type(self).__name__
        if groups <= 0 or in_channels % groups or out_channels % groups:
            raise ArgumentError(
                f"{name}'s groups divide the channels, in and out",
                got=f"groups={groups}, in_channels={in_channels}, out_channels={out_channels}",
            )
        if padding_mode not in PADDING_MODES or (transposed and padding_mode != "zeros"):
            raise ArgumentError(
                f"{name}'s padding_mode is " + ("'zeros'" if transposed else " or ".join(map(repr, PADDING_MODES))),
                got=repr(padding_mode),
            )
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels,
            out_channels,
            groups,
            padding_mode,
        )
        self.kernel_size, self.stride = sizes(kernel_size, n, "kernel_size"), sizes(stride, n, "stride")
        self.dilation, self.output_padding = sizes(dilation, n, "dilation"), sizes(output_padding, n, "output_padding")
        self.transposed = transposed
        self.padding: str | tuple[int, ...]
        if isinstance(padding, str):
            self.padding, around = padding, [(0, 0)] * n
            if padding == "same":
                around = same_padding(self.kernel_size, self.stride, self.dilation)
            elif padding != "valid":
                raise ArgumentError("padding is a number for each dimension, 'same' or 'valid'", got=repr(padding))
        else:
            self.padding = sizes(padding, n, "padding")
            around = [(p, p) for p in self.padding]
        self._around = [side for pair in reversed(around) for side in pair]  # as `pad` takes it: last dimension first
        first, second = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.weight = Parameter(fn.empty(first, second // groups, *self.kernel_size, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(fn.empty(out_channels, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias anew."""
        fan_in = math.prod(self.weight.shape[1:])
        bound = 1.0 / math.sqrt(fan_in) if fan_in > 0 else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        n = self.dimensions
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        if self.padding != (0,) * n:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * n:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * n:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)

    def _padded(self, input: Tensor) -> tuple[Tensor, str | tuple[int, ...]]:
        """The input with what is not zeros put around it, and the padding that is left to do."""
        if self.padding_mode == "zeros":
            return input, self.padding
        return F.pad(input, self._around, mode=self.padding_mode), (0,) * self.dimensions


class Conv1d(_Conv):
    """Slides a kernel along: (N, C, L) or (C, L) gives (N, out_channels, L').

    L' = (L + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1; ``padding`` may be "same" or "valid", and
    ``padding_mode`` says what is put around: "zeros", "reflect", "replicate" or "circular". The weight is
    (out_channels, in_channels / groups, kernel_size) and starts, like the bias, even in [-r, r],
    r = sqrt(groups / (in_channels * kernel_size)).
    Raises ArgumentError for groups that do not divide the channels, ShapeError for another number of channels.

    >>> tuple(nn.Conv1d(2, 5, 3, padding=1)(gg.ones(7, 2, 11)).shape)
    (7, 5, 11)
    """

    dimensions = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, False,
            device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        x, padding = self._padded(input)
        return F.conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_Conv):
    """Slides a kernel over images: (N, C, H, W) or (C, H, W) gives (N, out_channels, H', W').

    Arguments are one number or one for each of the two dimensions. ``padding`` may be "same" or "valid", and
    ``padding_mode`` says what is put around: "zeros", "reflect", "replicate" or "circular". The weight is
    (out_channels, in_channels / groups, kh, kw) and starts, like the bias, even in [-r, r],
    r = sqrt(groups / (in_channels kh kw)).
    Raises ArgumentError for groups that do not divide the channels, ShapeError for another number of channels.

    >>> tuple(nn.Conv2d(1, 8, 3, padding="same")(gg.ones(7, 1, 28, 28)).shape)
    (7, 8, 28, 28)
    """

    dimensions = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, False,
            device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        x, padding = self._padded(input)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class _ConvTranspose(_Conv):
    """What transposed convolutions share: the output's size can be asked for."""

    padding: tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if isinstance(padding, str):
            raise ArgumentError(f"{type(self).__name__}'s padding is a number for each dimension", got=repr(padding))
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias,
            padding_mode, True, device, dtype,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """What has to be added at the end to reach ``output_size``."""
        if output_size is None:
            return self.output_padding
        n = self.dimensions
        wanted = tuple(int(size) for size in output_size)
        if len(wanted) == input.dim():
            wanted = wanted[-n:]
        if len(wanted) != n:
            raise ShapeError(
                f"output_size has {n} sizes, or all {input.dim()} of the output's shape", got=f"{tuple(output_size)}"
            )
        least = [
            (have - 1) * s - 2 * p + d * (k - 1) + 1
            for have, s, p, d, k in zip(
                input.shape[-n:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        most = [size + s - 1 for size, s in zip(least, self.stride, strict=True)]
        if any(not low <= size <= high for low, size, high in zip(least, wanted, most, strict=True)):
            raise ArgumentError(
                f"output_size is between {tuple(least)} and {tuple(most)} for this input",
                got=f"{wanted}, input of shape {tuple(input.shape)}",
            )
        return tuple(size - low for size, low in zip(wanted, least, strict=True))


class ConvTranspose1d(_ConvTranspose):
    """The transpose of Conv1d: (N, C, L) or (C, L) gives (N, out_channels, L').

    L' = (L - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1; calling it with ``output_size``
    chooses the output_padding. The weight is (in_channels, out_channels / groups, kernel_size).
    Raises ArgumentError for an output_size that cannot be, ShapeError for another number of channels.

    >>> tuple(nn.ConvTranspose1d(2, 5, 3, stride=2)(gg.ones(7, 2, 4)).shape)
    (7, 5, 9)
    """

    dimensions = 1

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = self._output_padding(input, output_size)
        return F.conv_transpose1d(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )


class ConvTranspose2d(_ConvTranspose):
    """The transpose of Conv2d: (N, C, H, W) or (C, H, W) gives (N, out_channels, H', W').

    Sizes as in `ConvTranspose1d`; calling it with ``output_size`` chooses the output_padding. The weight is
    (in_channels, out_channels / groups, kh, kw).
    Raises ArgumentError for an output_size that cannot be, ShapeError for another number of channels.

    >>> layer = nn.ConvTranspose2d(2, 5, 3, stride=2)
    >>> tuple(layer(gg.ones(7, 2, 4, 4), output_size=(10, 10)).shape)
    (7, 5, 10, 10)
    """

    dimensions = 2

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = self._output_padding(input, output_size)
        return F.conv_transpose2d(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )
