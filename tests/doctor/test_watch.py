"""A watch around a training changes none of its numbers, sees every loss, and leaves nothing behind."""

import copy
import pickle

import numpy as np
import pytest
from tests.doctor.watched import RULES, Training, faults, mse, same

import glassgrad as gg
from glassgrad.autograd.backward import LISTENERS
from glassgrad.dispatch import STATE
from glassgrad.doctor import watch
from glassgrad.doctor.monitor import FEWEST
from glassgrad.errors import StateError


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
        for _ in range(5000):
            if len(d.loop.moments) > 1:
                break
            t.run(1)
    step = max(d.loop.moments)
    assert step > FEWEST
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
        losses = t.run(700)
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
        losses = [loss.item() for _ in range(300) for loss in step(t.x, t.y)]
    assert d.loop.losses == pytest.approx(losses, rel=1e-5)
    assert (d.loop.backwards, d.loop.steps) == (600, 300)
    assert not d.loop.added.times


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


def test_a_recording_within_the_block_is_the_users_own():
    t = Training()
    with watch(t.net, t.opt) as d:
        t.run(1)
        with gg.record() as tape:
            t.run(1)
        t.run(1)
    assert tape.roots and d.loop.steps == 3


@pytest.mark.parametrize("returned", ["nothing", "much", "the loss twice"])
def test_losses_are_seen_whatever_a_compiled_step_returns(returned):
    t, twin = Training(), Training()

    @gg.compile
    def step(x, y):
        t.opt.zero_grad()
        said = t.net(x)
        loss = mse(said, y)
        loss.backward()
        t.opt.step()
        return {"nothing": None, "much": (said * gg.ones(2000), loss), "the loss twice": (loss, loss)}[returned]

    losses = twin.run(20)
    with watch(t.net, t.opt) as d:
        found = [step(t.x, t.y) for _ in range(20)]
    assert d.loop.losses == pytest.approx(losses, rel=1e-5)
    if returned != "nothing":
        assert [each[1].item() for each in found] == pytest.approx(losses, rel=1e-5)
