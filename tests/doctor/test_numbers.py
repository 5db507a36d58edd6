"""The first number that is none, too large or too small is named with its operation, its line and its step."""

import math

import numpy as np
import pytest
from tests.doctor.nets import NETS, ROWS, Then, adam, batch, faults, lstm, mlp, sgd

import glassgrad as gg
from glassgrad import nn
from glassgrad.doctor import check
from glassgrad.doctor.patient import Patient
from glassgrad.doctor.probe import Probe
from glassgrad.doctor.trouble import trouble_of, vanished

CROSS = nn.CrossEntropyLoss()
LARGEST = float(np.finfo(np.float32).max)


def shares(y):
    """Softmax as it is not to be written."""
    raised = y.exp()
    return raised / raised.sum(1, keepdim=True)


def likely(p, t):
    """The mean logarithm of the right one of some probabilities."""
    return -p.gather(1, t.unsqueeze(1)).log().mean()


def found_in(net, loss, data, optimizer=sgd, steps=60):
    d = check(net, loss, data, optimizer=optimizer(net), steps=steps)
    names = faults(d)
    assert len(names) == 1, names
    return d.findings[0]


@pytest.mark.parametrize("size", [1000, 5000])
@pytest.mark.parametrize("kind", NETS)
def test_an_exponential_that_is_too_large(kind, size):
    net = Then(NETS[kind](), lambda y: shares(y * size))
    found = found_in(net, likely, batch(kind))
    assert found.fault == "overflow"
    assert found.where.op == "exp"
    assert "in shares" in found.where.line
    assert dict(found.evidence)["largest operand"] > math.log(LARGEST)
    assert "log_softmax" in found.cause


@pytest.mark.parametrize("size", [1e21, 1e30])
def test_a_square_that_is_too_large_is_mended_by_scaling_the_inputs(size):
    found = found_in(mlp(out=1), nn.MSELoss(), (size * gg.randn(ROWS, 16), gg.randn(ROWS, 1)))
    assert found.fault == "overflow"
    assert found.where.op == "mul"
    assert "standardise" in found.remedy
    assert found.proof.holds


@pytest.mark.parametrize("kind", NETS)
def test_the_logarithm_of_a_probability_that_has_become_0(kind):
    net = Then(NETS[kind](), lambda y: (y * 2000).softmax(1))
    found = found_in(net, likely, batch(kind))
    assert found.fault == "underflow"
    assert found.where.op == "softmax"
    assert "log makes -inf" in found.cause


def test_the_logarithm_of_what_is_next_to_0_has_too_large_a_slope():
    """exp(-95) is 5.5e-42, below the least number with all its digits, and its inverse is above the largest."""
    found = found_in(
        Then(mlp(out=1), lambda y: (y * 0 - 95).exp().log()), nn.MSELoss(), (gg.randn(ROWS, 16), gg.randn(ROWS, 1))
    )
    assert (found.fault, found.where.op) == ("underflow", "exp")


@pytest.mark.parametrize("below", [200, 5000])
def test_exponentials_that_are_all_0_have_no_shares(below):
    net = Then(mlp(), lambda y: shares(y - below))
    found = found_in(net, likely, batch("mlp"))
    assert (found.fault, found.where.op) == ("underflow", "exp")
    assert "div makes nan" in found.cause


@pytest.mark.parametrize("count", [200, 1000])
def test_a_product_of_probabilities(count):
    """Where a logarithm follows it is -inf; where none does, no gradient gets back."""
    x, t = gg.randn(ROWS, 16), gg.ones(ROWS, 1)
    logs = found_in(
        Then(mlp(out=count), lambda y: y.sigmoid().prod(1, keepdim=True)), lambda p, t: -p.log().mean(), (x, t)
    )
    plain = found_in(Then(mlp(out=count), lambda y: y.sigmoid().prod(1, keepdim=True)), nn.MSELoss(), (x, t))
    assert (logs.fault, plain.fault) == ("underflow", "underflow")
    assert (logs.where.op, plain.where.op) == ("mul", "mul")


