"""Layers that barely move, or wildly, while the others take usual steps."""

import pytest
from tests.doctor.trained import NETS, rows

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import check
from glassgrad.doctor.check import diagnosis
from glassgrad.doctor.patient import Patient
from glassgrad.doctor.probe import Probe

STEPS = 60
LAYERS = {"mlp": "2", "cnn": "2", "lstm": "cells", "transformer": "block"}
"""A part of each net that gets a rate of its own."""


def optimizer_rate(rule):
    return {"sgd": 0.1, "momentum": 0.02, "adam": 0.003}[rule]


def grouped(net, rule, own):
    gg.manual_seed(0)
    model = NETS[net]()
    inner = list(model.get_submodule(LAYERS[net]).parameters())
    rest = [p for p in model.parameters() if not any(p is each for each in inner)]
    usual = optimizer_rate(rule)
    groups = [{"params": inner, "lr": own * usual}, {"params": rest}]
    made = {
        "sgd": lambda: optim.SGD(groups, lr=usual),
        "momentum": lambda: optim.SGD(groups, lr=usual, momentum=0.9),
        "adam": lambda: optim.Adam(groups, lr=usual),
    }[rule]()
    return model, made


def examined(net, rule, own):
    model, optimizer = grouped(net, rule, own)
    return check(model, nn.CrossEntropyLoss(), rows(net), optimizer=optimizer, steps=STEPS)


@pytest.mark.parametrize("own", [1e-4, 0.0])
@pytest.mark.parametrize(
    ("net", "rule"), [("mlp", "sgd"), ("cnn", "momentum"), ("lstm", "adam"), ("transformer", "adam")]
)
def test_a_layer_whose_own_rate_is_tiny_is_named_and_let_move(net, rule, own):
    d = examined(net, rule, own)
    (found,) = d.findings
    assert found.fault == "weights that barely move"
    assert found.where.module.startswith(LAYERS[net])
    assert "its group has a rate" in found.cause
    assert found.proof.holds
    rates = {group["lr"] for group in d.apply(found).optimizer.param_groups}
    assert min(rates) > max(rates) / 1e3


@pytest.mark.parametrize(
    ("net", "rule", "own"),
    [
        ("mlp", "sgd", 1000),
        ("mlp", "sgd", 10000),
        ("cnn", "momentum", 1000),
        ("cnn", "momentum", 3000),
        ("lstm", "adam", 300),
        ("lstm", "adam", 3000),
        ("transformer", "adam", 300),
        ("transformer", "adam", 3000),
    ],
)
def test_a_layer_whose_own_rate_is_huge_is_named_and_slowed(net, rule, own):
    d = examined(net, rule, own)
    found = d.findings[0]
    assert found.fault == "weights that move wildly"
    assert found.where.module.startswith(LAYERS[net])
    assert found.proof.holds
    usual = optimizer_rate(rule)
    assert all(group["lr"] < 30 * usual for group in d.apply(found).optimizer.param_groups)


@pytest.mark.parametrize("own", [0.01, 3])
@pytest.mark.parametrize("net", NETS)
def test_rates_that_differ_as_people_let_them_are_let_be(net, own):
    assert not examined(net, "adam", own).findings


def test_strides_are_updates_against_weights():
    """A gradient of ones on weights of four: at a rate of 0.02 each step is 0.005 of them at first, and the mean of
    twenty that of 4, 3.98, ..., 3.62."""

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(gg.full((2, 3), 4.0))

        def forward(self, x):
            return self.weight.sum() + 0 * x.sum()

    model = Sum()
    x = gg.zeros(1)
    patient = Patient(model, lambda said, _: said, optim.SGD(model.parameters(), lr=0.02), [(x, x)])
    expected = sum(0.02 / (4 - 0.02 * n) for n in range(20)) / 20
    assert Probe(patient, 30).strides == {"weight": pytest.approx(expected, rel=1e-5)}


@pytest.mark.parametrize("gamma", [0.5, 0.1])
def test_a_schedule_that_ends_the_training_at_once_is_told(gamma):
    gg.manual_seed(0)
    model = NETS["mlp"]()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    patient = Patient(model, nn.CrossEntropyLoss(), optimizer, [rows("mlp")], rates=[gamma**n for n in range(100)])
    (found,) = diagnosis(patient, STEPS).findings
    assert found.fault == "weights that barely move"
    assert "schedule" in found.symptom
    slow = Patient(model, nn.CrossEntropyLoss(), optimizer, [rows("mlp")], rates=[0.97**n for n in range(100)])
    assert not diagnosis(slow, STEPS).findings
