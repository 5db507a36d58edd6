"""Ordinary input that a diagnosis must not stumble over, and users' code that refuses what a rule asks."""

import gc
import weakref

import numpy as np
import pytest
from tests.doctor.asked import patient

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import check, curvature, examine_text
from glassgrad.doctor.curvature import headroom, lanczos
from glassgrad.doctor.noise import Sums
from glassgrad.doctor.probe import Probe
from glassgrad.doctor.rounds import Rounds
from glassgrad.doctor.rule import RULES, Rule
from glassgrad.doctor.rules.fit import first_constant
from glassgrad.doctor.rules.places import ground
from glassgrad.errors import ArgumentError
from glassgrad.utils.data import DataLoader, TensorDataset

F = nn.functional


def net():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def data(rows=32):
    x = gg.randn(rows, 4)
    return x, x[:, :1] * 0.5 + x[:, 1:2]


def sgd(model, lr=0.1):
    return optim.SGD(model.parameters(), lr=lr)


def test_a_batch_of_a_loader_is_one_batch():
    model, loader = net(), DataLoader(TensorDataset(*data()), batch_size=16)
    one = next(iter(loader))
    assert isinstance(one, list)
    assert len(check(model, F.mse_loss, one, optimizer=sgd(model), steps=10).patient.batches) == 1
    assert len(check(model, F.mse_loss, list(loader), optimizer=sgd(model), steps=10).patient.batches) == 2


def test_a_batch_without_rows_is_refused():
    x, y = data()
    with pytest.raises(ArgumentError, match="a batch has rows"):
        check(net(), F.mse_loss, (x[:0], y[:0]), steps=10)
    with pytest.raises(ArgumentError, match="a batch has rows"):
        check(net(), F.mse_loss, [(x, y), (x[:0], y[:0])], steps=10)


class WithoutRate(optim.Optimizer):
    """A rule that has no rate."""

    def __init__(self, cells):
        super().__init__(cells, {})

    def step(self, closure=None):
        with gg.no_grad():
            for p in (p for group in self.param_groups for p in group["params"]):
                if p.grad is not None:
                    p.sub_(0.1 * p.grad)


def test_an_optimizer_may_have_no_rate():
    model = net()
    rule = WithoutRate(model.parameters())
    d = check(model, F.mse_loss, data(), optimizer=rule, steps=30)
    assert not d.findings
    assert "lr" not in rule.param_groups[0]
    assert d.report.losses[-1] < d.report.losses[0] / 2


