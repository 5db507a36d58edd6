"""A net that cannot learn one batch by heart, and what is in its way."""

import math

import pytest
from tests.doctor.nets import NETS, ROWS, Last, Then, adam, batch, faults, mlp

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import check
from glassgrad.doctor.free import best_of
from glassgrad.doctor.patient import Patient

CROSS, FAULT = nn.CrossEntropyLoss(), "no overfitting of one batch"


def found_in(net, data, loss=CROSS, optimizer=None, steps=200):
    d = check(net, loss, data, optimizer=optimizer or adam(net, 0.01), steps=steps)
    assert FAULT in faults(d)
    return next(each for each in d.findings if each.fault == FAULT)


def xor():
    x = gg.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]] * 8)
    return x, (x.sum(1, keepdim=True) == 1).float()


@pytest.mark.parametrize("layers", [1, 3])
def test_a_net_without_a_nonlinearity_cannot_learn_xor(layers):
    """Its best answer is one for all rows: a half, with the loss ln 2."""
    net = nn.Sequential(
        *(nn.Linear(2 if n == 0 else 8, 8) for n in range(layers - 1)), nn.Linear(8 if layers > 1 else 2, 1)
    )
    found = found_in(net, xor(), nn.BCEWithLogitsLoss())
    assert found.where.op == "affine"
    assert ("no nonlinearity" in found.cause) == (layers > 1)
    evidence = dict(found.evidence)
    assert evidence["loss of one answer for all"] == pytest.approx(math.log(2), abs=1e-4)
    assert evidence["loss at the end"] == pytest.approx(math.log(2), abs=0.01)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_equal_rows_with_different_targets(kind):
    """Half of all rows are copies: the least loss is that of their shares, known in closed form."""
    x, _ = batch(kind)
    x = gg.cat([x[:16], x[:16]])
    t = gg.cat([gg.zeros(16).long(), gg.ones(16).long()])
    found = found_in(NETS[kind](), (x, t))
    assert found.where.module == "the inputs"
    evidence = dict(found.evidence)
    assert evidence["rows that are equal to others with another target"] == ROWS
    assert evidence["least loss"] == pytest.approx(math.log(2), abs=1e-3)


@pytest.mark.parametrize("width", [8, 32])
def test_a_bottleneck(width):
    net = nn.Sequential(
        nn.Linear(16, width), nn.ReLU(), nn.Linear(width, 1), nn.ReLU(), nn.Linear(1, width), nn.ReLU(),
        nn.Linear(width, 5),
    )  # fmt: skip
    found = found_in(net, batch("mlp"), steps=300)
    assert found.where.module == "2"
    assert "1 numbers" in found.cause


def test_what_makes_all_rows_alike():
    net = nn.Sequential(
        nn.Linear(16, 32),
        nn.Tanh(),
        Then(nn.Identity(), lambda h: h.mean(0, keepdim=True).expand(ROWS, 32)),
        nn.Linear(32, 5),
    )
    found = found_in(net, batch("mlp"))
    assert found.where.op == "sum"
    assert "all rows alike" in found.cause


@pytest.mark.parametrize("decay", [20.0, 50.0])
def test_a_weight_decay_that_is_too_strong(decay):
    net = mlp()
    optimizer = optim.AdamW(net.parameters(), lr=0.01, weight_decay=decay)
    found = found_in(net, batch("mlp"), optimizer=optimizer)
    assert "weight_decay=0" in found.remedy
    assert found.proof.holds


def test_a_frozen_body():
    net = Last(nn.LSTM(8, 2, batch_first=True), 2)
    for p in net.layer.parameters():
        p.requires_grad_(False)
    d = check(net, CROSS, batch("lstm"), optimizer=optim.Adam(net.parameters(), lr=0.05), steps=200)
    assert "frozen parameters" in faults(d)


@pytest.mark.parametrize("kind", NETS)
def test_nets_that_learn_their_batch_are_let_be(kind):
    net = NETS[kind]()
    assert not faults(check(net, CROSS, batch(kind), optimizer=adam(net), steps=100))


@pytest.mark.parametrize("loss", ["mean squares", "classes"])
def test_a_linear_regression_leaves_what_it_cannot_explain(loss):
    """200 rows, 17 parameters, noise in the targets: that there is a rest is no fault."""
    x = gg.randn(200, 16)
    y = x[:, :4].sum(1, keepdim=True) + gg.randn(200, 1)
    net = nn.Linear(16, 1 if loss == "mean squares" else 2)
    target = (x, y) if loss == "mean squares" else (x, (y[:, 0] > 0).long())
    d = check(net, nn.MSELoss() if loss == "mean squares" else CROSS, target, optimizer=adam(net, 0.05), steps=200)
    assert not faults(d)


def test_an_autoencoder_is_to_press_its_inputs_together():
    x = gg.randn(64, 16)
    net = nn.Sequential(nn.Linear(16, 2), nn.Linear(2, 16))
    assert not faults(check(net, nn.MSELoss(), (x, x), optimizer=adam(net, 0.01), steps=300))


def test_the_best_of_one_answer_is_the_mean_and_its_loss_the_variance():
    y = gg.randn(ROWS, 1) * 3 + 1
    net = mlp(out=1)
    one = Patient(net, nn.MSELoss(), adam(net), [(gg.randn(ROWS, 16), y)])
    index = gg.zeros(ROWS).long().numpy()
    assert best_of(one, net(one.batches[0][0]), index) == pytest.approx(y.var(correction=0).item(), rel=0.01)
