"""Fifty small layers: many short kernels in a row, where every call's overhead counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from works.rules import SGD
from works.work import Array, Arrays, Gradients, Work, jax_linear

BATCH, WIDTH, DEPTH = 32, 64, 50


def weights(rng: np.random.Generator) -> Arrays:
    # Variance 1/width: the signal and its gradient keep their size through fifty layers of tanh, more or less.
    arrays: Arrays = {}
    for i in range(DEPTH):
        arrays[f"{2 * i}.weight"] = (rng.standard_normal((WIDTH, WIDTH)) * WIDTH**-0.5).astype(np.float32)
        arrays[f"{2 * i}.bias"] = np.zeros(WIDTH, np.float32)
    return arrays


def batch(rng: np.random.Generator) -> tuple[Array, Array]:
    x, y = (rng.standard_normal((BATCH, WIDTH)).astype(np.float32) for _ in range(2))
    return x, y


def net(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(*(layer for _ in range(DEPTH) for layer in (nn.Linear(WIDTH, WIDTH), nn.Tanh())))


def loss(torch: Any, net: Any, x: Any, y: Any) -> Any:
    return torch.nn.functional.mse_loss(net(x), y)


def jax_loss(weights: dict[str, Any], x: Any, y: Any) -> Any:
    import jax.numpy as jnp

    for i in range(DEPTH):
        x = jnp.tanh(jax_linear(weights, str(2 * i), x))
    return jnp.mean((x - y) ** 2)


def by_hand(weights: Arrays, gradients: Arrays) -> Gradients:
    layers = [(weights[f"{2 * i}.weight"], weights[f"{2 * i}.bias"]) for i in range(DEPTH)]
    dlayers = [(gradients[f"{2 * i}.weight"], gradients[f"{2 * i}.bias"]) for i in range(DEPTH)]
    outputs = [np.empty((BATCH, WIDTH), np.float32) for _ in range(DEPTH)]
    g, slope = (np.empty((BATCH, WIDTH), np.float32) for _ in range(2))

    def step(x: Array, y: Array) -> float:
        inputs = [x, *outputs]
        for a, out, (w, b) in zip(inputs, outputs, layers, strict=False):
            np.matmul(a, w.T, out=out)
            np.add(out, b, out=out)
            np.tanh(out, out=out)
        np.subtract(outputs[-1], y, out=g)
        value = float(np.vdot(g, g)) / g.size
        np.multiply(g, np.float32(2 / g.size), out=g)
        for i in range(DEPTH - 1, -1, -1):
            np.multiply(outputs[i], outputs[i], out=slope)
            np.subtract(1, slope, out=slope)
            np.multiply(slope, g, out=slope)
            dw, db = dlayers[i]
            np.matmul(slope.T, inputs[i], out=dw)
            np.add.reduce(slope, 0, out=db)
            if i:
                np.matmul(slope, layers[i][0], out=g)
        return value

    return step


WORK = Work("50 layers of 64, tanh, batch 32, SGD", SGD(0.1), weights, batch, net, loss, jax_loss, numpy=by_hand)
