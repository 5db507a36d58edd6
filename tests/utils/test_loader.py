"""DataLoader beside PyTorch's, without workers: batches, orders, lengths, options, errors."""

import itertools

import numpy as np
import pytest
import torch

import glassgrad as gg
from glassgrad.errors import ArgumentError, IndexRangeError, NotCovered, TypeMismatch
from glassgrad.utils import data

HERE, THERE = data, torch.utils.data


def tensor(module):
    return gg.tensor if module is HERE else torch.tensor


def plain(batch):
    """A batch with tensors as (dtype, entries)."""
    if isinstance(batch, (gg.Tensor, torch.Tensor)):
        return str(batch.dtype).rsplit(".", 1)[-1], batch.tolist()
    if isinstance(batch, dict):
        return {key: plain(part) for key, part in batch.items()}
    return [plain(part) for part in batch] if isinstance(batch, (list, tuple)) else batch


def both(work):
    mine, reference = (work(module) for module in (HERE, THERE))
    assert mine == reference
    return mine


def rows(module, size=11):
    t = tensor(module)
    return module.TensorDataset(t(np.arange(size * 6.0).reshape(size, 3, 2)), t(np.arange(size)))


def stream(module, size, has_length=True):
    class Count(module.IterableDataset):
        def __iter__(self):
            return ((float(i), i) for i in range(size))

    if has_length:
        Count.__len__ = lambda self: size
    return Count()


DATASETS = {
    "tensors": rows,
    "subset": lambda m: m.Subset(rows(m), [9, 0, 3, 3, 10, -1, 7]),
    "subset of a subset": lambda m: m.Subset(m.Subset(rows(m), range(1, 10)), [0, 8, 3, 2, 5]),
    "list": lambda m: list(range(11)),
    "dicts": lambda m: [{"x": float(i), "name": f"n{i}"} for i in range(11)],
    "arrays": lambda m: np.arange(22.0).reshape(11, 2),
    "joined": lambda m: m.ConcatDataset([rows(m, 4), rows(m, 7)]),
    "stacked": lambda m: m.StackDataset(x=rows(m), y=list("abcdefghijk")),
    "one item": lambda m: rows(m, 1),
    "nothing": lambda m: [],
    "stream": lambda m: stream(m, 11),
    "empty stream": lambda m: stream(m, 0),
}


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 11, 50])
@pytest.mark.parametrize("name", DATASETS)
def test_batches(name, batch_size, drop_last):
    def work(module):
        loader = module.DataLoader(DATASETS[name](module), batch_size, drop_last=drop_last)
        first = [plain(batch) for batch in loader]
        assert [plain(batch) for batch in loader] == first, "the second epoch differs"
        return first, len(loader)

    both(work)


@pytest.mark.parametrize("name", DATASETS)
def test_single_items(name):
    """batch_size=None: items as they are, arrays as tensors."""

    def work(module):
        loader = module.DataLoader(DATASETS[name](module), batch_size=None)
        return [plain(item) for item in loader], len(loader), loader.batch_size, loader.batch_sampler

    both(work)


def test_order_of_ones_own():
    def work(module):
        dataset = rows(module)
        by_item = module.DataLoader(dataset, 2, sampler=[5, 1, -1, 3, 3])
        by_batch = module.DataLoader(dataset, batch_sampler=[[0], [4, 2, 2], [10]])
        alone = module.DataLoader(dataset, None, sampler=module.SubsetRandomSampler([6]))
        blocks = module.DataLoader(dataset, None, sampler=[[1, 2], slice(3, 5)])
        loaders = (by_item, by_batch, alone, blocks)
        return [(len(loader), plain(list(loader))) for loader in loaders]

    both(work)


def test_collate_of_ones_own():
    def work(module):
        seen = []

        def collate(items):
            seen.append(items)
            return max(items)

        return list(module.DataLoader(list(range(7)), 3, collate_fn=collate)), seen

    both(work)


