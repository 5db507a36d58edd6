"""Noise of gradients, against what it is by its definition, and the batches that are too small for it."""

import numpy as np
import pytest
from tests.doctor.trained import NETS, RULES, rows

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import check
from glassgrad.doctor.noise import gradients, merged, noise_of, rows_of, split
from glassgrad.doctor.patient import Patient


def test_the_noise_scale_is_that_of_the_rows():
    """Gradients drawn about a mean: the trace of their covariance over the mean's square, however they are grouped."""
    random = np.random.default_rng(0)
    mean, deviations = np.array([3.0, -1.0, 0.5]), np.array([1.0, 4.0, 2.0])
    drawn = mean + deviations * random.standard_normal((200_000, 3))
    true = np.sum(deviations**2) / np.sum(mean**2)
    for size in (1, 8):
        parts = drawn.reshape(-1, size, 3).mean(1)
        assert noise_of(parts, size).scale == pytest.approx(true, rel=0.02)


def test_few_parts_are_judged_without_a_bias():
    random = np.random.default_rng(0)
    drawn = np.array([2.0, 1.0]) + random.standard_normal((20_000, 4, 2))
    found = [noise_of(parts, 1) for parts in drawn]
    assert np.mean([each.common for each in found]) == pytest.approx(5, rel=0.02)
    assert np.mean([each.apart for each in found]) == pytest.approx(2, rel=0.02)


def test_a_lines_gradient_has_the_noise_of_its_errors():
    """At the true weights of y = w x + e the gradient of a row is -2 e x: all noise, of variance 4 s^2."""
    gg.manual_seed(0)
    x, e = gg.randn(4096, 1), 0.5 * gg.randn(4096, 1)
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 1.5)
    patient = Patient(net, nn.MSELoss(), optim.SGD(net.parameters(), lr=0.1), [(x, 1.5 * x + e)])
    parts = split(patient.batches[0], parts=256)
    assert len(parts) == 256
    found = noise_of(gradients(patient, parts), 16)
    assert found.apart == pytest.approx(4 * 0.25, rel=0.15)
    assert found.common < 0.01


def test_batches_are_split_and_merged_row_by_row():
    x, y = gg.arange(20).reshape(10, 2), gg.arange(10)
    parts = split((x, y), parts=5)
    assert [rows_of(each) for each in parts] == [2] * 5
    again = merged(parts)
    assert gg.equal(again[0], x)
    assert gg.equal(again[1], y)
    assert split((x[:1], y[:1])) == []
    assert rows_of((x, y[:3])) is None


def small_batches(net, size, count, noise, rule, factor=1.0, steps=60, seed=0):
    gg.manual_seed(seed)
    model = NETS[net]()
    x, y = rows(net, size * count, noise)
    batches = [(x[n * size : (n + 1) * size], y[n * size : (n + 1) * size]) for n in range(count)]
    return check(model, nn.CrossEntropyLoss(), batches, optimizer=RULES[rule](model.parameters(), factor), steps=steps)


@pytest.mark.parametrize(("size", "factor"), [(1, 10), (2, 10)])
@pytest.mark.parametrize(("net", "rule"), [("mlp", "adam"), ("cnn", "adam"), ("transformer", "adam")])
def test_batches_of_a_row_or_two_are_told_where_larger_ones_help(net, rule, size, factor):
    d = small_batches(net, size, 12, 0.5, rule, factor)
    (found,) = d.findings
    assert found.fault == "gradient noise"
    assert found.proof.holds
    assert found.proof.measured == "the mean loss of all"
    assert [rows_of(each) for each in d.apply(found).batches] == [12 * size]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("net", "rule"), [("mlp", "sgd"), ("mlp", "adam"), ("cnn", "momentum"), ("transformer", "adam")]
)
def test_batches_of_usual_size_are_let_be_though_late_in_training_all_is_noise(net, rule, seed):
    assert not small_batches(net, 16, 6, 0.1, rule, seed=seed).findings
