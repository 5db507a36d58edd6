"""A character-level GPT: pre-norm blocks, causal attention, learned positions, AdamW."""

from __future__ import annotations

from typing import Any

import numpy as np

from works.rules import Adam
from works.work import Array, Arrays, Work, jax_cross_entropy, jax_linear, linear

LAYERS, HEADS, WIDTH, BLOCK, BATCH, VOCABULARY = 4, 4, 128, 64, 12, 65


def norm(name: str) -> Arrays:
    return {f"{name}.weight": np.ones(WIDTH, np.float32), f"{name}.bias": np.zeros(WIDTH, np.float32)}


def weights(rng: np.random.Generator) -> Arrays:
    def small(*shape: int) -> Array:
        return (rng.standard_normal(shape) * 0.02).astype(np.float32)

    arrays = {"tokens.weight": small(VOCABULARY, WIDTH), "positions.weight": small(BLOCK, WIDTH)}
    for i in range(LAYERS):
        at = f"blocks.{i}"
        arrays |= norm(f"{at}.norm1") | linear(rng, f"{at}.qkv", WIDTH, 3 * WIDTH)
        arrays |= linear(rng, f"{at}.proj", WIDTH, WIDTH) | norm(f"{at}.norm2")
        arrays |= linear(rng, f"{at}.up", WIDTH, 4 * WIDTH) | linear(rng, f"{at}.down", 4 * WIDTH, WIDTH)
    return arrays | norm("norm") | {"head.weight": small(VOCABULARY, WIDTH)}


def batch(rng: np.random.Generator) -> tuple[Array, Array]:
    text = rng.integers(VOCABULARY, size=(BATCH, BLOCK + 1))
    return np.ascontiguousarray(text[:, :-1]), np.ascontiguousarray(text[:, 1:])


def net(torch: Any) -> Any:
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = nn.LayerNorm(WIDTH)
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
            self.proj = nn.Linear(WIDTH, WIDTH)
            self.norm2 = nn.LayerNorm(WIDTH)
            self.up = nn.Linear(WIDTH, 4 * WIDTH)
            self.down = nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            b, t, c = x.shape
            q, k, v = self.qkv(self.norm1(x)).split(c, dim=2)
            q, k, v = (z.view(b, t, HEADS, c // HEADS).transpose(1, 2) for z in (q, k, v))  # (b, heads, t, c/heads)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).reshape(b, t, c))
            return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(VOCABULARY, WIDTH)
            self.positions = nn.Embedding(BLOCK, WIDTH)
            self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

        def forward(self, text: Any) -> Any:
            x = self.tokens(text) + self.positions(torch.arange(text.shape[1]))
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))  # (b, t, vocabulary)

    return GPT()


def loss(torch: Any, net: Any, x: Any, y: Any) -> Any:
    return torch.nn.functional.cross_entropy(net(x).view(-1, VOCABULARY), y.view(-1))


def jax_norm(weights: dict[str, Any], name: str, x: Any) -> Any:
    import jax

    x = x - x.mean(-1, keepdims=True)
    scale = jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    return x * scale * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def jax_loss(weights: dict[str, Any], x: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    mask = jnp.tril(jnp.ones((BLOCK, BLOCK), bool))
    h = weights["tokens.weight"][x] + weights["positions.weight"]
    for i in range(LAYERS):
        at = f"blocks.{i}"
        qkv = jax_linear(weights, f"{at}.qkv", jax_norm(weights, f"{at}.norm1", h))
        q, k, v = qkv.reshape(BATCH, BLOCK, 3, HEADS, WIDTH // HEADS).transpose(2, 0, 3, 1, 4)
        scores = q @ k.swapaxes(-1, -2) * (WIDTH // HEADS) ** -0.5  # (b, heads, t, t)
        attention = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf)) @ v
        h = h + jax_linear(weights, f"{at}.proj", attention.transpose(0, 2, 1, 3).reshape(BATCH, BLOCK, WIDTH))
        up = jax_linear(weights, f"{at}.up", jax_norm(weights, f"{at}.norm2", h))
        h = h + jax_linear(weights, f"{at}.down", jax.nn.gelu(up, approximate=True))
    logits = jax_norm(weights, "norm", h) @ weights["head.weight"].T
    return jax_cross_entropy(logits.reshape(-1, VOCABULARY), y.reshape(-1))


WORK = Work(
    "GPT 4 layers, 4 heads, width 128, block 64, batch 12, AdamW",
    Adam(1e-3, weight_decay=0.1),
    weights,
    batch,
    net,
    loss,
    jax_loss,
)
