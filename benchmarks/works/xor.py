"""XOR: so small that nothing but overhead is left to time."""

from __future__ import annotations

from typing import Any

import numpy as np

from works.rules import SGD
from works.work import Array, Arrays, Gradients, Work, jax_linear, linear


def weights(rng: np.random.Generator) -> Arrays:
    return linear(rng, "0", 2, 4) | linear(rng, "2", 4, 1)


def batch(rng: np.random.Generator) -> tuple[Array, Array]:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    return x, np.array([[0], [1], [1], [0]], np.float32)


def net(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())


def loss(torch: Any, net: Any, x: Any, y: Any) -> Any:
    return torch.nn.functional.mse_loss(net(x), y)


def jax_loss(weights: dict[str, Any], x: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    hidden = jnp.tanh(jax_linear(weights, "0", x))
    output = jax.nn.sigmoid(jax_linear(weights, "2", hidden))
    return jnp.mean((output - y) ** 2)


def by_hand(weights: Arrays, gradients: Arrays) -> Gradients:
    w1, b1, w2, b2 = weights.values()
    dw1, db1, dw2, db2 = gradients.values()

    def step(x: Array, y: Array) -> float:
        hidden = np.tanh(x @ w1.T + b1)  # (4, 4)
        output = 1 / (1 + np.exp(-(hidden @ w2.T + b2)))  # (4, 1)
        error = output - y
        dz2 = error * output * (1 - output) * np.float32(2 / error.size)
        dz1 = (dz2 @ w2) * (1 - hidden * hidden)
        np.matmul(dz2.T, hidden, out=dw2)
        np.add.reduce(dz2, 0, out=db2)
        np.matmul(dz1.T, x, out=dw1)
        np.add.reduce(dz1, 0, out=db1)
        return float(np.vdot(error, error)) / error.size

    return step


WORK = Work("XOR 2-4-1, batch 4, SGD", SGD(0.5), weights, batch, net, loss, jax_loss, numpy=by_hand)
