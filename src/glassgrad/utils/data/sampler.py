"""Samplers: the order in which a loader asks for items. All randomness comes from a generator's seed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from ... import functions as fn
from ...errors import ArgumentError, TypeMismatch
from ...tensor import Tensor

T_co = TypeVar("T_co", covariant=True)


def draw_seed(generator: Any = None) -> int:
    """A seed of 62 random bits."""
    high, low = fn.randint(0, 2**31, (2,), generator=generator).tolist()
    return int(high) << 31 | int(low)


def positive(name: str, value: Any) -> int:
    """Refuse what is not a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ArgumentError(f"{name} must be a positive integer", got=f"{name}={value!r}")
    return value


class Sampler(Generic[T_co]):
    """Base of samplers: define ``__iter__``, and ``__len__`` where there is one.

    Example:
        >>> from glassgrad.utils.data import DataLoader, Sampler
        >>> class Evens(Sampler):
        ...     def __iter__(self):
        ...         return iter([0, 2])
        >>> [batch.tolist() for batch in DataLoader([5, 6, 7], sampler=Evens())]
        [[5], [7]]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ... to the end of the data.

    Example:
        >>> from glassgrad.utils.data import SequentialSampler
        >>> list(SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """All indices in random order, or draws with replacement.

    Args:
        data_source: what to sample from; only its length counts.
        replacement: whether an index may come again.
        num_samples: how many to draw; all of them if None. Without replacement, more than there are means several
            shuffles one after the other.
        generator: whose seed decides; if None, a new one with a seed from the default generator in each epoch.

    Raises:
        ArgumentError: num_samples that is not positive. TypeMismatch: replacement that is not a bool.

    Example:
        >>> import glassgrad
        >>> from glassgrad.utils.data import RandomSampler
        >>> generator = glassgrad.Generator().manual_seed(0)
        >>> sorted(RandomSampler("abc", generator=generator))
        [0, 1, 2]
    """

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None, generator: Any = None
    ) -> None:
        if not isinstance(replacement, bool):
            raise TypeMismatch("replacement must be True or False", got=f"replacement={replacement!r}")
        if num_samples is not None:
            positive("num_samples", num_samples)
        self.data_source, self.replacement = data_source, replacement
        self._num_samples, self.generator = num_samples, generator

    @property
    def num_samples(self) -> int:
        """How many are drawn; the data's length may change between epochs."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        size, left = len(self.data_source), self.num_samples
        generator = self.generator
        if generator is None:
            generator = fn.Generator()
            generator.manual_seed(draw_seed())
        if size == 0:
            return
        while left > 0:
            if self.replacement:
                drawn = fn.randint(0, size, (left,), generator=generator).tolist()
            else:
                drawn = fn.randperm(size, generator=generator).tolist()[:left]
            yield from drawn
            left -= len(drawn)

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order.

    Args:
        indices: which.
        generator: whose seed decides; the default generator if None.

    Example:
        >>> from glassgrad.utils.data import SubsetRandomSampler
        >>> sorted(SubsetRandomSampler([7, 5]))
        [5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for place in fn.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[place]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Index i is drawn with a probability in proportion to ``weights[i]``.

    Args:
        weights: numbers of 0 or more; they need not add up to 1.
        num_samples: how many to draw.
        replacement: whether an index may come again.
        generator: whose seed decides; the default generator if None.

    Raises:
        ArgumentError: weights that are negative, not finite, all zero or not a row; num_samples that is not
            positive, or without replacement more than there are weights above 0.

    Without replacement by the exponential race of Efraimidis, Spirakis: Weighted random sampling with a reservoir
    (2006).

    Example:
        >>> from glassgrad.utils.data import WeightedRandomSampler
        >>> list(WeightedRandomSampler([0.0, 1.0], num_samples=3))
        [1, 1, 1]
    """

    def __init__(
        self, weights: Sequence[float] | Tensor, num_samples: int, replacement: bool = True, generator: Any = None
    ) -> None:
        if not isinstance(replacement, bool):
            raise ArgumentError("replacement must be True or False", got=f"replacement={replacement!r}")
        given = weights.detach().tolist() if isinstance(weights, Tensor) else weights
        values = np.asarray(given, dtype=np.float64)
        if values.ndim != 1:
            raise ArgumentError("weights must be one row of numbers", got=f"shape {values.shape}")
        if not np.isfinite(values).all() or (values < 0).any() or not values.any():
            raise ArgumentError("weights must be finite, 0 or more, and not all 0", got=f"weights={values.tolist()!r}")
        positive("num_samples", num_samples)
        if not replacement and num_samples > np.count_nonzero(values):
            raise ArgumentError(
                "without replacement there are not enough indices with a weight above 0",
                got=f"num_samples={num_samples}, {np.count_nonzero(values)} such weights",
            )
        self.weights, self.num_samples = fn.tensor(values), num_samples
        self.replacement, self.generator = replacement, generator

    def __iter__(self) -> Iterator[int]:
        weights = np.asarray(self.weights.tolist())
        count = self.num_samples if self.replacement else len(weights)
        draws = np.asarray(fn.randint(0, 2**53, (count,), generator=self.generator).tolist()) / 2.0**53  # in [0, 1)
        if self.replacement:
            ends = np.cumsum(weights)
            chosen = np.searchsorted(ends, draws * ends[-1], side="right")
            chosen = np.minimum(chosen, np.flatnonzero(weights)[-1])  # the product may have rounded up to the end
        else:
            with np.errstate(divide="ignore", invalid="ignore"):  # a weight of 0 arrives last, at infinity or NaN
                chosen = np.argsort(-np.log1p(-draws) / weights, kind="stable")[: self.num_samples]
        return iter(chosen.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of batch_size indices from another sampler.

    Args:
        sampler: where the indices come from.
        batch_size: indices in each list.
        drop_last: leave out a last list that is not full.

    Raises:
        ArgumentError: a batch_size that is not a positive integer; drop_last that is not a bool.

    Example:
        >>> from glassgrad.utils.data import BatchSampler
        >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(drop_last, bool):
            raise ArgumentError("drop_last must be True or False", got=f"drop_last={drop_last!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, positive("batch_size", batch_size), drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
