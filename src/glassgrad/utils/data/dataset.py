"""Datasets: things with ``dataset[i]`` and ``len(dataset)``, or things to iterate over, and combinations of them."""

from __future__ import annotations

import itertools
import math
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from ... import functions as fn
from ...dispatch import Quiet, leaf
from ...errors import ArgumentError, IndexRangeError, ShapeError, TypeMismatch
from ...tensor import Tensor, wrap

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Dataset(Generic[T_co]):
    """Base of datasets with numbered items: define ``__getitem__``, and ``__len__`` where there is one.

    A dataset may also define ``__getitems__(indices)``, which returns a list of items at once.

    Example:
        >>> from glassgrad.utils.data import Dataset
        >>> class Squares(Dataset):
        ...     def __getitem__(self, index):
        ...         return index * index
        ...     def __len__(self):
        ...         return 10
        >>> Squares()[3]
        9
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Base of datasets that are streams: define ``__iter__``.

    With several workers each gets a (shallow) copy and iterates over it; `get_worker_info` tells which share of
    the stream is its own.

    Example:
        >>> from glassgrad.utils.data import DataLoader, IterableDataset
        >>> class Count(IterableDataset):
        ...     def __iter__(self):
        ...         return iter(range(3))
        >>> [batch.tolist() for batch in DataLoader(Count(), batch_size=2)]
        [[0, 1], [2]]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")

    def __add__(self, other: Dataset[Any]) -> Any:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Item i is the tuple of row i of each tensor.

    Args:
        tensors: tensors with the same first dimension.

    Raises:
        ShapeError: first dimensions that differ.

    Example:
        >>> import glassgrad
        >>> from glassgrad.utils.data import TensorDataset
        >>> dataset = TensorDataset(glassgrad.arange(4), glassgrad.ones(4, 2))
        >>> len(dataset), dataset[1][1].tolist()
        (4, [1.0, 1.0])
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ArgumentError("TensorDataset needs at least one tensor")
        if any(t.ndim == 0 or t.shape[0] != tensors[0].shape[0] for t in tensors):
            shapes = ", ".join(str(tuple(t.shape)) for t in tensors)
            raise ShapeError("the tensors of a TensorDataset need the same first dimension", got=shapes)
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])


class StackDataset(Dataset[Any]):
    """Item i is the tuple (or dict) of item i of each dataset.

    Args:
        args, kwargs: datasets of the same length, either all by position or all by name.

    Raises:
        ArgumentError: both kinds, none, or lengths that differ.

    Example:
        >>> from glassgrad.utils.data import StackDataset
        >>> StackDataset(x=[1, 2], y=["a", "b"])[1]
        {'x': 2, 'y': 'b'}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ArgumentError("StackDataset takes datasets by position or by name, at least one and not both")
        self.datasets: Any = args or kwargs
        lengths = [len(d) for d in args or kwargs.values()]
        if len(set(lengths)) > 1:
            raise ArgumentError("the datasets of a StackDataset need the same length", got=str(lengths))
        self._length = lengths[0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[Any]):
    """The items of several datasets, one dataset after the other; what ``a + b`` makes.

    Args:
        datasets: datasets with a length.

    Raises:
        ArgumentError: no datasets. TypeMismatch: an IterableDataset among them.

    Example:
        >>> from glassgrad.utils.data import ConcatDataset
        >>> both = ConcatDataset(["ab", "cde"])
        >>> len(both), both[2], both[-1]
        (5, 'c', 'e')
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset needs at least one dataset")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise TypeMismatch("ConcatDataset needs datasets with numbered items", fix="use ChainDataset for streams")
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))

    def __getitem__(self, index: int) -> Any:
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexRangeError(f"index {index} is outside a dataset of {len(self)} items")
        which = bisect_right(self.cumulative_sizes, place)
        return self.datasets[which][place - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[Any]):
    """The items of several streams, one stream after the other.

    Args:
        datasets: instances of `IterableDataset`.

    Example:
        >>> from glassgrad.utils.data import ChainDataset, IterableDataset
        >>> class Count(IterableDataset):
        ...     def __iter__(self):
        ...         return iter(range(2))
        >>> list(ChainDataset([Count(), Count()]))
        [0, 1, 0, 1]
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise TypeMismatch("ChainDataset takes instances of IterableDataset", got=type(dataset).__name__)

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)


class Subset(Dataset[T_co]):
    """The items of a dataset at the given indices.

    Args:
        dataset: the whole.
        indices: which items, in which order.

    Example:
        >>> from glassgrad.utils.data import Subset
        >>> list(Subset("abcd", [3, 0]))
        ['d', 'a']
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]  # type: ignore[no-any-return]
        return self.dataset[self.indices[index]]  # type: ignore[no-any-return]

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        return fetch_items(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


def fetch_items(dataset: Any, indices: Sequence[int]) -> list[Any]:
    """The items at ``indices``, at once where the dataset knows how to."""
    together = getattr(dataset, "__getitems__", None)
    return together(indices) if together is not None else [dataset[i] for i in indices]


def fetch_rows(dataset: Any, indices: Sequence[int]) -> list[Tensor] | None:
    """A whole batch of a `TensorDataset`, or of a `Subset` of one, by one gather per tensor; None for all others.

    The result is that of collating the items one by one.
    """
    while type(dataset) is Subset:
        indices, dataset = [dataset.indices[i] for i in indices], dataset.dataset
    plain = isinstance(dataset, TensorDataset) and type(dataset).__getitem__ is TensorDataset.__getitem__
    if not plain or hasattr(dataset, "__getitems__") or set(map(type, indices)) != {int}:
        return None
    size = len(dataset)
    low, high = min(indices), max(indices)
    if not -size <= low <= high < size:
        raise IndexRangeError(f"an index is outside a dataset of {size} items", got=f"indices {list(indices)}")
    rows = np.array(indices, np.int64)
    if low < 0:
        rows[rows < 0] += size
    place = wrap(leaf(rows))
    with Quiet():
        return [tensor.index_select(0, place) for tensor in dataset.tensors]


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Any = None) -> list[Subset[Any]]:
    """Deal the items of a dataset out at random into parts without overlap.

    Args:
        dataset: the whole.
        lengths: items in each part; or shares that add up to 1, each rounded down, where the items that are left
            over go to the first parts, one each.
        generator: whose seed decides; the default generator if None.

    Raises:
        ArgumentError: lengths that do not add up to the dataset's; a share outside [0, 1].

    Example:
        >>> from glassgrad.utils.data import random_split
        >>> train, test = random_split(range(10), [0.75, 0.25])
        >>> len(train), len(test), sorted([*train, *test]) == list(range(10))
        (8, 2, True)
    """
    size, total = len(dataset), sum(lengths)
    if math.isclose(total, 1) and total <= 1:
        for place, share in enumerate(lengths):
            if not 0 <= share <= 1:
                raise ArgumentError(f"share {place} is not in [0, 1]", got=f"lengths={list(lengths)}")
        sizes = [math.floor(size * share) for share in lengths]
        for place in range(size - sum(sizes)):
            sizes[place % len(sizes)] += 1
        for place, length in enumerate(sizes):
            if length == 0:
                warnings.warn(f"part {place} of the split is empty", stacklevel=2)
    else:
        sizes = [int(length) for length in lengths]
    if sum(sizes) != size:
        raise ArgumentError(
            "the lengths of a split must add up to the dataset's length", got=f"{sum(lengths)} of {size} items"
        )
    order: list[int] = fn.randperm(size, generator=generator).tolist()
    ends = list(itertools.accumulate(sizes))
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, sizes, strict=True)]
