"""A wider net: matrix products begin to matter, and Adam reads and writes more memory than they do."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from works.rules import Adam
from works.work import (
    Array,
    Arrays,
    Gradients,
    Work,
    jax_cross_entropy,
    jax_linear,
    linear,
    numpy_cross_entropy,
)

BATCH, WIDTHS = 128, (784, 512, 512, 10)


def weights(rng: np.random.Generator) -> Arrays:
    layers = [linear(rng, str(2 * i), n, m) for i, (n, m) in enumerate(pairwise(WIDTHS))]
    return layers[0] | layers[1] | layers[2]


def batch(rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.random((BATCH, WIDTHS[0]), np.float32), rng.integers(WIDTHS[-1], size=BATCH)


def net(torch: Any) -> Any:
    nn = torch.nn
    a, b, c, d = WIDTHS
    return nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c), nn.ReLU(), nn.Linear(c, d))


def loss(torch: Any, net: Any, x: Any, y: Any) -> Any:
    return torch.nn.functional.cross_entropy(net(x), y)


def jax_loss(weights: dict[str, Any], x: Any, y: Any) -> Any:
    import jax

    hidden = jax.nn.relu(jax_linear(weights, "0", x))
    hidden = jax.nn.relu(jax_linear(weights, "2", hidden))
    return jax_cross_entropy(jax_linear(weights, "4", hidden), y)


def by_hand(weights: Arrays, gradients: Arrays) -> Gradients:
    w1, b1, w2, b2, w3, b3 = weights.values()
    dw1, db1, dw2, db2, dw3, db3 = gradients.values()
    rows = np.arange(BATCH)
    first, second, dfirst, dsecond = (np.empty((BATCH, WIDTHS[1]), np.float32) for _ in range(4))

    def step(x: Array, y: Array) -> float:
        np.matmul(x, w1.T, out=first)
        np.add(first, b1, out=first)
        np.maximum(first, 0, out=first)
        np.matmul(first, w2.T, out=second)
        np.add(second, b2, out=second)
        np.maximum(second, 0, out=second)
        logits = second @ w3.T
        logits += b3
        value = numpy_cross_entropy(logits, y, rows)  # logits now hold their own gradient
        np.matmul(logits.T, second, out=dw3)
        np.add.reduce(logits, 0, out=db3)
        np.matmul(logits, w3, out=dsecond)
        np.multiply(dsecond, second > 0, out=dsecond)
        np.matmul(dsecond.T, first, out=dw2)
        np.add.reduce(dsecond, 0, out=db2)
        np.matmul(dsecond, w2, out=dfirst)
        np.multiply(dfirst, first > 0, out=dfirst)
        np.matmul(dfirst.T, x, out=dw1)
        np.add.reduce(dfirst, 0, out=db1)
        return value

    return step


WORK = Work("MLP 784-512-512-10, batch 128, Adam", Adam(1e-3), weights, batch, net, loss, jax_loss, numpy=by_hand)
