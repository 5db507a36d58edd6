"""Workers: threads that fetch batches ahead of the loop that uses them.

Threads and not processes: NumPy, decoders and files let go of the interpreter while they work, nothing has to be
pickled, and a process that forks while compute threads run can hang. What is pure Python in a dataset does not get
faster with more workers.
"""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from ...errors import GlassgradError
from ...functions.rand import Generator, own_generator
from .dataset import Dataset, IterableDataset

Fetch = Callable[[Any, Any], Any]
"""Makes a batch from a dataset (or a running iterator over one) and the indices of its items."""


class WorkerInfo(NamedTuple):
    """What a worker knows of itself.

    Args:
        id: its number, from 0.
        num_workers: how many there are.
        seed: the epoch's base seed + id; what the worker draws without a generator of its own starts from it.
        dataset: its own (shallow) copy of the dataset.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


class LoaderTimeout(GlassgradError, RuntimeError):
    """A worker took longer for a batch than the loader's timeout."""


class StoppedItem(GlassgradError, RuntimeError):
    """StopIteration from a dataset with numbered items, where it would end the epoch without a word."""


class _Here(threading.local):
    info: WorkerInfo | None = None


_HERE = _Here()


def get_worker_info() -> WorkerInfo | None:
    """In a worker what it knows of itself, elsewhere None; for datasets that split a stream among workers.

    Example:
        >>> from glassgrad.utils.data import DataLoader, IterableDataset, get_worker_info
        >>> class Shared(IterableDataset):
        ...     def __iter__(self):
        ...         info = get_worker_info()
        ...         return iter(range(info.id, 6, info.num_workers))
        >>> [batch.tolist() for batch in DataLoader(Shared(), batch_size=3, num_workers=2)]
        [[0, 2, 4], [1, 3, 5]]
    """
    return _HERE.info


class Exhausted:
    """A worker's answer when its stream has ended."""


class Failure(NamedTuple):
    """A worker's answer when a batch could not be made, or (``fatal``) when it could not even start."""

    error: BaseException
    fatal: bool = False


Tasks = SimpleQueue[Any]
Results = SimpleQueue[Any]


def _work(info: WorkerInfo, init: Callable[[int], Any] | None, fetch: Fetch, tasks: Tasks, results: Results) -> None:
    """What a worker thread runs: fetch for each task until None comes. It holds no reference to the loader's side,
    so that an iteration that is abandoned can be collected, which then stops its workers."""
    _HERE.info = info
    own_generator(Generator().manual_seed(info.seed))  # so that what a dataset draws depends on the seed alone
    failed: BaseException | None = None
    source: Any = info.dataset
    try:
        if init is not None:
            init(info.id)
        if isinstance(source, IterableDataset):
            source = iter(source)
    except BaseException as error:
        failed = error
    while (task := tasks.get()) is not None:
        if failed is not None:  # ends, to hold no error: its traceback will hold the loader's side
            results.put(Failure(failed, fatal=True))
            return
        try:
            results.put(fetch(source, task))
        except StopIteration:
            results.put(Exhausted)
        except BaseException as error:
            error.add_note(f"raised in worker {info.id} of {info.num_workers} of a DataLoader, for items {task}")
            results.put(Failure(error))
            del error


def _stop(queues: list[Tasks]) -> None:
    for tasks in queues:
        while True:  # what was asked for ahead is not wanted any more
            try:
                tasks.get_nowait()
            except Empty:
                break
        tasks.put(None)


class Workers:
    """Runs one epoch on several threads and yields its batches in order.

    Batch i is made by worker i % workers, so which worker makes which batch does not depend on timing. Each worker
    has a queue of its own for answers; the answers are taken in the order of the questions.

    Args:
        dataset: what to fetch from.
        asked: the indices of each batch.
        fetch: makes a batch.
        count: number of workers.
        ahead: batches that each worker may be ahead.
        seed: the epoch's base seed.
        init: called with the worker's number in each worker first.
        timeout: seconds to wait for a batch; 0 for as long as it takes.
    """

    def __init__(
        self,
        dataset: Any,
        asked: Iterator[Any],
        fetch: Fetch,
        *,
        count: int,
        ahead: int,
        seed: int,
        init: Callable[[int], Any] | None,
        timeout: float,
    ) -> None:
        self.asked, self.timeout = asked, timeout
        self.tasks: list[Tasks] = [SimpleQueue() for _ in range(count)]
        self.results: list[Results] = [SimpleQueue() for _ in range(count)]
        self.threads: list[threading.Thread] = []
        self.waiting: list[int] = []  # the worker that each batch which is still to come was asked from, in order
        self.alive = list(range(count))  # workers whose stream has not ended, in the order of their turns
        self.close = weakref.finalize(self, _stop, self.tasks)
        for place in range(count):
            own = copy.copy(dataset) if isinstance(dataset, Dataset) else dataset
            info = WorkerInfo(place, count, seed + place, own)
            thread = threading.Thread(
                target=_work,
                args=(info, init, fetch, self.tasks[place], self.results[place]),
                name=f"DataLoader worker {place}",
                daemon=True,
            )
            thread.start()
            self.threads.append(thread)
        for _ in range(ahead * count):
            self._ask()

    def _ask(self) -> None:
        """Put the next batch to the worker whose turn it is."""
        if not self.alive or not self.close.alive:
            return
        indices = next(self.asked, None)
        if indices is not None:
            place = self.alive.pop(0)
            self.alive.append(place)
            self.tasks[place].put(indices)
            self.waiting.append(place)

    def __iter__(self) -> Workers:
        return self

    def __next__(self) -> Any:
        while self.waiting:
            place = self.waiting.pop(0)
            try:
                answer = self.results[place].get(timeout=self.timeout or None)
            except Empty:
                self.close()
                self.waiting.clear()
                self.threads.clear()  # nobody waits for the one that hangs
                raise LoaderTimeout(
                    f"worker {place} took longer than {self.timeout} s for a batch", fix="raise timeout, or set it to 0"
                ) from None
            if answer is Exhausted:
                if place in self.alive:
                    self.alive.remove(place)
                self._ask()
                continue
            if isinstance(answer, Failure) and answer.fatal:
                self.close()
                self.waiting.clear()
                self.threads.clear()
            self._ask()
            if isinstance(answer, Failure):
                try:
                    raise answer.error  # the worker's own exception: its traceback shows the line in the dataset
                finally:
                    del answer
            return answer
        self.close()
        for thread in self.threads:
            thread.join()
        raise StopIteration
