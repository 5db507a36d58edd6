"""Where numbers overflow, vanish, tie or are masked: closed forms, and torch where it has them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from tests.nn.peers import compare

import glassgrad as gg
from glassgrad import nn
from glassgrad.dispatch import STATE, Bystander
from glassgrad.nn import functional as F

HUGE = np.array([-1e4, -800.0, -40.0, 0.0, 40.0, 800.0, 1e4])
INF = math.inf


def gradient(call: Any, *x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The value, and the gradient of its sum."""
    tensors = [gg.tensor(np.asarray(each, np.float64), requires_grad=True) for each in x]
    y = call(*tensors)
    y.sum().backward()
    return y.detach().numpy(), [t.grad.numpy() for t in tensors]


@pytest.mark.parametrize(
    ("call", "value", "slope"),
    [
        (F.sigmoid, [0, 0, math.exp(-40), 0.5, 1, 1, 1], [0, 0, math.exp(-40), 0.25, math.exp(-40), 0, 0]),
        (F.logsigmoid, [-1e4, -800, -40, -math.log(2), -math.exp(-40), 0, 0], [1, 1, 1, 0.5, math.exp(-40), 0, 0]),
        (F.softplus, [0, 0, math.exp(-40), math.log(2), 40, 800, 1e4], [0, 0, math.exp(-40), 0.5, 1, 1, 1]),
        (F.silu, [0, 0, -40 * math.exp(-40), 0, 40, 800, 1e4], [0, 0, -39 * math.exp(-40), 0.5, 1, 1, 1]),
        (F.elu, [-1, -1, -1, 0, 40, 800, 1e4], [0, 0, math.exp(-40), 1, 1, 1, 1]),
        (F.gelu, [0, 0, 0, 0, 40, 800, 1e4], [0, 0, 0, 0.5, 1, 1, 1]),
        (lambda x: F.gelu(x, "tanh"), [0, 0, 0, 0, 40, 800, 1e4], [0, 0, 0, 0.5, 1, 1, 1]),
        (F.mish, [0, 0, -40 * math.exp(-40), 0, 40, 800, 1e4], [0, 0, -39 * math.exp(-40), 0.6, 1, 1, 1]),
        (F.tanhshrink, [-9999, -799, -39, 0, 39, 799, 9999], [1, 1, 1, 0, 1, 1, 1]),
    ],
)
def test_far_out_nothing_overflows(call: Any, value: list[float], slope: list[float]) -> None:
    y, (g,) = gradient(call, HUGE)
    np.testing.assert_allclose(y, value, rtol=1e-12, atol=1e-30)
    np.testing.assert_allclose(g, slope, rtol=1e-12, atol=1e-15)


def test_softmax_far_out_and_beside_infinity() -> None:
    y, (g,) = gradient(lambda x: F.softmax(x, 0) * gg.arange(3.0).double(), np.array([1e4, -INF, 1e4]))
    np.testing.assert_allclose(y, [0, 0, 1.0])
    np.testing.assert_allclose(g, [-0.5, 0, 0.5])
    y, (g,) = gradient(lambda x: F.log_softmax(x, 0)[:2], np.array([0.0, 1e4, -1e4]))
    np.testing.assert_allclose(y, [-1e4, 0.0])
    np.testing.assert_allclose(g, [1.0, -1.0, 0.0])


def test_binary_losses_at_the_ends() -> None:
    p, t = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
    y, (g,) = gradient(lambda x: F.binary_cross_entropy(x, gg.tensor(t), reduction="none"), p)
    expected = torch.nn.functional.binary_cross_entropy(torch.tensor(p), torch.tensor(t), reduction="none")
    np.testing.assert_allclose(y, expected.numpy())
    # The slope of -log(1 - p) at 0 is 1, of -log(p) at 1 is -1; where the logarithm ends, torch's 1e12.
    np.testing.assert_allclose(g, [1.0, -1.0, -1e12, 1e12])
    y, (g,) = gradient(
        lambda x: F.binary_cross_entropy_with_logits(x, gg.tensor([1.0, 0.0, 1.0, 0.0]).double(), reduction="none"),
        np.array([-800.0, 800.0, 800.0, -800.0]),
    )
    np.testing.assert_allclose(y, [800.0, 800.0, 0.0, 0.0])
    np.testing.assert_allclose(g, [-1.0, 1.0, 0.0, 0.0])


