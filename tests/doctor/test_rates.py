"""Rates that are too high or too low, in four kinds of nets with three optimizers; sane ones are let be."""

import math

import pytest
from tests.doctor.trained import NETS, RULES, rows

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import check
from glassgrad.doctor.courses import Standing
from glassgrad.doctor.patient import Patient
from glassgrad.doctor.ranges import range_test

STEPS = 40
PAIRS = [("mlp", rule) for rule in RULES] + [("cnn", "momentum"), ("lstm", "adam"), ("transformer", "adam")]
SOME = [("mlp", "sgd"), ("cnn", "momentum"), ("lstm", "adam"), ("transformer", "adam")]
HIGH, LOW = 1e3, 1e-4


def examined(net, rule, factor, seed=0, batches=1, steps=STEPS, noise=0.0):
    gg.manual_seed(seed)
    model = NETS[net]()
    seen = [rows(net, noise=noise) for _ in range(batches)]
    optimizer = RULES[rule](model.parameters(), factor)
    return check(model, nn.CrossEntropyLoss(), seen, optimizer=optimizer, steps=steps)


def mended_by_another_rate(d, fault, higher):
    (found,) = [each for each in d.findings if each.weight == "fault"]
    assert found.fault == fault
    assert found.proof.holds
    evidence = dict(found.evidence)
    rate = evidence["rate"]
    new = d.apply(found).optimizer.param_groups[0]["lr"]
    assert (new > rate) == higher
    least, most = (evidence[f"{name} rate tried at which the loss falls"] for name in ("least", "highest"))
    assert least <= evidence["rate at which it falls the most"] <= most
    return evidence, new


@pytest.mark.parametrize(("net", "rule", "factor"), [(*each, HIGH) for each in PAIRS] + [(*each, 1e5) for each in SOME])
def test_too_high_a_rate_is_found_and_lowered(net, rule, factor):
    d = examined(net, rule, factor)
    evidence, new = mended_by_another_rate(d, "too high a rate", higher=False)
    assert evidence["highest rate tried at which the loss falls"] < evidence["rate"]
    bound = [value for name, value in evidence.items() if name.endswith("the largest curvature")]
    assert (rule == "adam") == (not bound)
    if bound:
        assert bound[0] < evidence["rate"]
    again = d.apply(d.findings[-1])
    assert math.isfinite(again.train(STEPS)[-1])
    assert new < evidence["rate"]


@pytest.mark.parametrize(("net", "rule", "factor"), [(*each, LOW) for each in PAIRS] + [(*each, 1e-6) for each in SOME])
def test_too_low_a_rate_is_found_and_raised(net, rule, factor):
    evidence, _ = mended_by_another_rate(examined(net, rule, factor), "too low a rate", higher=True)
    assert evidence["median update against weights"] < 1e-3


@pytest.mark.parametrize("factor", [0.3, 3])
@pytest.mark.parametrize(("net", "rule"), PAIRS)
def test_sane_rates_are_let_be(net, rule, factor):
    assert not examined(net, rule, factor, seed=1).findings


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("net", "rule"), SOME)
def test_several_batches_with_some_wrong_labels_are_let_be(net, rule, seed):
    assert not examined(net, rule, 1, seed=seed, batches=4, noise=0.1, steps=60).findings


def test_a_loss_at_its_floor_needs_no_higher_rate():
    """A line through noise, fitted: what is left is the noise."""
    gg.manual_seed(0)
    x = gg.randn(200, 2)
    y = x.sum(1, keepdim=True) + gg.randn(200, 1)
    net = nn.Linear(2, 1, bias=False)
    optimizer = optim.SGD(net.parameters(), lr=0.3)
    Patient(net, nn.MSELoss(), optimizer, [(x, y)]).train(200)
    for group in optimizer.param_groups:
        group["lr"] = 1e-6
    assert not check(net, nn.MSELoss(), (x, y), optimizer=optimizer, steps=STEPS).findings


def test_a_schedule_that_warms_up_is_let_be():
    gg.manual_seed(0)
    net = NETS["mlp"]()
    optimizer = RULES["sgd"](net.parameters())
    optim.lr_scheduler.LinearLR(optimizer, start_factor=1e-6, total_iters=1000)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-7)
    assert not check(net, nn.CrossEntropyLoss(), rows("mlp"), optimizer=optimizer, steps=STEPS).findings


def test_the_range_of_a_parabola_ends_where_its_curvature_says():
    """f(w) = 3 w^2: h = 6, so that steps of 1/6 of the slope arrive at once, and of 1/3 go back and forth for ever."""

    class Point(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(gg.tensor(2.0, dtype=gg.float64))

        def forward(self, x):
            return 3 * self.w**2 + 0 * x.sum()

    net = Point()
    x = gg.zeros(1)
    patient = Patient(net, lambda said, _: said, optim.SGD(net.parameters(), lr=1 / 6), [(x, x)])
    found = range_test(patient, (0.01, 0.5, 1.0, 1.5, 1.9, 2.1, 4.0), 30, Standing(12.0, 0.0, 0.0))
    assert found.falls == [0.01, 0.5, 1.0, 1.5, 1.9]
    assert found.best == 1.0
    assert found.ends[0.01] == pytest.approx(12 * 0.99 ** (2 * 10))
    assert found.ends[4.0] == math.inf


def test_a_rate_that_is_low_but_learns_is_a_note():
    """The curvature would bear hundreds of times this rate; the loss falls, if slowly."""
    gg.manual_seed(0)
    net = NETS["mlp"]()
    optimizer = optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    batches = [rows("mlp") for _ in range(8)]
    (found,) = check(net, nn.CrossEntropyLoss(), batches, optimizer=optimizer, steps=120).findings
    assert (found.fault, found.weight) == ("too low a rate", "note")
    evidence = dict(found.evidence)
    assert evidence["2 (1 + momentum) / the largest curvature"] > 1000 * evidence["rate"]


def test_a_net_that_has_learned_and_goes_on_is_let_be():
    """At a loss of a thousandth of that at the start any rate looks low."""
    gg.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    x = gg.randn(64, 4)
    y = (x[:, :1] > 0).float()
    loss = nn.functional.binary_cross_entropy_with_logits
    optimizer = optim.Adam(net.parameters(), lr=0.05)
    losses = Patient(net, loss, optimizer, [(x, y)]).train(400)
    assert losses[-1] < losses[0] / 1000
    for lr in (1e-3, 1e-5):
        optimizer.param_groups[0]["lr"] = lr
        assert "too low a rate" not in [
            each.fault for each in check(net, loss, (x, y), optimizer=optimizer, steps=STEPS).findings
        ]
