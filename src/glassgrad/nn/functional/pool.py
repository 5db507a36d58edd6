"""Pooling: the largest number or the mean of each window."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as fn
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor
from ._common import batched, sizes
from .shape import pad

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
]


def _take(x: Tensor, index: Tensor) -> Tensor:
    """The entries of (N, C, *spatial) at flat spatial positions."""
    shape = tuple(index.shape)
    return x.flatten(2).gather(2, index.flatten(2)).reshape(shape)


def _max_pool(
    n: int, input: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Tensor, Tensor]:
    x, alone = batched(input, n, f"max_pool{n}d")
    kernel = sizes(kernel_size, n, "kernel_size")
    strides = kernel if stride is None or stride == [] else sizes(stride, n, "stride")
    padding, dilation = sizes(padding, n, "padding"), sizes(dilation, n, "dilation")
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ArgumentError("padding is at most half of the kernel", got=f"padding {padding}, kernel {kernel}")
    index = fn.max_pool_index(
        x, kernel=kernel, stride=strides, padding=padding, dilation=dilation, ceil_mode=bool(ceil_mode)
    )
    y = _take(x, index)
    return (y.squeeze(0), index.squeeze(0)) if alone else (y, index)


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest number of each window: (N, C, L) or (C, L) gives (N, C, L'); with its place if asked for.

    Its gradient goes to the first of equals. Padding is never chosen. Raises ArgumentError for too much of it.

    >>> nn.functional.max_pool1d(gg.tensor([[[1.0, 5.0, 2.0, 3.0]]]), 2).tolist()
    [[[5.0, 3.0]]]
    """
    y, index = _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode)
    return (y, index) if return_indices else y


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest number of each window: (N, C, H, W) or (C, H, W) gives (N, C, H', W'); with its place if asked for.

    Its gradient goes to the first of equals. Padding is never chosen. Raises ArgumentError for too much of it.

    >>> nn.functional.max_pool2d(gg.arange(16.0).reshape(1, 1, 4, 4), 2).tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """
    y, index = _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode)
    return (y, index) if return_indices else y


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool1d` and the flat spatial position of each maximum."""
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool2d` and the flat spatial position of each maximum."""
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode)


def _windows(size: int, k: int, s: int, p: int, ceil_mode: bool) -> int:
    count = (size + 2 * p - k + (s - 1 if ceil_mode else 0)) // s + 1
    if ceil_mode and (count - 1) * s >= size + p:  # a window has to start inside the input or the padding before it
        count -= 1
    return count


def _avg_pool(
    n: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    x, alone = batched(input, n, f"avg_pool{n}d")
    kernel = sizes(kernel_size, n, "kernel_size")
    strides = kernel if stride is None or stride == [] else sizes(stride, n, "stride")
    padding = sizes(padding, n, "padding")
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ArgumentError("padding is at most half of the kernel", got=f"padding {padding}, kernel {kernel}")
    if divisor_override == 0:
        raise ArgumentError("divisor_override cannot be 0")
    have = tuple(int(s) for s in x.shape[2:])
    counts = tuple(_windows(h, k, s, p, ceil_mode) for h, k, s, p in zip(have, kernel, strides, padding, strict=True))
    if min(counts) < 1:
        raise ShapeError(f"A window of {kernel} does not fit into {have}", got=f"padding {padding}")
    tiles = kernel == strides and not any(padding) and not ceil_mode and divisor_override is None
    y = _tile_mean(x, kernel, counts) if tiles else _sum_windows(x, kernel, strides, padding, counts)
    if not tiles and divisor_override is not None:
        y = y / divisor_override
    elif not tiles:
        shares = [
            _window_sizes(h, k, s, p, c, count_include_pad)
            for h, k, s, p, c in zip(have, kernel, strides, padding, counts, strict=True)
        ]
        area = shares[0] if n == 1 else shares[0][:, None] * shares[1]
        y = y / float(area.flat[0]) if (area == area.flat[0]).all() else y / fn.tensor(area).to(x.dtype)
    return y.squeeze(0) if alone else y


def _tile_mean(x: Tensor, kernel: tuple[int, ...], counts: tuple[int, ...]) -> Tensor:
    """Windows side by side are dimensions of their own, so their mean is one reduction."""
    used = tuple(k * c for k, c in zip(kernel, counts, strict=True))
    if used != tuple(x.shape[2:]):
        x = x[(slice(None), slice(None), *(slice(u) for u in used))]
    split = [v for k, c in zip(kernel, counts, strict=True) for v in (c, k)]
    return x.reshape((*x.shape[:2], *split)).mean(tuple(range(3, 3 + len(split), 2)))


def _sum_windows(
    x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], counts: tuple[int, ...]
) -> Tensor:
    """The sum over each window, one dimension after the other: k strided slices for each instead of k * k."""
    after = [
        max((c - 1) * s + k - h - p, 0)
        for h, k, s, p, c in zip(x.shape[2:], kernel, stride, padding, counts, strict=True)
    ]
    x = pad(x, [v for p, a in reversed(list(zip(padding, after, strict=True))) for v in (p, a)])
    for i, (k, s, c) in enumerate(zip(kernel, stride, counts, strict=True)):
        parts = [x[(slice(None),) * (i + 2) + (slice(j, j + (c - 1) * s + 1, s),)] for j in range(k)]
        x = parts[0]
        for part in parts[1:]:
            x = x + part
    return x


def _window_sizes(h: int, k: int, s: int, p: int, count: int, count_include_pad: bool) -> np.ndarray[Any, Any]:
    """How many entries each window has: what ceil_mode adds never counts, padding only if asked for."""
    start = np.arange(count) * s - p
    stop = np.minimum(start + k, h + p)
    if count_include_pad:
        return (stop - start).astype(np.float64)
    return (np.minimum(stop, h) - np.maximum(start, 0)).astype(np.float64)


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window: (N, C, L) or (C, L) gives (N, C, L').

    >>> nn.functional.avg_pool1d(gg.tensor([[[1.0, 5.0, 2.0, 4.0]]]), 2).tolist()
    [[[3.0, 3.0]]]
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window: (N, C, H, W) or (C, H, W) gives (N, C, H', W').

    >>> nn.functional.avg_pool2d(gg.arange(16.0).reshape(1, 1, 4, 4), 2).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _spans(have: int, want: int) -> list[tuple[int, int]]:
    """Where the windows lie that cover ``have`` entries in ``want`` nearly equal parts."""
    return [(i * have // want, -(-(i + 1) * have // want)) for i in range(want)]


def _wanted(output_size: Any, x: Tensor, n: int) -> tuple[int, ...]:
    each = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * n
    if len(each) != n:
        raise ArgumentError(f"output_size is one number, or one for each of the {n} dimensions", got=repr(output_size))
    return tuple(int(have) if want is None else int(want) for want, have in zip(each, x.shape[2:], strict=True))


def _adaptive_avg(n: int, input: Tensor, output_size: Any) -> Tensor:
    x, alone = batched(input, n, f"adaptive_avg_pool{n}d")
    want = _wanted(output_size, x, n)
    have = tuple(int(s) for s in x.shape[2:])
    if want == (1,) * n:
        x = x.mean(tuple(range(2, n + 2)), keepdim=True)
    elif all(w and h % w == 0 for h, w in zip(have, want, strict=True)):
        x = _tile_mean(x, tuple(h // w for h, w in zip(have, want, strict=True)), want)
    else:
        for i, (h, w) in enumerate(zip(have, want, strict=True)):
            front = (slice(None),) * (i + 2)
            x = fn.cat([x[(*front, slice(a, b))].mean(i + 2, keepdim=True) for a, b in _spans(h, w)], i + 2)
    return x.squeeze(0) if alone else x


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Means of nearly equal windows, so that (N, C, L) becomes (N, C, output_size).

    >>> nn.functional.adaptive_avg_pool1d(gg.tensor([[[1.0, 3.0, 5.0]]]), 2).tolist()
    [[[2.0, 4.0]]]
    """
    return _adaptive_avg(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means of nearly equal windows, so that (N, C, H, W) becomes (N, C, *output_size); None keeps a size.

    >>> tuple(nn.functional.adaptive_avg_pool2d(gg.ones(1, 2, 5, 7), (3, None)).shape)
    (1, 2, 3, 7)
    """
    return _adaptive_avg(2, input, output_size)


def _adaptive_max(n: int, input: Tensor, output_size: Any) -> tuple[Tensor, Tensor]:
    x, alone = batched(input, n, f"adaptive_max_pool{n}d")
    want = _wanted(output_size, x, n)
    have = tuple(int(s) for s in x.shape[2:])
    places = np.arange(int(np.prod(have))).reshape(have)
    firsts = []
    values = x.detach()
    spans = [_spans(h, w) for h, w in zip(have, want, strict=True)]
    for cell in np.ndindex(*want):
        window = tuple(slice(*spans[i][c]) for i, c in enumerate(cell))
        inside = fn.tensor(places[window].reshape(-1).astype(np.int64))
        at = values[(slice(None), slice(None), *window)].flatten(2).argmax(2)
        firsts.append(inside[at])
    index = fn.stack(firsts, 2).reshape((*x.shape[:2], *want))
    y = _take(x, index)
    return (y.squeeze(0), index.squeeze(0)) if alone else (y, index)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of nearly equal windows, so that (N, C, L) becomes (N, C, output_size); with their places if asked for.

    >>> nn.functional.adaptive_max_pool1d(gg.tensor([[[1.0, 3.0, 2.0]]]), 2).tolist()
    [[[3.0, 3.0]]]
    """
    y, index = _adaptive_max(1, input, output_size)
    return (y, index) if return_indices else y


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of nearly equal windows, so that (N, C, H, W) becomes (N, C, *output_size); with their places if asked.

    >>> tuple(nn.functional.adaptive_max_pool2d(gg.ones(1, 2, 5, 7), 3).shape)
    (1, 2, 3, 3)
    """
    y, index = _adaptive_max(2, input, output_size)
    return (y, index) if return_indices else y
