"""An LSTM over a sequence: 64 small products one after another, with elementwise work between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from works.rules import SGD
from works.work import Array, Arrays, Work, jax_linear, linear, uniform

WIDTH, STEPS, BATCH, INPUT = 128, 64, 32, 128


def weights(rng: np.random.Generator) -> Arrays:
    gates = 4 * WIDTH
    return {
        "lstm.weight_ih_l0": uniform(rng, gates, INPUT, fan_in=WIDTH),
        "lstm.weight_hh_l0": uniform(rng, gates, WIDTH, fan_in=WIDTH),
        "lstm.bias_ih_l0": uniform(rng, gates, fan_in=WIDTH),
        "lstm.bias_hh_l0": uniform(rng, gates, fan_in=WIDTH),
    } | linear(rng, "head", WIDTH, 1)


def batch(rng: np.random.Generator) -> tuple[Array, Array]:
    x = rng.standard_normal((STEPS, BATCH, INPUT)).astype(np.float32)
    return x, x[:, :, :1].mean(0)


def net(torch: Any) -> Any:
    nn = torch.nn

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(INPUT, WIDTH)
            self.head = nn.Linear(WIDTH, 1)

        def forward(self, x: Any) -> Any:
            states, _ = self.lstm(x)  # (steps, batch, width)
            return self.head(states[-1])  # (batch, 1)

    return Reader()


def loss(torch: Any, net: Any, x: Any, y: Any) -> Any:
    return torch.nn.functional.mse_loss(net(x), y)


def jax_loss(weights: dict[str, Any], x: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    bias = weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"]
    inputs = x @ weights["lstm.weight_ih_l0"].T + bias  # all steps at once
    recurrent = weights["lstm.weight_hh_l0"].T

    def step(carried: Any, now: Any) -> tuple[Any, None]:
        h, c = carried
        i, f, g, o = jnp.split(now + h @ recurrent, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((BATCH, WIDTH), x.dtype)
    (h, _), _ = jax.lax.scan(step, (zeros, zeros), inputs)
    return jnp.mean((jax_linear(weights, "head", h) - y) ** 2)


WORK = Work(f"LSTM {WIDTH}, {STEPS} steps, batch {BATCH}, SGD", SGD(0.1), weights, batch, net, loss, jax_loss)