class TwoInTraining(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head, self.other = nn.Linear(4, 8), nn.Linear(8, 1), nn.Linear(8, 1)

    def forward(self, x):
        h = self.body(x).tanh()
        return (self.head(h), self.other(h)) if self.training else self.head(h)


def test_a_model_may_give_more_in_training_than_in_evaluation():
    model = TwoInTraining().eval()
    d = check(model, F.mse_loss, data(), optimizer=sgd(model), steps=10)
    assert d.findings[0].fault == "evaluation mode"


LOOP = """
import glassgrad as gg
from glassgrad import nn
gg.manual_seed(0)
m = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))
o = gg.optim.Adam(m.parameters(), lr=0.01)
x = gg.randn(16, 4)
for _ in range(30):
    o.zero_grad()
    l = ((m(x) - m(x.clone()) - 1) ** 2).mean()
    l.backward()
    o.step()
"""


def test_whole_steps_have_no_rows():
    """Two calls of a model: the patient is made of whole steps. This one cannot be fit, so that the last rule looks."""
    given = examine_text(LOOP, "loop.py", trial=30).patient
    probe = Probe(given, 30)
    site = next(site for site in probe.sites if site.value.ndim > 1)
    assert first_constant(probe, [type("L", (), {"site": site})()]) is None
    assert list(RULES["no overfitting of one batch"].looks(probe)) is not None


def test_a_parameter_that_steps_know_by_several_names_is_one():
    """A step that calls a net once calls its weights otherwise than a step that goes through another one."""
    g, d = nn.Linear(2, 2), nn.Linear(2, 1)
    og, od = optim.SGD(g.parameters(), lr=0.01), optim.SGD(d.parameters(), lr=0.01)
    with gg.doctor.watch(g, og, steps=10) as watch:
        for _ in range(6):
            fake, real = g(gg.randn(8, 2)), gg.randn(8, 2)
            od.zero_grad()
            (d(fake.detach()).mean() - d(real).mean()).backward()
            od.step()
            og.zero_grad()
            (d(fake) ** 2).mean().backward()
            og.step()
    assert watch is not None


def refuses(error):
    def loss(said, true):
        if len(said) != 32 or said.shape != true.shape or (said == said[0, 0]).all().item():
            raise error
        return F.mse_loss(said, true)

    return loss


@pytest.mark.parametrize("error", [AssertionError("no"), KeyError("no")])
def test_a_loss_that_refuses_what_rules_ask_does_not_end_a_diagnosis(error):
    model = net()
    assert not check(model, refuses(error), data(), optimizer=sgd(model), steps=30).findings
    found = check(model, refuses(error), data(), optimizer=sgd(model, 1e-7), steps=30).findings
    assert [each.fault for each in found] == ["too low a rate"]


@pytest.fixture
def rule_that(monkeypatch):
    def put(looks):
        monkeypatch.setitem(RULES, "a test", Rule("a test", looks, frozenset(), frozenset(), False, False))

    return put


def test_a_rule_that_the_users_code_refuses_is_left_out_and_named(rule_that):
    def looks(probe):
        probe.patient.loss(*[gg.zeros(3, 1)] * 2)
        return []

    rule_that(looks)
    model = net()
    d = check(model, refuses(KeyError("rows")), data(), optimizer=sgd(model), steps=10)
    assert d.report.left_out == ("a test (KeyError: 'rows')",)
    assert "a test" not in d.report.looked_for
    assert "vanishing gradients" in d.report.looked_for
    from glassgrad.view.diagnosis import examined

    assert "a test (KeyError: 'rows')" in examined(d.report)


def test_an_error_of_the_users_step_is_raised():
    def loss(said, true):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        check(net(), loss, data(), steps=10)
    with pytest.raises(KeyError, match="mine"):  # of a later batch
        check(net(), later, [data(), data(8)], steps=10)


def later(said, true):
    if len(said) == 8:
        raise KeyError("mine")
    return F.mse_loss(said, true)


# -- large nets --------------------------------------------------------------------------------------------------------


def test_lanczos_takes_as_many_steps_as_there_is_room_for(monkeypatch):
    monkeypatch.setattr(curvature, "ROOM", 8 * 50 * 7)
    values = np.linspace(0, 1, 50)
    assert len(lanczos(lambda v: values * v, 50, 40).basis) == 7


def test_curvature_of_a_net_that_there_is_no_room_for_is_left_alone(monkeypatch):
    model = net()
    one = patient(model, F.mse_loss, data(), sgd(model))
    assert ground(one) is not None
    assert headroom(one) is not None
    monkeypatch.setattr(curvature, "ROOM", 100)
    assert ground(one) is None
    assert headroom(one) is None


def test_sums_are_those_of_the_matrix():
    rows = np.random.default_rng(0).standard_normal((7, 5)) + 1000
    seen = Sums.of(iter(rows))
    assert seen.count == 7
    assert seen.squares == pytest.approx(np.sum(rows**2))
    away = seen.total / 7
    assert seen.first + away == pytest.approx(rows.mean(0), rel=1e-14)
    assert (seen.apart - 7 * away @ away) / 6 == pytest.approx(rows.var(0, ddof=1).sum(), rel=1e-10)


def test_gradients_of_before_are_not_kept():
    rounds, model = Rounds(10), net()
    rule = sgd(model)
    F.mse_loss(model(data()[0]), data()[1]).backward()
    rounds.stepping(rule)
    held = weakref.ref(model[0].weight._grad)
    rule.zero_grad()
    rounds.tape, rounds.calls = None, []
    gc.collect()
    assert held() is None
