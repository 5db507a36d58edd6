"""Losses for numbers, for distributions, and for pairs and triples, as layers."""

from __future__ import annotations

from ..errors import ArgumentError
from ..tensor import Tensor
from . import functional as F
from .loss import Loss

__all__ = [
    "CosineEmbeddingLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MarginRankingLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
]


class L1Loss(Loss):
    """|x - t|, averaged; slope 0 where they are equal. Shapes that differ broadcast, with a warning.

    >>> nn.L1Loss()(gg.tensor([1.0, 2.0]), gg.tensor([0.0, 0.0])).tolist()
    1.5
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(Loss):
    """(x - t)², averaged. Shapes that differ broadcast, with a warning.

    >>> nn.MSELoss()(gg.tensor([1.0, 2.0]), gg.tensor([0.0, 0.0])).tolist()
    2.5
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class HuberLoss(Loss):
    """(x - t)² / 2 where |x - t| < delta, else delta (|x - t| - delta / 2), averaged (Huber 1964).

    >>> nn.HuberLoss(reduction="none")(gg.tensor([1.0, 3.0]), gg.tensor([0.0, 0.0])).tolist()
    [0.5, 2.5]
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class SmoothL1Loss(Loss):
    """(x - t)² / (2 beta) where |x - t| < beta, else |x - t| - beta / 2, averaged (Girshick 2015, arXiv:1504.08083).

    >>> nn.SmoothL1Loss(reduction="none")(gg.tensor([1.0, 3.0]), gg.tensor([0.0, 0.0])).tolist()
    [0.5, 2.5]
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class KLDivLoss(Loss):
    """t (log t - x) for log-probabilities x and probabilities t, or their logarithms with ``log_target``.

    Only ``reduction="batchmean"`` is the divergence that the mathematics means; "mean" warns.

    >>> nn.KLDivLoss(reduction="batchmean")(gg.tensor([[0.5]]).log(), gg.tensor([[0.5]])).abs().tolist()
    0.0
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class PoissonNLLLoss(Loss):
    """exp(x) - t x, or with ``log_input=False`` x - t log(x + eps), for counts t; ``full`` adds Stirling's formula.

    >>> nn.PoissonNLLLoss()(gg.tensor([0.0]), gg.tensor([2.0])).tolist()
    1.0
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction)


class GaussianNLLLoss(Loss):
    """(log var + (x - t)² / var) / 2, where var is at least eps; ``full`` adds the constant (Nix & Weigend 1994).

    ``var`` has x's shape, or 1 for or no last dimension, or is a number. Raises ArgumentError for a negative one.

    >>> nn.GaussianNLLLoss()(gg.tensor([3.0]), gg.tensor([1.0]), gg.tensor([1.0])).tolist()
    2.0
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class CosineEmbeddingLoss(Loss):
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1: (N, D), (N, D), (N), or the same without N.

    >>> nn.CosineEmbeddingLoss()(gg.tensor([[1.0, 0.0]]), gg.tensor([[0.0, 1.0]]), gg.tensor([1])).tolist()
    1.0
    """

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class HingeEmbeddingLoss(Loss):
    """x where the target is 1, max(0, margin - x) where it is -1: any shape, both the same.

    >>> nn.HingeEmbeddingLoss(reduction="none")(gg.tensor([0.5, 0.25]), gg.tensor([1.0, -1.0])).tolist()
    [0.5, 0.75]
    """

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class MarginRankingLoss(Loss):
    """max(0, margin - t (x1 - x2)): with t = 1 the first is to be larger, with t = -1 the second.

    >>> nn.MarginRankingLoss()(gg.tensor([1.0]), gg.tensor([3.0]), gg.tensor([1.0])).tolist()
    2.0
    """

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class SoftMarginLoss(Loss):
    """log(1 + exp(-t x)) for targets 1 and -1, without overflow: any shape, both the same.

    >>> round(float(nn.SoftMarginLoss()(gg.tensor([0.0]), gg.tensor([1.0]))), 4)
    0.6931
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class TripletMarginLoss(Loss):
    """max(0, margin + d(a, p) - d(a, n)): (N, D) or (D) each; ``swap`` takes d(p, n) where it is smaller.

    Raises ArgumentError unless the margin is positive.

    >>> nn.TripletMarginLoss(margin=3.0, p=1, eps=0.0)(gg.zeros(1, 2), gg.zeros(1, 2), gg.ones(1, 2)).tolist()
    1.0
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        if margin <= 0:
            raise ArgumentError("TripletMarginLoss keeps a positive margin", got=f"margin={margin}")
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )
