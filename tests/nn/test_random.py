"""Layers and functions that draw: the share that is dropped, what becomes of the rest, means, seeds, gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn
from glassgrad.nn import functional as F

P = 0.3
LOW = -1.7580993408473766  # what SELU tends to on the left: -scale * alpha


@pytest.fixture(autouse=True)
def _seed() -> None:
    gg.manual_seed(5)


def share(count: int) -> Any:
    """P within six standard errors."""
    return pytest.approx(P, abs=6 * math.sqrt(P * (1 - P) / count))


def test_dropout_drops_a_share_and_scales_the_rest() -> None:
    x = gg.tensor(np.random.default_rng(0).uniform(1, 2, (100, 200)), requires_grad=True)
    y = nn.Dropout(P)(x)
    (y * y.detach()).sum().backward()
    values, gone = y.detach().numpy(), y.detach().numpy() == 0
    assert gone.mean() == share(values.size)
    np.testing.assert_allclose(values[~gone], x.detach().numpy()[~gone] / (1 - P), rtol=1e-15)
    # d/dx of y²/2-like: the factor times y where kept, 0 where dropped.
    np.testing.assert_allclose(x.grad.numpy(), values / (1 - P), rtol=1e-15)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.Dropout1d, (60, 50, 7)), (nn.Dropout1d, (900, 7)), (nn.Dropout2d, (60, 50, 3, 2))],
)
def test_whole_channels_are_dropped(layer: Any, shape: tuple[int, ...]) -> None:
    y = layer(P)(gg.ones(shape, dtype=gg.float64)).numpy()
    spatial = y.reshape(*shape[: 2 if len(shape) > 2 else 1], -1)
    assert (spatial == spatial[..., :1]).all()
    gone = spatial[..., 0] == 0
    assert gone.mean() == share(gone.size)
    np.testing.assert_allclose(spatial[~gone], 1 / (1 - P), rtol=1e-15)


@pytest.mark.parametrize(("layer", "shape"), [(nn.AlphaDropout, (200, 100)), (nn.FeatureAlphaDropout, (200, 100, 3))])
def test_alpha_dropout_keeps_mean_and_variance(layer: Any, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    y = layer(P)(gg.tensor(x)).numpy()
    a = 1 / math.sqrt((1 - P) * (1 + P * LOW**2))
    shift = -a * P * LOW
    gone = np.abs(y - (a * LOW + shift)) < 1e-12
    assert gone.mean() == share(200 * 100)
    np.testing.assert_allclose(y[~gone], a * x[~gone] + shift, rtol=1e-12)
    assert y.mean() == pytest.approx(0.0, abs=0.05)
    assert y.var() == pytest.approx(1.0, abs=0.05)
    if layer is nn.FeatureAlphaDropout:
        assert (gone == gone[..., :1]).all()


@pytest.mark.parametrize("name", ["Dropout", "AlphaDropout", "FeatureAlphaDropout", "Dropout1d"])
def test_in_place_and_modes(name: str) -> None:
    layer = getattr(nn, name)(P, inplace=True)
    x = gg.ones(4, 50, 3)
    assert layer(x) is x
    assert (x.numpy() != 1).any()
    kept = gg.ones(4, 50, 3)
    assert (layer.eval()(kept).numpy() == 1).all()
    assert layer.train()(gg.ones(4, 50, 3)).shape == (4, 50, 3)


def test_the_seed_fixes_what_is_dropped_and_calls_differ() -> None:
    layer, x = nn.Dropout(), gg.ones(100)
    gg.manual_seed(1)
    first, second = layer(x).numpy(), layer(x).numpy()
    assert (first != second).any()
    gg.manual_seed(1)
    np.testing.assert_array_equal(layer(x).numpy(), first)


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_dropout_acts_between_layers_in_training_only(make: Any) -> None:
    net = make(3, 40, num_layers=2, dropout=P)
    x = gg.randn(5, 2, 3)
    one, two = net(x)[0].detach().numpy(), net(x)[0].detach().numpy()
    assert (one != two).any()
    net.eval()
    np.testing.assert_array_equal(net(x)[0].detach().numpy(), net(x)[0].detach().numpy())
    alone = make(3, 4)
    np.testing.assert_array_equal(alone(x)[0].detach().numpy(), alone(x)[0].detach().numpy())
    with pytest.warns(UserWarning, match="only one"):
        make(3, 4, dropout=0.5)


def test_gumbel_softmax_draws_from_the_logits() -> None:
    logits = gg.tensor([0.5, -1.0, 2.0], dtype=gg.float64)
    rows = F.gumbel_softmax(logits.expand(20_000, 3), tau=0.5, hard=True).numpy()
    assert ((np.abs(rows) < 1e-12) | (np.abs(rows - 1) < 1e-12)).all()
    np.testing.assert_allclose(rows.sum(1), 1.0)
    expected = np.exp([0.5, -1.0, 2.0]) / np.exp([0.5, -1.0, 2.0]).sum()
    np.testing.assert_allclose(rows.mean(0), expected, atol=6 * 0.5 / math.sqrt(20_000))
    soft = F.gumbel_softmax(logits.expand(500, 3), tau=2.0).numpy()
    np.testing.assert_allclose(soft.sum(1), 1.0)
    assert ((soft > 0) & (soft < 1)).all()
    across = F.gumbel_softmax(gg.zeros(4, 50), hard=True, dim=0).numpy()
    np.testing.assert_allclose(across.sum(0), 1.0, rtol=1e-6)


def test_gumbel_softmax_goes_back_through_the_soft_one() -> None:
    weights = gg.tensor([1.0, 2.0, 4.0], dtype=gg.float64)
    found = []
    for hard in (False, True):
        gg.manual_seed(9)
        logits = gg.tensor([0.1, 0.2, 0.3], dtype=gg.float64, requires_grad=True)
        (F.gumbel_softmax(logits, tau=0.7, hard=hard) * weights).sum().backward()
        found.append(logits.grad.numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
    gg.manual_seed(9)
    soft = F.gumbel_softmax(gg.tensor([0.1, 0.2, 0.3], dtype=gg.float64), tau=0.7).numpy()
    w = weights.numpy()
    np.testing.assert_allclose(found[0], soft * (w - (soft * w).sum()) / 0.7, rtol=1e-12)


def test_attention_dropout_drops_weights() -> None:
    q = gg.zeros(1, 200, 4)
    y = F.scaled_dot_product_attention(q, gg.zeros(1, 50, 4), gg.ones(1, 50, 1), dropout_p=P).numpy()
    assert y.std() > 0
    assert y.mean() == pytest.approx(1.0, abs=0.05)  # what is kept is scaled up
    layer = nn.MultiheadAttention(4, 2, dropout=P)
    x = gg.randn(6, 1, 4)
    assert (layer(x, x, x)[0].detach().numpy() != layer(x, x, x)[0].detach().numpy()).any()
    layer.eval()
    np.testing.assert_array_equal(layer(x, x, x)[0].detach().numpy(), layer(x, x, x)[0].detach().numpy())
