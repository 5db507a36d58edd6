"""Rectifiers that are dead are counted, by what they do; those that rest at some rows are not."""

import numpy as np
import pytest
from tests.doctor.nets import NETS, ROWS, Last, Reader, Then, adam, batch, cnn, faults, mlp, sgd

import glassgrad as gg
from glassgrad import nn
from glassgrad.doctor import check
from glassgrad.doctor.patient import Patient
from glassgrad.doctor.probe import Probe
from glassgrad.doctor.rectifiers import rectifiers

CROSS = nn.CrossEntropyLoss()


def sunk(layer, bias, share=1.0):
    with gg.no_grad():
        layer.bias[: int(share * len(layer.bias))] = bias


def net_of(kind, bias, share):
    """A net whose first rectifiers are dead, in a share of the units."""
    if kind == "rnn":
        net = Last(nn.RNN(8, 32, nonlinearity="relu", batch_first=True), 32)
        with gg.no_grad():
            net.layer.bias_ih_l0[: int(share * 32)] = bias
        return net, "lstm", "relu"
    net = NETS[kind]()
    sunk(net.layer.linear1 if kind == "transformer" else net[0], bias, share)
    return net, kind, "relu"


@pytest.mark.parametrize(("bias", "share"), [(-30.0, 1.0), (-12.0, 1.0), (-12.0, 0.5)])
@pytest.mark.parametrize("kind", ["mlp", "cnn", "rnn", "transformer"])
def test_units_that_begin_dead(kind, bias, share):
    net, data, op = net_of(kind, bias, share)
    d = check(net, CROSS, batch(data), optimizer=adam(net, 0.002), steps=60)
    if not d.findings:
        assert share < 1  # the other half may well do
        assert kind in ("transformer", "rnn", "cnn")
        return
    found = d.findings[0]
    assert faults(d) == ["dead rectifiers"]
    assert found.where.op == op
    assert dict(found.evidence)["share of dead units"] == pytest.approx(share, abs=0.07)
    assert found.remedy
    assert found.proof.holds
    mended = d.apply(found)
    assert not faults(check(mended.model, CROSS, mended.batches, optimizer=mended.optimizer, steps=60))


def test_a_layer_that_is_dead_hides_nothing_of_what_is_before_it():
    """The first dead layer in the order of the forward pass is named, though no gradient arrives there."""
    net = mlp(depth=4)
    for layer in (net[2], net[6]):
        sunk(layer, -20.0)
    d = check(net, CROSS, batch("mlp"), optimizer=adam(net), steps=60)
    assert faults(d) == ["dead rectifiers"]
    assert d.findings[0].where.module == "3"
    assert [each.module for each in d.findings[0].also] == ["7"]


def test_the_share_is_that_of_the_normal_distribution():
    """Rows x from N(0, 1), weights of length 1, bias b: a unit is off at a row with the probability Φ(-b)."""
    from scipy.stats import norm

    rows, units, b = 8, 4000, -1.5
    net = nn.Sequential(nn.Linear(64, units), nn.ReLU(), nn.Linear(units, 1))
    with gg.no_grad():
        net[0].weight.copy_(gg.randn(units, 64) / 8)
        net[0].bias.fill_(b)
    patient = Patient(net, nn.MSELoss(), sgd(net), [(gg.randn(rows, 64), gg.randn(rows, 1))])
    (found,) = rectifiers(Probe(patient))
    assert found.share == pytest.approx(norm.cdf(-b) ** rows, abs=0.03)


def test_a_unit_is_dead_only_if_it_is_at_the_rows_of_all_batches():
    net = mlp(depth=1)
    with gg.no_grad():
        net[0].weight.zero_()
        net[0].weight[:, 0] = 1.0
        net[0].bias.zero_()
    below, above = (gg.full((ROWS, 16), each) for each in (-1.0, 1.0))
    t = gg.randint(0, 5, (ROWS,))
    one = Patient(net, CROSS, sgd(net), [(below, t)])
    both = Patient(net, CROSS, sgd(net), [(below, t), (above, t)])
    assert rectifiers(Probe(one), 8)[0].share == 1
    assert rectifiers(Probe(both), 8)[0].share == 0


