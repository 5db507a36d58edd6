"""The net of `gpt`, and how it writes: character by character, with the keys and values of what it has read kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import compile, nn, no_grad
from .. import functions as fn
from ..errors import ArgumentError
from ..tensor import Tensor


class Block(nn.Module):
    """Attention to what came before, then a small net: each reads the normalised stream and adds to it.

    The net's squared ReLU: D. So et al.: Primer (2021, arXiv:2109.08668), section 4.1.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.drop = heads, nn.Dropout(dropout)
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, turns: Tensor, at: Tensor, past: tuple[Tensor, Tensor] | None = None) -> Any:
        b, t, c = x.shape
        parts = self.qkv(self.norm1(x)).chunk(3, 2)
        q, k, v = (part.reshape(b, t, self.heads, -1).transpose(1, 2) for part in parts)  # (b, heads, t, c / heads)
        q, k = turned(q, turns), turned(k, turns)
        if past is not None:
            k, v = past[0].index_copy_(2, at, k), past[1].index_copy_(2, at, v)  # (b, heads, block, c / heads)
        later = fn.arange(k.shape[2]) > at.unsqueeze(1)  # (t, t or block)
        scores = (q @ k.mT * (c // self.heads) ** -0.5).masked_fill(later, -math.inf)
        weights = scores.softmax(-1)  # (b, heads, t, t or block)
        x = x + self.drop(self.proj((weights @ v).transpose(1, 2).reshape(b, t, c)))
        return x + self.drop(self.down(self.up(self.norm2(x)).relu().square())), weights


def turned(x: Tensor, turns: Tensor) -> Tensor:
    """Pairs of features, turned by angles in proportion to their place, so that products of two tell their distance.

    Rotary positions: J. Su et al. 2021 (arXiv:2104.09864), section 3.4.
    """
    a, b = x.chunk(2, -1)
    return x * turns[0] + fn.cat([-b, a], -1) * turns[1]


class GPT(nn.Module):
    """At every place of a text the scores of the character that comes next.

    A. Radford et al.: Language models are unsupervised multitask learners (GPT-2, 2019), section 2.3.
    """

    turns: Tensor

    def __init__(self, vocabulary: int, block: int, layers: int, heads: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % (2 * heads):
            raise ArgumentError("the width must be a multiple of twice the heads", got=f"{width} and {heads} heads")
        self.block, self.heads, self.width = block, heads, width
        self.tokens, self.drop = nn.Embedding(vocabulary, width), nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm, self.head = nn.RMSNorm(width), nn.Linear(width, vocabulary, bias=False)
        pairs = width // heads // 2
        angles = np.outer(np.arange(block), 10_000.0 ** (-np.arange(pairs) / pairs))
        turns = np.tile([np.cos(angles), np.sin(angles)], 2).astype(np.float32)  # (2, block, width / heads)
        self.register_buffer("turns", fn.from_numpy(turns), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:  # what the 2 · layers parts add to the stream begins small, so that their sum does
                adds = name.endswith(("proj.weight", "down.weight"))
                nn.init.normal_(weight, 0.0, 0.02 / math.sqrt(2 * layers) if adds else 0.02)

    def run(self, ids: Tensor, at: Tensor, past: Sequence[Any] | None = None) -> tuple[Tensor, list[Tensor]]:
        """The scores for characters (b, t) at places (t,), and the weights of attention in each layer.

        With ``past``, keys and values of each layer, (b, heads, block, width / heads), those of the places are put in.
        """
        x, looks = self.drop(self.tokens(ids)), []  # (b, t, width)
        for layer, block in enumerate(self.blocks):
            x, weights = block(x, self.turns[:, at], at, None if past is None else past[layer])
            looks.append(weights)
        return self.head(self.norm(x)), looks  # (b, t, vocabulary), layers of (b, heads, t, t or block)

    def forward(self, ids: Tensor) -> Tensor:
        scores, _ = self.run(ids, fn.arange(ids.shape[1]))
        return scores


def pick(scores: Tensor, temperature: float = 1.0, top_k: int = 0, generator: fn.Generator | None = None) -> int:
    """A character drawn by its score.

    Args:
        scores: one for each character, (vocabulary,).
        temperature: divides the scores: below 1 it dares less; at 0 it is the best character.
        top_k: only so many of the best may be drawn; 0: all.
        generator: whose seed decides; the default generator if None.

    Raises:
        ArgumentError: a temperature or top_k below 0.

    >>> from glassgrad.recipes.decoder import pick
    >>> pick(gg.tensor([1.0, 3.0, 2.0]), temperature=0)
    1
    """
    if not temperature >= 0 or top_k < 0:
        raise ArgumentError("temperature and top_k must be 0 or more", got=f"{temperature} and {top_k}")
    best = scores.double().topk(min(top_k or len(scores), len(scores)))
    if temperature == 0:
        return int(best.indices[0])
    chances = ((best.values - best.values[0]) / temperature).softmax(0)
    return int(best.indices[fn.multinomial(chances, 1, generator=generator)])


class Writer:
    """Writes with a model, one character after the other, and keeps keys and values of those before.

    They have the shape of a full block from the beginning, so that the step is compiled once.
    """

    def __init__(self, model: GPT) -> None:
        shape = (1, model.heads, model.block, model.width // model.heads)
        self.past = [(fn.zeros(shape), fn.zeros(shape)) for _ in model.blocks]
        self.model, self.step = model.eval(), compile(self._step, threads=1)  # too little work for several

    def _step(self, ids: Tensor, at: Tensor) -> Tensor:
        scores, _ = self.model.run(ids, at, self.past)
        return scores[0, 0]

    def scores(self, character: int, place: int) -> Tensor:
        """Those (vocabulary,) of what follows this character, after it was told what is in the places before."""
        with no_grad():
            found: Tensor = self.step(fn.tensor([[character]]), fn.tensor([place]))
        return found

    def write(self, ids: Sequence[int], count: int, choose: Callable[[Tensor], int] = pick) -> list[int]:
        """What begins with ``ids``, and ``count`` characters more.

        A full block is begun anew with its second half: the model has never seen a place beyond it.
        """
        if not ids:
            raise ArgumentError("there is nothing to write on from", fix="begin with one character or more")
        written, block = list(ids), self.model.block
        begin = known = max(0, len(written) - block)
        for _ in range(count):
            if len(written) - begin > block:
                begin = known = len(written) - max(1, block // 2)
            while known < len(written):
                scores = self.scores(written[known], known - begin)
                known += 1
            written.append(choose(scores))
        return written
