"""The two-convolution net of torch's MNIST example, without its dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from works.rules import Adam
from works.work import Array, Arrays, Work, jax_cross_entropy, jax_linear, linear, uniform

BATCH = 64


def weights(rng: np.random.Generator) -> Arrays:
    return (
        {"0.weight": uniform(rng, 32, 1, 3, 3, fan_in=9), "0.bias": uniform(rng, 32, fan_in=9)}
        | {"2.weight": uniform(rng, 64, 32, 3, 3, fan_in=288), "2.bias": uniform(rng, 64, fan_in=288)}
        | linear(rng, "6", 9216, 128)
        | linear(rng, "8", 128, 10)
    )


def batch(rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.random((BATCH, 1, 28, 28), np.float32), rng.integers(10, size=BATCH)


def net(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),  # (64, 32, 26, 26)
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),  # (64, 64, 24, 24)
        nn.ReLU(),
        nn.MaxPool2d(2),  # (64, 64, 12, 12)
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def loss(torch: Any, net: Any, x: Any, y: Any) -> Any:
    return torch.nn.functional.cross_entropy(net(x), y)


def jax_weights(weights: Arrays) -> Arrays:
    """Channels last, which XLA's convolutions prefer on CPUs; the first linear layer's inputs move accordingly."""
    new = dict(weights)
    for name in ("0.weight", "2.weight"):
        new[name] = weights[name].transpose(2, 3, 1, 0)  # (out, in, 3, 3) to (3, 3, in, out)
    new["6.weight"] = weights["6.weight"].reshape(128, 64, 12, 12).transpose(0, 2, 3, 1).reshape(128, 9216)
    return {name: np.ascontiguousarray(value) for name, value in new.items()}


def jax_loss(weights: dict[str, Any], x: Any, y: Any) -> Any:
    import jax

    x = x.reshape(BATCH, 28, 28, 1)
    for name in ("0", "2"):
        x = jax.lax.conv_general_dilated(
            x, weights[f"{name}.weight"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x + weights[f"{name}.bias"])
    x = x.reshape(BATCH, 12, 2, 12, 2, 64).max((2, 4))  # quicker here than reduce_window and its derivative
    x = jax.nn.relu(jax_linear(weights, "6", x.reshape(BATCH, 9216)))
    return jax_cross_entropy(jax_linear(weights, "8", x), y)


WORK = Work(
    "CNN 1-32-64 3x3, pool, 9216-128-10, batch 64, Adam",
    Adam(1e-3),
    weights,
    batch,
    net,
    loss,
    jax_loss,
    jax_weights=jax_weights,
)