@pytest.mark.parametrize("sharpness", [100, 10_000])
def test_a_bell_so_narrow_that_no_gradient_gets_back(sharpness):
    net = Then(mlp(), lambda y: (-sharpness * (y * y).sum(1, keepdim=True)).exp())
    with gg.no_grad():
        net.net[4].bias.fill_(3.0)
    found = found_in(net, nn.MSELoss(), (gg.randn(ROWS, 16), gg.rand(ROWS, 1)))
    assert (found.fault, found.where.op) == ("underflow", "exp")
    assert dict(found.evidence)["share of rows that were lost"] == 1


@pytest.mark.parametrize("scale", [1e-25, 1e-32])
@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_a_loss_so_small_that_the_squares_of_gradients_are_lost(kind, scale):
    found = found_in(NETS[kind](), lambda y, t: CROSS(y, t) * scale, batch(kind), adam)
    assert (found.fault, found.where.op) == ("underflow", "mul")
    assert dict(found.evidence)["median size of a gradient"] < math.sqrt(np.finfo(np.float32).tiny)
    assert "scale the loss" in found.remedy
    assert found.proof.holds


POLES = {
    "log": (lambda y: (y * 0).log(), "of 0:"),
    "div": (lambda y: y / (y - y), "of"),
    "sqrt": (lambda y: (y - y).sqrt(), "no finite slope"),
    "pow": (lambda y: (y - y) ** -0.5, "of"),
    "acos": (lambda y: (y * 0 + 2).acos(), "of 2:"),
}


@pytest.mark.parametrize("op", POLES)
def test_what_does_not_exist_is_neither_too_large_nor_too_small(op):
    function, why = POLES[op]
    found = found_in(Then(mlp(out=1), function), nn.MSELoss(), (gg.randn(ROWS, 16), gg.randn(ROWS, 1)))
    assert (found.fault, found.where.op) == ("numbers that are not finite", op)
    assert why in found.cause
    assert "test_numbers.py" in found.where.line


def test_the_first_of_several_is_named():
    def function(y):
        first = (y * 0).log()
        return first + (y * 0).log() + (y - y).sqrt()

    found = found_in(Then(mlp(out=1), function), nn.MSELoss(), (gg.randn(ROWS, 16), gg.randn(ROWS, 1)))
    assert found.where.line.split(":")[1].split()[0] == str(function.__code__.co_firstlineno + 1)