def test_margin_loss_far_out_is_a_line() -> None:
    y, (g,) = gradient(
        lambda x: F.soft_margin_loss(x, gg.ones(3).double(), reduction="none"), np.array([-800.0, 0, 800])
    )
    np.testing.assert_allclose(y, [800.0, math.log(2), 0.0])
    np.testing.assert_allclose(g, [-1.0, -0.5, 0.0])


def test_counts_of_zero_have_a_slope() -> None:
    y, (g,) = gradient(
        lambda t: F.poisson_nll_loss(gg.zeros(3).double(), t, full=True, reduction="none"), np.array([0.0, 1, 2])
    )
    stirling = 2 * math.log(2) - 2 + 0.5 * math.log(4 * math.pi)
    np.testing.assert_allclose(y, [1.0, 1.0, 1.0 + stirling])
    np.testing.assert_allclose(g, [0.0, 0.0, math.log(2) + 0.25])


def test_divergence_from_certainty() -> None:
    y, (g, h) = gradient(
        lambda x, t: F.kl_div(x, t, reduction="sum"), np.log([[0.5, 0.25, 0.25]]), np.array([[1.0, 0, 0]])
    )
    np.testing.assert_allclose(y, math.log(2))
    np.testing.assert_allclose(g, [[-1.0, 0.0, 0.0]])
    assert np.isfinite(h).all()


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, INF])
def test_lengths_of_nothing(p: float) -> None:
    zeros = np.zeros((2, 3))
    y, (g, h) = gradient(lambda a, b: F.pairwise_distance(a, b, p, eps=0.0), zeros, zeros)
    np.testing.assert_array_equal(y, 0.0)
    np.testing.assert_array_equal(g, 0.0)
    np.testing.assert_array_equal(h, 0.0)
    y, (g,) = gradient(lambda a: F.normalize(a, p), zeros)
    np.testing.assert_array_equal(y, 0.0)
    assert np.isfinite(g).all()


def test_angles_of_nothing() -> None:
    zeros = np.zeros((2, 3))
    for call in (F.cosine_similarity, lambda a, b: F.cosine_embedding_loss(a, b, gg.tensor([1, -1]))):
        y, (g, h) = gradient(call, zeros, zeros + 1)
        assert np.isfinite(y).all()
        assert np.isfinite(g).all()
        assert np.isfinite(h).all()


def test_the_gradient_goes_to_the_first_of_equals() -> None:
    for call, shape in ((lambda x: F.max_pool1d(x, 2), (1, 1, 4)), (lambda x: F.adaptive_max_pool1d(x, 2), (1, 1, 4))):
        _, (g,) = gradient(call, np.ones(shape))
        np.testing.assert_array_equal(g.reshape(-1), [1, 0, 1, 0])
    _, (g,) = gradient(lambda x: F.max_pool2d(x, 2), np.zeros((1, 1, 2, 2)))
    np.testing.assert_array_equal(g.reshape(-1), [1, 0, 0, 0])


def test_pooling_carries_nan_and_infinity() -> None:
    x = np.array([[[1.0, np.nan, 2.0, -INF, -INF, -INF]]])
    ours = F.max_pool1d(gg.tensor(x), 2).numpy()
    np.testing.assert_array_equal(ours, torch.nn.functional.max_pool1d(torch.tensor(x), 2).numpy())


def test_a_query_that_may_look_nowhere() -> None:
    mask = np.array([[True, True], [False, False]])
    q = np.ones((1, 2, 3))
    y, grads = gradient(lambda a, b, c: F.scaled_dot_product_attention(a, b, c, gg.tensor(mask)), q, q, q * 2)
    np.testing.assert_allclose(y, [[[2.0] * 3, [0.0] * 3]])
    assert all(np.isfinite(g).all() for g in grads)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *[torch.tensor(x) for x in (q, q, q * 2)], torch.tensor(mask)
    )
    np.testing.assert_allclose(y, theirs.numpy())