def test_shuffle():
    """Every item once, in another order each epoch, decided by the generator; and not shuffled without it."""
    dataset = rows(HERE, 40)

    def epochs(seed, count=2):
        loader = data.DataLoader(dataset, 7, shuffle=True, generator=gg.Generator().manual_seed(seed))
        return [[batch[1].tolist() for batch in loader] for _ in range(count)]

    first, again, other = epochs(1), epochs(1), epochs(2)
    assert first == again
    assert first[0] != first[1]
    assert first[0] != other[0]
    for epoch in (*first, *other):
        assert [len(batch) for batch in epoch] == [7] * 5 + [5]
        assert sorted(itertools.chain(*epoch)) == list(range(40))
    assert list(itertools.chain(*first[0])) != list(range(40))
    for x, y in data.DataLoader(dataset, 7, shuffle=True):  # rows stay together
        assert x[:, 0, 0].tolist() == [6.0 * i for i in y.tolist()]


def test_default_generator_decides():
    runs = []
    for _ in range(2):
        gg.manual_seed(11)
        loader = data.DataLoader(range(30), 4, shuffle=True)
        runs.append([[batch.tolist() for batch in loader] for _ in range(2)])
    assert runs[0] == runs[1]
    state = gg.get_rng_state().tolist()
    list(data.DataLoader(range(30), 4, shuffle=True, generator=gg.Generator()))
    assert gg.get_rng_state().tolist() == state


def test_two_iterators_at_once():
    def work(module):
        loader = module.DataLoader(rows(module), 4)
        return [(plain(a), plain(b)) for a, b in zip(loader, loader, strict=True)]

    both(work)


def test_an_iterator_is_used_up():
    iterator = iter(data.DataLoader(range(3), 2))
    assert iter(iterator) is iterator
    assert [batch.tolist() for batch in iterator] == [[0, 1], [2]]
    assert list(iterator) == []


def test_items_are_asked_for_when_needed():
    asked = []

    class Noted(data.Dataset):
        def __getitem__(self, index):
            asked.append(index)
            return index

        def __len__(self):
            return 10

    iterator = iter(data.DataLoader(Noted(), 2))
    assert asked == []
    next(iterator)
    assert asked == [0, 1]


def test_goes_on_after_an_error():
    """The batch that failed is skipped, as in PyTorch."""

    def work(module):
        class Broken(module.Dataset):
            def __getitem__(self, index):
                if index == 3:
                    raise ZeroDivisionError("three")
                return index

            def __len__(self):
                return 8

        iterator, found = iter(module.DataLoader(Broken(), 2)), []
        for _ in range(4):
            try:
                found.append(next(iterator).tolist())
            except ZeroDivisionError as error:
                found.append(str(error))
        return found

    assert both(work) == [[0, 1], "three", [4, 5], [6, 7]]


