"""Padding, resizing, and taking images apart into patches and together again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import functions as fn
from ...errors import ArgumentError, NotCovered, ShapeError
from ...tensor import Tensor
from ._common import batched, sizes

__all__ = ["fold", "interpolate", "pad", "pixel_shuffle", "pixel_unshuffle", "unfold"]


def _pad_constant(x: Tensor, dim: int, before: int, after: int, value: float) -> Tensor:
    size = x.shape[dim]
    if size + before + after < 0:
        raise ShapeError(
            f"Cutting {-before} and {-after} off leaves nothing of dimension {dim}", got=f"shape {tuple(x.shape)}"
        )
    if before < 0 or after < 0:
        x = x[(slice(None),) * dim + (slice(max(-before, 0), size + min(after, 0)),)]
    shape = tuple(x.shape)
    blocks = [
        fn.full((*shape[:dim], n, *shape[dim + 1 :]), value, dtype=x.dtype) if n > 0 else None for n in (before, after)
    ]
    parts = [part for part in (blocks[0], x, blocks[1]) if part is not None]
    return fn.cat(parts, dim) if len(parts) > 1 else x


def _pad_index(x: Tensor, dim: int, before: int, after: int, mode: str) -> Tensor:
    size = x.shape[dim]
    index = np.arange(-before, size + after)
    if mode == "replicate":
        index = index.clip(0, size - 1)
    elif mode == "circular":
        if max(before, after) > size:
            raise ShapeError(
                f"Circular padding of {before} and {after} goes round dimension {dim} more than once",
                got=f"shape {tuple(x.shape)}",
            )
        index = index % size
    else:
        if max(before, after) >= size:
            raise ShapeError(
                f"Reflecting {before} and {after} needs more than that many along dimension {dim}",
                got=f"shape {tuple(x.shape)}",
            )
        index = size - 1 - np.abs(size - 1 - np.abs(index))
    return x.index_select(dim, fn.tensor(index.astype(np.int64)))


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Adds entries around: ``pad`` is (before, after) of the last dimension, then of the one before it, and so on.

    The mode is ``"constant"`` (with ``value``, any shape; negative amounts cut off), ``"reflect"``, ``"replicate"``
    or ``"circular"`` (over the one or two last dimensions of two to four). Raises ArgumentError for another mode.

    >>> nn.functional.pad(gg.tensor([[1.0, 2.0]]), (1, 2)).tolist()
    [[0.0, 1.0, 2.0, 0.0, 0.0]]
    """
    if len(pad) % 2 or len(pad) > 2 * input.dim():
        raise ArgumentError(
            "pad has two numbers for each dimension, from the last one on",
            got=f"pad {tuple(pad)}, shape {tuple(input.shape)}",
        )
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise ArgumentError("mode is 'constant', 'reflect', 'replicate' or 'circular'", got=repr(mode))
    if mode != "constant" and value:
        raise ArgumentError(f"mode {mode!r} takes its values from the input", got=f"value={value}", fix="leave it out")
    if mode != "constant" and not len(pad) // 2 < input.dim() <= len(pad) // 2 + 2:
        raise NotCovered(
            f"mode {mode!r} pads the last dimensions of (N, C, *) or (C, *)",
            got=f"pad {tuple(pad)}, shape {tuple(input.shape)}",
            fix="reshape, or give two numbers for each",
        )
    for i in range(len(pad) // 2):
        before, after = int(pad[2 * i]), int(pad[2 * i + 1])
        dim = input.dim() - 1 - i
        if before == after == 0:
            continue
        if mode == "constant":
            input = _pad_constant(input, dim, before, after, value or 0.0)
        else:
            input = _pad_index(input, dim, before, after, mode)
    return input


def _targets(x: Tensor, n: int, size: Any, scale: Any, recompute: bool | None) -> tuple[tuple[int, ...], list[float]]:
    """The sizes to reach, and the input's step for one step of the output."""
    have = [int(s) for s in x.shape[2:]]
    if (size is None) == (scale is None):
        raise ArgumentError("interpolate takes either size or scale_factor")
    if scale is None:
        want = sizes(size, n, "size")
        return want, [a / b if b else 0.0 for a, b in zip(have, want, strict=True)]
    factors = tuple(float(s) for s in scale) if isinstance(scale, Sequence) else (float(scale),) * n
    if len(factors) != n:
        raise ArgumentError(f"scale_factor is one number, or one for each of the {n} dimensions", got=repr(scale))
    want = tuple(math.floor(a * f) for a, f in zip(have, factors, strict=True))
    steps = [a / b for a, b in zip(have, want, strict=True)] if recompute else [1.0 / f for f in factors]
    return want, steps


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resizes (N, C, L) or (N, C, H, W) to ``size`` or by ``scale_factor``.

    The mode is ``"nearest"``, ``"nearest-exact"``, ``"linear"`` or ``"bilinear"``. Raises NotCovered for the others.

    >>> nn.functional.interpolate(gg.tensor([[[1.0, 2.0]]]), scale_factor=2).tolist()
    [[[1.0, 1.0, 2.0, 2.0]]]
    """
    n = input.dim() - 2
    smooth = {"linear": 1, "bilinear": 2}
    if n not in (1, 2) or (mode not in smooth and mode not in ("nearest", "nearest-exact")) or antialias:
        raise NotCovered(
            f"interpolate(mode={mode!r}) is not covered for {input.dim()} dimensions",
            fix="'nearest', 'nearest-exact', 'linear' (N, C, L) or 'bilinear' (N, C, H, W)",
        )
    if mode in smooth and smooth[mode] != n:
        raise NotCovered(f"mode {mode!r} is for {smooth[mode]} spatial dimensions", got=f"shape {tuple(input.shape)}")
    if align_corners is not None and mode not in smooth:
        raise ArgumentError("align_corners is for the modes 'linear' and 'bilinear'", got=f"mode={mode!r}")
    want, steps = _targets(input, n, size, scale_factor, recompute_scale_factor)
    for i, (count, step) in enumerate(zip(want, steps, strict=True)):
        dim, have = i + 2, int(input.shape[i + 2])
        at = np.arange(count)
        if mode not in smooth:
            index = np.floor(at * step if mode == "nearest" else (at + 0.5) * step)
            input = input.index_select(dim, fn.tensor(index.clip(0, have - 1).astype(np.int64)))
            continue
        if align_corners:
            place = at * ((have - 1) / (count - 1) if count > 1 else 0.0)
        else:
            place = ((at + 0.5) * step - 0.5).clip(0)
        low = np.floor(place).clip(0, have - 1).astype(np.int64)
        share = fn.tensor(place - low).to(input.dtype).reshape((-1, *(1,) * (input.dim() - 1 - dim)))
        left = input.index_select(dim, fn.tensor(low))
        right = input.index_select(dim, fn.tensor((low + 1).clip(0, have - 1)))
        input = left + (right - left) * share
    return input


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C r², H, W) to (*, C, H r, W r): channels become pixels (Shi et al. 2016, arXiv:1609.05158).

    >>> tuple(nn.functional.pixel_shuffle(gg.ones(1, 8, 3, 5), 2).shape)
    (1, 2, 6, 10)
    """
    *lead, channels, h, w = input.shape
    r = upscale_factor
    if r < 1 or channels % (r * r):
        raise ShapeError(f"pixel_shuffle({r}) needs a multiple of {r * r} channels", got=f"shape {tuple(input.shape)}")
    k = len(lead)
    x = input.reshape((*lead, channels // (r * r), r, r, h, w))
    x = x.permute((*range(k), k, k + 3, k + 1, k + 4, k + 2))  # (*, C, H, r, W, r)
    return x.reshape((*lead, channels // (r * r), h * r, w * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H r, W r) to (*, C r², H, W): what undoes `pixel_shuffle`.

    >>> tuple(nn.functional.pixel_unshuffle(gg.ones(1, 2, 6, 10), 2).shape)
    (1, 8, 3, 5)
    """
    *lead, channels, h, w = input.shape
    r = downscale_factor
    if r < 1 or h % r or w % r:
        raise ShapeError(f"pixel_unshuffle({r}) needs multiples of {r}", got=f"shape {tuple(input.shape)}")
    k = len(lead)
    x = input.reshape((*lead, channels, h // r, r, w // r, r))
    x = x.permute((*range(k), k, k + 2, k + 4, k + 1, k + 3))  # (*, C, r, r, H, W)
    return x.reshape((*lead, channels * r * r, h // r, w // r))


def _patches(
    have: tuple[int, ...],
    kernel: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: tuple[int, ...],
    stride: tuple[int, ...],
) -> tuple[tuple[int, int], list[tuple[slice, ...]]]:
    """How many patches there are each way, and for each place in the kernel where it lies in the padded image."""
    counts = [
        (h + 2 * p - d * (k - 1) - 1) // s + 1
        for h, k, d, p, s in zip(have, kernel, dilation, padding, stride, strict=True)
    ]
    if min(counts) < 1:
        raise ShapeError(
            f"A kernel of {kernel} does not fit into {have}", got=f"padding {padding}, dilation {dilation}"
        )
    cuts = [
        tuple(
            slice(i * d, i * d + (c - 1) * s + 1, s) for i, d, c, s in zip(place, dilation, counts, stride, strict=True)
        )
        for place in itertools.product(*map(range, kernel))
    ]
    return (counts[0], counts[1]), cuts


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """All patches of (N, C, H, W) as columns: (N, C kh kw, number of patches).

    >>> tuple(nn.functional.unfold(gg.ones(1, 2, 5, 7), (2, 3)).shape)
    (1, 12, 20)
    """
    x, alone = batched(input, 2, "unfold")
    kernel, dilation = sizes(kernel_size, 2, "kernel_size"), sizes(dilation, 2, "dilation")
    padding, stride = sizes(padding, 2, "padding"), sizes(stride, 2, "stride")
    (h, w), cuts = _patches(tuple(x.shape[2:]), kernel, dilation, padding, stride)
    x = pad(x, (padding[1], padding[1], padding[0], padding[0]))
    columns = fn.stack([x[:, :, rows, cols] for rows, cols in cuts], 2)  # (N, C, kh kw, h, w)
    columns = columns.reshape((x.shape[0], x.shape[1] * len(cuts), h * w))
    return columns.squeeze(0) if alone else columns


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Adds columns up into an image: (N, C kh kw, number of patches) to (N, C, H, W). The transpose of `unfold`.

    >>> nn.functional.fold(gg.ones(1, 2, 2), (1, 3), (1, 2)).tolist()
    [[[[1.0, 2.0, 1.0]]]]
    """
    alone = input.dim() == 2
    x = input.unsqueeze(0) if alone else input
    size, kernel = sizes(output_size, 2, "output_size"), sizes(kernel_size, 2, "kernel_size")
    dilation, padding, stride = sizes(dilation, 2, "dilation"), sizes(padding, 2, "padding"), sizes(stride, 2, "stride")
    (h, w), cuts = _patches(size, kernel, dilation, padding, stride)
    area = kernel[0] * kernel[1]
    if x.dim() != 3 or x.shape[1] % area or x.shape[2] != h * w:
        raise ShapeError(f"fold takes (N, C * {area}, {h * w}) for this image and kernel", got=f"{tuple(input.shape)}")
    height, width = size[0] + 2 * padding[0], size[1] + 2 * padding[1]
    places = np.arange(height * width).reshape(height, width)
    index = np.stack([places[cut] for cut in cuts]).reshape(-1)  # where each entry of a column goes
    rows = x.reshape((x.shape[0], x.shape[1] // area, area * h * w))
    target = fn.tensor(index.astype(np.int64)).expand(tuple(rows.shape))
    flat = fn.zeros((*rows.shape[:2], height * width), dtype=x.dtype).scatter_add(2, target, rows)
    image = flat.reshape((*rows.shape[:2], height, width))
    image = image[:, :, padding[0] : height - padding[0], padding[1] : width - padding[1]]
    return image.squeeze(0) if alone else image
