"""The loader: asks a sampler for indices, a dataset for items, and collates them into batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ...errors import ArgumentError, NotCovered, TypeMismatch
from .collate import default_collate, default_convert
from .dataset import IterableDataset, fetch_items, fetch_rows
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, draw_seed
from .worker import LoaderTimeout, StoppedItem, Workers

__all__ = ["DataLoader", "LoaderTimeout"]

_FIXED = frozenset({"batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"})


class DataLoader:
    """Iterates over a dataset in batches, one epoch for each ``for`` loop.

    Args:
        dataset: anything with ``dataset[i]`` and ``len(dataset)``, or an `IterableDataset`.
        batch_size: items in each batch; None yields single items.
        shuffle: a new random order in each epoch.
        sampler: an order of your own, instead of shuffle.
        batch_sampler: batches of indices of your own, instead of batch_size, shuffle, sampler and drop_last.
        num_workers: threads that fetch ahead; 0 fetches when a batch is asked for. The order is the same.
        collate_fn: makes a batch of a list of items; `default_collate` if None.
        pin_memory, pin_memory_device: taken and ignored, there is no device to copy to.
        drop_last: leave out a last batch that is not full.
        timeout: seconds to wait for a worker's batch; 0 for as long as it takes.
        worker_init_fn: called with the worker's number in each worker before it starts.
        generator: whose seed decides the order; the default generator if None.
        prefetch_factor: batches that each worker may be ahead; 2 if None.
        persistent_workers: taken and ignored, threads start quickly.
        in_order: must be True.

    Raises:
        ArgumentError: arguments that exclude each other or are out of range.

    An exception in a worker is raised in the loop, with the worker's traceback.

    Example:
        >>> import glassgrad
        >>> from glassgrad.utils.data import DataLoader, TensorDataset
        >>> dataset = TensorDataset(glassgrad.arange(6), glassgrad.ones(6, 3))
        >>> loader = DataLoader(dataset, batch_size=4, shuffle=True, generator=glassgrad.Generator())
        >>> len(loader), [tuple(y.shape) for x, y in loader]
        (2, [(4, 3), (2, 3)])
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        for name, value in {"num_workers": num_workers, "timeout": timeout}.items():
            if value < 0:
                raise ArgumentError(f"{name} must be 0 or more", got=f"{name}={value!r}")
        if num_workers == 0:
            for name, given in {"prefetch_factor": prefetch_factor, "persistent_workers": persistent_workers}.items():
                if given:
                    raise ArgumentError(f"{name} needs workers", got="num_workers=0", fix="give num_workers > 0")
        elif prefetch_factor is not None and prefetch_factor < 1:
            raise ArgumentError("prefetch_factor must be 1 or more", got=f"prefetch_factor={prefetch_factor!r}")
        if multiprocessing_context is not None:
            raise NotCovered("multiprocessing_context is not covered", fix="leave it out: workers are threads")
        if not in_order:
            raise NotCovered("in_order=False is not covered", fix="leave it out: batches come in order")
        stream = isinstance(dataset, IterableDataset)
        if stream and (shuffle or sampler is not None or batch_sampler is not None):
            raise ArgumentError(
                "the order of an IterableDataset is its own: no shuffle, sampler or batch_sampler",
                fix="shuffle in the dataset's __iter__",
            )
        if sampler is not None and shuffle:
            raise ArgumentError("sampler and shuffle exclude each other", fix="give one of them")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ArgumentError("batch_sampler excludes batch_size, shuffle, sampler and drop_last")
        if batch_size is None and drop_last:
            raise ArgumentError("without batches (batch_size=None) there is no last one to drop")

        self.dataset, self.num_workers, self.timeout = dataset, num_workers, timeout
        self.worker_init_fn, self.generator, self.prefetch_factor = worker_init_fn, generator, prefetch_factor
        self.pin_memory, self.persistent_workers, self.drop_last = pin_memory, persistent_workers, drop_last
        self.pin_memory_device, self.multiprocessing_context, self.in_order = pin_memory_device, None, in_order
        if sampler is None:
            sampler = _order(dataset, shuffle, generator)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.sampler, self.batch_sampler, self.batch_size = sampler, batch_sampler, batch_size
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.collate_fn: Callable[[Any], Any] = collate_fn
        self._made = True

    _made = False

    def __setattr__(self, name: str, value: Any) -> None:
        if self._made and name in _FIXED:
            raise ArgumentError(f"{name} of a DataLoader cannot be changed after it was made", fix="make a new loader")
        super().__setattr__(name, value)

    def __iter__(self) -> Iterator[Any]:
        order = self.sampler if self.batch_sampler is None else self.batch_sampler
        asked = iter(order)
        seed = draw_seed(self.generator)  # also without workers, so that their number does not change the order
        fetch = _fetcher(self.dataset, self.collate_fn, self.batch_sampler is not None, self.drop_last)
        if self.num_workers == 0:
            return _Inline(self.dataset, asked, fetch)
        return Workers(
            self.dataset,
            asked,
            fetch,
            count=self.num_workers,
            ahead=self.prefetch_factor or 2,
            seed=seed,
            init=self.worker_init_fn,
            timeout=self.timeout,
        )

    def __len__(self) -> int:
        """Batches in an epoch (items, if there are no batches)."""
        if not isinstance(self.dataset, IterableDataset):
            order: Any = self.sampler if self.batch_sampler is None else self.batch_sampler
            return len(order)
        if not hasattr(self.dataset, "__len__"):
            raise TypeMismatch(f"a loader over {type(self.dataset).__name__} has no length, as that has none")
        count = len(self.dataset)
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def _order(dataset: Any, shuffle: bool | None, generator: Any) -> Sampler[Any]:
    """The sampler of a loader that was given none."""
    if isinstance(dataset, IterableDataset):
        return _Forever()
    return RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)


class _Forever(Sampler[None]):
    """What stands for the order of a stream: None, without end."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


class _Inline:
    """An epoch without workers."""

    def __init__(self, dataset: Any, asked: Iterator[Any], fetch: Callable[[Any, Any], Any]) -> None:
        self.source = iter(dataset) if isinstance(dataset, IterableDataset) else dataset
        self.asked, self.fetch = asked, fetch

    def __iter__(self) -> _Inline:
        return self

    def __next__(self) -> Any:
        return self.fetch(self.source, next(self.asked))


def _fetcher(dataset: Any, collate: Callable[[Any], Any], batched: bool, drop_last: bool) -> Callable[[Any, Any], Any]:
    """The function that makes one batch (or one item) of a dataset, or of a running stream, and indices.

    At the end of a stream it raises StopIteration. It must not refer to the loader; see `worker`.
    """
    if isinstance(dataset, IterableDataset):

        def from_stream(stream: Any, indices: Any) -> Any:
            if not batched:
                return collate(next(stream))
            items = list(itertools.islice(stream, len(indices)))
            if not items or (drop_last and len(items) < len(indices)):
                raise StopIteration
            return collate(items)

        return from_stream

    def from_items(items: Any, indices: Any) -> Any:
        try:
            if not batched:
                return collate(items[indices])
            if collate is default_collate:
                rows = fetch_rows(items, indices)
                if rows is not None:
                    return rows
            return collate(fetch_items(items, indices))
        except StopIteration as error:
            raise StoppedItem(
                "the dataset (or collate_fn) raised StopIteration for an item", got=f"items {indices}",
                fix="raise IndexError for what is not there, or make it an IterableDataset",
            ) from error  # fmt: skip

    return from_items