def test_the_padding_row_is_not_learned() -> None:
    layer = nn.Embedding(4, 2, padding_idx=1)
    layer(gg.tensor([[0, 1, 1], [3, 1, 0]])).sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy(), [[2, 2], [0, 0], [0, 0], [1, 1]])


def test_an_empty_batch_has_no_mean() -> None:
    y = F.cross_entropy(gg.zeros(0, 3), gg.tensor(np.zeros(0, np.int64)))
    assert math.isnan(float(y))
    assert math.isnan(float(F.mse_loss(gg.zeros(0), gg.zeros(0))))
    ignored = F.cross_entropy(gg.zeros(2, 3), gg.tensor([-100, -100]))
    assert math.isnan(float(ignored))
    assert float(F.cross_entropy(gg.zeros(2, 3), gg.tensor([-100, -100]), reduction="sum")) == 0.0


def test_running_statistics_over_several_batches() -> None:
    rng = np.random.default_rng(0)
    for kwargs in ({}, {"momentum": None}, {"momentum": 0.7}):
        ours, theirs = nn.BatchNorm1d(3, **kwargs).double(), torch.nn.BatchNorm1d(3, **kwargs).double()
        for size in (4, 2, 7):
            x = rng.standard_normal((size, 3)) * 3 + 1
            compare(ours, theirs, ([x], {}), "batch")
        for name, mine in ours.named_buffers():
            np.testing.assert_allclose(mine.numpy(), theirs.get_buffer(name).numpy(), rtol=1e-12)
        assert int(ours.num_batches_tracked) == 3
        compare(ours.eval(), theirs.eval(), ([rng.standard_normal((1, 3))], {}), "eval")
        assert int(ours.num_batches_tracked) == 3


def test_statistics_that_are_no_longer_tracked_stay() -> None:
    x = np.random.default_rng(0).standard_normal((4, 3))
    ours, theirs = nn.BatchNorm1d(3).double(), torch.nn.BatchNorm1d(3).double()
    for layer in (ours, theirs):
        layer.track_running_stats = False
    compare(ours, theirs, ([x], {}), "untracked")
    for name, mine in ours.named_buffers():
        np.testing.assert_array_equal(mine.numpy(), theirs.get_buffer(name).numpy())
    np.testing.assert_array_equal(ours.running_mean.numpy(), 0.0)


class Watching(Bystander):
    """An observer that is told of the nodes, and does not mind the rest."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def begins(self, *_: Any) -> None:
        pass

    arrived = passed = begins


def operations(call: Any) -> list[str]:
    """The names of the operations that a call makes."""
    made: list[str] = []
    STATE.observer = Watching(lambda node: made.append(node.op.name))
    try:
        call()
    finally:
        STATE.observer = None
    return made


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_nets_project_the_whole_input_at_once(make: Any) -> None:
    net, x = make(3, 4), gg.ones(20, 2, 3)
    products = [name for name in operations(lambda: net(x)) if name in ("affine", "matmul")]
    assert len(products) == 1 + 20
    longer = operations(lambda: net(gg.ones(40, 2, 3)))
    assert len(longer) < 2.1 * len(operations(lambda: net(x)))


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
def test_the_gradient_of_a_long_sequence_costs_no_square(make: Any) -> None:
    """All numbers that backward writes: they grow with T log T, not with T²."""
    net, counts = make(2, 8), []
    for time in (32, 256):
        y, _ = net(gg.ones(time, 1, 2))
        written: list[int] = []
        loss = y.sum()
        STATE.observer = Watching(lambda node, written=written: written.append(math.prod(node.shape)))
        try:
            loss.backward()
        finally:
            STATE.observer = None
        counts.append(sum(written))
    assert counts[1] < 8 * counts[0] * 2.5


def test_deep_nets_do_not_recurse() -> None:
    net = nn.Sequential(*(nn.Tanh() for _ in range(3000)))
    x = gg.ones(1, requires_grad=True)
    net(x).sum().backward()
    assert x.grad is not None
