"""Losses for classes as layers; those for numbers and pairs are in `regression`."""

from __future__ import annotations

from ..errors import ArgumentError
from ..tensor import Tensor
from . import functional as F
from .functional._common import legacy_reduction
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
]


class Loss(Module):
    """``reduction`` is "none", "mean" or "sum"; the two old flags stand for one of them, and warn."""

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        old = size_average is not None or reduce is not None
        # A wrong word is left for the function to refuse: some know one more than the three.
        self.reduction = legacy_reduction(size_average, reduce, reduction) if old else reduction


class WeightedLoss(Loss):
    """``weight`` is a buffer: it is saved and converted with the module."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class NLLLoss(WeightedLoss):
    """-input at the target's class: log-probabilities (N, C, *) or (C) with class indices (N, *) or ().

    ``weight`` has one number for each class; the mean is weighted by it, and targets ``ignore_index`` do not count.
    Raises IndexRangeError for a class outside, DtypeError for a target that is not integer, ShapeError otherwise.

    >>> nn.NLLLoss()(gg.tensor([[-1.0, -2.0]]), gg.tensor([1])).tolist()
    2.0
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CrossEntropyLoss(WeightedLoss):
    """-log softmax(input) at the target's class: logits (N, C, *) or (C) with class indices (N, *) or ().

    A floating-point target of the input's shape holds probabilities. ``weight`` has one number for each class; the
    mean over indices is weighted by it, and targets ``ignore_index`` do not count. ``label_smoothing`` mixes the
    uniform distribution in (Szegedy et al. 2015, arXiv:1512.00567). Errors as in `NLLLoss`.

    >>> round(float(nn.CrossEntropyLoss()(gg.zeros(2, 3), gg.tensor([0, 2]))), 4)
    1.0986
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class BCELoss(WeightedLoss):
    """-(t log p + (1 - t) log(1 - p)) of probabilities and targets of the same shape; the logarithms end at -100.

    Raises ArgumentError for a p outside [0, 1], ShapeError for different shapes. For logits take
    `BCEWithLogitsLoss`, which loses nothing to rounding.

    >>> round(float(nn.BCELoss()(gg.tensor([0.5]), gg.tensor([1.0]))), 4)
    0.6931
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """BCELoss of sigmoid(input), without its loss of accuracy; the shapes are the same.

    ``pos_weight`` multiplies the part of the targets that are 1. Raises ShapeError for different shapes.

    >>> round(float(nn.BCEWithLogitsLoss()(gg.tensor([0.0]), gg.tensor([1.0]))), 4)
    0.6931
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class MultiLabelSoftMarginLoss(WeightedLoss):
    """The mean over the last dimension of BCEWithLogitsLoss: (N, C) and (N, C) give (N), then reduced.

    >>> round(float(nn.MultiLabelSoftMarginLoss()(gg.zeros(1, 2), gg.ones(1, 2))), 4)
    0.6931
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MultiMarginLoss(WeightedLoss):
    """sum over the other classes of max(0, margin - x_y + x_i) ** p, divided by C: (N, C) or (C) with (N) or ().

    Errors as in `NLLLoss`; ArgumentError for a p that is not 1 or 2.

    >>> nn.MultiMarginLoss()(gg.tensor([[0.0, 2.0]]), gg.tensor([0])).tolist()
    1.5
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ArgumentError("MultiMarginLoss takes p = 1 or 2", got=f"p={p}")
        if weight is not None and weight.dim() != 1:
            raise ArgumentError("MultiMarginLoss's weight has one number for each class", got=f"{tuple(weight.shape)}")
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, reduction=self.reduction)
