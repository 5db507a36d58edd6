"""A watch around a training: it changes no number, sees every loss and the order of calls, and says what is wrong."""

import copy
import math
import pickle

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.autograd.backward import LISTENERS
from glassgrad.dispatch import STATE
from glassgrad.doctor import check, examine_text, watch
from glassgrad.doctor.monitor import FEWEST, RING
from glassgrad.errors import ArgumentError, StateError

RULES = {
    "sgd": lambda net: optim.SGD(net.parameters(), lr=0.05, momentum=0.9),
    "adamw": lambda net: optim.AdamW(net.parameters(), lr=0.01),
}
mse = nn.functional.mse_loss


class Training:
    """A small net, its data and its step, the same every time."""

    def __init__(self, rule="sgd", *, compiled=False, clears=True, act=nn.Tanh, lr=None):
        gg.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(4, 16), act(), nn.Linear(16, 1))
        self.x, self.y = gg.randn(64, 4), gg.randn(64, 1)
        self.opt = RULES[rule](self.net)
        if lr is not None:
            self.opt.param_groups[0]["lr"] = lr

        def step(x, y):
            if clears:
                self.opt.zero_grad()
            loss = mse(self.net(x), y)
            loss.backward()
            self.opt.step()
            return loss

        self.plain = step
        self.step = gg.compile(step) if compiled else step

    def run(self, steps):
        return [self.step(self.x, self.y).item() for _ in range(steps)]

    @property
    def weights(self):
        return [p.detach().numpy().copy() for p in self.net.parameters()]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.weights, b.weights, strict=True))


def faults(d):
    return [finding.fault for finding in d.findings]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("rule", RULES)
def test_a_watch_changes_no_number(rule, compiled):
    alone, watched = (Training(rule, compiled=compiled) for _ in range(2))
    losses = alone.run(FEWEST + 40)
    with watch(watched.net, watched.opt) as d:
        seen = watched.run(FEWEST + 40)
    assert seen == losses
    assert same(watched, alone)
    assert d.loop.losses == pytest.approx(losses, rel=1e-6)
    assert d.loop.backwards == d.loop.steps == FEWEST + 40
    assert d.loop.moments


@pytest.mark.parametrize("rule", RULES)
def test_a_step_that_was_compiled_before_goes_on_before_and_after(rule):
    alone, watched = (Training(rule, compiled=True) for _ in range(2))
    alone.run(5), watched.run(5)
    (plans,) = watched.step.plans.values()
    traces = len(plans)
    alone.plain(alone.x, alone.y)  # as the first step under a watch runs
    alone.run(FEWEST + 20)
    with watch(watched.net, watched.opt) as d:
        watched.run(FEWEST + 21)
    assert d.loop.steps == FEWEST + 21
    plan = watched.step.latest
    alone.run(10), watched.run(10)
    assert same(watched, alone)
    assert watched.step.latest is not plan and not watched.step.latest.trace.alarms
    assert len(plans) <= traces + 2  # one with sizes and one without; none after it


def test_nothing_of_a_watch_stays():
    t = Training()
    with watch(t.net, t.opt):
        t.run(3)
    assert not LISTENERS and STATE.observer is None
    assert not t.opt._pre_hooks and not t.opt._post_hooks and not t.net._forward_pre_hooks


def test_sizes_are_those_of_the_step():
    t = Training()
    with watch(t.net, t.opt) as d:
        before = t.weights
        t.run(1)
    held = d.loop.moments[1]
    for (name, p), old in zip(t.net.named_parameters(), before, strict=True):
        way = p.detach().numpy() - old
        assert held[name].weight == pytest.approx(np.linalg.norm(old), rel=1e-5)
        assert held[name].gradient == pytest.approx(np.linalg.norm(p.grad.numpy()), rel=1e-5)
        assert held[name].moved == pytest.approx(np.linalg.norm(way) / np.linalg.norm(old), rel=1e-5)


@pytest.mark.parametrize("engine", ["native", "interpret"])
def test_sizes_in_a_compiled_step_are_those_of_the_same_step_run_as_it_is(engine):
    t, twin = Training(), Training()
    t.step = gg.compile(t.plain, engine=engine)
    with watch(t.net, t.opt) as d:
        t.run(FEWEST + 3)
        while len(d.loop.moments) < 2:
            t.run(1)
    step = max(d.loop.moments)
    twin.run(step - 1)
    before = twin.weights
    twin.run(1)
    for (name, p), old in zip(twin.net.named_parameters(), before, strict=True):
        held = d.loop.moments[step][name]
        way = np.linalg.norm(p.detach().numpy() - old) / np.linalg.norm(old)
        assert held.weight == pytest.approx(np.linalg.norm(old), rel=1e-4)
        assert held.gradient == pytest.approx(np.linalg.norm(p.grad.numpy()), rel=1e-3)
        assert held.moved == pytest.approx(way, rel=1e-3)


