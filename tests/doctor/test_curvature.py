"""Curvatures and the rates that they allow, against closed forms and against what the steps do."""

import math

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor.curvature import headroom, hessian_of, spectrum
from glassgrad.doctor.patient import Patient

EIGENVALUES = np.array([0.1, 0.5, 2.0, 3.0, 8.0])
BASIS, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))
HESSIAN = BASIS @ np.diag(EIGENVALUES) @ BASIS.T


class Point(nn.Module):
    """A point in the plane that the loss is a quadratic over; the first two entries are a parameter of their own."""

    def __init__(self):
        super().__init__()
        self.first, self.rest = nn.Parameter(gg.ones(2).double()), nn.Parameter(gg.ones(3).double())

    def forward(self, h):
        w = gg.cat([self.first, self.rest])
        return w @ h @ w / 2


def point(make):
    model = Point()
    h = gg.from_numpy(HESSIAN)
    return Patient(model, lambda said, _: said, make(model), [(h, h)])


def sgd(lr, **options):
    return lambda model: optim.SGD(model.parameters(), lr=lr, **options)


def test_the_spectrum_is_the_hessians():
    times, gradient = hessian_of(point(sgd(0.1)))
    values, weights = spectrum(times, 5)
    assert values == pytest.approx(EIGENVALUES, rel=1e-9)
    assert weights.sum() == pytest.approx(1)
    assert gradient == pytest.approx(HESSIAN @ np.ones(5))


RULES = {
    "plain": ({}, lambda h: 2 / h),
    "momentum": ({"momentum": 0.9}, lambda h: 2 * 1.9 / h),
    "little momentum": ({"momentum": 0.3}, lambda h: 2 * 1.3 / h),
    "nesterov": ({"momentum": 0.9, "nesterov": True}, lambda h: 2 * 1.9 / (2.8 * h)),
    "dampening": ({"momentum": 0.9, "dampening": 0.5}, lambda h: 2 * 1.9 / (0.5 * h)),
    "decay": ({"weight_decay": 0.7}, lambda h: 2 / (h + 0.7)),
}


@pytest.mark.parametrize("name", RULES)
def test_the_highest_stable_rate_is_the_closed_form_and_the_steps_obey_it(name):
    options, closed = RULES[name]
    bound = closed(EIGENVALUES[-1])
    room = headroom(point(sgd(0.01, **options)))
    assert 0.01 * room == pytest.approx(bound, rel=1e-6)
    for factor in (0.97, 1.03):
        course = point(sgd(bound * factor, **options)).train(1500)
        assert (course[-1] < course[0]) == (factor < 1)


def test_each_group_has_its_own_rate():
    rates = (0.3, 0.05)

    def make(model):
        return optim.SGD([{"params": [p], "lr": lr} for p, lr in zip(model.parameters(), rates, strict=True)])

    root = np.sqrt(np.repeat(rates, (2, 3)))
    highest = np.linalg.eigvalsh(root[:, None] * HESSIAN * root).max()
    assert headroom(point(make)) == pytest.approx(2 / highest, rel=1e-6)


def test_other_rules_have_no_such_bound_and_nor_has_a_loss_without_curvature():
    assert headroom(point(lambda model: optim.Adam(model.parameters()))) is None
    flat = point(sgd(0.1))
    flat.loss = lambda said, _: -said
    assert headroom(flat) is None


def test_a_rows_quadratic_is_bounded_by_the_largest_eigenvalue_of_its_covariance():
    gg.manual_seed(0)
    x, y = gg.randn(50, 4), gg.randn(50, 1)
    net = nn.Linear(4, 1, bias=False)
    patient = Patient(net, nn.MSELoss(), optim.SGD(net.parameters(), lr=0.1), [(x, y)])
    largest = np.linalg.eigvalsh(2 * x.numpy().T @ x.numpy() / 50).max()
    assert 0.1 * headroom(patient) == pytest.approx(2 / largest, rel=1e-5)
    assert math.isfinite(largest)
