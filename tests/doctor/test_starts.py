"""Starts that are too small or too large are said, with the layer; those that nets are given by default are not."""

import math

import pytest
from tests.doctor.nets import NETS, Last, Reader, adam, batch, faults, lstm, mlp, sgd, start

import glassgrad as gg
from glassgrad import nn
from glassgrad.doctor import check
from glassgrad.doctor.layers import layers_of
from glassgrad.doctor.patient import Patient
from glassgrad.doctor.probe import Probe

CROSS = nn.CrossEntropyLoss()


def said_of(net, kind, optimizer=adam, steps=60):
    return check(net, CROSS, batch(kind), optimizer=optimizer(net), steps=steps)


@pytest.mark.parametrize("deviation", [0.01, 0.002])
@pytest.mark.parametrize("kind", NETS)
def test_weights_too_small(kind, deviation):
    """By the product over the depth the gradient may also be said to vanish: then by that name, and once."""
    d = said_of(start(NETS[kind](), deviation), kind)
    names = faults(d)
    assert names in (["too small a start"], ["vanishing gradients"])
    assert kind == "lstm" or "too small a start" in names or deviation < 0.01
    assert d.findings[0].remedy
    mended = d.apply(d.findings[0])
    assert not faults(check(mended.model, CROSS, mended.batches, optimizer=mended.optimizer, steps=60))


@pytest.mark.parametrize("deviation", [1.0, 3.0])
@pytest.mark.parametrize("kind", ["mlp", "cnn", "transformer"])
def test_weights_too_large(kind, deviation):
    net = start(NETS[kind](), deviation)
    d = said_of(net, kind, sgd if kind == "cnn" else adam)
    found = d.findings[0]
    assert faults(d)[0] == "too large a start"
    evidence = dict(found.evidence)
    if kind == "transformer":  # whose attention saturates by it, which is said beside it
        assert (d.findings[1].fault, d.findings[1].weight) == ("saturated activations", "note")
        assert d.findings[1].where.op == "softmax"
    else:
        assert evidence["loss at the start"] > 2 * evidence["loss with weights of a usual size"]
        assert evidence["loss with weights of a usual size"] < 2 * math.log(5)
    assert found.where.op in ("affine", "conv", "matmul")
    assert found.proof.holds


def test_only_the_last_layer_is_too_large():
    net = mlp(nn.Tanh)
    start(net, 10.0, "4.weight")
    d = said_of(net, "mlp")
    assert faults(d) == ["too large a start"]
    assert d.findings[0].where.module == "4"


def test_a_wide_start_of_a_recurrent_net_saturates_its_gates():
    found = said_of(start(lstm(), 3.0), "lstm").findings
    assert [(each.fault, each.weight) for each in found[:2]] == [
        ("too large a start", "fault"), ("saturated activations", "note"),
    ]  # fmt: skip


def test_tables_of_next_to_nothing_are_told_and_made_larger():
    """Products of two factors of 1e-5: the gradient of each is the other, so that nothing moves."""

    class Factors(nn.Module):
        def __init__(self):
            super().__init__()
            self.people, self.films = nn.Embedding(20, 6), nn.Embedding(15, 6)
            for table in (self.people, self.films):
                nn.init.normal_(table.weight, std=1e-5)

        def forward(self, who, what):
            return (self.people(who) * self.films(what)).sum(1)

    gg.manual_seed(0)
    who, what = gg.randint(0, 20, (60,)), gg.randint(0, 15, (60,))
    truth = (gg.randn(20, 2)[who] * gg.randn(15, 2)[what]).sum(1)
    net = Factors()
    d = check(net, nn.MSELoss(), (who, what, truth), optimizer=adam(net), steps=100)
    found = d.findings[0]
    assert found.fault == "too small a start"
    assert {each.module for each in (found.where, *found.also)} == {"people.weight", "films.weight"}
    assert found.proof.holds


def test_weights_that_begin_alike_are_told_though_dropout_tells_them_apart():
    net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 5))
    d = said_of(_constant(net), "mlp")
    assert d.findings[0].fault == "symmetric start"
    assert d.findings[0].proof.holds


def _constant(net):
    for p in net.parameters():
        nn.init.constant_(p, 0.1)
    return net


@pytest.mark.parametrize("fan_in", [16, 100])
def test_the_gain_is_that_of_theory(fan_in):
    """N(0, σ) has a gain of σ·sqrt(fan-in), U(-1/sqrt(fan-in), 1/sqrt(fan-in)) one of 1/sqrt(3)."""
    net = nn.Sequential(nn.Linear(fan_in, 400), nn.Tanh(), nn.Linear(400, 400))
    nn.init.normal_(net[0].weight, std=0.3)
    optimizer = gg.optim.SGD(net.parameters(), lr=0.0)
    probe = Probe(Patient(net, nn.MSELoss(), optimizer, [(gg.randn(8, fan_in), gg.randn(8, 400))]))
    first, second = layers_of(probe)
    assert (first.fan_in, second.fan_in) == (fan_in, 400)
    assert first.gain == pytest.approx(0.3 * math.sqrt(fan_in), rel=0.05)
    assert second.gain == pytest.approx(1 / math.sqrt(3), rel=0.02)
    assert first.gone_through(probe.tape) == pytest.approx(first.gain, rel=0.15)


