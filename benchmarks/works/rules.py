"""The update rules, each in torch's names, in JAX, and by hand over one flat NumPy vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rule(ABC):
    lr: float

    @abstractmethod
    def torch(self, torch: Any, parameters: Any) -> Any:
        """The optimizer in torch's names."""

    @abstractmethod
    def jax_state(self, weights: Any) -> Any:
        """What the rule remembers between steps, in JAX."""

    @abstractmethod
    def jax_update(self, weights: Any, gradients: Any, state: Any) -> tuple[Any, Any]:
        """New weights and new state, in JAX."""

    @abstractmethod
    def numpy(self, weights: Vector, gradients: Vector) -> Callable[[], None]:
        """One update in place; it may use the gradients' memory as its scratch paper."""


@dataclass(frozen=True)
class SGD(Rule):
    def torch(self, torch: Any, parameters: Any) -> Any:
        return torch.optim.SGD(parameters, lr=self.lr)

    def jax_state(self, weights: Any) -> Any:
        return ()

    def jax_update(self, weights: Any, gradients: Any, state: Any) -> tuple[Any, Any]:
        import jax

        return jax.tree.map(lambda w, g: w - self.lr * g, weights, gradients), state

    def numpy(self, weights: Vector, gradients: Vector) -> Callable[[], None]:
        rate = np.float32(self.lr)

        def update() -> None:
            np.multiply(gradients, rate, out=gradients)
            np.subtract(weights, gradients, out=weights)

        return update


@dataclass(frozen=True)
class Adam(Rule):
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    """Decoupled, as in AdamW."""

    def torch(self, torch: Any, parameters: Any) -> Any:
        if self.weight_decay:
            return torch.optim.AdamW(
                parameters, lr=self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay
            )
        return torch.optim.Adam(parameters, lr=self.lr, betas=self.betas, eps=self.eps)

    def jax_state(self, weights: Any) -> Any:
        import jax
        import jax.numpy as jnp

        return jnp.zeros(()), jax.tree.map(jnp.zeros_like, weights), jax.tree.map(jnp.zeros_like, weights)

    def jax_update(self, weights: Any, gradients: Any, state: Any) -> tuple[Any, Any]:
        import jax
        import jax.numpy as jnp

        beta1, beta2 = self.betas
        count, mean, square = state
        count = count + 1
        mean = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, mean, gradients)
        square = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, square, gradients)
        rate = self.lr / (1 - beta1**count)
        root = jnp.sqrt(1 - beta2**count)
        keep = 1 - self.lr * self.weight_decay
        new = jax.tree.map(lambda w, m, v: keep * w - rate * m / (jnp.sqrt(v) / root + self.eps), weights, mean, square)
        return new, (count, mean, square)

    def numpy(self, weights: Vector, gradients: Vector) -> Callable[[], None]:
        beta1, beta2 = self.betas
        mean, square, scratch = (np.zeros_like(weights) for _ in range(3))
        count = 0

        def update() -> None:
            nonlocal count
            count += 1
            # m += (1 - b1) (g - m);  v = b2 v + (1 - b2) g g
            np.subtract(gradients, mean, out=scratch)
            np.multiply(scratch, np.float32(1 - beta1), out=scratch)
            np.add(mean, scratch, out=mean)
            np.multiply(gradients, gradients, out=gradients)
            np.multiply(gradients, np.float32(1 - beta2), out=gradients)
            np.multiply(square, np.float32(beta2), out=square)
            np.add(square, gradients, out=square)
            # w -= rate m / (sqrt(v) / root + eps)
            np.sqrt(square, out=scratch)
            np.multiply(scratch, np.float32((1 - beta2**count) ** -0.5), out=scratch)
            np.add(scratch, np.float32(self.eps), out=scratch)
            np.divide(mean, scratch, out=scratch)
            np.multiply(scratch, np.float32(self.lr / (1 - beta1**count)), out=scratch)
            if self.weight_decay:
                np.multiply(weights, np.float32(1 - self.lr * self.weight_decay), out=weights)
            np.subtract(weights, scratch, out=weights)

        return update