def test_infinities_of_a_mask_are_let_be():
    mask = gg.triu(gg.ones(12, 12), 1).bool()

    class Causal(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.head = nn.Embedding(20, 16), nn.Linear(16, 20)

        def forward(self, x):
            h = self.words(x)
            scores = (h @ h.transpose(1, 2) / 16).masked_fill(mask, -math.inf)
            return self.head(scores.softmax(2) @ h).transpose(1, 2)

    net = Causal()
    assert not faults(check(net, CROSS, batch("transformer"), optimizer=adam(net), steps=60))


def test_a_mask_that_leaves_nothing_is_found_where_it_is():
    net = Then(mlp(), lambda y: y.masked_fill(gg.arange(ROWS).reshape(ROWS, 1) == 3, -math.inf).softmax(1))
    found = found_in(net, likely, batch("mlp"))
    assert (found.fault, found.where.op) == ("numbers that are not finite", "softmax")
    assert found.where.entry == (3, 0)
    assert "mask" in found.cause


def test_a_branch_that_is_not_taken_is_no_fault():
    """Its logarithm is none, which is never looked at, forward or backward."""
    net = Then(mlp(out=1), lambda y: gg.where(y > -1e9, y, (y * 0 - 1).log()))
    assert not faults(check(net, nn.MSELoss(), (gg.randn(ROWS, 16), gg.randn(ROWS, 1)), optimizer=sgd(net), steps=60))


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_a_number_that_is_none_only_after_some_steps(rate):
    """The logarithm of a sum that training takes down to exactly 0: until then the loss has only fallen."""
    net = nn.Linear(4, 1, bias=False)
    nn.init.constant_(net.weight, 0.5)

    def small(y, _):
        return y.relu().sum().log()

    d = check(net, small, (gg.rand(ROWS, 4), gg.zeros(ROWS, 1)), optimizer=sgd(net, rate), steps=100)
    assert faults(d) == ["numbers that are not finite"]
    found = d.findings[0]
    assert found.where.op == "log"
    steps = int(dict(found.evidence)["steps before"])
    assert steps >= 1
    assert f"in step {steps + 1}" in found.symptom
    after = Patient(net, small, sgd(net, rate), d.patient.batches).later(steps)
    assert not math.isfinite(after.value(after.batches[0]).item())


def test_steps_that_run_away_are_the_rates_doing():
    """The loss grows until numbers end: no operation is to blame."""
    net = mlp(out=1)
    probe = Probe(Patient(net, nn.MSELoss(), sgd(net, 5.0), [(gg.randn(ROWS, 16), gg.randn(ROWS, 1))]), 60)
    assert not math.isfinite(probe.losses[-1])
    assert probe.broken is not None
    assert probe.trouble is None


def test_an_update_that_divides_by_zero():
    """Adam without its ε, for a unit that has no gradient yet."""
    net = mlp(depth=1, out=1)
    with gg.no_grad():
        net[0].bias[0] = -100.0
    optimizer = gg.optim.Adam(net.parameters(), lr=0.01, eps=0.0)
    found = check(net, nn.MSELoss(), (gg.randn(ROWS, 16), gg.randn(ROWS, 1)), optimizer=optimizer, steps=60).findings[0]
    assert found.fault == "numbers that are not finite"
    assert "of the update" in found.symptom


def test_layers_that_are_too_large_overflow_for_their_start():
    layers = [each for _ in range(60) for each in (nn.Linear(16, 16), nn.ReLU())]
    net = nn.Sequential(*layers, nn.Linear(16, 1))
    for p in net.parameters():
        nn.init.normal_(p, std=1.5)
    d = check(net, nn.MSELoss(), (gg.randn(ROWS, 16), gg.randn(ROWS, 1)), steps=20)
    assert [(each.fault, each.weight) for each in d.findings] == [
        ("too large a start", "fault"), ("exploding gradients", "note"),
    ]  # fmt: skip
    assert all(each.proof.holds for each in d.findings)


@pytest.mark.parametrize("x", [-87.0, -90.0, -104.0, -2000.0])
def test_what_is_lost_is_what_the_least_number_tells(x):
    """exp(x) loses digits in float32 below ln(2^-126) = -87.34, and is 0 below ln(2^-150) = -103.97."""
    a = gg.tensor([x, 0.0], requires_grad=True)
    with gg.record() as tape:
        a.exp().sum().backward()
    node = next(each for each in tape.records if each.op is not None and each.op.name == "exp")
    assert vanished(tape, node).tolist() == [x < -87.34, False]
    assert (tape.value(node)[0] == 0) == (x < -103.97)
    assert trouble_of(tape) is None


HEALTHY = {
    "softmax far apart": lambda: Then(mlp(), lambda y: (y * 3).softmax(1) * 5),
    "rectified": lambda: Then(mlp(), lambda y: y.relu()),
    "a mask of large numbers": lambda: Then(mlp(), lambda y: y + gg.tensor([0.0, 0, 0, 0, -1e9])),
    "squares": lambda: Then(mlp(), lambda y: (y * y + 1e-8).sqrt()),
    "lstm": lstm,
}


@pytest.mark.parametrize("name", HEALTHY)
def test_zeros_and_large_numbers_that_do_no_harm(name):
    net = HEALTHY[name]()
    kind = "lstm" if name == "lstm" else "mlp"
    x, t = batch(kind)
    d = check(net, CROSS, (x, t.clamp(max=3)), optimizer=adam(net), steps=60)
    assert not {"underflow", "overflow", "numbers that are not finite"} & set(faults(d))
