"""What a watch says of a training: what its first steps show, its loop, and its course."""

import math

import numpy as np
import pytest
from tests.doctor.watched import Training, faults, mse

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.autograd.backward import LISTENERS
from glassgrad.dispatch import STATE
from glassgrad.doctor import check, examine_text, watch
from glassgrad.doctor.check import Diagnosis
from glassgrad.doctor.course import later
from glassgrad.doctor.loop import Loop, Moment
from glassgrad.doctor.patient import Patient
from glassgrad.errors import ArgumentError, StateError


def course(losses, moved=None):
    """What `later` says of a training with these losses, and these sizes of updates of the first layer."""
    t = Training()
    moments = {step: {"0.weight": Moment(1.0, 1.0, size)} for step, size in (moved or {}).items()}
    loop = Loop(backwards=len(losses), steps=len(losses), losses=list(losses), moments=moments)
    patient = Patient(t.net, mse, t.opt, [(t.x, t.y)], loop=loop)
    return list(later(Diagnosis([], patient)))


def test_courses_that_go_well_are_let_be():
    falls = [math.exp(-n / 50) + 0.1 * math.sin(7 * n) ** 2 for n in range(400)]
    calm = {step: 0.001 for step in range(1, 400, 20)}
    assert course(falls, calm) == []
    assert course([0.7 + n / 400 for n in range(400)], calm) == []  # of a generator, whose critic learns, too
    assert course([2.0] * 10 + [100.0] * 10) == []  # what is short is seen by the trials
    wild = {step: 0.001 if step < 200 else 0.5 for step in range(1, 400, 20)}
    assert course(falls, wild) == []  # it learns all the same


def test_a_layer_that_is_thrown_about_late():
    stuck = [math.exp(-n / 50) for n in range(200)] + [1.0] * 200
    wild = {step: 0.001 if step < 200 else 0.5 for step in range(1, 400, 20)}
    ((fault, suspicion),) = course(stuck, wild)
    assert fault == "weights that move wildly"
    assert suspicion.where.module == "0.weight"
    assert suspicion.evidence == {"update against weights at first": 0.001, "update against weights later": 0.5}
    assert course(stuck, {1: 0.001, 300: 0.5}) == []  # two looks tell nothing


def test_numbers_that_end_name_the_parameter_that_grew():
    losses = [1.0] * 50 + [math.nan] * 10
    ((fault, suspicion),) = course(losses, {1: 0.01, 40: 0.01})
    assert fault == "numbers that are not finite"
    assert "from step 51 on" in suspicion.symptom
    assert "batch" in suspicion.cause
    losses[49] = 50.0
    ((_, suspicion),) = course(losses, {1: 0.01, 40: 0.01})
    assert "ran away" in suspicion.cause


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


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_a_step_before_the_backward_pass(compiled):
    t = Training()

    def step(x, y):
        t.opt.zero_grad()
        loss = mse(t.net(x), y)
        t.opt.step()
        loss.backward()

    run = gg.compile(step) if compiled else step
    with watch(t.net, t.opt) as d:
        for _ in range(40):
            run(t.x, t.y)
    assert faults(d) == ["step before backward"]
    assert d.loop.empty.times in (39, 40)  # no backward pass was made before the first one
    assert not d.apply(d.findings[0]).early


def test_modes_are_told():
    t = Training(act=lambda: nn.Dropout(0.5))
    t.net.eval()
    with watch(t.net, t.opt) as d:
        t.run(30)
    assert faults(d) == ["evaluation mode"]
    t.net.train()
    with watch(t.net, t.opt) as d:
        for _ in range(5):
            t.run(6)
            with gg.no_grad():
                t.net(t.x)
    assert faults(d) == ["training mode in evaluation"]


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


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_two_optimizers_of_one_model(compiled):
    t = Training()
    first, last = t.net[0], t.net[2]
    parts = [optim.SGD(first.parameters(), lr=0.05), optim.Adam(last.parameters(), lr=0.01)]

    def step():
        for each in parts:
            each.zero_grad()
        mse(t.net(t.x), t.y).backward()
        for each in parts:
            each.step()

    run = gg.compile(step) if compiled else step
    with watch(t.net, parts) as d:
        for _ in range(60):
            run()
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


def test_targets_that_grow_are_no_run_away_loss():
    """As returns do: the loss ends a thousand times as high, and the net does what it is asked."""
    gg.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = optim.Adam(net.parameters(), lr=0.003)
    with watch(net, opt, steps=30) as d:
        for step in range(300):
            x = gg.randn(64, 4)
            opt.zero_grad()
            mse(net(x), x[:, :1] * (0.3 + step / 30)).backward()
            opt.step()
    assert d.loop.losses[-1] > 3 * d.loop.losses[0]
    assert not d.findings
