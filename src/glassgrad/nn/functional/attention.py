"""Attention: a mean of values, weighted by how well keys and queries agree (Vaswani et al. 2017, arXiv:1706.03762)."""

from __future__ import annotations

import math

from ... import functions as fn
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor
from .dropout import dropout
from .linear import linear

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]

INF = float("inf")


def _softmax_or_zero(scores: Tensor) -> Tensor:
    """softmax over the last dimension, and 0 in a row where everything is masked, instead of NaN."""
    dead = (scores == -INF).all(-1, keepdim=True)
    return scores.masked_fill(dead, 0.0).softmax(-1).masked_fill(dead, 0.0)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key.T * scale) @ value: (*, L, E), (*, S, E), (*, S, V) give (*, L, V).

    A boolean ``attn_mask`` (broadcast to (*, L, S)) says where to look, a floating-point one is added to the scores.
    ``is_causal`` lets no query look at later keys. The scale is 1 / sqrt(E) unless given. A query that may look
    nowhere gets 0. ``enable_gqa`` lets several query heads share one of key and value.
    Raises ArgumentError for both masks at once, ShapeError for queries and keys of different length.

    >>> q = gg.zeros(1, 2, 4)
    >>> nn.functional.scaled_dot_product_attention(q, q, gg.tensor([[[1.0], [3.0]]]), is_causal=True).tolist()
    [[[1.0], [2.0]]]
    """
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ShapeError(
            "attention takes (*, L, E), (*, S, E) and (*, S, V)",
            got=f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}",
        )
    if attn_mask is not None and is_causal:
        raise ArgumentError("attn_mask and is_causal are two masks: give one", fix="put the triangle into attn_mask")
    if enable_gqa:
        key, value = _repeat_heads(key, query.shape[-3]), _repeat_heads(value, query.shape[-3])
    scores = (query @ key.mT) * (1.0 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        # Every query sees at least the first key, so no row is empty.
        seen = fn.ones(tuple(scores.shape[-2:]), dtype=fn.bool).tril()
        weights = scores.masked_fill(~seen, -INF).softmax(-1)
    elif attn_mask is None:
        weights = scores.softmax(-1)
    else:
        scores = scores.masked_fill(~attn_mask, -INF) if attn_mask.dtype == fn.bool else scores + attn_mask
        weights = _softmax_or_zero(scores)
    return dropout(weights, dropout_p) @ value


def _repeat_heads(x: Tensor, heads: int) -> Tensor:
    have = x.shape[-3]
    if heads % have:
        raise ShapeError(
            "enable_gqa shares each head of key and value among equally many of query", got=f"{heads} and {have} heads"
        )
    if heads == have:
        return x
    *lead, length, width = x.shape
    wide = x.unsqueeze(-3).expand((*lead, heads // have, length, width))
    return wide.reshape((*lead[:-1], heads, length, width))


def _additive(mask: Tensor | None, like: Tensor, name: str) -> Tensor | None:
    """A mask as numbers to add: where a boolean one is True nobody looks."""
    if mask is None or mask.dtype in (fn.float32, fn.float64):
        return mask
    if mask.dtype != fn.bool:
        raise ArgumentError(f"{name} is boolean, or numbers to add", got=f"dtype {mask.dtype}")
    return fn.zeros(tuple(mask.shape), dtype=like.dtype).masked_fill(mask, -INF)


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What `nn.MultiheadAttention` computes, from its parts: (L, N, E), (S, N, E), (S, N, E) give (L, N, E).

    The weights are (N, L, S), or (N, heads, L, S) unless averaged; None unless asked for. In masks True means: do
    not look there.

    >>> x, w = gg.ones(2, 1, 4), gg.zeros(12, 4)
    >>> y, a = nn.functional.multi_head_attention_forward(x, x, x, 4, 2, w, None, None, None, False, 0.0, w[:4], None)
    >>> tuple(y.shape), a.tolist()
    ((2, 1, 4), [[[0.5, 0.5], [0.5, 0.5]]])
    """
    if static_k is not None or static_v is not None:
        raise ArgumentError("static_k and static_v are not covered", fix="pass them as key and value")
    if query.dim() not in (2, 3) or key.dim() != query.dim() or value.dim() != query.dim():
        raise ShapeError(
            "attention takes (L, N, E), (S, N, E) and (S, N, E), or the same without N",
            got=f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}",
        )
    alone = query.dim() == 2
    if alone:
        same, same_value = key is query, value is key
        query = query.unsqueeze(1)
        key = query if same else key.unsqueeze(1)
        value = key if same_value else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, embed = query.shape
    if embed != embed_dim_to_check:
        raise ShapeError(f"The last dimension of the query is embed_dim={embed_dim_to_check}", got=f"{embed}")
    if embed % num_heads:
        raise ShapeError("embed_dim is a multiple of num_heads", got=f"{embed} and {num_heads}")
    if tuple(key.shape[:2]) != tuple(value.shape[:2]) or key.shape[1] != batch:
        raise ShapeError(
            "key and value have the same length and the query's batch",
            got=f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}",
        )
    if is_causal and attn_mask is None:
        raise ArgumentError(
            "is_causal is a hint that attn_mask is causal, so it needs the mask",
            fix="nn.Transformer.generate_square_subsequent_mask(L)",
        )
    q, k, v = _project(
        query,
        key,
        value,
        in_proj_weight,
        in_proj_bias,
        (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None,
    )
    head = embed // num_heads
    mask = _additive(attn_mask, q, "attn_mask")
    padding = _additive(key_padding_mask, q, "key_padding_mask")
    source = key.shape[0]
    if padding is not None and tuple(padding.shape) != (batch, source):
        raise ShapeError("key_padding_mask is (N, S)", got=f"{tuple(padding.shape)} for {(batch, source)}")
    if mask is not None:
        if tuple(mask.shape) == (batch * num_heads, length, source):
            mask = mask.reshape((batch, num_heads, length, source))
        elif tuple(mask.shape) != (length, source):
            raise ShapeError(
                "attn_mask is (L, S) or (N * num_heads, L, S)",
                got=f"{tuple(mask.shape)} for L={length}, S={source}, N={batch}, num_heads={num_heads}",
            )
    if padding is not None:
        padding = padding.reshape((batch, 1, 1, source))
        mask = padding if mask is None else mask + padding
    extra = 0
    if bias_k is not None and bias_v is not None:
        k = fn.cat([k, bias_k.expand((1, batch, embed))], 0)
        v = fn.cat([v, bias_v.expand((1, batch, embed))], 0)
        extra += 1
    if add_zero_attn:
        nothing = fn.zeros((1, batch, embed), dtype=k.dtype)
        k, v, extra = fn.cat([k, nothing], 0), fn.cat([v, nothing], 0), extra + 1
    if extra and mask is not None:
        mask = fn.cat([mask, fn.zeros((*mask.shape[:-1], extra), dtype=mask.dtype)], -1)
    # (length, N, E) -> (N, heads, length, head)
    q = q.reshape((length, batch, num_heads, head)).permute((1, 2, 0, 3))
    k, v = (x.reshape((source + extra, batch, num_heads, head)).permute((1, 2, 0, 3)) for x in (k, v))
    scores = (q * (1.0 / math.sqrt(head))) @ k.mT
    if mask is not None:
        scores = scores + mask
    weights = scores.softmax(-1) if mask is None or need_weights else _softmax_or_zero(scores)
    weights = dropout(weights, dropout_p, training)
    y = (weights @ v).permute((2, 0, 1, 3)).reshape((length, batch, embed))
    y = linear(y, out_proj_weight, out_proj_bias)
    if not need_weights:
        return (y.squeeze(1) if alone else y), None
    if average_attn_weights:
        weights = weights.mean(1)
    return (y.squeeze(1), weights.squeeze(0)) if alone else (y, weights)


def _project(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    separate: tuple[Tensor | None, Tensor | None, Tensor | None] | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values: three products, one when all come from the same tensor."""
    if weight is not None and separate is None:
        if query is key and key is value:
            q, k, v = linear(query, weight, bias).chunk(3, -1)
            return q, k, v
        a, b, c = weight.chunk(3, 0)
        separate = (a, b, c)
    if separate is None or any(each is None for each in separate):
        raise ArgumentError("attention projects with in_proj_weight, or with three separate weights")
    biases = (None, None, None) if bias is None else bias.chunk(3, 0)
    q, k, v = (linear(x, w, b) for x, w, b in zip((query, key, value), separate, biases, strict=True) if w is not None)
    return q, k, v
