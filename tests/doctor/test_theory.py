"""The factors by which a gradient shrinks or grows, measured, are those that theory predicts."""

import math

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn
from glassgrad.doctor.patient import Patient
from glassgrad.doctor.probe import Probe
from glassgrad.doctor.spine import between, spine

WIDTH, ROWS = 512, 64


def factors(layers, rows=ROWS, width=WIDTH):
    """By which factor the gradient changes from each layer to the one before, nearest the loss first; without the last
    layer, which has a start of its own."""
    net = nn.Sequential(*layers, nn.Linear(width, width))
    batch = gg.randn(rows, width), gg.randn(rows, width)
    patient = Patient(net, lambda said, to: (said * to).mean(), gg.optim.SGD(net.parameters(), lr=0.0), [batch])
    found, product = [], 1.0
    for link in between(spine(Probe(patient))):
        if link.weighted:
            found.append(product)
            product = 1.0
        product *= link.factor
    return np.array([*found[2:], product])


def linear(draw, bias=False, width=WIDTH):
    made = nn.Linear(width, width, bias=bias)
    draw(made.weight)
    return made


@pytest.mark.parametrize("depth", [4, 12])
@pytest.mark.parametrize("deviation", [0.01, 0.0625, 0.1])
def test_a_normal_start_with_rectifiers_is_sigma_times_the_root_of_half_the_fan(depth, deviation):
    draw = lambda w: nn.init.normal_(w, std=deviation)  # noqa: E731
    found = factors([each for _ in range(depth) for each in (linear(draw), nn.ReLU())])
    assert len(found) == depth - 1
    assert np.exp(np.log(found).mean()) == pytest.approx(deviation * math.sqrt(WIDTH / 2), rel=0.05)


def test_kaimings_start_keeps_the_gradient():
    draw = lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")  # noqa: E731
    found = factors([each for _ in range(8) for each in (linear(draw), nn.ReLU())])
    assert np.exp(np.log(found).mean()) == pytest.approx(1, rel=0.05)


def test_xaviers_start_keeps_the_gradient_of_linear_layers():
    found = factors([linear(nn.init.xavier_normal_) for _ in range(8)])
    assert np.exp(np.log(found).mean()) == pytest.approx(1, rel=0.05)


def test_a_sigmoid_lets_at_most_a_quarter_through():
    found = factors([each for _ in range(8) for each in (linear(nn.init.orthogonal_), nn.Sigmoid())])
    assert np.all(found <= 0.25)
    assert np.all(found > 0.15)


def test_batch_norm_lets_the_gradient_grow_by_the_root_of_pi_over_pi_less_1():
    """Yang et al., "A Mean Field Theory of Batch Normalization" (ICLR 2019): its square by pi / (pi - 1) a layer; the
    first layer's input is not rectified, so that there it is a half."""
    draw = nn.init.kaiming_normal_
    layers = [each for _ in range(10) for each in (linear(draw), nn.BatchNorm1d(WIDTH, eps=0), nn.ReLU())]
    *found, first = factors(layers, rows=256)
    assert np.exp(np.log(found).mean()) == pytest.approx(math.sqrt(math.pi / (math.pi - 1)), rel=0.02)
    assert first == pytest.approx(math.sqrt(0.5), rel=0.02)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.ReLU(), linear(lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")))

    def forward(self, x):
        return x + self.inner(x)


def test_a_residual_net_loses_nothing():
    """Each block adds to what goes around it a branch that keeps the size: the square doubles."""
    net = nn.Sequential(linear(nn.init.orthogonal_), *(Residual() for _ in range(8)), nn.Linear(WIDTH, WIDTH))
    batch = gg.randn(ROWS, WIDTH), gg.randn(ROWS, WIDTH)
    patient = Patient(net, lambda said, to: (said * to).mean(), gg.optim.SGD(net.parameters(), lr=0.0), [batch])
    tape = Probe(patient).tape
    ends = [tape.output_of(f"{n}")[0] for n in (0, 8)]
    first, last = (np.linalg.norm(tape.value(tape.cotangents[each])) for each in ends)
    assert (first / last) ** (1 / 8) == pytest.approx(math.sqrt(2), rel=0.05)
