"""Workers of a DataLoader: the same batches in the same order, their errors, and threads that end."""

import gc
import threading
import time
import traceback

import numpy as np
import pytest
import torch

import glassgrad as gg
from glassgrad.utils import data
from glassgrad.utils.data import DataLoader, Dataset, IterableDataset, LoaderTimeout, get_worker_info
from glassgrad.utils.data.worker import StoppedItem

WORKERS = [0, 1, 3]


class Numbers(Dataset):
    """0 to size - 1; ``act`` sees each index first."""

    def __init__(self, size, act=lambda index: None):
        self.size, self.act = size, act

    def __getitem__(self, index):
        self.act(index)
        return index

    def __len__(self):
        return self.size


class Shared(IterableDataset):
    """A stream that its workers share: each has every n-th number."""

    info = staticmethod(get_worker_info)

    def __init__(self, size):
        self.size = size

    def __iter__(self):
        info = self.info()
        return iter(range(self.size) if info is None else range(info.id, self.size, info.num_workers))


def lists(loader):
    return [batch.tolist() for batch in loader]


def running():
    return [t for t in threading.enumerate() if t.name.startswith("DataLoader worker")]


def all_end():
    """Whether all worker threads end soon."""
    limit = time.monotonic() + 5
    while running() and time.monotonic() < limit:
        gc.collect()
        time.sleep(0.005)
    return not running()


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert all_end(), "a worker still runs"


def dawdle(index):
    """Later items are quicker, so that workers finish out of turn."""
    time.sleep(0.004 * (3 - index % 4))


@pytest.mark.parametrize("options", [{}, {"batch_size": 4}, {"batch_size": 5, "drop_last": True}, {"batch_size": None}])
@pytest.mark.parametrize("workers", WORKERS)
def test_order(workers, options):
    expected = list(torch.utils.data.DataLoader(Numbers(23), **options))
    expected = [batch.tolist() if isinstance(batch, torch.Tensor) else batch for batch in expected]
    loader = DataLoader(Numbers(23, dawdle), num_workers=workers, **options)
    for _ in range(2):
        assert [b.tolist() if isinstance(b, gg.Tensor) else b for b in loader] == expected
        assert not running(), "the epoch is over and its threads still run"


def test_shuffled_order_does_not_depend_on_workers():
    epochs = []
    for workers in WORKERS:
        generator = gg.Generator().manual_seed(3)
        loader = DataLoader(range(50), 4, shuffle=True, num_workers=workers, generator=generator)
        epochs.append([lists(loader), lists(loader)])
    assert epochs[0] == epochs[1] == epochs[2]
    assert epochs[0][0] != epochs[0][1]


@pytest.mark.parametrize("workers", WORKERS)
def test_two_iterators_at_once(workers):
    loader = DataLoader(range(10), 3, num_workers=workers)
    pairs = [(a.tolist(), b.tolist()) for a, b in zip(loader, loader, strict=True)]
    assert [a for a, _ in pairs] == [b for _, b in pairs] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def shared_by_torchs_workers(size, **options):
    dataset = type("Shared", (torch.utils.data.IterableDataset,), dict(vars(Shared)))(size)
    dataset.info = torch.utils.data.get_worker_info
    return lists(torch.utils.data.DataLoader(dataset, **options))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("workers", [0, 2, 3])
def test_shared_stream(workers, drop_last):
    """Whose turn it is when one worker's stream ends before another's."""
    options = {"batch_size": 3, "num_workers": workers, "drop_last": drop_last}
    assert lists(DataLoader(Shared(14), **options)) == shared_by_torchs_workers(14, **options)


def test_stream_that_is_not_shared_comes_once_per_worker():
    class Same(IterableDataset):
        def __iter__(self):
            return iter(range(3))

    assert sorted(map(tuple, lists(DataLoader(Same(), 2, num_workers=2)))) == [(0, 1), (0, 1), (2,), (2,)]


