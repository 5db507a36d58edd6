"""Cuts where modules begin: which there are, what each takes, and that the gradient stays what it was."""

import itertools

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn
from glassgrad.costs import measure
from glassgrad.costs.measure import Measured, compiled_of
from glassgrad.costs.recompute import recomputation, stretches, ways
from glassgrad.costs.recorded import Forward


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width))

    def forward(self, x):
        return x + self.net(x)


def deep(count=9, width=16, rows=512):
    gg.manual_seed(0)
    net = nn.Sequential(*[Residual(width) for _ in range(count)], nn.Linear(width, 1))
    x = gg.randn(rows, width)
    with gg.record() as tape:
        (net(x) ** 2).mean().backward()
    return Measured(Forward(tape), [], 1), net


def test_cuts_lie_where_modules_begin():
    run, _ = deep()
    forward = run.pass_
    found = {(depth, together): parts for depth, together, parts in ways(forward)}
    assert list(found)[:2] == [(1, 1), (1, 3)]
    assert len(found[1, 1]) == 10, "each block and the last layer; only the loss after it is kept"
    assert len(found[1, 3]) == 3
    for parts in found.values():
        assert parts[0].start == 0 and parts[-1].stop < len(forward.steps)
        assert all(a.stop == b.start for a, b in itertools.pairwise(parts))
    assert {forward.steps[n].path.split(".")[0] for n in found[1, 1][4]} == {"4"}
    whole = [number for part in stretches(forward, 2) for number in part]
    assert whole == list(range(len(forward.steps)))


def test_the_gradient_stays_what_it_was():
    run, _ = deep()
    plain = [x.numpy().tobytes() for x in run.gradient()]
    for _, _, parts in ways(run.pass_):
        assert [x.numpy().tobytes() for x in run.gradient(parts)] == plain


def test_what_it_saves_and_costs_is_measured():
    run, _ = deep(rows=4096)
    whole = measure.peak(run.gradient)
    found = recomputation(run, compiled_of(run))
    assert found.best in found.trials
    assert found.best.peak == min(trial.peak for trial in found.trials) or found.best.peak < 1.02 * min(
        trial.peak for trial in found.trials
    )
    assert found.best.peak < 0.55 * whole
    block = 2 * (2 * 4096 * 16 * 16 + 4096 * 16) + 2 * 4096 * 16  # two layers with their biases, tanh, the sum
    each = found.trials[0]
    assert (each.first, each.last, each.together, each.parts) == ("0", "9", 1, 10)
    assert each.operations == 9 * block + 2 * 4096 * 16 + 4096
    assert found.arena[1] < 0.6 * found.arena[0]
    assert min(*found.gradient, *found.compiled) > 0


def test_without_modules_it_is_cut_into_equal_parts():
    w = gg.ones(100, requires_grad=True)
    with gg.record() as tape:
        x = w
        for _ in range(16):
            x = x.sin()
        x.sum().backward()
    run = Measured(Forward(tape), [], 1)
    ((_, together, parts),) = ways(run.pass_)
    assert together == 4
    assert parts == [range(0, 4), range(4, 8), range(8, 12), range(12, 16)]
    found = recomputation(run, None)
    assert found.compiled is None and found.arena is None
    np.testing.assert_array_equal(run.gradient(parts)[1].numpy(), run.gradient()[1].numpy())


def test_what_is_too_small_to_be_cut():
    w = gg.ones(1, requires_grad=True)
    with gg.record() as tape:
        (w * 2).sum().backward()
    assert recomputation(Measured(Forward(tape), [], 1), None) is None


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_parts_may_share_what_they_are_made_of(depth):
    """A value that is used again far behind the part that made it."""
    net = nn.Linear(4, 4)
    gg.manual_seed(0)
    with gg.record() as tape:
        first = net(gg.ones(2, 4)).tanh()
        x = first
        for _ in range(6):
            x = net(x).tanh() + first
        x.sum().backward()
    run = Measured(Forward(tape), [], 1)
    size = len(run.pass_.steps) // (depth + 1)
    parts = [range(at, at + size) for at in range(0, size * depth, size)]
    for a, b in zip(run.gradient(parts), run.gradient(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
