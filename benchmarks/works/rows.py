"""LayerNorm, softmax and GELU over long rows: no products, only memory and functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from works.rules import SGD
from works.work import Array, Arrays, Work

ROWS, COLUMNS = 4096, 1024


def weights(rng: np.random.Generator) -> Arrays:
    ones, zeros = np.ones(COLUMNS, np.float32), np.zeros(COLUMNS, np.float32)
    # The scale before the norm has the gradient go all the way back.
    return {"scale": ones.copy(), "norm.weight": ones, "norm.bias": zeros}


def batch(rng: np.random.Generator) -> tuple[Array, Array]:
    return tuple(rng.standard_normal((ROWS, COLUMNS)).astype(np.float32) for _ in range(2))  # type: ignore[return-value]


def net(torch: Any) -> Any:
    nn = torch.nn

    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(COLUMNS))
            self.norm = nn.LayerNorm(COLUMNS)

        def forward(self, x: Any) -> Any:
            return nn.functional.gelu(nn.functional.softmax(self.norm(x * self.scale), -1))

    return Rows()


def loss(torch: Any, net: Any, x: Any, y: Any) -> Any:
    return (net(x) * y).sum()


def jax_loss(weights: dict[str, Any], x: Any, y: Any) -> Any:
    import jax

    x = x * weights["scale"]
    x = x - x.mean(-1, keepdims=True)
    x = x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * weights["norm.weight"] + weights["norm.bias"]
    return (jax.nn.gelu(jax.nn.softmax(x), approximate=False) * y).sum()


WORK = Work(f"LayerNorm, softmax, GELU on {ROWS} x {COLUMNS}, SGD", SGD(1e-3), weights, batch, net, loss, jax_loss)
