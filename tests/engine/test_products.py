"""Matrix products of every form against NumPy, exactly: the entries are small whole numbers, so nothing is rounded."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glassgrad as gg
from glassgrad.engine import compile
from glassgrad.engine.emit import matmul, skinny

SIZES = [
    (1, 1, 1), (1, 5, 40), (1, 300, 17), (1, 33, 1030), (2, 40, 16), (3, 100, 50), (5, 1, 7), (4, 2, 4), (64, 70, 10),
    (40, 64, 1), (33, 129, 3), (100, 7, 2), (17, 31, 12), (31, 1100, 33), (96, 50, 64), (50, 16, 100), (130, 260, 70),
]  # fmt: skip
FORMS = list(itertools.product((False, True), repeat=2))


def whole(rng, *shape):
    return rng.integers(-3, 4, shape)


def compare(x, y, what, **options):
    go = compile(what, **options)
    expected = what(x.double(), y.double()).numpy()
    for _ in range(2):
        found = go(x, y)
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found.numpy(), expected)
    return go


def form(ta, tb, after=lambda z: z):
    return lambda x, y: after((x.mT if ta else x) @ (y.mT if tb else y))


def operands(rng, m, k, n, ta, tb, dtype, batch=()):
    x = gg.tensor(whole(rng, *batch, *((k, m) if ta else (m, k))), dtype=dtype)
    return x, gg.tensor(whole(rng, *batch, *((n, k) if tb else (k, n))), dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_form(size, dtype):
    rng = np.random.default_rng(0)
    for ta, tb in FORMS:
        compare(*operands(rng, *size, ta, tb, dtype), form(ta, tb), threads=2)


@settings(max_examples=25)
@given(st.data())
def test_sizes_at_random(data):
    m, k, n = (data.draw(st.integers(1, 70)) for _ in range(3))
    ta, tb = data.draw(st.booleans()), data.draw(st.booleans())
    batch = data.draw(st.sampled_from([(), (3,), (2, 2)]))
    rng = np.random.default_rng(0)
    x, y = operands(rng, m, k, n, ta, tb, "float32", batch)
    bias = gg.tensor(whole(rng, n), dtype="float32")
    after = data.draw(st.sampled_from([lambda z: z, lambda z: z.relu() * 2, lambda z: z + bias.to(z.dtype)]))
    compare(x, y, form(ta, tb, after))


@pytest.mark.parametrize("size", [(1, 40, 33), (20, 40, 1), (1, 40, 1), (20, 40, 5), (24, 3, 24)], ids=str)
def test_operands_that_are_views(size):
    m, k, n = size
    rng = np.random.default_rng(0)
    x, y = gg.tensor(whole(rng, 2 * m, 2 * k + 1), dtype="float32"), gg.tensor(whole(rng, k, n + 3), dtype="float32")
    compare(x, y, lambda x, y: x[::2, : 2 * k : 2] @ y[:, 1 : n + 1])
    compare(x, y, lambda x, y: x[m:, 1 : k + 1].flip(1) @ y[:, 3:])
    compare(x[:1], y, lambda x, y: x[:, :k].expand(m, k) @ y[:, :n])


def test_each_kind_of_kernel_is_tried(monkeypatch):
    """That the sizes above do lead to each of them."""
    monkeypatch.setenv("GLASSGRAD_CACHE", "off")
    seen = set()
    for kind in (matmul.Product, skinny.Dots, skinny.Turned, skinny.Swept):
        monkeypatch.setattr(kind, "write", lambda self, kind=kind, write=kind.write: seen.add(kind) or write(self))
    rng = np.random.default_rng(0)
    for size in ((96, 50, 64), (64, 70, 10), (1, 33, 1030)):
        assert size in SIZES
        for ta, tb in FORMS:
            compare(*operands(rng, *size, ta, tb, "float32"), form(ta, tb))
    assert seen == {matmul.Product, skinny.Dots, skinny.Turned, skinny.Swept}
