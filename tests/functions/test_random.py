"""Random functions: the right distributions, the same numbers from the same state, no number drawn twice."""

import math

import numpy as np
import pytest
import torch

import glassgrad as gg

COUNT = 40_000
normal = lambda x: 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))  # noqa: E731


@pytest.fixture(autouse=True)
def seeded():
    gg.manual_seed(1234)


def agrees(sample, distribution):
    """Kolmogorov's distance from a continuous distribution; by chance larger once in 10,000 samples."""
    ordered = np.sort(np.asarray(sample, np.float64).ravel())
    share = distribution(ordered)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    distance = max(np.abs(share - steps[:-1]).max(), np.abs(share - steps[1:]).max())
    return distance * math.sqrt(len(ordered)) < 2.23


def drawn(call, dtype=None):
    made = call()
    assert dtype is None or made.dtype == dtype
    return made.numpy()


def test_rand():
    for dtype in ("float32", "float64"):
        sample = drawn(lambda dtype=dtype: gg.rand(COUNT, dtype=dtype), dtype)
        assert sample.min() >= 0 and sample.max() < 1
        assert agrees(sample, lambda x: x)
    assert not agrees(sample**1.05, lambda x: x)  # the test itself can tell


def test_the_bits_are_numpys_philox():
    state = gg.Generator().manual_seed(77).get_state()
    assert state.tolist() == [77, 0]
    bits = np.random.Philox(key=77, counter=0).random_raw(10)
    expected = (bits >> np.uint64(11)) * 2.0**-53
    generator = gg.Generator().manual_seed(77)
    np.testing.assert_array_equal(gg.rand(10, dtype=gg.float64, generator=generator).numpy(), expected)
    assert generator.get_state().tolist() == [77, 3]  # four numbers to a count


def test_successive_draws_do_not_overlap():
    pieces = [gg.rand(size, dtype=gg.float64) for size in (1, 5, 4, 1000, 7, 4096, 0, 3)]
    pieces += [gg.randn(101, dtype=gg.float64), gg.randn(100, dtype=gg.float64)]
    values = np.concatenate([piece.numpy() for piece in pieces])
    assert np.unique(values).size == values.size
    one, other = (
        gg.rand(1000, generator=gg.Generator().manual_seed(seed), dtype=gg.float64).numpy() for seed in (1, 2)
    )
    assert not np.isin(one, other).any()
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.12


