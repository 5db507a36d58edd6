"""Initialisation: what is fixed equals torch's, what is drawn has the statistics of its formula."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest
import torch

import glassgrad as gg
from glassgrad import nn
from glassgrad.errors import ArgumentError, NotCovered
from glassgrad.nn import init

GAINS = ["linear", "conv1d", "conv3d", "conv_transpose2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]


def seeded() -> gg.Generator:
    return gg.Generator().manual_seed(7)


def numbers(tensor: gg.Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().numpy())


def test_every_name_of_torch_is_there_with_its_arguments() -> None:
    theirs = [name for name in torch.nn.init.__all__ if name.endswith("_") or name == "calculate_gain"]
    assert sorted(theirs) == sorted(init.__all__)
    for name in theirs:
        expected = inspect.signature(getattr(torch.nn.init, name)).parameters
        found = inspect.signature(getattr(init, name)).parameters
        assert [(p.name, p.default) for p in found.values()] == [(p.name, p.default) for p in expected.values()]


@pytest.mark.parametrize("name", GAINS)
def test_gains(name: str) -> None:
    assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name), abs=1e-15)
    for slope in (0, 0.2, 3):
        expected = torch.nn.init.calculate_gain(name, slope)
        assert init.calculate_gain(name, slope) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
def test_constants(shape: tuple[int, ...]) -> None:
    for name, args in (("constant_", (2.5,)), ("ones_", ()), ("zeros_", ())):
        ours, theirs = gg.full(shape, 7.0), torch.full(shape, 7.0)
        assert getattr(init, name)(ours, *args) is ours
        getattr(torch.nn.init, name)(theirs, *args)
        np.testing.assert_array_equal(numbers(ours), theirs.numpy())


@pytest.mark.parametrize(
    ("name", "shape", "args"),
    [
        *(("eye_", shape, ()) for shape in [(3, 3), (2, 5), (5, 2), (1, 1)]),
        *(("dirac_", shape, ()) for shape in [(3, 3, 3), (2, 5, 4), (5, 2, 1, 3), (2, 2, 2, 3, 4)]),
        ("dirac_", (6, 2, 3), (3,)),
        ("dirac_", (4, 3, 2, 2), (2,)),
    ],
)
def test_identities(name: str, shape: tuple[int, ...], args: tuple[int, ...]) -> None:
    ours, theirs = gg.ones(shape), torch.ones(shape)
    assert getattr(init, name)(ours, *args) is ours
    getattr(torch.nn.init, name)(theirs, *args)
    np.testing.assert_array_equal(numbers(ours), theirs.numpy())


# Shape, arguments, and the bound of even numbers or the spread of normal ones, from the papers' formulas.
EVEN = [
    ("uniform_", (300, 200), (-2.0, 2.0), 2.0),
    ("xavier_uniform_", (300, 200), (), math.sqrt(6 / 500)),
    ("xavier_uniform_", (40, 30, 5, 7), (2.0,), 2 * math.sqrt(6 / (70 * 35))),
    ("kaiming_uniform_", (300, 200), (), math.sqrt(2) * math.sqrt(3 / 200)),
    ("kaiming_uniform_", (300, 200), (math.sqrt(5),), math.sqrt(1 / 200)),
    ("kaiming_uniform_", (40, 30, 5, 7), (0, "fan_out", "relu"), math.sqrt(2) * math.sqrt(3 / (40 * 35))),
    ("kaiming_uniform_", (300, 200), (0, "fan_in", "tanh"), 5 / 3 * math.sqrt(3 / 200)),
]
NORMAL = [
    ("normal_", (300, 200), (0.0, 3.0), 3.0),
    ("xavier_normal_", (300, 200), (), math.sqrt(2 / 500)),
    ("xavier_normal_", (40, 30, 5, 7), (0.5,), 0.5 * math.sqrt(2 / (70 * 35))),
    ("kaiming_normal_", (300, 200), (), math.sqrt(2 / 200)),
    ("kaiming_normal_", (40, 30, 5, 7), (1.0, "fan_out"), math.sqrt(1 / (40 * 35))),
    ("kaiming_normal_", (300, 200), (0, "fan_in", "linear"), math.sqrt(1 / 200)),
]


@pytest.mark.parametrize(("name", "shape", "args", "bound"), EVEN)
@pytest.mark.parametrize("dtype", [gg.float32, gg.float64])
def test_even_numbers(name: str, shape: tuple[int, ...], args: tuple[Any, ...], bound: float, dtype: Any) -> None:
    tensor = gg.empty(shape, dtype=dtype)
    assert getattr(init, name)(tensor, *args, generator=seeded()) is tensor
    values = numbers(tensor)
    assert values.dtype == dtype
    assert np.abs(values).max() <= bound * (1 + 1e-6)
    assert np.abs(values).max() > 0.999 * bound
    # Six standard errors: of the mean bound / sqrt(3 n), of the variance about bound² sqrt(4 / 45 n).
    assert abs(values.mean()) < 6 * bound / math.sqrt(3 * values.size)
    assert values.var() == pytest.approx(bound**2 / 3, abs=6 * bound**2 * math.sqrt(4 / 45 / values.size))


@pytest.mark.parametrize(("name", "shape", "args", "std"), NORMAL)
@pytest.mark.parametrize("dtype", [gg.float32, gg.float64])
def test_normal_numbers(name: str, shape: tuple[int, ...], args: tuple[Any, ...], std: float, dtype: Any) -> None:
    tensor = gg.empty(shape, dtype=dtype)
    assert getattr(init, name)(tensor, *args, generator=seeded()) is tensor
    values = numbers(tensor).astype(np.float64)
    count = values.size
    assert abs(values.mean()) < 6 * std / math.sqrt(count)
    assert values.std() == pytest.approx(std, rel=6 / math.sqrt(2 * count))
    kurtosis = ((values / values.std()) ** 4).mean()
    assert kurtosis == pytest.approx(3.0, abs=6 * math.sqrt(24 / count))


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"), [(0.0, 1.0, -2.0, 2.0), (1.0, 0.5, 0.9, 1.1), (0.0, 1.0, 1.0, 3.0), (0.0, 0.02, -2, 2)]
)
def test_truncated_normal_numbers(mean: float, std: float, a: float, b: float) -> None:
    values = numbers(init.trunc_normal_(gg.empty(50_000, dtype=gg.float64), mean, std, a, b, seeded()))
    assert values.min() >= a
    assert values.max() <= b

    def density(z: float) -> float:
        return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    low, high = (a - mean) / std, (b - mean) / std
    mass = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    shift = (density(low) - density(high)) / mass
    spread = 1 + (low * density(low) - high * density(high)) / mass - shift**2
    assert values.mean() == pytest.approx(mean + std * shift, abs=6 * std * math.sqrt(spread / values.size))
    assert values.var() == pytest.approx(std**2 * spread, rel=6 * math.sqrt(2 / values.size))


def test_truncated_normal_warns_far_from_the_mean() -> None:
    with pytest.warns(UserWarning, match="more than 2 std"):
        values = numbers(init.trunc_normal_(gg.empty(1000), mean=0.0, a=3.0, b=4.0))
    assert values.min() >= 3
    assert values.max() <= 4


@pytest.mark.parametrize(("shape", "gain"), [((5, 5), 1), ((3, 7), 2.0), ((7, 3), 1), ((4, 2, 3), 0.5), ((1, 1), 1)])
def test_orthogonal(shape: tuple[int, ...], gain: float) -> None:
    tensor = init.orthogonal_(gg.empty(shape, dtype=gg.float64), gain, seeded())
    w = numbers(tensor).reshape(shape[0], -1)
    small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(small, gain**2 * np.eye(len(small)), atol=1e-12)


def test_orthogonal_prefers_no_sign() -> None:
    generator = seeded()
    corners = [numbers(init.orthogonal_(gg.empty(3, 3), generator=generator))[0, 0] for _ in range(400)]
    assert 140 < sum(corner > 0 for corner in corners) < 260  # six standard errors around the half


def test_sparse() -> None:
    values = numbers(init.sparse_(gg.empty(200, 300, dtype=gg.float64), 0.333, 0.5, seeded()))
    np.testing.assert_array_equal((values == 0).sum(0), np.full(300, 67))
    assert values[values != 0].std() == pytest.approx(0.5, rel=0.03)
    assert len({tuple(np.flatnonzero(column == 0)) for column in values.T}) > 290  # the places are drawn anew


@pytest.mark.parametrize(
    "name", ["uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "kaiming_normal_", "orthogonal_", "sparse_"]
)
def test_a_generator_fixes_the_draw_and_parameters_stay_leaves(name: str) -> None:
    draw = getattr(init, name)
    args = (0.5,) if name == "sparse_" else ()
    parameter = nn.Parameter(gg.zeros(4, 3))
    assert draw(parameter, *args, generator=seeded()) is parameter
    assert parameter.is_leaf
    assert parameter.requires_grad
    again = draw(gg.zeros(4, 3), *args, generator=seeded())
    np.testing.assert_array_equal(numbers(parameter), numbers(again))
    other = draw(gg.zeros(4, 3), *args, generator=gg.Generator().manual_seed(8))
    assert (numbers(other) != numbers(again)).any()
    gg.manual_seed(3)
    first = numbers(draw(gg.zeros(4, 3), *args))
    gg.manual_seed(3)
    np.testing.assert_array_equal(numbers(draw(gg.zeros(4, 3), *args)), first)


def test_nothing_to_fill() -> None:
    for name in ("kaiming_uniform_", "kaiming_normal_"):
        with pytest.warns(UserWarning, match="nothing to initialise"):
            assert getattr(init, name)(gg.empty(0, 3)).shape == (0, 3)
    assert init.orthogonal_(gg.empty(0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    ("call", "piece"),
    [
        (lambda: init.calculate_gain("swish"), "no gain for 'swish'"),
        (lambda: init.calculate_gain("leaky_relu", True), "slope is a number"),
        (lambda: init.eye_(gg.empty(3)), "matrix"),
        (lambda: init.dirac_(gg.empty(3, 3)), "kernel dimensions"),
        (lambda: init.dirac_(gg.empty(4, 3, 3), 3), "groups"),
        (lambda: init.xavier_normal_(gg.empty(3)), "Fan-in"),
        (lambda: init.xavier_uniform_(gg.empty(())), "Fan-in"),
        (lambda: init.kaiming_normal_(gg.empty(3)), "Fan-in"),
        (lambda: init.kaiming_uniform_(gg.empty(3, 3), mode="fan"), "'fan_in' or 'fan_out'"),
        (lambda: init.orthogonal_(gg.empty(3)), "two dimensions"),
        (lambda: init.sparse_(gg.empty(3), 0.1), "matrix"),
        (lambda: init.trunc_normal_(gg.empty(3), a=1.0, b=0.0), "a < b"),
    ],
)
def test_errors(call: Any, piece: str) -> None:
    with pytest.raises(ArgumentError, match=piece) as caught:
        call()
    assert isinstance(caught.value, ValueError)


def test_old_names_lead_to_the_new_ones() -> None:
    with pytest.raises(NotCovered, match="xavier_uniform_"):
        init.xavier_uniform  # noqa: B018


# The bound of each layer's first numbers, from torch's documentation.
STARTS = [
    (lambda lib: lib.nn.Linear(50, 400), {"weight": 1 / math.sqrt(50), "bias": 1 / math.sqrt(50)}),
    (lambda lib: lib.nn.Conv1d(10, 400, 5), {"weight": 1 / math.sqrt(50), "bias": 1 / math.sqrt(50)}),
    (lambda lib: lib.nn.Conv2d(8, 400, 5, groups=4), {"weight": 1 / math.sqrt(50), "bias": 1 / math.sqrt(50)}),
    (lambda lib: lib.nn.ConvTranspose1d(400, 50, 2), {"weight": 1 / math.sqrt(100), "bias": 1 / math.sqrt(100)}),
    (lambda lib: lib.nn.Bilinear(25, 10, 40), {"weight": 1 / 5, "bias": 1 / 5}),
    (
        lambda lib: lib.nn.GRU(10, 64),
        dict.fromkeys(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), 1 / 8),
    ),
    (lambda lib: lib.nn.LSTMCell(10, 64), dict.fromkeys(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), 1 / 8)),
    (lambda lib: lib.nn.MultiheadAttention(64, 2), {"in_proj_weight": math.sqrt(6 / 256), "out_proj.weight": 1 / 8}),
]


@pytest.mark.parametrize(("made", "bounds"), STARTS)
def test_layers_start_even_within_their_bounds(made: Any, bounds: dict[str, float]) -> None:
    gg.manual_seed(11)
    for lib in (gg, torch):
        for name, tensor in made(lib).state_dict().items():
            values = tensor.numpy()
            if name not in bounds:
                np.testing.assert_array_equal(values, 0.0)
                continue
            assert np.abs(values).max() <= bounds[name] * (1 + 1e-6)
            assert np.abs(values).max() > 0.9 * bounds[name]
            assert values.std() == pytest.approx(bounds[name] / math.sqrt(3), rel=0.2)


def test_embedding_starts_normal_and_norms_start_neutral() -> None:
    table = numbers(nn.Embedding(500, 40, padding_idx=3).weight)
    np.testing.assert_array_equal(table[3], 0.0)
    assert np.delete(table, 3, 0).std() == pytest.approx(1.0, abs=0.03)
    for layer, peer in [
        (nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)),
        (nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
         torch.nn.InstanceNorm2d(3, affine=True, track_running_stats=True)),
        (nn.LayerNorm(3), torch.nn.LayerNorm(3)),
        (nn.GroupNorm(1, 3), torch.nn.GroupNorm(1, 3)),
        (nn.RMSNorm(3), torch.nn.RMSNorm(3)),
        (nn.PReLU(2, 0.125), torch.nn.PReLU(2, 0.125)),
    ]:  # fmt: skip
        for mine, theirs in zip(layer.state_dict().values(), peer.state_dict().values(), strict=True):
            np.testing.assert_array_equal(numbers(mine), theirs.numpy())


def test_reset_parameters_draws_anew() -> None:
    for layer in (
        nn.Linear(3, 2),
        nn.Conv2d(1, 2, 3),
        nn.Bilinear(2, 2, 2),
        nn.LSTM(2, 3),
        nn.GRUCell(2, 3),
        nn.Embedding(4, 2),
    ):
        before = [numbers(p).copy() for p in layer.parameters()]
        assert layer.reset_parameters() is None
        assert all((numbers(p) != b).any() for p, b in zip(layer.parameters(), before, strict=True))
    norm = nn.BatchNorm1d(2)
    norm(gg.randn(4, 2))
    norm.reset_parameters()
    assert [t.tolist() for t in norm.buffers()] == [[0.0, 0.0], [1.0, 1.0], 0]