def fails(index):
    if index == 5:
        raise KeyError(f"no item {index}")  # the line that the traceback must show


@pytest.mark.parametrize("workers", WORKERS)
def test_error_in_a_dataset(workers):
    """It is raised in the loop in its turn, as the dataset raised it, with the dataset's line; the loop goes on."""
    iterator, found = iter(DataLoader(Numbers(12, fails), 2, num_workers=workers)), []
    for _ in range(6):
        try:
            found.append(next(iterator).tolist())
        except KeyError as error:
            found.append("failed")
            text = "".join(traceback.format_exception(error))
            assert error.args == ("no item 5",)
            assert "the line that the traceback must show" in text
            assert f'"{__file__}"' in text
            if workers:
                assert f"raised in worker {2 % workers} of {workers} of a DataLoader, for items [4, 5]" in text
    assert found == [[0, 1], [2, 3], "failed", [6, 7], [8, 9], [10, 11]]
    assert list(iterator) == []


@pytest.mark.parametrize("workers", WORKERS)
def test_error_in_collate(workers):
    def collate(items):
        raise ValueError(f"cannot collate {items}")

    with pytest.raises(ValueError, match=r"cannot collate \[0, 1\]"):
        list(DataLoader(range(6), 2, num_workers=workers, collate_fn=collate))


@pytest.mark.parametrize("workers", [1, 3])
def test_error_in_a_sampler(workers):
    def order():
        yield from [0, 1, 2]
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(DataLoader(range(6), 1, sampler=order(), num_workers=workers))


def test_error_in_worker_init():
    def init(number):
        raise OSError(f"worker {number} cannot start")

    iterator = iter(DataLoader(range(60), num_workers=2, worker_init_fn=init))
    with pytest.raises(OSError, match="worker 0 cannot start"):
        next(iterator)
    assert list(iterator) == [], "an epoch without that worker would lack its batches"


@pytest.mark.parametrize("kind", [StopIteration, GeneratorExit])
def test_stop_iteration_in_a_dataset_is_not_the_end(kind):
    """Of a dataset with numbered items it is an error, not the silent end of the epoch."""

    def stop(index):
        if index == 2:
            raise kind("lost")

    for workers in (0, 2):
        with pytest.raises((StoppedItem, GeneratorExit), match=r"(?s)StopIteration.*items|lost"):
            lists(DataLoader(Numbers(6, stop), 1, num_workers=workers))


@pytest.mark.parametrize("how", ["break", "drop", "exception"])
def test_abandoned_iteration_frees_its_threads(how):
    loader = DataLoader(Numbers(1000), 2, num_workers=3)
    if how == "break":
        for _ in loader:
            assert len(running()) == 3
            break
    elif how == "drop":
        iterator = iter(loader)
        next(iterator)
        del iterator
    else:
        with pytest.raises(ZeroDivisionError):
            for batch in loader:
                batch.tolist()[0] / 0
    assert all_end()
    assert lists(DataLoader(Numbers(4), 2, num_workers=3)) == [[0, 1], [2, 3]]


def test_how_far_ahead():
    """Each worker is at most prefetch_factor batches ahead of the loop."""
    seen = []
    loader = DataLoader(Numbers(100, seen.append), 1, num_workers=2, prefetch_factor=3)
    iterator = iter(loader)
    for _ in range(4):
        next(iterator)
    time.sleep(0.05)
    assert len(seen) <= 4 + 2 * 3
    assert len(seen) > 4
    del iterator


def test_workers_work_side_by_side():
    """Three workers that have to meet do: none waits for another's batch."""
    meeting = threading.Barrier(3, timeout=10)
    assert lists(DataLoader(Numbers(6, lambda index: meeting.wait()), 1, num_workers=3)) == [[i] for i in range(6)]