def test_gather_is_the_same_as_item_by_item():
    """A TensorDataset is read by one gather per tensor: same batches, also with gradients."""

    class Slow(data.TensorDataset):
        def __getitem__(self, index):
            return super().__getitem__(index)

    x, y = gg.tensor(np.arange(12.0).reshape(6, 2), requires_grad=True), gg.tensor([True, False] * 3)
    for order in ([0, 5, 2], [-1, 1, 1, -6]):
        quick, slow = (data.DataLoader(kind(x, y), 3, sampler=order) for kind in (data.TensorDataset, Slow))
        assert [plain(batch) for batch in quick] == [plain(batch) for batch in slow]
    sum(batch[0].sum() for batch in data.DataLoader(data.TensorDataset(x, y), 2, sampler=[0, 0, 3])).backward()
    assert x.grad.tolist() == [[2.0, 2.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]


def test_batches_are_their_own_memory():
    x = gg.zeros(4)
    loader = data.DataLoader(data.TensorDataset(x), 2)
    (batch,) = next(iter(loader))
    batch.add_(1.0)
    assert x.tolist() == [0.0] * 4


def test_attributes():
    def work(module):
        loader = module.DataLoader(rows(module), 3, True, pin_memory=False, num_workers=0)
        names = "batch_size num_workers drop_last timeout worker_init_fn generator prefetch_factor pin_memory "
        names += "persistent_workers pin_memory_device multiprocessing_context in_order"
        kinds = [type(getattr(loader, name)).__name__ for name in ("sampler", "batch_sampler", "dataset")]
        return [getattr(loader, name) for name in names.split()], kinds, loader.collate_fn.__name__

    both(work)


def no_length(module):
    return len(module.DataLoader(stream(module, 3, has_length=False)))


def changed(name):
    def work(module):
        setattr(module.DataLoader([1, 2]), name, 2)

    return work


BAD = {  # name: what we raise, what it says, what PyTorch raises, what is done
    "num_workers": (ArgumentError, "num_workers=-1", ValueError, lambda m: m.DataLoader([1], num_workers=-1)),
    "timeout": (ArgumentError, "timeout=-1", ValueError, lambda m: m.DataLoader([1], timeout=-1)),
    "prefetch": (ArgumentError, "prefetch_factor", ValueError, lambda m: m.DataLoader([1], prefetch_factor=2)),
    "persistent": (ArgumentError, "persistent", ValueError, lambda m: m.DataLoader([1], persistent_workers=True)),
    "sampler, shuffle": (ArgumentError, "shuffle", ValueError, lambda m: m.DataLoader([1], sampler=[0], shuffle=True)),
    "batches, size": (ArgumentError, "excludes", ValueError, lambda m: m.DataLoader([1], 2, batch_sampler=[[0]])),
    "batches, order": (
        ArgumentError, "excludes", ValueError, lambda m: m.DataLoader([1], sampler=[0], batch_sampler=[[0]]),
    ),
    "batches, drop": (
        ArgumentError, "excludes", ValueError, lambda m: m.DataLoader([1], batch_sampler=[[0]], drop_last=True),
    ),
    "no batches, drop": (ArgumentError, "drop", ValueError, lambda m: m.DataLoader([1], None, drop_last=True)),
    "size": (ArgumentError, "batch_size=0", ValueError, lambda m: m.DataLoader([1], 0)),
    "fraction": (ArgumentError, r"batch_size=2\.0", ValueError, lambda m: m.DataLoader([1], 2.0)),
    "stream, shuffle": (
        ArgumentError, "IterableDataset", ValueError, lambda m: m.DataLoader(stream(m, 3), shuffle=True),
    ),
    "stream, order": (ArgumentError, "IterableDataset", ValueError, lambda m: m.DataLoader(stream(m, 3), sampler=[0])),
    "stream, batches": (
        ArgumentError, "IterableDataset", ValueError, lambda m: m.DataLoader(stream(m, 3), batch_sampler=[[0]]),
    ),
    "stream without length": (TypeMismatch, "Count has no length", TypeError, no_length),
    "outside": (IndexRangeError, r"(?s)5 items.*\[1, 5\]", IndexError,
                lambda m: list(m.DataLoader(rows(m, 5), 2, sampler=[1, 5]))),
    "outside a list": (IndexError, "range", IndexError, lambda m: list(m.DataLoader([1], 2, sampler=[1]))),
    "another batch_size": (ArgumentError, "batch_size.*new loader|new loader", ValueError, changed("batch_size")),
    "another sampler": (ArgumentError, "sampler", ValueError, changed("sampler")),
    "another dataset": (ArgumentError, "dataset", ValueError, changed("dataset")),
    "another drop_last": (ArgumentError, "drop_last", ValueError, changed("drop_last")),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    kind, text, theirs, call = BAD[name]
    with pytest.raises(theirs):
        call(THERE)
    with pytest.raises(kind, match=text) as raised:
        call(HERE)
    assert isinstance(raised.value, theirs)


def test_not_covered():
    with pytest.raises(NotCovered, match="threads"):
        data.DataLoader([1], num_workers=1, multiprocessing_context="fork")
    with pytest.raises(NotCovered, match="in_order"):
        data.DataLoader([1], num_workers=1, in_order=False)
    loader = data.DataLoader([1], pin_memory=True, pin_memory_device="cuda", num_workers=1, persistent_workers=True)
    assert [batch.tolist() for batch in loader] == [[1]]


def test_all_exports_are_torchs():
    own = {"LoaderTimeout", "WorkerInfo"}
    assert set(data.__all__) - own <= set(THERE.__all__)
