"""How each peer runs a workload: `PEERS[name].load(work)` gives a whole training step that is done when it returns.

To add a peer, add it to PEERS, with the thread settings it may choose its best from.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from works import Work

Step = Callable[[], Any]
"""One forward, loss, backward and update; returns the loss, see `number`."""

SEED = 20


def number(loss: Any) -> float:
    """The loss of any peer as a number."""
    return float(loss.item() if hasattr(loss, "item") else loss)


class Missing(Exception):
    """This peer is not installed, or cannot do this workload; the message says which."""


@dataclass(frozen=True)
class Threads:
    """One way to run a peer: how many threads, and the environment that makes it so."""

    name: str
    count: int
    environment: dict[str, str]


def openmp(count: int) -> Threads:
    """For NumPy's OpenBLAS and torch's OpenMP: threads that sleep when there is nothing to do."""
    number = str(count)
    threads = {"OMP_NUM_THREADS": number, "OPENBLAS_NUM_THREADS": number, "MKL_NUM_THREADS": number}
    return Threads(number, count, threads | {"OMP_WAIT_POLICY": "PASSIVE"})


def spinning(count: int) -> Threads:
    """For torch: OpenMP's own default, to spin for a while before sleeping. Quicker, as long as nothing else runs."""
    environment = dict(openmp(count).environment)
    del environment["OMP_WAIT_POLICY"]
    return Threads(f"{count} spin", count, environment)


def xla(count: int) -> Threads:
    """For JAX, whose pool has as many threads as NPROC says."""
    flags = "--xla_cpu_multi_thread_eigen=" + ("false" if count == 1 else "true")
    return Threads(str(count), count, {"NPROC": str(count), "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"})


@dataclass(frozen=True)
class Peer:
    module: str
    """What is imported, and whose version is printed."""
    load: Callable[[Work], Step]
    threads: tuple[Threads, ...]
    default: bool = True
    """Takes part without being named."""


def inputs(work: Work) -> tuple[dict[str, Any], Any, Any]:
    """Weights and batch, the same for every peer."""
    rng = np.random.default_rng(SEED)
    return work.weights(rng), *work.batch(rng)


def module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise Missing(f"{name} is not installed") from None


def torch_names(name: str, *, compiled: bool = False) -> Callable[[Work], Step]:
    """A peer that speaks torch's names: torch itself and glassgrad, as they are or with the step compiled."""

    def load(work: Work) -> Step:
        torch = module(name)
        weights, *batch = inputs(work)
        net = work.net(torch)
        net.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
        optimizer = work.rule.torch(torch, net.parameters())
        x, y = (torch.tensor(array) for array in batch)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = work.loss(torch, net, x, y)
            loss.backward()
            optimizer.step()
            return loss

        options = {"threads": int(os.environ["OMP_NUM_THREADS"])} if name == "glassgrad" else {}
        run = torch.compile(step, **options) if compiled else step
        return lambda: run(x, y)

    return load


def jax_jit(work: Work) -> Step:
    """JAX: the step as one function, its weights and state given back to it, and donated."""
    jax = module("jax")
    weights, *batch = inputs(work)
    x, y = (jax.device_put(array) for array in batch)
    params = {key: jax.device_put(value) for key, value in work.jax_weights(weights).items()}

    def step(params: Any, state: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(work.jax_loss)(params, x, y)
        return loss, *work.rule.jax_update(params, gradients, state)

    compiled = jax.jit(step, donate_argnums=(0, 1))
    held = params, work.rule.jax_state(params)

    def run() -> Any:
        nonlocal held
        loss, *rest = compiled(*held, x, y)
        held = rest[0], rest[1]
        return loss.block_until_ready()

    return run


def numpy_by_hand(work: Work) -> Step:
    """NumPy: gradients written out; weights and gradients are views of two flat vectors, to update in one pass."""
    if work.numpy is None:
        raise Missing("not written by hand")
    weights, x, y = inputs(work)
    flat = np.concatenate([array.ravel() for array in weights.values()])
    gradients = np.zeros_like(flat)
    ends = np.cumsum([array.size for array in weights.values()])[:-1]

    def views(vector: Any) -> dict[str, Any]:
        parts = np.split(vector, ends)
        return {key: part.reshape(array.shape) for (key, array), part in zip(weights.items(), parts, strict=True)}

    gradient = work.numpy(views(flat), views(gradients))
    update = work.rule.numpy(flat, gradients)

    def run() -> float:
        loss = gradient(x, y)
        update()
        return loss

    return run


OPENMP = (openmp(1), openmp(2))
TORCH = (*OPENMP, spinning(2))

PEERS: dict[str, Peer] = {
    "glassgrad": Peer("glassgrad", torch_names("glassgrad"), OPENMP),
    "glassgrad-compiled": Peer("glassgrad", torch_names("glassgrad", compiled=True), OPENMP),
    "torch": Peer("torch", torch_names("torch"), TORCH),
    "torch-compile": Peer("torch", torch_names("torch", compiled=True), TORCH, default=False),
    "jax": Peer("jax", jax_jit, (xla(1), xla(2))),
    "numpy": Peer("numpy", numpy_by_hand, OPENMP),
}
