"""`why`: the paths add up to the gradient, none is left out, the largest come first, and layers share them out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from tests.graphs import LARGEST, SHAPES, pick

import glassgrad as gg
from glassgrad import nn
from glassgrad.errors import ArgumentError, GradError

F = nn.functional


def dense(*sizes, seed=0):
    """A net of tanh layers whose last layer is linear, one sample, and the loss sum(y²)."""
    gg.manual_seed(seed)
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), nn.Tanh()]
    net = nn.Sequential(*layers[:-1]).double()
    x = gg.randn(1, sizes[0], dtype=gg.float64)
    with gg.record() as tape:
        (net(x) ** 2).sum().backward()
    return net, x, tape


def products(net, x, i, j):
    """All paths from the loss to the first layer's weight (i, j), by multiplying out what NumPy computes."""
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    weights = [layer.weight.detach().numpy() for layer in linear]
    biases = [layer.bias.detach().numpy() for layer in linear]
    values = [x.numpy()[0]]
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = w @ values[-1] + b
        values.append(np.tanh(z) if k + 1 < len(weights) else z)
    start = values[0][j] * (1 - values[1][i] ** 2)
    found = []
    for way in itertools.product(*(range(len(v)) for v in values[2:])):
        product, at = start, i
        for k, to in enumerate(way, start=1):
            product *= weights[k][to, at] * (1 if k + 1 == len(weights) else 1 - values[k + 1][to] ** 2)
            at = to
        found.append(product * 2 * values[-1][at])
    return found


@pytest.mark.parametrize("sizes", [(2, 3, 1), (3, 4, 5, 2), (2, 3, 4, 2, 3)])
def test_paths_of_a_dense_net_are_those_multiplied_out(sizes):
    net, x, tape = dense(*sizes)
    for i, j in itertools.product(range(sizes[1]), range(sizes[0])):
        expected = sorted(products(net, x, i, j), key=abs, reverse=True)
        why = tape.why(net[0].weight, (i, j), top=len(expected) + 5)
        assert why.count == len(expected) == math.prod(sizes[2:])
        assert why.complete and why.remainder == 0
        np.testing.assert_allclose([abs(p.product) for p in why.paths], np.abs(expected), 1e-12)
        assert math.fsum(p.product for p in why.paths) == pytest.approx(why.value, rel=1e-12)
        assert why.value == pytest.approx(net[0].weight.grad[i, j].item(), rel=0)


def test_only_the_largest_are_found_and_the_rest_is_the_remainder():
    net, x, tape = dense(6, 20, 30, 10)
    expected = sorted(products(net, x, 3, 2), key=abs, reverse=True)
    why = tape.why(net[0].weight, (3, 2), top=7)
    assert why.count == 300 and not why.complete
    np.testing.assert_allclose([p.product for p in why.paths], expected[:7], 1e-10)
    assert why.listed + why.remainder == pytest.approx(why.value, rel=1e-12)
    assert why.remainder == pytest.approx(math.fsum(expected[7:]), rel=1e-9)


def test_counts_beyond_what_could_be_built():
    net, _, tape = dense(5, 200, 300, 400, 3)
    assert tape.why(net[0].weight, (0, 0)).count == 300 * 400 * 3


