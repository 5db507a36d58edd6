"""Losses for classes: indices, probabilities, yes or no."""

from __future__ import annotations

import math

from ... import functions as fn
from ...dispatch import Quiet
from ...errors import ArgumentError, DtypeError, NotCovered, ShapeError
from ...functions.picking import pick
from ...tensor import Tensor
from ._common import check_indices, floating, known, legacy_reduction, reduce_loss

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "multi_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
]


def _check_classes(name: str, input: Tensor, target: Tensor, weight: Tensor | None) -> int:
    """The dimension of the classes, after checking that shapes and dtypes go together."""
    dim = 0 if input.dim() == 1 else 1
    if input.dim() == 0:
        raise ShapeError(f"{name} takes (N, C, *) or (C)", got=f"input of shape {tuple(input.shape)}")
    shape = tuple(input.shape)
    if tuple(target.shape) != shape[:dim] + shape[dim + 1 :]:
        raise ShapeError(
            f"{name} takes a target of the input's shape without the classes: {shape[:dim] + shape[dim + 1 :]}",
            got=f"input {shape}, target {tuple(target.shape)}",
            fix="target.squeeze() a dimension of 1, or target.argmax(1) if it is one-hot",
        )
    if target.dtype not in (fn.int64, fn.int32):
        raise DtypeError(
            f"{name} takes class indices as integers", got=f"target of dtype {target.dtype}", fix="pass target.long()"
        )
    if weight is not None and tuple(weight.shape) != (shape[dim],):
        raise ShapeError(f"{name} takes one weight for each of the {shape[dim]} classes", got=f"{tuple(weight.shape)}")
    return dim


def _some_ignored(target: Tensor, n: int, ignore: int) -> bool:
    """Whether some target is ignored (or might be: while tracing nobody knows). Raises for an index out of range."""
    check_indices(target, n, "class index", ignore)
    values = known(target)
    return values is None or bool((values == ignore).any())