def test_the_layers_of_a_convolution_and_of_a_recurrent_net_are_seen():
    net = lstm()
    probe = Probe(Patient(net, CROSS, sgd(net), [batch("lstm")]))
    assert [(each.name, each.fan_in) for each in layers_of(probe)][-1][1] == 32
    assert sorted(each.fan_in for each in layers_of(probe)) == [8, 32, 32]
    net = NETS["cnn"]()
    probe = Probe(Patient(net, CROSS, sgd(net), [batch("cnn")]))
    assert [each.fan_in for each in layers_of(probe)] == [9, 72, 128]


HEALTHY = {
    "deep rectifiers, kaiming": lambda: (kaiming(mlp(depth=10)), "mlp"),
    "rectifiers": lambda: (mlp(depth=4), "mlp"),
    "tanh, xavier": lambda: (xavier(mlp(nn.Tanh, 8)), "mlp"),
    "gelu": lambda: (mlp(nn.GELU, 4), "mlp"),
    "elu": lambda: (mlp(nn.ELU, 4), "mlp"),
    "silu": lambda: (mlp(nn.SiLU, 3), "mlp"),
    "leaky": lambda: (mlp(nn.LeakyReLU, 4), "mlp"),
    "convolutions": lambda: (NETS["cnn"](), "cnn"),
    "convolutions, gelu": lambda: (NETS["cnn"](nn.GELU), "cnn"),
    "lstm": lambda: (lstm(), "lstm"),
    "gru": lambda: (Last(nn.GRU(8, 32, batch_first=True), 32), "lstm"),
    "rnn": lambda: (Last(nn.RNN(8, 32, batch_first=True), 32), "lstm"),
    "transformer": lambda: (Reader(), "transformer"),
    "transformer, gelu": lambda: (Reader("gelu"), "transformer"),
    "transformer, 0.02": lambda: (start(Reader(), 0.02, "words"), "transformer"),
    "batch norm": lambda: (
        nn.Sequential(
            nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Linear(32, 5),
        ),
        "mlp",
    ),
    "a last layer of small weights": lambda: (start(mlp(), 0.001, "4.weight"), "mlp"),
}  # fmt: skip


def kaiming(net):
    for p in net.parameters():
        nn.init.kaiming_normal_(p, nonlinearity="relu") if p.ndim > 1 else nn.init.zeros_(p)
    return net


def xavier(net):
    for p in net.parameters():
        nn.init.xavier_normal_(p, gain=5 / 3) if p.ndim > 1 else nn.init.zeros_(p)
    return net


@pytest.mark.parametrize("name", HEALTHY)
def test_usual_starts_are_let_be(name):
    net, kind = HEALTHY[name]()
    assert not faults(said_of(net, kind))


ZERO = "zero start"


class Adapted(nn.Module):
    """A frozen layer, and beside it one of low rank that begins at zero."""

    def __init__(self, width, out):
        super().__init__()
        self.fixed = nn.Linear(width, out).requires_grad_(False)
        self.down, self.up = nn.Linear(width, 4, bias=False), nn.Linear(4, out, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return self.fixed(x) + self.up(self.down(x))


class Beside(nn.Module):
    """A branch whose last layer begins at zero; or both of them."""

    def __init__(self, both=False):
        super().__init__()
        self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 16)
        for p in [*self.b.parameters(), *(self.a.parameters() if both else ())]:
            nn.init.zeros_(p)

    def forward(self, x):
        return x + self.b(self.a(x).relu())


ZEROS = {
    "adapters": (lambda: nn.Sequential(Adapted(16, 32), nn.ReLU(), Adapted(32, 5)), False),
    "branches": (lambda: nn.Sequential(Beside(), Beside(), nn.Linear(16, 5)), False),
    "a branch of nothing but zeros": (
        lambda: nn.Sequential(Beside(both=True), nn.Linear(16, 5), nn.Linear(5, 5)),
        True,
    ),
    "zeros throughout": (lambda: zeros(mlp()), True),
}


def zeros(net):
    for p in net.parameters():
        nn.init.zeros_(p)
    return net


@pytest.mark.parametrize("name", ZEROS)
def test_zeros_that_stay_zeros_and_zeros_by_design(name):
    made, fault = ZEROS[name]
    net = made()
    learning = gg.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.005)
    assert (ZERO in faults(check(net, CROSS, batch("mlp"), optimizer=learning, steps=30))) == fault
