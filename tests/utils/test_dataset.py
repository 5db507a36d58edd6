"""Datasets and their combinations, against PyTorch's."""

import pickle

import numpy as np
import pytest
import torch

import glassgrad as gg
from glassgrad.errors import ArgumentError, IndexRangeError, ShapeError, TypeMismatch
from glassgrad.utils import data

HERE, THERE = data, torch.utils.data


def tensor(module):
    return gg.tensor if module is HERE else torch.tensor


def plain(item):
    """An item with tensors as lists."""
    if isinstance(item, (gg.Tensor, torch.Tensor)):
        return item.tolist()
    if isinstance(item, dict):
        return {key: plain(part) for key, part in item.items()}
    return tuple(plain(part) for part in item) if isinstance(item, (tuple, list)) else item


def both(work):
    mine, reference = (work(module) for module in (HERE, THERE))
    assert mine == reference
    return mine


def streams(module, *sizes):
    class Count(module.IterableDataset):
        def __init__(self, size):
            self.size = size

        def __iter__(self):
            return iter(range(self.size))

        def __len__(self):
            return self.size

    return [Count(size) for size in sizes]


def test_tensor_dataset():
    def work(module):
        t = tensor(module)
        dataset = module.TensorDataset(t(np.arange(24.0).reshape(4, 3, 2)), t([5, 6, 7, 8]))
        return len(dataset), [plain(dataset[i]) for i in (0, 3, -1, slice(1, 3), [2, 0])]

    both(work)


def test_stack_dataset():
    def work(module):
        letters, numbers = list("abcd"), [1.0, 2.0, 3.0, 4.0]
        pair, named = module.StackDataset(letters, numbers), module.StackDataset(x=letters, y=numbers)
        return len(pair), [pair[i] for i in range(4)], len(named), [named[i] for i in (0, -1)]

    both(work)


def test_concat_dataset():
    def work(module):
        parts = ["abc", "", [1.5], module.TensorDataset(tensor(module)([7, 8]))]
        joined = module.ConcatDataset(parts)
        total = parts[3] + module.Subset("xyz", [2])
        items = [plain(joined[i]) for i in range(-6, 6)]
        return len(joined), joined.cumulative_sizes, items, len(total), plain(total[2]), type(total).__name__

    both(work)


def test_chain_dataset():
    def work(module):
        a, b, c = streams(module, 3, 0, 2)
        chained = module.ChainDataset([a, b, c])
        total = a + c
        return list(chained), list(chained), len(chained), list(total), type(total).__name__

    both(work)


def test_subset():
    def work(module):
        whole = module.TensorDataset(tensor(module)(np.arange(10) * 10))
        part = module.Subset(whole, [7, 1, 1, -1])
        inner = module.Subset(part, range(1, 3))
        return len(part), plain([part[i] for i in (0, 1, 2, 3)]), plain([inner[0], inner[1]])

    both(work)


def test_items_asked_for_together():
    """A dataset's __getitems__ is used by a subset and by a loader."""

    def work(module):
        calls = []

        class Together(module.Dataset):
            def __getitem__(self, index):
                raise AssertionError("one by one")

            def __getitems__(self, indices):
                calls.append(list(indices))
                return [index * 2 for index in indices]

            def __len__(self):
                return 7

        part = module.Subset(Together(), [6, 5, 4, 3])
        return [batch.tolist() for batch in module.DataLoader(part, batch_size=3)], calls

    both(work)


SPLITS = [
    (10, [7, 3]), (10, [10, 0]), (10, [0.7, 0.3]), (10, [0.33, 0.33, 0.34]), (7, [0.5, 0.5]), (11, [0.25] * 4),
    (100, [0.1] * 10), (1, [0.5, 0.5]), (3, [0.2] * 5), (0, [0, 0]), (5, [1]), (5, [5]), (9, [0.999, 0.001]),
]  # fmt: skip


@pytest.mark.parametrize(("size", "lengths"), SPLITS)
@pytest.mark.filterwarnings("ignore:.*empty", "ignore:Length of split")
def test_random_split_lengths(size, lengths):
    def work(module):
        parts = module.random_split(range(size), lengths)
        assert sorted(item for part in parts for item in part) == list(range(size))
        return [len(part) for part in parts]

    both(work)


def test_random_split():
    """The generator decides; all orders come; parts that are empty without having been asked for warn."""
    seeded = [data.random_split(range(50), [20, 30], gg.Generator().manual_seed(s)) for s in (1, 1, 2)]
    first, again, other = ([list(part) for part in parts] for parts in seeded)
    assert first == again != other
    orders = {tuple(data.random_split(range(3), [3])[0]) for _ in range(200)}
    assert len(orders) == 6
    with pytest.warns(UserWarning, match="part 1"):
        data.random_split(range(1), [0.5, 0.5])
    gg.manual_seed(3)
    default = list(data.random_split(range(50), [50])[0])
    gg.manual_seed(3)
    assert list(data.random_split(range(50), [50])[0]) == default


def test_pickled():
    dataset = data.Subset(data.TensorDataset(gg.arange(5), gg.ones(5, 2)), [4, 2])
    again = pickle.loads(pickle.dumps(dataset))
    assert plain([again[0], again[1]]) == ((4, [1.0, 1.0]), (2, [1.0, 1.0]))


def test_datasets_take_their_type():
    """``Dataset[T]`` is a type as in PyTorch."""

    class Numbers(data.Dataset[int]):
        def __getitem__(self, index):
            return index

    assert Numbers()[3] == 3
    assert issubclass(data.IterableDataset[str].__origin__, data.Dataset)


BAD = {  # name: what we raise, what it says, what PyTorch raises, what is done
    "no tensors": (ArgumentError, "at least one", IndexError, lambda m: len(m.TensorDataset())),
    "sizes": (
        ShapeError, r"\(2,\), \(3,\)", AssertionError,
        lambda m: m.TensorDataset(tensor(m)([1, 2]), tensor(m)([1, 2, 3])),
    ),
    "row": (IndexError, "5", IndexError, lambda m: m.TensorDataset(tensor(m)([1, 2]))[5]),
    "stack of nothing": (ArgumentError, "at least one", ValueError, lambda m: m.StackDataset()),
    "stack by both": (ArgumentError, "not both", ValueError, lambda m: m.StackDataset([1], x=[1])),
    "stack of lengths": (ArgumentError, r"\[1, 2\]", ValueError, lambda m: m.StackDataset([1], [1, 2])),
    "stack of lengths by name": (ArgumentError, r"\[1, 2\]", ValueError, lambda m: m.StackDataset(x=[1], y=[1, 2])),
    "nothing joined": (ArgumentError, "at least one", AssertionError, lambda m: m.ConcatDataset([])),
    "streams joined": (TypeMismatch, "ChainDataset", AssertionError, lambda m: m.ConcatDataset(streams(m, 3))),
    "after the end": (IndexRangeError, "index 3.*3 items", IndexError, lambda m: m.ConcatDataset(["abc"])[3]),
    "before the start": (IndexRangeError, "index -4.*3 items", ValueError, lambda m: m.ConcatDataset(["abc"])[-4]),
    "chain": (TypeMismatch, "list", AssertionError, lambda m: list(m.ChainDataset([[1]]))),
    "split too small": (ArgumentError, "5 of 6", ValueError, lambda m: m.random_split(range(6), [2, 3])),
    "split of shares": (ArgumentError, "of 6 items", ValueError, lambda m: m.random_split(range(6), [0.5, 0.2])),
    "negative share": (ArgumentError, "share 0", ValueError, lambda m: m.random_split(range(6), [1.2, -0.2])),
    "no __getitem__": (NotImplementedError, "__getitem__", NotImplementedError, lambda m: m.Dataset()[0]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    kind, text, theirs, call = BAD[name]
    with pytest.raises(theirs):
        call(THERE)
    with pytest.raises(kind, match=text):
        call(HERE)
