"""One causal multi-head attention, with the products before and after it."""

from __future__ import annotations

from typing import Any

import numpy as np

from works.rules import SGD
from works.work import Array, Arrays, Work, jax_linear, linear

BATCH, TOKENS, HEADS, WIDTH = 12, 256, 4, 128


def weights(rng: np.random.Generator) -> Arrays:
    return linear(rng, "qkv", WIDTH, 3 * WIDTH) | linear(rng, "proj", WIDTH, WIDTH)


def batch(rng: np.random.Generator) -> tuple[Array, Array]:
    return tuple(rng.standard_normal((BATCH, TOKENS, WIDTH)).astype(np.float32) for _ in range(2))  # type: ignore[return-value]


def net(torch: Any) -> Any:
    nn = torch.nn

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
            self.proj = nn.Linear(WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            b, t, c = x.shape
            q, k, v = self.qkv(x).split(c, dim=2)
            q, k, v = (z.view(b, t, HEADS, c // HEADS).transpose(1, 2) for z in (q, k, v))  # (b, heads, t, c/heads)
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.proj(y.transpose(1, 2).reshape(b, t, c))

    return Attention()


def loss(torch: Any, net: Any, x: Any, y: Any) -> Any:
    return torch.nn.functional.mse_loss(net(x), y)


def jax_loss(weights: dict[str, Any], x: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    mask = jnp.tril(jnp.ones((TOKENS, TOKENS), bool))
    q, k, v = jax_linear(weights, "qkv", x).reshape(BATCH, TOKENS, 3, HEADS, WIDTH // HEADS).transpose(2, 0, 3, 1, 4)
    scores = q @ k.swapaxes(-1, -2) * (WIDTH // HEADS) ** -0.5  # (b, heads, t, t)
    attention = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf)) @ v
    made = jax_linear(weights, "proj", attention.transpose(0, 2, 1, 3).reshape(BATCH, TOKENS, WIDTH))
    return jnp.mean((made - y) ** 2)


WORK = Work(f"Attention, {HEADS} heads, width {WIDTH}, {TOKENS} tokens, batch {BATCH}, SGD",
            SGD(0.1), weights, batch, net, loss, jax_loss)  # fmt: skip