def _nll(
    logp: Tensor,
    dim: int,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    smoothing: float = 0.0,
) -> Tensor:
    classes = logp.shape[dim]
    some_ignored = _some_ignored(target, classes, ignore_index)
    ignored = target == ignore_index if some_ignored else None
    index = target if ignored is None else target.masked_fill(ignored, 0)
    picked = pick(logp, index.unsqueeze(dim), dim)
    if ignored is None and weight is None and smoothing == 0.0 and reduction == "mean":
        return picked.sum() * (-1.0 / (target.numel() or math.nan))  # the usual case, in few operations
    loss = -picked.squeeze(dim)
    share = None if weight is None else weight[index]  # how much each target counts
    if share is not None:
        loss = loss * share
    if smoothing > 0.0:
        flat = logp if weight is None else logp * weight.reshape((-1, *(1,) * (logp.dim() - 1 - dim)))
        loss = loss * (1.0 - smoothing) - flat.sum(dim) * (smoothing / classes)
    if ignored is not None:
        loss = loss.masked_fill(ignored, 0.0)
        share = fn.ones_like(loss).detach() if share is None else share
        share = share.masked_fill(ignored, 0.0)
    if reduction == "mean" and share is not None:
        return loss.sum() / share.sum()
    return reduce_loss(loss, reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-input at the target's class: log-probabilities (N, C, *) or (C) with class indices (N, *) or ().

    The mean is weighted by the targets' weights, and targets ``ignore_index`` do not count.
    Raises IndexRangeError for a class outside, DtypeError for a target that is not integer, ShapeError otherwise.

    >>> nn.functional.nll_loss(gg.tensor([[-1.0, -2.0]]), gg.tensor([1])).tolist()
    2.0
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    dim = _check_classes("nll_loss", input, target, weight)
    return _nll(input, dim, target, weight, ignore_index, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input) at the target's class: logits (N, C, *) or (C) with class indices (N, *) or ().

    A floating-point target of the input's shape holds probabilities of the classes. ``label_smoothing`` mixes the
    uniform distribution in (Szegedy et al. 2015, arXiv:1512.00567). The mean over indices is weighted by the targets'
    weights, and targets ``ignore_index`` do not count. Errors as in `nll_loss`.

    >>> round(float(nn.functional.cross_entropy(gg.zeros(2, 3), gg.tensor([0, 2]))), 4)
    1.0986
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ArgumentError("label_smoothing is between 0 and 1", got=f"{label_smoothing}")
    if input.dim() == 0:
        raise ShapeError("cross_entropy takes (N, C, *) or (C)", got="input of shape ()")
    dim = 0 if input.dim() == 1 else 1
    if not floating(target) or target.shape != input.shape:
        if not floating(target):
            _check_classes("cross_entropy", input, target, weight)  # before any work, with its own name in the error
            with Quiet():  # once for all operations
                return _nll(input.log_softmax(dim), dim, target, weight, ignore_index, reduction, label_smoothing)
        if tuple(target.shape) == tuple(input.shape[:dim]) + tuple(input.shape[dim + 1 :]):
            raise DtypeError(
                "cross_entropy takes class indices as integers",
                got=f"target of dtype {target.dtype}",
                fix="pass target.long(), or probabilities of the input's shape",
            )
        raise ShapeError(
            "cross_entropy takes class indices, or probabilities of the input's shape",
            got=f"input {tuple(input.shape)}, target {tuple(target.shape)}",
        )
    if ignore_index >= 0:
        raise ArgumentError("ignore_index is for class indices, not for probabilities", got=f"{ignore_index}")
    classes = input.shape[dim]
    if label_smoothing > 0.0:
        target = target * (1.0 - label_smoothing) + label_smoothing / classes
    terms = input.log_softmax(dim) * target
    if weight is not None:
        terms = terms * weight.reshape((-1, *(1,) * (input.dim() - 1 - dim)))
    return reduce_loss(-terms.sum(dim), reduction)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(t log p + (1 - t) log(1 - p)) of probabilities and targets of the same shape; the logarithms end at -100.

    Raises ArgumentError for a p outside [0, 1], ShapeError for different shapes. For logits take
    `binary_cross_entropy_with_logits`, which loses nothing to rounding.

    >>> round(float(nn.functional.binary_cross_entropy(gg.tensor([0.5]), gg.tensor([1.0]))), 4)
    0.6931
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if tuple(target.shape) != tuple(input.shape):
        raise ShapeError(
            "binary_cross_entropy takes a target of the input's shape",
            got=f"input {tuple(input.shape)}, target {tuple(target.shape)}",
        )
    values, inside = known(input), False
    if values is not None and values.size:
        low, high = values.min(), values.max()
        if low < 0 or high > 1:
            raise ArgumentError(
                "binary_cross_entropy takes probabilities, between 0 and 1",
                got=f"from {low:g} to {high:g}",
                fix="a sigmoid before it, or ..._with_logits",
            )
        inside = bool(low > 1e-38) and bool(high < 1)
    yes = input.log() if inside else _log(input)
    no = (-input).log1p() if inside else _log(1.0 - input)
    loss = -(target * yes + (1.0 - target) * no)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def _log(p: Tensor) -> Tensor:
    """log(p), continued at 0 by torch's convention: value -100 and slope 1e12 instead of minus infinity."""
    zero = p <= 0.0
    return fn.where(zero, p * 1e12 - 100.0, p.masked_fill(zero, 1.0).log().clamp(min=-100.0))


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """binary_cross_entropy of sigmoid(input), without its loss of accuracy; the shapes are the same.

    ``pos_weight`` multiplies the part of the targets that are 1. Raises ShapeError for different shapes.

    >>> round(float(nn.functional.binary_cross_entropy_with_logits(gg.tensor([0.0]), gg.tensor([1.0]))), 4)
    0.6931
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if tuple(target.shape) != tuple(input.shape):
        raise ShapeError(
            "binary_cross_entropy_with_logits takes a target of the input's shape",
            got=f"input {tuple(input.shape)}, target {tuple(target.shape)}",
        )
    tail = fn.softplus(-input)  # -log sigmoid(x)
    if pos_weight is not None:
        tail = tail * ((pos_weight - 1.0) * target + 1.0)
    loss = (1.0 - target) * input + tail
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over the last dimension of binary_cross_entropy_with_logits: (N, C) and (N, C) give (N), then reduced.

    >>> round(float(nn.functional.multilabel_soft_margin_loss(gg.zeros(1, 2), gg.ones(1, 2))), 4)
    0.6931
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    loss = binary_cross_entropy_with_logits(input, target, weight, reduction="none")
    return reduce_loss(loss.mean(-1), reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """sum over the other classes of max(0, margin - x_y + x_i) ** p, divided by C: (N, C) or (C) with (N) or ().

    Errors as in `nll_loss`; NotCovered for a p that is not 1 or 2.

    >>> nn.functional.multi_margin_loss(gg.tensor([[0.0, 2.0]]), gg.tensor([0])).tolist()
    1.5
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if p not in (1, 2):
        raise NotCovered("multi_margin_loss takes p = 1 or 2", got=f"p={p}")
    dim = _check_classes("multi_margin_loss", input, target, weight)
    classes = input.shape[dim]
    check_indices(target, classes, "class index")
    index = target.unsqueeze(dim)
    over = (margin - input.gather(dim, index) + input).relu()
    over = over if p == 1 else over * over
    if weight is not None:
        over = over * weight[target].unsqueeze(dim)
    own = fn.arange(classes) == index  # the class itself has no margin to keep
    return reduce_loss(over.masked_fill(own, 0.0).sum(dim) / classes, reduction)