def test_timeout():
    gate = threading.Event()
    try:
        loader = DataLoader(Numbers(6, lambda index: index == 2 and gate.wait(10)), 1, num_workers=2, timeout=0.2)
        found = []
        with pytest.raises(LoaderTimeout, match=r"(?s)worker 0 took longer than 0\.2 s.*timeout"):
            for batch in loader:
                found += batch.tolist()
        assert found == [0, 1]
        assert issubclass(LoaderTimeout, RuntimeError)
    finally:
        gate.set()
    slow = DataLoader(Numbers(3, lambda index: time.sleep(0.02)), 1, num_workers=1, timeout=10)
    assert lists(slow) == [[0], [1], [2]]


def test_worker_init_and_info():
    """Each worker is told its number first, and knows itself; outside there is nothing to know."""
    told, infos = {}, {}
    lock = threading.Lock()

    def init(number):
        with lock:
            told[threading.get_ident()] = number

    def look(index):
        with lock:
            infos.setdefault(threading.get_ident(), []).append((index, get_worker_info()))

    dataset = Numbers(12, look)
    generator = gg.Generator().manual_seed(5)
    loader = DataLoader(dataset, 2, num_workers=3, worker_init_fn=init, generator=generator)
    assert get_worker_info() is None
    list(loader)
    assert get_worker_info() is None
    assert sorted(told.values()) == [0, 1, 2]
    seeds = set()
    for thread, seen in infos.items():
        for index, info in seen:
            assert info.id == told[thread] == index // 2 % 3
            assert info.num_workers == 3
            assert info.dataset is not dataset and len(info.dataset) == 12
            seeds.add((info.id, info.seed))
    base = min(seeds)[1]
    assert seeds == {(0, base), (1, base + 1), (2, base + 2)}
    infos.clear()
    list(loader)
    again = {info.seed for seen in infos.values() for _, info in seen}
    assert base not in again, "the next epoch has the same seeds"


class Drawn(Dataset):
    """Items with random numbers from the default generator, as augmentation draws them."""

    def __getitem__(self, index):
        time.sleep(0.001)
        return gg.rand(2)

    def __len__(self):
        return 24


@pytest.mark.parametrize("workers", WORKERS)
def test_what_a_dataset_draws(workers):
    """Draws in workers are all different, the same in every run, and leave the default generator where it was."""
    runs = []
    for _ in range(2):
        gg.manual_seed(9)
        loader = DataLoader(Drawn(), 2, num_workers=workers)
        epochs = np.array([lists(loader), lists(loader)])
        assert len(np.unique(epochs)) == epochs.size
        runs.append(epochs)
    np.testing.assert_array_equal(*runs)
    if workers:
        generator = gg.Generator().manual_seed(1)
        state = gg.get_rng_state().tolist()
        list(DataLoader(Drawn(), 2, num_workers=workers, generator=generator))
        assert gg.get_rng_state().tolist() == state


def test_seeding_in_a_worker():
    """manual_seed in worker_init_fn seeds that worker alone."""
    gg.manual_seed(4)
    expected = gg.rand(3).tolist()
    gg.manual_seed(4)
    loader = DataLoader(
        Drawn(), 12, num_workers=2, worker_init_fn=lambda number: gg.manual_seed(77), generator=gg.Generator()
    )
    first, second = lists(loader)
    assert first == second
    assert gg.rand(3).tolist() == expected


def test_gradients_are_recorded_in_workers():
    w = gg.tensor([2.0], requires_grad=True)

    class Scaled(Dataset):
        def __getitem__(self, index):
            return w * index

        def __len__(self):
            return 4

    total = sum(batch.sum() for batch in DataLoader(Scaled(), 2, num_workers=2))
    total.backward()
    assert w.grad.tolist() == [6.0]


def test_tensor_dataset_with_workers():
    dataset = data.TensorDataset(gg.arange(20).float(), gg.arange(20))
    for workers in WORKERS:
        batches = list(DataLoader(dataset, 6, num_workers=workers))
        assert [y.tolist() for _, y in batches] == [[*range(s, min(s + 6, 20))] for s in (0, 6, 12, 18)]
        assert all(x.tolist() == y.tolist() for x, y in batches)
