"""Random tensors. Every draw takes its bits from a Generator, whose state is a tensor like any other."""

from __future__ import annotations

import math
import os
import threading
from typing import Any

import numpy as np

from ..dispatch import apply, leaf, no_grad
from ..errors import ArgumentError, DtypeError, ShapeError
from ..ops.random import uniform01
from ..spec import Dtype, Shape, as_dtype, default_dtype, float64, is_float, numel
from ..tensor import Tensor, wrap
from .create import check_device, sizes
from .pointwise import floor
from .reduction import argsort
from .register import function, method_only


class Generator:
    """A source of random numbers. The same seed gives the same numbers, on any machine.

    >>> import glassgrad as gg
    >>> g = gg.Generator().manual_seed(0)
    >>> bool((gg.rand(3, generator=g) == gg.rand(3, generator=gg.Generator().manual_seed(0))).all())
    True
    """

    def __init__(self, device: Any = None) -> None:
        check_device(device)
        self.state = wrap(leaf(np.array([67280421310721, 0], np.int64)))  # PyTorch's default seed

    def manual_seed(self, seed: int) -> Generator:
        """Start again from ``seed``."""
        self.state.write(leaf(np.array([_signed(seed), 0], np.int64)))
        return self

    def seed(self) -> int:
        """Start from a seed that the operating system makes up; returns it."""
        made = int.from_bytes(os.urandom(7), "little")
        self.manual_seed(made)
        return made

    def initial_seed(self) -> int:
        """The seed of the last start."""
        return int(self.state.value[0])

    def get_state(self) -> Tensor:
        """[seed, counter] as an int64 tensor."""
        return self.state.clone()

    def set_state(self, new_state: Tensor) -> None:
        """Continue from a state that `get_state` gave."""
        if new_state.shape != (2,) or new_state.dtype != np.int64:
            raise ShapeError("a generator's state is an int64 tensor of 2", got=str(new_state.node.spec))
        self.state.copy_(new_state)

    def uniform01(self, shape: Shape, dtype: Dtype) -> Tensor:
        """Numbers even in [0, 1); the state moves on."""
        with no_grad():
            made = wrap(apply(uniform01, (self.state.node,), {"shape": shape, "dtype": dtype}))
            self.state.add_(wrap(leaf(np.array([0, -(-numel(shape) // 4)], np.int64))))
        return made


def _signed(seed: int) -> int:
    return (int(seed) + 2**63) % 2**64 - 2**63


default_generator = Generator()


class _Own(threading.local):
    generator: Generator | None = None


_OWN = _Own()


def own_generator(generator: Generator | None) -> None:
    """Have this thread draw from ``generator`` where no other is given; with None from the default one again.

    Threads that run side by side and draw from one generator would draw the same numbers, or others in each run.
    """
    _OWN.generator = generator


def _default() -> Generator:
    return _OWN.generator or default_generator


@function(method=False)
def manual_seed(seed: int) -> Generator:
    """Start the default generator again from ``seed``."""
    return _default().manual_seed(seed)


@function(method=False)
def seed() -> int:
    """Start the default generator from a seed that the operating system makes up; returns it."""
    return _default().seed()


@function(method=False)
def initial_seed() -> int:
    """The seed that the default generator was last started from."""
    return _default().initial_seed()


@function(method=False)
def get_rng_state() -> Tensor:
    """The default generator's state."""
    return _default().get_state()


@function(method=False)
def set_rng_state(new_state: Tensor) -> None:
    """Have the default generator continue from a state."""
    _default().set_state(new_state)


def _uniform(shape: Shape, dtype: Dtype, generator: Generator | None) -> Tensor:
    if not is_float(dtype):
        raise DtypeError(f"random numbers between 0 and 1 are floats, not {dtype}", fix="use randint for integers")
    return (generator or _default()).uniform01(shape, dtype)


def _normal(shape: Shape, dtype: Dtype, generator: Generator | None) -> Tensor:
    """G. Box, M. Muller, "A note on the generation of random normal deviates" (1958)."""
    count = numel(shape)
    pair = _uniform((2, (count + 1) // 2), float64, generator)
    radius = (-2.0 * (1.0 - pair[0]).log()).sqrt()
    angle = pair[1] * (2 * math.pi)
    both = _stacked(radius * angle.cos(), radius * angle.sin())
    return both.reshape(-1)[:count].reshape(shape).to(dtype)


def _stacked(a: Tensor, b: Tensor) -> Tensor:
    from .shaping import stack

    return stack([a, b], 1)


def _asked(size: tuple[Any, ...], dtype: Any) -> tuple[Shape, Dtype]:
    return sizes(size), as_dtype(dtype) if dtype is not None else default_dtype()


@function(method=False)
def rand(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Numbers even in [0, 1)."""
    check_device(device)
    made = _uniform(*_asked(size, dtype), generator)
    return made.requires_grad_() if requires_grad else made


@function(method=False)
def randn(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Numbers from the normal distribution with mean 0 and variance 1."""
    check_device(device)
    made = _normal(*_asked(size, dtype), generator)
    return made.requires_grad_() if requires_grad else made


@function(method=False)
def rand_like(input: Tensor, *, dtype: Any = None, generator: Generator | None = None) -> Tensor:
    """Numbers even in [0, 1), in the shape and dtype of ``input``."""
    return rand(input.shape, generator=generator, dtype=dtype or input.dtype)


@function(method=False)
def randn_like(input: Tensor, *, dtype: Any = None, generator: Generator | None = None) -> Tensor:
    """Normal numbers in the shape and dtype of ``input``."""
    return randn(input.shape, generator=generator, dtype=dtype or input.dtype)


@function(method=False)
def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
    device: Any = None,
) -> Tensor:  # fmt: skip
    """Whole numbers from ``low`` (0 if left out) up to, not including, ``high``."""
    check_device(device)
    if size is None:
        low, high, size = 0, low, high
    if high <= low:
        raise ArgumentError("randint: high must be above low", got=f"low {low}, high {high}")
    drawn = _uniform(sizes((size,)), float64, generator)
    return floor(drawn * float(high - low) + float(low)).to(as_dtype(dtype or "int64"))


@function(method=False)
def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """The numbers 0 to n - 1 in random order."""
    check_device(device)
    order = argsort(_uniform((n,), float64, generator), 0)
    return order if dtype is None else order.to(as_dtype(dtype))


@function()
def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that stands in ``input``, else 0."""
    return (_uniform(input.shape, input.dtype, generator) < input.detach()).to(input.dtype)


@function(method=False)
def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: Any = None
) -> Tensor:
    """Normal numbers with the given mean and standard deviation, numbers or tensors."""
    like = mean if isinstance(mean, Tensor) else std if isinstance(std, Tensor) else None
    shape = sizes((size,)) if size is not None else like.shape if like is not None else ()
    drawn = _normal(shape, as_dtype(dtype) if dtype else default_dtype(), generator)
    made: Tensor = drawn * std + mean
    return made


@function()
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Row by row, ``num_samples`` numbers of columns, drawn with probabilities in proportion to the entries."""
    if not is_float(input.dtype) or input.ndim not in (1, 2):
        raise ShapeError("multinomial takes one or two dimensions of float weights", got=str(input.node.spec))
    weights = np.atleast_2d(np.asarray(input.value, np.float64))
    if not np.isfinite(weights).all() or (weights < 0).any() or (weights.sum(1) <= 0).any():
        raise ArgumentError("multinomial: weights must be finite, not negative, and not all 0 in a row")
    if not replacement and ((weights > 0).sum(1) < num_samples).any():
        raise ArgumentError(
            f"multinomial: a row has fewer than {num_samples} entries above 0", fix="draw with replacement=True"
        )
    rows = len(weights)
    if replacement:
        drawn = _uniform((rows, num_samples), float64, generator).value
        totals = np.cumsum(weights, 1) / weights.sum(1, keepdims=True)
        picked = np.stack([np.searchsorted(t, u, "right") for t, u in zip(totals, drawn, strict=True)])
        picked = np.minimum(picked, weights.shape[1] - 1)
    else:  # the order of exponential clocks is a weighted draw without replacement
        drawn = 1.0 - _uniform(weights.shape, float64, generator).value
        with np.errstate(divide="ignore"):
            picked = np.argsort(-np.log(drawn) / weights, axis=1, kind="stable")[:, :num_samples]
    return wrap(leaf(np.ascontiguousarray(picked if input.ndim == 2 else picked[0]).astype(np.int64)))


@method_only()
def uniform_(
    self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None, **kw: Any
) -> Tensor:
    """Fill with numbers even in [from, to), in place."""
    low = kw.pop("from", from_)
    return self.copy_(_uniform(self.shape, self.dtype, generator) * (to - low) + low)


@method_only()
def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers, in place."""
    return self.copy_(_normal(self.shape, self.dtype, generator) * std + mean)


@method_only()
def bernoulli_(self: Tensor, p: float = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 at probability ``p``, else 0, in place."""
    return self.copy_(_uniform(self.shape, float64, generator) < p)


@method_only()
def random_(self: Tensor, low: int = 0, high: int = 2**31, *, generator: Generator | None = None) -> Tensor:
    """Fill with whole numbers from ``low`` up to, not including, ``high``, in place."""
    return self.copy_(randint(low, high, self.shape, generator=generator))


@function(method=False)
def randint_like(input: Tensor, low: int, high: Any = None, *, dtype: Any = None) -> Tensor:
    """Whole numbers from ``low`` (0 if left out) up to ``high``, in the shape and dtype of ``input``."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input.shape, dtype=dtype or input.dtype)


@method_only()
def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers of the exponential distribution with rate ``lambd``, in place."""
    drawn = _uniform(self.shape, float64, generator)
    return self.copy_(-(-drawn).log1p() / lambd)


@method_only()
def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with how many tries at chance ``p`` it takes until one succeeds, in place."""
    drawn = _uniform(self.shape, float64, generator)
    tries = ((-drawn).log1p() / math.log1p(-p)).ceil().clamp(min=1)
    return self.copy_(tries.to(self.dtype))


@method_only()
def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with exponentials of normal numbers, in place."""
    return self.copy_((_normal(self.shape, self.dtype, generator) * std + mean).exp())


@method_only()
def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers of the Cauchy distribution, in place."""
    drawn = _uniform(self.shape, float64, generator)
    return self.copy_(median + sigma * ((drawn - 0.5) * math.pi).tan())
