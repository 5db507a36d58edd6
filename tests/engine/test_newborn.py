"""What a step makes itself is told from what was there before, whatever the garbage collector was told."""

import gc
import weakref

import pytest

import glassgrad as gg
from glassgrad.engine import native
from glassgrad.engine.newborn import Newborn
from glassgrad.errors import TraceError


@pytest.fixture
def collector():
    """The collector as it was, afterwards."""
    on = gc.isenabled()
    yield
    gc.unfreeze()
    (gc.enable if on else gc.disable)()


def test_weights_that_were_frozen_are_still_weights(collector):
    w = gg.ones(3, requires_grad=True)
    optimizer = gg.optim.SGD([w], lr=0.5)
    gc.freeze()

    @gg.compile
    def step():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    assert [step().item() for _ in range(4)] == [3, 0, 0, 0]
    assert gc.get_freeze_count() > 0


RUNS = 0


def count_runs(*_):
    """What others do when rubbish is collected is none of the step's doing."""
    global RUNS  # noqa: PLW0603 - what Hypothesis does, too
    RUNS += 1


@pytest.mark.parametrize("collects", [False, True])
def test_a_tensor_that_is_kept_is_found(collects):
    gc.callbacks.append(count_runs)
    kept = []

    @gg.compile
    def step(x):
        kept.append(x * 2)
        if collects:
            gc.collect()
        return x.sum()

    try:
        with pytest.raises(TraceError, match="keeps a tensor"):
            for _ in range(3):
                step(gg.ones(2))
    finally:
        gc.callbacks.remove(count_runs)


def test_rubbish_in_circles_is_not_kept():
    @gg.compile
    def step(x):
        circle = [x * 2]
        circle.append(circle)
        return x.sum()

    assert [step(gg.ones(2)).item() for _ in range(3)] == [2, 2, 2]


def test_a_step_may_change_what_it_makes_itself():
    class Counter:
        def __init__(self):
            self.count = 1

    @gg.compile
    def step(x):
        counter = Counter()
        for _ in range(3):
            counter.count += counter.count
        return x.sum() * counter.count

    assert [step(gg.ones(2)).item() for _ in range(3)] == [16, 16, 16]


def test_only_what_was_made_since_is_new(collector):
    gc.disable()
    old = [object(), []]
    with Newborn() as newborn:
        new = [[], {}]
        ids = newborn.ids()
        assert not gc.isenabled()
    assert id(new) in ids
    assert id(new[0]) in ids
    assert id(old) not in ids
    assert id(old[1]) not in ids
    assert not gc.isenabled()


def test_dead_steps_do_not_pile_up(monkeypatch):
    """Each is in a circle with its function, so that only the collector finds it."""
    monkeypatch.setattr(native, "MUCH", 4 * native.CODE)
    alive = []

    def once(factor):
        @gg.compile
        def step(x):
            return ((x * factor).exp() @ x).sum()

        alive.append(weakref.ref(step))
        step.own = step
        x = gg.ones(64, 64)
        for _ in range(2):
            step(x)

    for number in range(12):
        once(number / 8)
        assert sum(each() is not None for each in alive) < 6
