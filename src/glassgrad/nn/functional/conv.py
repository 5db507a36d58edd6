"""Convolutions over one or two spatial dimensions."""

from __future__ import annotations

from typing import Any

from ... import functions as fn
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor
from ._common import batched, sizes
from .shape import pad

__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"]


def _with_bias(y: Tensor, bias: Tensor | None, n: int) -> Tensor:
    return y if bias is None else y + bias.reshape((-1, *(1,) * n))


def same_padding(kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> list[tuple[int, int]]:
    """How much padding before and after keeps each size; where the total is odd, the larger part comes after."""
    if any(s != 1 for s in stride):
        raise ArgumentError("padding='same' keeps the size, which needs stride 1", got=f"stride {stride}")
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


def _conv(
    n: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    name = f"conv{n}d"
    x, alone = batched(input, n, name)
    if weight.dim() != n + 2 or x.shape[1] != weight.shape[1] * groups:
        raise ShapeError(
            f"{name} takes {weight.shape[1] * groups} channels (the weight's dimension 1 times groups={groups})",
            got=f"input {tuple(input.shape)}, weight {tuple(weight.shape)}",
        )
    stride, dilation = sizes(stride, n, "stride"), sizes(dilation, n, "dilation")
    if isinstance(padding, str):
        if padding == "same":
            around = same_padding(tuple(weight.shape[2:]), stride, dilation)
            extra = [v for before, after in reversed(around) for v in (0, after - before)]
            if any(extra):
                x = pad(x, extra)
            padding = tuple(before for before, _ in around)
        elif padding == "valid":
            padding = (0,) * n
        else:
            raise ArgumentError("padding is a number for each dimension, 'same' or 'valid'", got=repr(padding))
    padding = sizes(padding, n, "padding")
    y = _with_bias(fn.conv(x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups), bias, n)
    return y.squeeze(0) if alone else y


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Slides a kernel along: (N, C, L) or (C, L) with (O, C / groups, k) gives (N, O, L').

    ``padding`` is a number, ``"same"`` or ``"valid"``. L' = (L + 2 padding - dilation (k - 1) - 1) // stride + 1.

    >>> nn.functional.conv1d(gg.ones(1, 1, 4), gg.ones(1, 1, 3)).tolist()
    [[[3.0, 3.0]]]
    """
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Slides a kernel over images: (N, C, H, W) or (C, H, W) with (O, C / groups, kh, kw) gives (N, O, H', W').

    ``padding`` is a number or two, ``"same"`` or ``"valid"``. Raises ShapeError when the channels do not agree.

    >>> nn.functional.conv2d(gg.ones(1, 1, 2, 3), gg.ones(1, 1, 2, 2)).tolist()
    [[[[4.0, 4.0]]]]
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    name = f"conv_transpose{n}d"
    x, alone = batched(input, n, name)
    if weight.dim() != n + 2 or x.shape[1] != weight.shape[0]:
        raise ShapeError(
            f"{name} takes {weight.shape[0]} channels (the weight's dimension 0)",
            got=f"input {tuple(input.shape)}, weight {tuple(weight.shape)}",
        )
    stride, dilation = sizes(stride, n, "stride"), sizes(dilation, n, "dilation")
    padding, output_padding = sizes(padding, n, "padding"), sizes(output_padding, n, "output_padding")
    if any(o >= s and o >= d for o, s, d in zip(output_padding, stride, dilation, strict=True)):
        raise ArgumentError(
            "output_padding is smaller than stride or dilation",
            got=f"output_padding {output_padding}, stride {stride}, dilation {dilation}",
        )
    y = fn.conv_transpose(
        x, weight, stride=stride, padding=padding, output_padding=output_padding, dilation=dilation, groups=groups
    )
    y = _with_bias(y, bias, n)
    return y.squeeze(0) if alone else y


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of conv1d: (N, C, L) with (C, O / groups, k) gives (N, O, L').

    L' = (L - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1.

    >>> nn.functional.conv_transpose1d(gg.ones(1, 1, 2), gg.ones(1, 1, 2), stride=2).tolist()
    [[[1.0, 1.0, 1.0, 1.0]]]
    """
    return _conv_transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of conv2d: (N, C, H, W) with (C, O / groups, kh, kw) gives (N, O, H', W').

    >>> tuple(nn.functional.conv_transpose2d(gg.ones(1, 1, 2, 3), gg.ones(1, 5, 2, 2), stride=2).shape)
    (1, 5, 4, 6)
    """
    return _conv_transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)