KINDS = {
    "relu": (lambda h: h.relu(), True),
    "clamped": (lambda h: h.clamp(min=0), True),
    "chosen": (lambda h: gg.where(h > 0, h, gg.zeros_like(h)), True),
    "multiplied": (lambda h: h * (h > 0), True),
    "between 0 and 6": (nn.functional.relu6, True),
    "leaky": (nn.functional.leaky_relu, False),
    "elu": (nn.functional.elu, False),
    "gelu": (nn.functional.gelu, False),
    "softplus": (nn.functional.softplus, False),
    "tanh": (gg.tanh, False),
    "hardtanh": (nn.functional.hardtanh, False),
    "sigmoid": (gg.sigmoid, False),
    "a mask of its own": (lambda h: h * (gg.arange(16) < 0), False),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_rectifier_is_known_by_what_it_does(name):
    function, is_one = KINDS[name]
    net = nn.Sequential(Then(nn.Linear(16, 16), function), nn.Linear(16, 1))
    sunk(net[0].net, -40.0)
    patient = Patient(net, nn.MSELoss(), sgd(net), [(gg.randn(ROWS, 16), gg.randn(ROWS, 1))])
    found = rectifiers(Probe(patient))
    assert any(each.dead.all() for each in found) == is_one


@pytest.mark.parametrize(("rate", "fault"), [(0.8, "dead rectifiers"), (0.1, "")])
def test_units_that_die_in_the_training_are_the_rates_doing(rate, fault):
    """Inputs above 0 and targets far below: at a high rate the first steps take all units below 0 at once."""
    x = gg.rand(ROWS, 16)
    y = (x[:, :3].sum(1, keepdim=True) - 1.5) * 3 - 10
    net = mlp(depth=1, out=1)
    d = check(net, nn.SmoothL1Loss(), (x, y), optimizer=sgd(net, rate), steps=60)
    names = faults(d)
    assert fault in names or not (fault or names)
    if fault:
        found = d.findings[names.index(fault)]
        assert "lower rate" in found.remedy
        assert dict(found.evidence)["share of dead units at the start"] < 0.5
        assert dict(found.evidence)["share of dead units"] > 0.7
        mended = d.apply(found)
        mended.train(60)
        after = rectifiers(Probe(mended))
        assert all(each.share < 0.5 for each in after)


@pytest.mark.parametrize("depth", [2, 6, 12])
def test_deep_nets_have_units_that_are_off_by_chance(depth):
    """Deep in a net of torch's own start all rows are much alike: half of the units are off at all of them."""
    net = mlp(depth=depth)
    patient = Patient(net, CROSS, adam(net), [batch("mlp")])
    found = rectifiers(Probe(patient))
    shares = [each.share for each in found]
    assert depth < 12 or max(shares) > 0.4
    assert not any(each.fallen for each in found)


@pytest.mark.parametrize("kind", ["mlp", "cnn", "transformer"])
def test_healthy_rectifiers_are_let_be(kind):
    net = NETS[kind]()
    patient = Patient(net, CROSS, adam(net), [batch(kind)])
    assert not any(each.fallen for each in rectifiers(Probe(patient)))
    assert not faults(check(net, CROSS, batch(kind), optimizer=adam(net), steps=60))


def test_images_in_which_all_numbers_are_positive_are_no_fault():
    net = cnn()
    x = gg.rand(ROWS, 1, 8, 8)
    d = check(net, CROSS, (x, gg.randint(0, 5, (ROWS,))), optimizer=adam(net), steps=60)
    assert not faults(d)


def test_the_units_of_a_sequence_lie_along_its_last_axis():
    net = Reader()
    probe = Probe(Patient(net, CROSS, adam(net), [batch("transformer")]))
    sizes = {each.dead.size for each in rectifiers(probe)}
    assert sizes <= {64}
    conv = cnn()
    sunk(conv[2], -30.0)
    probe = Probe(Patient(conv, CROSS, adam(conv), [batch("cnn")]))
    assert {each.dead.size for each in rectifiers(probe)} == {8}
    assert np.array_equal(rectifiers(probe)[-1].dead, np.ones(8, bool))