def test_every_loss_of_many_compiled_steps_is_kept():
    t = Training(compiled=True, lr=0.001)
    with watch(t.net, t.opt) as d:
        losses = t.run(3 * RING)
        assert d.loop.losses == pytest.approx(losses, rel=1e-6)  # asked for within the block
        losses += t.run(100)
    assert d.loop.losses == pytest.approx(losses, rel=1e-6)


def test_every_loss_of_several_backward_passes_in_a_compiled_step_is_kept():
    t = Training()

    @gg.compile
    def step(x, y):
        t.opt.zero_grad()
        parts = [mse(t.net(x[half]), y[half]) for half in (slice(0, 32), slice(32, 64))]
        for loss in parts:
            loss.backward()
        t.opt.step()
        return parts

    with watch(t.net, t.opt) as d:
        losses = [loss.item() for _ in range(RING) for loss in step(t.x, t.y)]
    assert d.loop.losses == pytest.approx(losses, rel=1e-5)
    assert (d.loop.backwards, d.loop.steps) == (2 * RING, RING)
    assert not d.loop.added.times


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_a_healthy_training_is_let_be(compiled):
    t = Training(compiled=compiled)
    with watch(t.net, t.opt) as d:
        t.run(100)
    assert faults(d) == []


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_gradients_that_are_never_cleared(compiled):
    t = Training(compiled=compiled, clears=False)
    with watch(t.net, t.opt) as d:
        t.run(40)
    assert d.loop.added.times >= 38
    assert faults(d)[0] == "gradients never cleared"
    assert "in step" in d.findings[0].where.line
    assert d.apply(d.findings[0]).clears


def test_gradients_added_up_on_purpose_are_let_be():
    t = Training()
    with watch(t.net, t.opt) as d:
        for _ in range(10):
            for half in (slice(0, 32), slice(32, 64)):
                (mse(t.net(t.x[half]), t.y[half]) / 2).backward()
            t.opt.step()
            t.opt.zero_grad(set_to_none=False)
    assert not d.loop.added.times and not d.loop.empty.times


def test_gradients_that_are_cleared_before_the_step():
    t = Training()
    with watch(t.net, t.opt) as d:
        for _ in range(20):
            mse(t.net(t.x), t.y).backward()
            t.opt.zero_grad()
            t.opt.step()
    assert d.loop.empty.times == d.loop.cleared.times == 20


def test_modes():
    t = Training(act=lambda: nn.Dropout(0.5))
    with watch(t.net, t.opt) as d:
        t.run(3)
        with gg.no_grad():
            t.net(t.x)  # still in training mode
        t.net.eval()
        t.run(2)
    assert (d.loop.training["1"].times, d.loop.training["1"].first) == (1, 4)
    assert d.loop.training["1"].place.module == "1"
    assert (d.loop.evaluating["1"].times, d.loop.evaluating["1"].first) == (2, 4)


def test_a_loss_that_runs_away_late_is_told_and_a_lower_rate_proven():
    t = Training(lr=0.01)
    with watch(t.net, t.opt) as d:
        losses = t.run(300)
        t.opt.param_groups[0]["lr"] = 0.8  # what a schedule of one's own may do
        t.opt.param_groups[0]["momentum"] = 0.0
        for _ in range(200):
            losses += t.run(1)
            if losses[-1] > 1e3:
                break
    assert losses[-1] > 1e3
    assert faults(d) == ["diverging loss"]
    assert d.findings[0].proof is not None and d.findings[0].proof.holds
    assert dict(d.findings[0].evidence)["lowest loss"] < losses[0]


def test_from_which_step_on_numbers_are_none_and_where_they_come_from():
    t = Training()
    with watch(t.net, t.opt) as d:
        for step in range(1, 61):
            t.opt.zero_grad()
            said = t.net(t.x)
            size = (said - said.detach()).sum() if step == 50 else said.square().mean()
            (mse(said, t.y) + 0.0 * size.log()).backward()
            t.opt.step()
    assert faults(d)[0] == "numbers that are not finite"
    found = d.findings[0]
    assert found.where.op == "log"
    assert math.isfinite(d.loop.losses[48]) and not math.isfinite(d.loop.losses[49])


def test_from_which_compiled_step_on_numbers_are_none():
    t = Training(compiled=True, lr=0.01)
    with watch(t.net, t.opt) as d:
        t.run(50)
        t.step(t.x * math.nan, t.y)
        t.run(50)
    assert faults(d) == ["numbers that are not finite"]
    assert dict(d.findings[0].evidence)["step"] == 51


def test_an_error_passes_on_and_what_was_seen_is_kept():
    t = Training(clears=False)
    with pytest.raises(ZeroDivisionError), watch(t.net, t.opt) as d:
        t.run(30)
        raise ZeroDivisionError("by hand")
    assert d.loop.ended == "ZeroDivisionError: by hand"
    assert "gradients never cleared" in faults(d)
    assert "by hand" in d.report.stopped
    assert not LISTENERS and STATE.observer is None


def test_a_first_step_that_fails_is_diagnosed():
    gg.manual_seed(0)
    net = nn.Linear(4, 3)
    opt = optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(IndexError), watch(net, opt) as d:
        nn.functional.cross_entropy(net(gg.randn(8, 4)), gg.full((8,), 3)).backward()
    assert faults(d) == ["labels out of range"]


