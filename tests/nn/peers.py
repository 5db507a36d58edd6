"""The same layer or function in torch and here: made from the same numbers, run, and compared down to the gradients."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

import glassgrad as gg

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Fixed:
    """Numbers that no gradient is asked for: torch has none, or NaN."""

    numbers: np.ndarray


@dataclass(frozen=True)
class Case:
    """How a layer is made and called; tuples of integers stand for normal numbers, lists for tuples."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    x: list[Any]
    call: dict[str, Any] = field(default_factory=dict)
    train: bool = True

    def __str__(self) -> str:
        given = [_short(a) for a in self.args] + [f"{k}={_short(v)}" for k, v in self.kwargs.items()]
        called = [_short(x) for x in self.x] + [f"{k}={_short(v)}" for k, v in self.call.items()]
        return f"({', '.join(given)})({', '.join(called)}){'' if self.train else '.eval'}"


def _short(value: Any) -> str:
    value = value.numbers if isinstance(value, Fixed) else value
    if isinstance(value, np.ndarray):
        return f"{value.dtype.kind}{list(value.shape)}"
    if isinstance(value, list):
        return "[" + ",".join(map(_short, value)) + "]"
    return getattr(value, "__name__", None) or str(value).replace(" ", "")


def case(*args: Any, x: Any, call: dict[str, Any] | None = None, train: bool = True, **kwargs: Any) -> Case:
    """``x`` is one shape or a list of what the layer is called with."""
    return Case(args, kwargs, x if isinstance(x, list) else [x], call or {}, train)


def ints(high: int, *shape: int, low: int = 0, seed: int = 0) -> np.ndarray:
    """Random integers from ``low`` up to, not including, ``high``."""
    return np.random.default_rng(seed).integers(low, high, shape)


def signs(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    """1 and -1."""
    return np.where(np.arange(int(np.prod(shape))) % 3 == 1, -1, 1).reshape(shape).astype(dtype)


def even(*shape: int, low: float = 0.05, high: float = 0.95, seed: int = 1) -> np.ndarray:
    """Even numbers in [low, high)."""
    return np.random.default_rng(seed).uniform(low, high, shape)


def shares(*shape: int, axis: int = 1, seed: int = 2) -> np.ndarray:
    """Positive numbers that add up to 1 along an axis."""
    made = even(*shape, seed=seed)
    return made / made.sum(axis, keepdims=True)


def numbers_for(label: str) -> np.random.Generator:
    """A generator that depends on the label only."""
    return np.random.default_rng(zlib.crc32(label.encode()))


def filled(spec: Any, rng: np.random.Generator) -> Any:
    """A spec with numbers in the place of shapes."""
    if isinstance(spec, tuple) and all(isinstance(size, int) for size in spec):
        return rng.standard_normal(spec)
    if isinstance(spec, list):
        return tuple(filled(part, rng) for part in spec)
    return spec


def on_our_side(value: Any) -> Any:
    """Arrays as our tensors; floats want gradients."""
    if isinstance(value, np.ndarray):
        made = gg.tensor(value)
        return made.requires_grad_() if value.dtype.kind == "f" else made
    if isinstance(value, Fixed):
        return gg.tensor(value.numbers)
    return tuple(map(on_our_side, value)) if isinstance(value, tuple) else value


def on_their_side(value: Any) -> Any:
    """Arrays as torch's tensors; floats want gradients."""
    if isinstance(value, np.ndarray):
        made = torch.from_numpy(value.copy())
        return made.requires_grad_() if value.dtype.kind == "f" else made
    if isinstance(value, Fixed):
        return torch.from_numpy(value.numbers)
    return tuple(map(on_their_side, value)) if isinstance(value, tuple) else value


def argument(value: Any, lib: Any) -> Any:
    """What a constructor gets: arrays as tensors of ``lib``, functions called with ``lib``."""
    if isinstance(value, np.ndarray):
        return lib.tensor(value)
    return value(lib) if callable(value) else value


def build(lib: Any, name: str, made: Case) -> Any:
    """The layer in float64."""
    args = [argument(a, lib) for a in made.args]
    kwargs = {k: argument(v, lib) for k, v in made.kwargs.items()}
    layer = getattr(lib.nn, name)(*args, **kwargs)
    return layer.double().train(made.train)


def both(name: str, made: Case) -> tuple[Any, Any]:
    """Our layer and torch's, with the same random weights and running statistics."""
    rng = numbers_for(f"{name}{made}")
    theirs, ours = build(torch, name, made), build(gg, name, made)
    with torch.no_grad():
        for key, tensor in theirs.state_dict().items():
            if tensor.is_floating_point() and "weight" not in made.kwargs and "pos_weight" not in made.kwargs:
                numbers = rng.standard_normal(tuple(tensor.shape)) * 0.5
                tensor.copy_(torch.from_numpy(np.abs(numbers) + 0.1 if key.endswith("running_var") else numbers))
    ours.load_state_dict({key: tensor.numpy() for key, tensor in theirs.state_dict().items()})
    return ours, theirs


def leaves(value: Any) -> Iterator[Any]:
    """The tensors of a nested tuple."""
    if isinstance(value, (tuple, list)):
        for part in value:
            yield from leaves(part)
    elif hasattr(value, "requires_grad"):
        yield value


def values(value: Any) -> list[np.ndarray]:
    """The numbers of all tensors of a nested tuple."""
    return [np.asarray(part.detach().numpy()) for part in leaves(value)]


def close(ours: Any, theirs: Any, what: str) -> None:
    """The same shapes, kinds of number, and numbers."""
    mine, peer = list(leaves(ours)), list(leaves(theirs))
    assert len(mine) == len(peer), what
    for i, (a, b) in enumerate(zip(values(mine), values(peer), strict=True)):
        assert a.shape == b.shape, f"{what} {i}: shape {a.shape}, torch {b.shape}"
        assert a.dtype == b.dtype, f"{what} {i}: dtype {a.dtype}, torch {b.dtype}"
        np.testing.assert_allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE, err_msg=f"{what} {i}")


