"""Losses for numbers, for distributions, and for pairs and triples."""

from __future__ import annotations

import math
import warnings

from ... import functions as fn
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor
from ._common import known, legacy_reduction, reduce_loss
from .distance import pairwise_distance

__all__ = [
    "cosine_embedding_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "margin_ranking_loss",
    "mse_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
]


def _same_shape(name: str, input: Tensor, target: Tensor) -> None:
    """Shapes that differ but broadcast are nearly always a mistake, such as (N, 1) against (N): warn as torch does."""
    if input.shape != target.shape:
        warnings.warn(
            f"{name} broadcasts a target of shape {tuple(target.shape)} to an input of shape {tuple(input.shape)}, "
            "which is likely not meant: make their shapes the same",
            UserWarning,
            stacklevel=3,
        )


def _weighted(loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is None:
        return reduce_loss(loss, reduction)
    if reduction == "mean":
        return (loss * weight).sum() / weight.broadcast_to(tuple(loss.shape)).sum()
    return reduce_loss(loss * weight, reduction)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(x - t)², averaged; shapes that differ broadcast, with a warning. With ``weight`` the mean is weighted.

    >>> nn.functional.mse_loss(gg.tensor([1.0, 2.0]), gg.tensor([0.0, 0.0])).tolist()
    2.5
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _same_shape("mse_loss", input, target)
    difference = input - target
    return _weighted(difference * difference, weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|x - t|, averaged; slope 0 where they are equal. Shapes that differ broadcast, with a warning.

    >>> nn.functional.l1_loss(gg.tensor([1.0, 2.0]), gg.tensor([0.0, 0.0])).tolist()
    1.5
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _same_shape("l1_loss", input, target)
    return _weighted((input - target).abs(), weight, reduction)


def _huber(difference: Tensor, delta: float) -> Tensor:
    # With c = d cut to [-delta, delta], c (d - c / 2) is d² / 2 inside and delta (|d| - delta / 2) outside.
    cut = difference.clamp(-delta, delta)
    return cut * (difference - cut * 0.5)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """(x - t)² / 2 where |x - t| < delta, else delta (|x - t| - delta / 2), averaged (Huber 1964).

    >>> nn.functional.huber_loss(gg.tensor([1.0, 3.0]), gg.tensor([0.0, 0.0]), reduction="none").tolist()
    [0.5, 2.5]
    """
    reduction = legacy_reduction(None, None, reduction)
    if delta <= 0:
        raise ArgumentError("huber_loss turns from a square to a line at a positive delta", got=f"delta={delta}")
    _same_shape("huber_loss", input, target)
    return _weighted(_huber(input - target, delta), weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """(x - t)² / (2 beta) where |x - t| < beta, else |x - t| - beta / 2, averaged (Girshick 2015, arXiv:1504.08083).

    >>> nn.functional.smooth_l1_loss(gg.tensor([1.0, 3.0]), gg.tensor([0.0, 0.0]), reduction="none").tolist()
    [0.5, 2.5]
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if beta < 0:
        raise ArgumentError(
            "smooth_l1_loss turns from a square to a line at a beta that is not negative", got=f"beta={beta}"
        )
    _same_shape("smooth_l1_loss", input, target)
    difference = input - target
    if beta == 0:
        return reduce_loss(difference.abs(), reduction)
    loss = _huber(difference, beta)
    return reduce_loss(loss if beta == 1 else loss / beta, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """t (log t - x) for log-probabilities x and probabilities t, or their logarithms with ``log_target``.

    Only ``reduction="batchmean"`` is the divergence that the mathematics means; "mean" warns.

    >>> nn.functional.kl_div(gg.tensor([[0.5]]).log(), gg.tensor([[0.5]]), reduction="batchmean").abs().tolist()
    0.0
    """
    if reduction == "batchmean":
        loss = _kl(input, target, log_target).sum()
        return loss / input.shape[0] if input.dim() else loss
    reduction = legacy_reduction(size_average, reduce, reduction)
    if reduction == "mean":
        warnings.warn(
            "kl_div's reduction='mean' also divides by the number of classes: 'batchmean' is the divergence",
            UserWarning,
            stacklevel=2,
        )
    return reduce_loss(_kl(input, target, log_target), reduction)


def _kl(input: Tensor, target: Tensor, log_target: bool) -> Tensor:
    if log_target:
        return target.exp() * (target - input)
    # t log t is 0 at 0, where the logarithm must not be asked.
    return target * target.masked_fill(target <= 0, 1.0).log() - target * input


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """exp(x) - t x, or with ``log_input=False`` x - t log(x + eps), for counts t; ``full`` adds Stirling's formula.

    >>> nn.functional.poisson_nll_loss(gg.tensor([0.0]), gg.tensor([2.0])).tolist()
    1.0
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        many = target > 1.0
        count = target.masked_fill(~many, 2.0)  # the formula is for t > 1; below it counts as 0
        stirling = count * count.log() - count + (count * (2.0 * math.pi)).log() * 0.5
        loss = loss + stirling.masked_fill(~many, 0.0)
    return reduce_loss(loss, reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """(log var + (x - t)² / var) / 2, where var is at least eps; ``full`` adds the constant (Nix & Weigend 1994).

    ``var`` has x's shape, or 1 for or no last dimension, or is a number. Raises ArgumentError for a negative one.

    >>> nn.functional.gaussian_nll_loss(gg.tensor([3.0]), gg.tensor([1.0]), gg.tensor([1.0])).tolist()
    2.0
    """
    reduction = legacy_reduction(None, None, reduction)
    if not isinstance(var, Tensor):
        if var < 0:
            raise ArgumentError("A variance is not negative", got=f"var={var}")
        var = fn.full_like(input.detach(), var)
    shape, given = tuple(input.shape), tuple(var.shape)
    if given != shape:
        if given == shape[:-1]:
            var = var.unsqueeze(-1)
        elif given != (*shape[:-1], 1):
            raise ShapeError("var has the input's shape, or 1 for or no last dimension", got=f"{given} for {shape}")
    values = known(var)
    if values is not None and values.size and values.min() < 0:
        raise ArgumentError("A variance is not negative", got=f"{values.min():g}", fix="softplus or exp before it")
    # The floor changes the value only: below it the slope still says where to go.
    var = var + (var.detach().clamp(min=eps) - var.detach())
    difference = input - target
    loss = (var.log() + difference * difference / var) * 0.5
    return reduce_loss(loss + 0.5 * math.log(2.0 * math.pi) if full else loss, reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1: (N, D), (N, D), (N), or the same without N.

    >>> nn.functional.cosine_embedding_loss(gg.tensor([[1.0, 0.0]]), gg.tensor([[0.0, 1.0]]), gg.tensor([1])).tolist()
    1.0
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if target.dim() not in (0, 1) or input1.dim() != target.dim() + 1 or input1.dim() != input2.dim():
        raise ShapeError(
            "cosine_embedding_loss takes (N, D), (N, D) and (N), or (D), (D) and ()",
            got=f"{tuple(input1.shape)}, {tuple(input2.shape)} and {tuple(target.shape)}",
        )
    tiny = 1e-12
    square = ((input1 * input1).sum(-1) + tiny) * ((input2 * input2).sum(-1) + tiny)
    cos = (input1 * input2).sum(-1) * square.rsqrt()
    apart = (cos - margin).clamp(min=0.0).masked_fill(target != -1, 0.0)
    return reduce_loss(fn.where(target == 1, 1.0 - cos, apart), reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """x where the target is 1, max(0, margin - x) where it is -1: any shape, both the same.

    >>> nn.functional.hinge_embedding_loss(gg.tensor([0.5, 0.25]), gg.tensor([1.0, -1.0]), reduction="none").tolist()
    [0.5, 0.75]
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    apart = (margin - input).clamp(min=0.0).masked_fill(target == 1, 0.0)
    return reduce_loss(apart + input.masked_fill(target == -1, 0.0), reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - t (x1 - x2)): with t = 1 the first is to be larger, with t = -1 the second.

    >>> nn.functional.margin_ranking_loss(gg.tensor([1.0]), gg.tensor([3.0]), gg.tensor([1.0])).tolist()
    2.0
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if not input1.dim() == input2.dim() == target.dim():
        raise ShapeError(
            "margin_ranking_loss takes three tensors of the same shape",
            got=f"{tuple(input1.shape)}, {tuple(input2.shape)} and {tuple(target.shape)}",
        )
    return reduce_loss((margin - target * (input1 - input2)).clamp(min=0.0), reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-t x)) for targets 1 and -1, without overflow: any shape, both the same.

    >>> round(float(nn.functional.soft_margin_loss(gg.tensor([0.0]), gg.tensor([1.0]))), 4)
    0.6931
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    return reduce_loss(fn.softplus(-target * input), reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin + d(a, p) - d(a, n)): (N, D) or (D) each; ``swap`` takes d(p, n) where it is smaller.

    >>> a, b = gg.zeros(1, 2), gg.ones(1, 2)
    >>> nn.functional.triplet_margin_loss(a, a, b, p=1, eps=0.0, margin=3.0).tolist()
    1.0
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if margin <= 0:
        raise ArgumentError("triplet_margin_loss keeps a positive margin", got=f"margin={margin}")
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = fn.minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduce_loss((near - far + margin).clamp(min=0.0), reduction)