@settings.get_profile("explained")
@given(st.data())
def test_paths_of_random_graphs_add_up(data):
    """Two thirds of what `--graphs` says. Where all paths are listed they add up; else with the remainder they do."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shapes = data.draw(st.lists(st.sampled_from(SHAPES[:8]), min_size=1, max_size=3))
    values = [gg.tensor(rng.uniform(-2, 2, shape), requires_grad=True) for shape in shapes]
    starts = list(values)
    with gg.record() as tape:
        for number in range(data.draw(st.integers(2, 6))):
            name, step, operands = pick(data.draw, [x.detach().numpy() for x in values])
            note(f"{number}: {name} of {operands}")
            made = step(gg, *(values[at] for at in operands))
            values.append(made.mean(-1) if made.numel() > LARGEST else made)
        total = sum((x * x).sum() for x in values if x.requires_grad)
        total.backward()
    for x in starts:
        index = tuple(int(rng.integers(n)) for n in x.shape)
        why = tape.why(x, index, top=300)
        sizes = [abs(p.product) for p in why.paths]
        scale = max(1.0, math.fsum(sizes))
        assert why.value == x.grad[index].item()
        assert why.listed + why.remainder == pytest.approx(why.value, abs=1e-12 * scale)
        if why.complete:
            assert why.listed == pytest.approx(why.value, abs=1e-12 * scale)
        for larger, smaller in itertools.pairwise(sizes):
            assert smaller <= larger * (1 + 1e-9) + 1e-12 * scale
        for path in why.paths[:3]:
            assert path.product == pytest.approx(path.seed * math.prod(f.value for f in path.factors), rel=1e-12)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = self.first(x)
        return self.last(h + gg.tanh(self.inner(h)))


def test_a_layer_shares_out_the_whole_gradient():
    gg.manual_seed(1)
    net = Residual().double()
    x = gg.randn(5, 3, dtype=gg.float64)
    with gg.record() as tape:
        (net(x) ** 2).mean().backward()
    for i, j in itertools.product(range(4), range(3)):
        why = tape.why(net.first.weight, (i, j))
        whole = why.at("last")
        assert math.fsum([*(s.contribution for s in whole.shares), whole.rest]) == pytest.approx(why.value, rel=1e-15)
        assert abs(whole.rest) < 1e-12 * sum(abs(s.contribution) for s in whole.shares)
        partly = why.at("inner")
        assert math.fsum([*(s.contribution for s in partly.shares), partly.rest]) == pytest.approx(why.value, rel=1e-15)
        # what goes around: dL/d(h + tanh(inner(h))) straight into h
        around = (2 / 10 * net(x).detach() @ net.last.weight.detach())[:, i] @ x[:, j]
        assert partly.rest == pytest.approx(around.item(), rel=1e-9)


def test_factors_name_ops_entries_and_formulas():
    w, b = gg.tensor(0.5, requires_grad=True), gg.tensor(0.1)
    with gg.record() as tape:
        z = w * 2.0 + b
        y = gg.sigmoid(z)
        (y * y).backward()
    (first, second) = tape.why(w).paths
    assert first.product == second.product == pytest.approx(y.item() ** 2 * (1 - y.item()) * 2, rel=1e-6)
    formulas = [f.formula for f in first.factors]
    assert formulas[-1] in ("∂v1/∂w = 2", "∂z/∂w = 2") and "∂y/∂z = y · (1 − y)" in formulas
    assert first.factors[0].op == "mul"


def test_what_cannot_be_explained_says_so():
    w, c = gg.tensor([1.0, 2.0], requires_grad=True), gg.tensor([3.0, 4.0])
    with gg.record() as tape:
        (w * c).sum().backward()
    with pytest.raises(GradError, match="no gradient arrived"):
        tape.why(c, 0)
    with pytest.raises(IndexError, match=r"no entry \(2,\) in a tensor of shape \(2,\)"):
        tape.why(w, 2)
    with pytest.raises(IndexError, match=r"no entry \(\)"):
        tape.why(w)
    with pytest.raises(ArgumentError, match="not on the tape"):
        tape.why(gg.tensor(1.0))
    with pytest.raises(ArgumentError, match="a tensor is asked for"):
        tape.why("w")
    assert tape.why(w, -1).index == (1,)


def test_nothing_recorded():
    with gg.record() as tape:
        pass
    with pytest.raises(ArgumentError, match="no backward pass was recorded"):
        tape.loss  # noqa: B018
    with gg.record() as tape:
        x = gg.tensor(1.0, requires_grad=True) * 2
    with pytest.raises((ArgumentError, GradError), match="no"):
        tape.why(x)
