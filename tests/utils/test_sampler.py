"""Samplers: orders and lengths against PyTorch's, draws by their statistics, and every one reproducible."""

import itertools
import math

import numpy as np
import pytest
import torch

import glassgrad as gg
from glassgrad.errors import ArgumentError, TypeMismatch
from glassgrad.utils import data

HERE, THERE = data, torch.utils.data


def seeded(seed):
    return gg.Generator().manual_seed(seed)


def chi_square(counts, expected):
    """How many standard deviations the chi-square statistic is above its mean (cube root of Wilson and Hilferty)."""
    counts, expected = np.asarray(counts, float), np.asarray(expected, float)
    freedom = len(counts) - 1
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))


@pytest.mark.parametrize("size", [0, 1, 2, 7, 12])
@pytest.mark.parametrize("batch", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches(size, batch, drop_last):
    for source in (range(size), data.SequentialSampler(range(size)), [i * i for i in range(size)]):
        mine, reference = (m.BatchSampler(source, batch, drop_last) for m in (HERE, THERE))
        assert list(mine) == list(reference) == list(mine)
        assert len(mine) == len(reference) == len(list(mine))


def test_batches_of_a_stream():
    """Without a length, and no further than asked."""
    batches = data.BatchSampler(itertools.count(), 3, False)
    assert list(itertools.islice(batches, 2)) == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("size", [0, 1, 5])
def test_sequential(size):
    mine, reference = (m.SequentialSampler(range(size)) for m in (HERE, THERE))
    assert list(mine) == list(reference)
    assert len(mine) == len(reference)


@pytest.mark.parametrize("size", [1, 2, 10])
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("num_samples", [None, 1, 7, 10, 25])
def test_random_lengths(size, replacement, num_samples):
    mine, reference = (m.RandomSampler(range(size), replacement, num_samples) for m in (HERE, THERE))
    drawn = list(mine)
    assert len(mine) == len(reference) == len(drawn) == len(list(reference))
    assert set(drawn) <= set(range(size))
    assert all(type(index) is int for index in drawn)
    if not replacement:  # whole shuffles, one after the other
        for start in range(0, len(drawn), size):
            part = drawn[start : start + size]
            assert len(set(part)) == len(part)


def test_length_follows_the_data():
    source = [1, 2, 3]
    sampler = data.RandomSampler(source)
    source += [4, 5]
    assert len(sampler) == 5 and sorted(sampler) == [0, 1, 2, 3, 4]


def test_all_orders_are_equally_likely():
    generator = seeded(0)
    counts = dict.fromkeys(itertools.permutations(range(4)), 0)
    sampler = data.RandomSampler(range(4), generator=generator)
    for _ in range(4800):
        counts[tuple(sampler)] += 1
    assert abs(chi_square(list(counts.values()), [200.0] * 24)) < 4


def test_draws_with_replacement_are_even():
    drawn = list(data.RandomSampler(range(20), True, 200_000, seeded(0)))
    assert abs(chi_square(np.bincount(drawn, minlength=20), [10_000.0] * 20)) < 4
    pairs = np.bincount(np.array(drawn[:-1:2]) * 20 + drawn[1::2], minlength=400)  # one draw says nothing of the next
    assert abs(chi_square(pairs, [250.0] * 400)) < 4


def test_subset_random():
    sampler = data.SubsetRandomSampler([3, 9, 27], seeded(0))
    counts = {order: 0 for order in itertools.permutations([3, 9, 27])}
    for _ in range(1200):
        counts[tuple(sampler)] += 1
    assert len(sampler) == 3
    assert abs(chi_square(list(counts.values()), [200.0] * 6)) < 4


WEIGHTS = [0.5, 3.0, 0.0, 1.0, 2.5, 0.25, 0.0]


def test_weights_are_frequencies():
    drawn = list(data.WeightedRandomSampler(WEIGHTS, 200_000, True, seeded(1)))
    weights = np.array(WEIGHTS)
    counts = np.bincount(drawn, minlength=7)
    assert not counts[weights == 0].any()
    assert abs(chi_square(counts[weights > 0], 200_000 * weights[weights > 0] / weights.sum())) < 4


def test_weights_without_replacement():
    """Each prefix of a draw has the probability of drawing one after the other from what is left."""
    weights = np.array([1.0, 2.0, 4.0])
    sampler = data.WeightedRandomSampler(weights.tolist(), 3, False, seeded(2))
    counts = {order: 0 for order in itertools.permutations(range(3))}
    for _ in range(4000):
        counts[tuple(sampler)] += 1
    expected = [4000 * weights[a] / 7 * weights[b] / (7 - weights[a]) for a, b, _ in itertools.permutations(range(3))]
    assert abs(chi_square(list(counts.values()), expected)) < 4
    assert set(data.WeightedRandomSampler([0.0, 1.0, 0.0, 1.0], 2, replacement=False)) == {1, 3}


def test_weights_as_tensor():
    for weights in (gg.tensor([0.0, 2.0]), np.array([0, 2])):
        sampler = data.WeightedRandomSampler(weights, 5)
        assert list(sampler) == [1] * 5 and len(sampler) == 5


MAKERS = {
    "random": lambda g: data.RandomSampler(range(30), generator=g),
    "replacement": lambda g: data.RandomSampler(range(30), True, generator=g),
    "many": lambda g: data.RandomSampler(range(30), num_samples=70, generator=g),
    "subset": lambda g: data.SubsetRandomSampler(range(30), g),
    "weighted": lambda g: data.WeightedRandomSampler(range(30), 30, True, g),
    "weighted, once": lambda g: data.WeightedRandomSampler(range(1, 31), 30, False, g),
    "batches": lambda g: data.BatchSampler(data.RandomSampler(range(30), generator=g), 4, False),
}


@pytest.mark.parametrize("name", MAKERS)
def test_reproducible(name):
    """The same seed gives the same epochs, which differ; without a generator the default one's seed decides."""
    make = MAKERS[name]
    first, again, other = (make(seeded(seed)) for seed in (7, 7, 8))
    epochs = [list(first), list(first)]
    assert [list(again), list(again)] == epochs
    assert epochs[0] != epochs[1]
    assert list(other) != epochs[0]
    state = gg.get_rng_state()
    list(make(seeded(7)))
    assert gg.get_rng_state().tolist() == state.tolist(), "the default generator moved"
    default = []
    for _ in range(2):
        gg.manual_seed(5)
        sampler = make(None)
        default.append([list(sampler), list(sampler)])
    assert default[0] == default[1]
    assert default[0][0] != default[0][1]


BAD = {  # name: what we raise, what it says, what PyTorch raises, what is done
    "replacement": (TypeMismatch, "replacement=1", TypeError, lambda m: m.RandomSampler([1], 1)),
    "num_samples": (ArgumentError, "num_samples=0", ValueError, lambda m: m.RandomSampler([1], num_samples=0)),
    "fraction": (ArgumentError, r"num_samples=1\.5", ValueError, lambda m: m.RandomSampler([1], num_samples=1.5)),
    "bool": (ArgumentError, "num_samples=True", ValueError, lambda m: m.WeightedRandomSampler([1.0], True)),
    "weighted, replacement": (
        ArgumentError, "replacement='no'", ValueError, lambda m: m.WeightedRandomSampler([1.0], 1, "no"),
    ),
    "rows of weights": (ArgumentError, r"\(1, 2\)", ValueError, lambda m: m.WeightedRandomSampler([[1.0, 2.0]], 1)),
    "negative": (ArgumentError, "weights=", RuntimeError, lambda m: list(m.WeightedRandomSampler([1.0, -2.0], 1))),
    "all 0": (ArgumentError, "not all 0", RuntimeError, lambda m: list(m.WeightedRandomSampler([0.0, 0.0], 1))),
    "nan": (ArgumentError, "finite", RuntimeError, lambda m: list(m.WeightedRandomSampler([math.nan], 1))),
    "too many": (
        ArgumentError, "num_samples=3, 2", RuntimeError, lambda m: list(m.WeightedRandomSampler([1, 1.0], 3, False)),
    ),
    "batch_size": (ArgumentError, "batch_size=0", ValueError, lambda m: m.BatchSampler([1], 0, False)),
    "batch_size as bool": (ArgumentError, "batch_size=True", ValueError, lambda m: m.BatchSampler([1], True, False)),
    "batch_size as text": (ArgumentError, "batch_size='2'", ValueError, lambda m: m.BatchSampler([1], "2", False)),
    "drop_last": (ArgumentError, "drop_last=None", ValueError, lambda m: m.BatchSampler([1], 1, None)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    kind, text, theirs, call = BAD[name]
    with pytest.raises(theirs):
        call(THERE)
    with pytest.raises(kind, match=text):
        call(HERE)
