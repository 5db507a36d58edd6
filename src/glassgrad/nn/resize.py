"""Layers that pad, resize, and take images apart and together again."""

from __future__ import annotations

from typing import Any, ClassVar

from ..tensor import Tensor
from . import functional as F
from .functional._common import sizes
from .module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "Fold",
    "PixelShuffle",
    "PixelUnshuffle",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "Unfold",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "ZeroPad1d",
    "ZeroPad2d",
]


class _Pad(Module):
    """``padding`` is one number for all sides, or two for each dimension from the last one on."""

    dimensions: ClassVar[int]
    mode: ClassVar[str] = "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = sizes(padding, 2 * self.dimensions, "padding")

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """The same number before and after the last dimension; negative amounts cut off.

    >>> nn.ConstantPad1d((1, 2), 7.0)(gg.tensor([[1.0, 2.0]])).tolist()
    [[7.0, 1.0, 2.0, 7.0, 7.0]]
    """

    dimensions = 1


class ConstantPad2d(_ConstantPad):
    """The same number around the last two dimensions: (left, right, top, bottom), or one amount for all.

    >>> tuple(nn.ConstantPad2d((1, 2, 0, 3), 7.0)(gg.ones(1, 1, 2, 2)).shape)
    (1, 1, 5, 5)
    """

    dimensions = 2


class ZeroPad1d(_ConstantPad):
    """Zeros before and after the last dimension.

    >>> nn.ZeroPad1d(1)(gg.tensor([[1.0, 2.0]])).tolist()
    [[0.0, 1.0, 2.0, 0.0]]
    """

    dimensions = 1

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(_ConstantPad):
    """Zeros around the last two dimensions: (left, right, top, bottom), or one amount for all.

    >>> tuple(nn.ZeroPad2d(1)(gg.ones(1, 1, 2, 3)).shape)
    (1, 1, 4, 5)
    """

    dimensions = 2

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ReflectionPad1d(_Pad):
    """The numbers mirrored at both ends of (N, C, L) or (C, L), the end itself not repeated.

    Raises ShapeError when there is more to mirror than there are numbers.

    >>> nn.ReflectionPad1d(2)(gg.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]]
    """

    dimensions, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """The numbers mirrored at all sides of (N, C, H, W) or (C, H, W): (left, right, top, bottom).

    >>> tuple(nn.ReflectionPad2d(1)(gg.ones(1, 1, 2, 3)).shape)
    (1, 1, 4, 5)
    """

    dimensions, mode = 2, "reflect"


class ReplicationPad1d(_Pad):
    """The end repeated at both ends of (N, C, L) or (C, L).

    >>> nn.ReplicationPad1d(2)(gg.tensor([[1.0, 2.0]])).tolist()
    [[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]]
    """

    dimensions, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """The edge repeated at all sides of (N, C, H, W) or (C, H, W): (left, right, top, bottom).

    >>> tuple(nn.ReplicationPad2d(1)(gg.ones(1, 1, 2, 3)).shape)
    (1, 1, 4, 5)
    """

    dimensions, mode = 2, "replicate"


class CircularPad1d(_Pad):
    """The numbers of the other end at both ends of (N, C, L) or (C, L).

    >>> nn.CircularPad1d(1)(gg.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[3.0, 1.0, 2.0, 3.0, 1.0]]
    """

    dimensions, mode = 1, "circular"


class CircularPad2d(_Pad):
    """The numbers of the other side at all sides of (N, C, H, W) or (C, H, W): (left, right, top, bottom).

    >>> tuple(nn.CircularPad2d(1)(gg.ones(1, 1, 2, 3)).shape)
    (1, 1, 4, 5)
    """

    dimensions, mode = 2, "circular"


class Upsample(Module):
    """Resizes (N, C, L) or (N, C, H, W) to ``size`` or by ``scale_factor``.

    The mode is "nearest", "linear" or "bilinear". Raises NotCovered for the others.

    >>> nn.Upsample(scale_factor=2)(gg.tensor([[[1.0, 2.0]]])).tolist()
    [[[1.0, 1.0, 2.0, 2.0]]]
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.mode, self.align_corners = size, mode, align_corners
        self.recompute_scale_factor = recompute_scale_factor
        self.scale_factor = tuple(map(float, scale_factor)) if isinstance(scale_factor, tuple) else scale_factor
        if scale_factor and not isinstance(scale_factor, tuple):
            self.scale_factor = float(scale_factor)

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        how = f"size={self.size!r}" if self.scale_factor is None else f"scale_factor={self.scale_factor!r}"
        return f"{how}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Resizes (N, C, H, W) to ``size`` or by ``scale_factor``, each number taken from the nearest.

    >>> tuple(nn.UpsamplingNearest2d(scale_factor=2)(gg.ones(1, 1, 2, 3)).shape)
    (1, 1, 4, 6)
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Resizes (N, C, H, W) to ``size`` or by ``scale_factor``, bilinearly, the corners kept in place.

    >>> tuple(nn.UpsamplingBilinear2d(size=(4, 6))(gg.ones(1, 1, 2, 3)).shape)
    (1, 1, 4, 6)
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)


class PixelShuffle(Module):
    """(*, C r², H, W) to (*, C, H r, W r): channels become pixels (Shi et al. 2016, arXiv:1609.05158).

    >>> tuple(nn.PixelShuffle(2)(gg.ones(1, 8, 3, 5)).shape)
    (1, 2, 6, 10)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(*, C, H r, W r) to (*, C r², H, W): undoes `PixelShuffle`.

    >>> tuple(nn.PixelUnshuffle(2)(gg.ones(1, 2, 6, 10)).shape)
    (1, 8, 3, 5)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class Unfold(Module):
    """All patches of (N, C, H, W) or (C, H, W) as columns: (N, C kh kw, number of patches).

    >>> tuple(nn.Unfold((2, 3))(gg.ones(1, 2, 5, 7)).shape)
    (1, 12, 20)
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Adds columns up into an image: (N, C kh kw, number of patches) to (N, C, *output_size). Transposes `Unfold`.

    >>> nn.Fold((1, 3), (1, 2))(gg.ones(1, 2, 2)).tolist()
    [[[[1.0, 2.0, 1.0]]]]
    """

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
