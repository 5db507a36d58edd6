"""A table of vectors to look up."""

from __future__ import annotations

from typing import Any, Self

from .. import functions as fn
from ..dispatch import no_grad
from ..errors import ArgumentError, NotCovered, ShapeError
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Embedding"]


class Embedding(Module):
    """A learned vector for each of ``num_embeddings`` things: indices (*) give (*, embedding_dim).

    The vectors start normal, with mean 0 and variance 1. The row ``padding_idx`` starts at 0 and is not learned.
    Raises IndexRangeError for an index outside the table, DtypeError for indices that are not integers, NotCovered
    for ``max_norm``, ``scale_grad_by_freq`` and ``sparse``.

    >>> words = nn.Embedding(10, 3, padding_idx=0)
    >>> tuple(words(gg.tensor([[1, 2, 0, 9]])).shape), words(gg.tensor(0)).tolist()
    ((1, 4, 3), [0.0, 0.0, 0.0])
    """

    weight: Tensor

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if max_norm is not None or scale_grad_by_freq or sparse:
            raise NotCovered("Embedding without max_norm, scale_grad_by_freq and sparse is what there is")
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ArgumentError("padding_idx is a row of the table", got=f"{padding_idx} of {num_embeddings} rows")
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is None:
            self.weight = Parameter(fn.empty(num_embeddings, embedding_dim, device=device, dtype=dtype), not _freeze)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise ShapeError(
                    f"The weight of this Embedding is ({num_embeddings}, {embedding_dim})",
                    got=f"{tuple(_weight.shape)}",
                )
            self.weight = Parameter(_weight, not _freeze)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """An Embedding with the given table (num, dim), which is not learned unless ``freeze`` is False.

        >>> words = nn.Embedding.from_pretrained(gg.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> words(gg.tensor(1)).tolist(), words.weight.requires_grad
        ([3.0, 4.0], False)
        """
        if embeddings.dim() != 2:
            raise ShapeError("The table of an Embedding is (num, dim)", got=f"shape {tuple(embeddings.shape)}")
        rows, columns = embeddings.shape
        return cls(
            rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
            _weight=embeddings, _freeze=freeze,
        )  # fmt: skip

    def reset_parameters(self) -> None:
        """Draws all rows anew; the row ``padding_idx`` becomes 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        kind = "" if self.norm_type == 2 else f", norm_type={self.norm_type}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}{kind}"