def test_randn():
    for dtype in ("float32", "float64"):
        sample = drawn(lambda dtype=dtype: gg.randn(COUNT, dtype=dtype), dtype)
        assert agrees(sample, normal)
    odd = gg.randn(7, 3).numpy()
    assert np.isfinite(odd).all() and np.unique(odd).size == 21
    pair = gg.randn(COUNT // 2, 2, dtype=gg.float64).numpy()
    assert abs(np.corrcoef(pair.T)[0, 1]) < 0.03 and abs(np.corrcoef((pair**2).T)[0, 1]) < 0.03


def test_integers():
    sample = drawn(lambda: gg.randint(-3, 4, (COUNT,)), "int64")
    counts = np.bincount(sample + 3)
    assert counts.size == 7 and np.abs(counts - COUNT / 7).max() < 4.5 * math.sqrt(COUNT / 7)
    assert drawn(lambda: gg.randint(5, (2, 3))).shape == (2, 3)
    assert drawn(lambda: gg.randint(0, 2, (3,), dtype=gg.int32), "int32").shape == (3,)
    assert drawn(lambda: gg.randint_like(gg.zeros(4), 3), "float32").max() < 3
    assert gg.randint(2**40, 2**40 + 2, (50,)).min() >= 2**40


def test_permutations():
    for n in (0, 1, 2, 100):
        assert sorted(gg.randperm(n).tolist()) == list(range(n))
    assert gg.randperm(4, dtype=gg.int32).dtype == gg.int32
    firsts = np.bincount([gg.randperm(5)[0].item() for _ in range(2000)], minlength=5)
    assert np.abs(firsts - 400).max() < 4.5 * math.sqrt(400)


def test_bernoulli():
    p = gg.tensor([0.0, 0.25, 1.0]).expand(10_000, 3)
    sample = drawn(lambda: gg.bernoulli(p), "float32")
    assert set(np.unique(sample)) == {0.0, 1.0}
    assert sample[:, 0].sum() == 0 and sample[:, 2].sum() == 10_000
    assert abs(sample[:, 1].mean() - 0.25) < 0.02
    assert abs(gg.zeros(10_000).bernoulli_(0.75).mean().item() - 0.75) < 0.02


def test_normal():
    sample = gg.normal(gg.tensor([-5.0, 5.0]).expand(COUNT, 2), gg.tensor([0.5, 2.0])).numpy()
    assert agrees((sample[:, 0] + 5) / 0.5, normal) and agrees((sample[:, 1] - 5) / 2, normal)
    assert gg.normal(2.0, 0.0, (3,)).tolist() == [2, 2, 2]
    assert gg.normal(0.0, gg.ones(2, 3)).shape == (2, 3)


def test_multinomial():
    weights = gg.tensor([[1.0, 0, 3, 4], [1, 1, 0, 0]])
    sample = drawn(lambda: gg.multinomial(weights, COUNT, replacement=True), "int64")
    for row, expected in zip(sample, ([1 / 8, 0, 3 / 8, 1 / 2], [0.5, 0.5, 0, 0]), strict=True):
        np.testing.assert_allclose(np.bincount(row, minlength=4) / COUNT, expected, atol=0.012)
    once = np.array([gg.multinomial(weights[0], 2).tolist() for _ in range(3000)])
    assert (once[:, 0] != once[:, 1]).all() and not (once == 1).any()
    np.testing.assert_allclose(np.bincount(once[:, 0], minlength=4) / 3000, [1 / 8, 0, 3 / 8, 1 / 2], atol=0.035)
    with pytest.raises(ValueError, match="fewer than 4"):
        gg.multinomial(weights[0], 4)


def test_filling_in_place():
    x = gg.empty(COUNT, dtype=gg.float64)
    assert x.uniform_(-2, 3) is x
    assert agrees((x.numpy() + 2) / 5, lambda u: u)
    assert agrees((x.normal_(1, 2).numpy() - 1) / 2, normal)
    assert agrees(x.exponential_(2.0).numpy(), lambda u: 1 - np.exp(-2 * u))
    assert agrees(x.cauchy_(1, 2).numpy(), lambda u: 0.5 + np.arctan((u - 1) / 2) / math.pi)
    assert agrees(np.log(x.log_normal_(0.5, 2).numpy()), lambda u: normal((u - 0.5) / 2))
    tries = x.geometric_(0.25).numpy()
    np.testing.assert_allclose(np.bincount(tries.astype(int))[1:4] / COUNT, [0.25, 0.1875, 0.140625], atol=0.01)
    whole = gg.zeros(1000, dtype=gg.int64).random_(2, 5)
    assert set(whole.tolist()) == {2, 3, 4}
    assert gg.rand_like(x).dtype == gg.randn_like(x).dtype == gg.float64
    with gg.no_grad():
        w = gg.ones(3, requires_grad=True)
        w.uniform_(-1, 1)
    assert w.is_leaf and w.requires_grad


def test_seeds_and_states():
    first = gg.rand(5)
    gg.manual_seed(1234)
    assert gg.rand(5).tolist() == first.tolist()
    state = gg.get_rng_state()
    second = gg.randn(4), gg.randperm(6), gg.randint(9, (3,))
    gg.set_rng_state(state)
    again = gg.randn(4), gg.randperm(6), gg.randint(9, (3,))
    assert all(a.tolist() == b.tolist() for a, b in zip(second, again, strict=True))
    assert gg.initial_seed() == 1234
    assert gg.seed() == gg.initial_seed() != 1234
    one, other = gg.Generator().manual_seed(5), gg.Generator().manual_seed(5)
    before = gg.get_rng_state().tolist()
    assert gg.rand(3, generator=one).tolist() == gg.rand(3, generator=other).tolist()
    assert gg.get_rng_state().tolist() == before
    assert gg.Generator().get_state().tolist() == gg.Generator().get_state().tolist()
    gg.manual_seed(-1)
    gg.manual_seed(2**63)
    assert gg.rand(2).shape == (2,)
    with pytest.raises(RuntimeError, match="int64 tensor of 2"):
        gg.set_rng_state(gg.zeros(3))


@pytest.mark.parametrize("name", ["rand", "randn", "zeros", "ones", "empty"])
def test_shapes_and_flags_as_in_torch(name):
    for size in (((),), (0,), (2, 3), ((2, 3),), ([4],)):
        assert getattr(gg, name)(*size).shape == tuple(getattr(torch, name)(*size).shape)
    made = getattr(gg, name)(2, dtype=gg.float64, requires_grad=True, device="cpu")
    assert made.requires_grad and made.is_leaf and made.dtype == gg.float64
