"""What one workload says about itself, once for all peers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from works.rules import Rule

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]
Gradients = Callable[[Array, Array], float]
"""Takes a batch, writes every gradient into its array, returns the loss."""


@dataclass(frozen=True)
class Work:
    title: str
    rule: Rule
    weights: Callable[[np.random.Generator], Arrays]
    """The first weights, under torch's state_dict names; they also fix the order of the parameters."""
    batch: Callable[[np.random.Generator], tuple[Array, Array]]
    net: Callable[[Any], Any]
    """The net in torch's names. Its argument is the module `torch`, or whatever speaks the same names."""
    loss: Callable[[Any, Any, Any, Any], Any]
    """The loss in torch's names, of (torch, net, x, y)."""
    jax_loss: Callable[[dict[str, Any], Any, Any], Any]
    """The loss in JAX, of (weights, x, y); the weights as `jax_weights` made them."""
    jax_weights: Callable[[Arrays], Arrays] = dict
    """The weights in the layout that suits JAX."""
    numpy: Callable[[Arrays, Arrays], Gradients] | None = None
    """The gradients by hand: given weights and arrays for their gradients; None where nobody would write it by hand."""


def uniform(rng: np.random.Generator, *shape: int, fan_in: int) -> Array:
    """Uniform in ±1/sqrt(fan_in), torch's default for weights and biases, in float32."""
    bound = fan_in**-0.5
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def linear(rng: np.random.Generator, name: str, fan_in: int, fan_out: int) -> Arrays:
    """Weight and bias of a linear layer under torch's names and in torch's layout, (out, in)."""
    return {
        f"{name}.weight": uniform(rng, fan_out, fan_in, fan_in=fan_in),
        f"{name}.bias": uniform(rng, fan_out, fan_in=fan_in),
    }


def jax_linear(weights: dict[str, Any], name: str, x: Any) -> Any:
    """The same layer in JAX."""
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def jax_cross_entropy(logits: Any, labels: Any) -> Any:
    """Mean of the negative log-probability of the right class, in JAX."""
    import jax
    import jax.numpy as jnp

    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1).mean()


def numpy_cross_entropy(logits: Array, labels: Array, rows: Array) -> float:
    """Returns the mean loss and turns the logits, in place, into the loss's gradient. `rows` is arange(len(labels))."""
    logits -= logits.max(1, keepdims=True)
    chosen = logits[rows, labels].sum()
    np.exp(logits, out=logits)
    total = logits.sum(1, keepdims=True)
    loss = (np.log(total).sum() - chosen) / len(labels)
    logits /= total
    logits[rows, labels] -= 1
    logits *= np.float32(1 / len(labels))
    return float(loss)