def gradients(outputs: Any, inputs: Any, grad: Callable[..., Any], seed: Any) -> list[np.ndarray]:
    """The gradients of sum(outputs * seed) with respect to the inputs; zeros where there is none."""
    total = None
    for i, y in enumerate(leaves(outputs)):
        if y.requires_grad:
            part = (y * seed(i, tuple(y.shape))).sum()
            total = part if total is None else total + part
    wanted = [x for x in leaves(inputs) if x.requires_grad]
    if total is None:
        return [np.zeros(tuple(x.shape)) for x in wanted]
    found = grad(total, wanted, allow_unused=True)
    return [np.zeros(tuple(x.shape)) if g is None else np.asarray(g.detach().numpy())
            for x, g in zip(wanted, found, strict=True)]  # fmt: skip


def compare(
    call_ours: Any,
    call_theirs: Any,
    specs: Any,
    label: str,
    ours_more: Any = (),
    theirs_more: Any = (),
    tolerance: float = TOLERANCE,
) -> None:
    """Runs both on the same inputs and compares values and the gradients of inputs and of ``more``."""
    rng = numbers_for(label + "inputs")
    args, kwargs = filled(list(specs[0]), rng), {k: filled(v, rng) for k, v in specs[1].items()}
    a, ka = on_our_side(args), {k: on_our_side(v) for k, v in kwargs.items()}
    b, kb = on_their_side(args), {k: on_their_side(v) for k, v in kwargs.items()}
    # In a copy, as a layer may work in place, which a leaf does not allow.
    y = call_ours(*_copied(a), **{k: _copied(v) for k, v in ka.items()})
    z = call_theirs(*_copied(b), **{k: _copied(v) for k, v in kb.items()})
    close(y, z, "output")
    seeds: dict[int, np.ndarray] = {}

    def seed(i: int, shape: tuple[int, ...]) -> np.ndarray:
        return seeds.setdefault(i, numbers_for(f"{label}{i}").standard_normal(shape))

    mine = gradients(y, (a, *ka.values(), *ours_more), gg.autograd.grad, lambda i, s: gg.tensor(seed(i, s)))
    peer = gradients(z, (b, *kb.values(), *theirs_more), torch.autograd.grad, lambda i, s: torch.from_numpy(seed(i, s)))
    assert len(mine) == len(peer)
    for i, (p, q) in enumerate(zip(mine, peer, strict=True)):
        np.testing.assert_allclose(p, q, rtol=tolerance, atol=TOLERANCE, err_msg=f"gradient {i} of {label}")


def _copied(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_copied, value))
    return value * 1.0 if hasattr(value, "requires_grad") and value.requires_grad else value
