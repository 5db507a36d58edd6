"""The MNIST-sized net of every first chapter: one hidden layer, plain SGD."""

from __future__ import annotations

from typing import Any

import numpy as np

from works.rules import SGD
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

BATCH, WIDTHS = 64, (784, 128, 10)


def weights(rng: np.random.Generator) -> Arrays:
    return linear(rng, "0", *WIDTHS[:2]) | linear(rng, "2", *WIDTHS[1:])


def batch(rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.random((BATCH, WIDTHS[0]), np.float32), rng.integers(WIDTHS[-1], size=BATCH)


def net(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(nn.Linear(*WIDTHS[:2]), nn.ReLU(), nn.Linear(*WIDTHS[1:]))


def loss(torch: Any, net: Any, x: Any, y: Any) -> Any:
    return torch.nn.functional.cross_entropy(net(x), y)


def jax_loss(weights: dict[str, Any], x: Any, y: Any) -> Any:
    import jax

    return jax_cross_entropy(jax_linear(weights, "2", jax.nn.relu(jax_linear(weights, "0", x))), y)


def by_hand(weights: Arrays, gradients: Arrays) -> Gradients:
    w1, b1, w2, b2 = weights.values()
    dw1, db1, dw2, db2 = gradients.values()
    rows = np.arange(BATCH)
    hidden, dhidden = (np.empty((BATCH, WIDTHS[1]), np.float32) for _ in range(2))

    def step(x: Array, y: Array) -> float:
        np.matmul(x, w1.T, out=hidden)
        np.add(hidden, b1, out=hidden)
        np.maximum(hidden, 0, out=hidden)
        logits = hidden @ w2.T
        logits += b2
        value = numpy_cross_entropy(logits, y, rows)  # logits now hold their own gradient
        np.matmul(logits.T, hidden, out=dw2)
        np.add.reduce(logits, 0, out=db2)
        np.matmul(logits, w2, out=dhidden)
        np.multiply(dhidden, hidden > 0, out=dhidden)
        np.matmul(dhidden.T, x, out=dw1)
        np.add.reduce(dhidden, 0, out=db1)
        return value

    return step


WORK = Work("MLP 784-128-10, batch 64, SGD", SGD(0.05), weights, batch, net, loss, jax_loss, numpy=by_hand)
