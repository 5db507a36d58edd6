"""How remedies are judged: by the same batches, past their noise, and not by a good beginning with a bad end."""

import math

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor.courses import level, standing, steady, swing
from glassgrad.doctor.loop import Loop
from glassgrad.doctor.patient import Patient
from glassgrad.doctor.probe import Probe
from glassgrad.doctor.remedies import rate
from glassgrad.doctor.rule import Remedy
from glassgrad.doctor.trial import tried


def line(lr=0.05, batches=1, noise=0.0, dropout=0.0):
    gg.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 1), nn.Dropout(dropout))
    made = []
    for _ in range(batches):
        x = gg.randn(16, 3)
        made.append((x, x.sum(1, keepdim=True) + noise * gg.randn(16, 1)))
    return Patient(net, nn.MSELoss(), optim.SGD(net.parameters(), lr=lr), made)


def test_a_remedy_that_helps_holds_and_one_that_does_nothing_does_not():
    probe = Probe(line(lr=1e-4), 40)
    assert tried(probe, rate(100, "")).holds
    assert not tried(probe, rate(1, "")).holds
    assert not tried(probe, rate(0.1, "")).holds


def test_a_remedy_that_helps_at_first_and_ends_in_divergence_does_not_hold():
    """Far above 2 / h along the steepest direction, from a point on the ridge of it, the loss falls along the others
    until what rounding left of the steep one has grown."""

    class Bowl(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(gg.tensor([1e-9, 1.0], dtype=gg.float64))

        def forward(self, x):
            return (self.w**2 * x).sum() / 2

    net, x = Bowl(), gg.tensor([100.0, 1.0], dtype=gg.float64)
    probe = Probe(Patient(net, lambda said, _: said, optim.SGD(net.parameters(), lr=1e-3), [(x, x)]), 60)
    fast = tried(probe, rate(25, ""))
    assert min(fast.after) < min(fast.before)
    assert fast.after[-1] > min(fast.after)
    assert not fast.holds
    assert tried(probe, rate(15, "")).holds


def test_a_remedy_for_a_loss_that_is_none_has_to_bring_one_that_falls():
    probe = Probe(line(lr=1e5), 40)
    assert not math.isfinite(probe.losses[-1])
    assert tried(probe, rate(1e-6, "")).holds
    assert not tried(probe, rate(1e-5, "")).holds  # finite for these steps, and growing


def test_what_batches_differ_by_is_no_gain():
    """Other rows in another order, at a rate that learns nothing."""
    probe = Probe(line(lr=1e-9, batches=5, noise=3.0), 40)

    def turn(patient):
        patient.batches = list(reversed(patient.batches))

    assert probe.start.scatter > 0.3
    assert not tried(probe, Remedy("turned", turn)).holds


def test_where_a_loss_stands_and_how_it_scatters():
    still = standing(line(batches=6, noise=1.0))
    each = [line(batches=6, noise=1.0).value(b).item() for b in line(batches=6, noise=1.0).batches]
    assert still.mean == pytest.approx(np.mean(each), rel=1e-6)
    assert still.scatter == pytest.approx(np.std(each), rel=1e-6)
    assert still.drawn == pytest.approx(0, abs=1e-7)
    assert standing(line(dropout=0.5)).drawn > 0.05


def test_swings_are_told_from_noise_of_batches_and_from_a_smooth_fall():
    steps = np.arange(200)
    falls = list(np.exp(-steps / 50))
    assert swing(falls, 1, 1e-3)[1] == 0
    batches = list(1 + 0.5 * (steps % 5))
    assert swing(batches, 5, 1e-3) == (0, 0)
    size, upwards = swing(list(1 + 0.5 * (-1.0) ** steps), 1, 1e-3)
    assert size == pytest.approx(1)
    assert upwards == pytest.approx(0.5, abs=0.01)


def test_a_course_that_ends_far_above_its_lowest_is_not_steady():
    steps = np.arange(100)
    assert steady(list(np.exp(-steps / 20)), 1, 0)
    assert not steady(list(np.exp(-steps / 20) + 1e-9 * np.exp(steps / 4.5)), 1, 0)
    assert not steady([1.0, 0.5, math.nan], 1, 0)
    assert level([9.0, 1, 2, 3]) == 2
    assert level(list(range(100)), batches=10) == np.mean(range(90, 100))


def test_a_trial_goes_as_far_as_the_users_own_loop_went_until_it_ran_away():
    patient = line(batches=2)
    patient.loop = Loop(losses=[1.0] * 300)
    assert Probe(patient)._runs_away_at == 0
    patient.loop = Loop(losses=[1.0] * 50 + [math.nan] * 3)
    assert Probe(patient)._runs_away_at == 50
    patient.loop = Loop(losses=[1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    assert Probe(patient)._runs_away_at == 4
