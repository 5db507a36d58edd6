"""Lengths, distances and angles."""

from __future__ import annotations

from ...tensor import Tensor
from ._common import norm

__all__ = ["cosine_similarity", "normalize", "pairwise_distance"]


def normalize(input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12) -> Tensor:
    """x / max(|x|_p, eps) over ``dim``. Any shape.

    >>> nn.functional.normalize(gg.tensor([[3.0, 4.0]])).mul(5).tolist()
    [[3.0, 4.0]]
    """
    return input / norm(input, p, dim, keepdim=True, floor=eps)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """|x1 - x2 + eps|_p over the last dimension: (*, D) and (*, D) give (*).

    >>> nn.functional.pairwise_distance(gg.tensor([[3.0, 4.0]]), gg.zeros(1, 2), eps=0.0).tolist()
    [5.0]
    """
    return norm(x1 - x2 + eps, p, -1, keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 · x2 / (max(|x1|, eps) max(|x2|, eps)) over ``dim``; the shapes broadcast.

    >>> nn.functional.cosine_similarity(gg.tensor([[1.0, 0.0]]), gg.tensor([[0.0, 2.0]])).tolist()
    [0.0]
    """
    a = x1 / norm(x1, 2, dim, keepdim=True, floor=eps)
    b = x2 / norm(x2, 2, dim, keepdim=True, floor=eps)
    return (a * b).sum(dim)