def test_a_block_without_training_is_an_error():
    t = Training()
    with watch(t.net, t.opt) as d, gg.no_grad():
        t.net(t.x)
    with pytest.raises(ArgumentError, match="no training step"):
        d.findings  # noqa: B018
    with pytest.raises(ArgumentError, match="no optimizer"):
        watch(t.net, [])


def test_a_watch_is_for_one_block():
    t = Training()
    with watch(t.net, t.opt) as d:
        t.run(2)
        with pytest.raises(StateError, match="one block"), d:
            pass
    with pytest.raises(StateError, match="one block"), d:
        pass
    with watch(t.net, t.opt) as again:
        t.run(2)
    assert again.loop.steps == d.loop.steps == 2


def test_watches_one_in_the_other_see_their_own_model():
    one, other = Training(), Training(clears=False)
    with watch(one.net, one.opt) as a, watch(other.net, other.opt) as b:
        for _ in range(30):
            one.run(1), other.run(1)
    assert a.loop.steps == b.loop.steps == 30
    assert faults(a) == []
    assert faults(b)[0] == "gradients never cleared"


def test_two_optimizers_of_one_model():
    t = Training()
    first, last = t.net[0], t.net[2]
    parts = [optim.SGD(first.parameters(), lr=0.05), optim.Adam(last.parameters(), lr=0.01)]
    with watch(t.net, parts) as d:
        for _ in range(60):
            for each in parts:
                each.zero_grad()
            mse(t.net(t.x), t.y).backward()
            for each in parts:
                each.step()
    assert d.loop.steps == 120
    assert {name for held in d.loop.moments.values() for name in held} == {n for n, _ in t.net.named_parameters()}
    assert faults(d) == []
    assert len(d.patient.parameters) == 4


def test_the_patient_takes_the_steps_that_were_taken():
    t = Training()
    with watch(t.net, t.opt) as d:
        losses = t.run(10)
    assert d.patient.train(10)[:10] == pytest.approx(losses, rel=1e-6)
    assert len(d.patient.batches) == 10


def test_copies_of_a_watched_model_are_not_watched():
    t = Training()
    with watch(t.net, t.opt) as d:
        t.run(1)
        twin, loaded = copy.deepcopy(t.net), pickle.loads(pickle.dumps(t.net))
        with gg.no_grad():
            twin(t.x), loaded(t.x)
        opt = copy.deepcopy(t.opt)
        assert not opt._pre_hooks
    assert not d.loop.training


def test_findings_can_be_asked_for_within_the_block():
    t = Training(clears=False)
    with watch(t.net, t.opt) as d:
        t.run(20)
        assert "gradients never cleared" in faults(d)
        before = t.weights
        t.run(1)
        assert any(not np.array_equal(a, b) for a, b in zip(before, t.weights, strict=True))
    assert d.report.findings == tuple(d.findings)
    assert d.loop.steps == 21


def test_a_recording_within_the_block_is_the_users_own():
    t = Training()
    with watch(t.net, t.opt) as d:
        t.run(1)
        with gg.record() as tape:
            t.run(1)
        t.run(1)
    assert tape.roots and d.loop.steps == 3


def test_within_a_recording_of_ones_own_it_says_so():
    t = Training()
    with gg.record(), pytest.raises(StateError, match="a recording is on"), watch(t.net, t.opt):
        pass
    assert not LISTENERS and not t.opt._pre_hooks


def test_it_goes_on_within_a_script_that_is_examined():
    text = """
import glassgrad as gg
gg.manual_seed(0)
net = gg.nn.Linear(4, 1)
x, y = gg.randn(8, 4), gg.randn(8, 1)
opt = gg.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
with gg.doctor.watch(net, opt) as d:
    for _ in range(30):
        gg.nn.functional.mse_loss(net(x), y).backward()
        opt.step()
inner = [finding.fault for finding in d.findings]
"""
    d = examine_text(text, "watched.py", trial=30)
    assert faults(d)[0] == "gradients never cleared"
    assert d.run.error is None
    assert d.run.scopes[-1]["inner"][0] == "gradients never cleared"


def test_it_agrees_with_check_where_that_sees_the_same():
    gg.manual_seed(0)
    layers = [each for _ in range(8) for each in (nn.Linear(16, 16), nn.Sigmoid())]
    net = nn.Sequential(*layers, nn.Linear(16, 1))
    x, y = gg.randn(32, 16), gg.randn(32, 1)
    opt = optim.SGD(net.parameters(), lr=0.1)
    told = faults(check(net, nn.MSELoss(), (x, y), optimizer=opt))

    @gg.compile
    def step(x, y):
        opt.zero_grad()
        loss = mse(net(x), y)
        loss.backward()
        opt.step()
        return loss

    with watch(net, opt) as d:
        for _ in range(20):
            step(x, y)
    assert faults(d) == told == ["vanishing gradients"]
