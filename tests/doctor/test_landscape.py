"""The loss around a training, against what is known of it: bowls, random matrices, nets that compute the same."""

import time

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn
from glassgrad.doctor import ground
from glassgrad.doctor.curvature import lanczos
from glassgrad.doctor.landscape import landscape
from glassgrad.doctor.patient import Patient
from glassgrad.doctor.plane import filters, random_direction
from glassgrad.doctor.trail import Trail, row
from glassgrad.errors import ArgumentError

RANDOM = np.random.default_rng(0)


class Point(nn.Module):
    """A net that is nothing but its weights."""

    def __init__(self, at):
        super().__init__()
        self.at = nn.Parameter(gg.tensor(np.asarray(at)))

    def forward(self, x):
        return self.at


def patient_at(at, loss):
    net = Point(np.asarray(at, np.float64))
    return Patient(net, lambda said, _: loss(said), gg.optim.SGD(net.parameters(), lr=0.1), [(gg.zeros(1), None)])


def bowl(matrix, constant=0.5):
    """A quadratic loss with this Hessian, and its closed form."""
    held = gg.tensor(matrix)
    return lambda w: w @ (held @ w) / 2 + constant, lambda w: w @ matrix @ w / 2 + constant


def symmetric(values):
    turn, _ = np.linalg.qr(RANDOM.standard_normal((len(values), len(values))))
    return turn @ np.diag(values) @ turn.T


# -- a bowl ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def walk():
    """A path in six dimensions that leaves every plane, its end far from zero."""
    end = RANDOM.standard_normal(6)
    turn, _ = np.linalg.qr(RANDOM.standard_normal((6, 6)))
    times = np.linspace(1, 0, 12)
    return end + np.stack([3 * times, 2 * times * np.sin(4 * times), 0.4 * times**3], 1) @ turn[:3]


def test_the_planes_losses_are_the_closed_form(walk):
    loss, exact = bowl(symmetric([5.0, 3, 1, 0.5, -0.2, 2]))
    found = landscape(patient_at(walk[0], loss), walk, resolution=7)
    _, sizes, axes = np.linalg.svd(walk - walk[-1])
    size = np.linalg.norm(walk[-1])  # the whole tensor is one filter: at 1 the weights have moved by their own size
    signs = [1.0 if shadow[np.argmax(np.abs(shadow))] > 0 else -1.0 for shadow in ((walk - walk[-1]) @ axes[:2].T).T]
    first, second = (sign * size * axis for sign, axis in zip(signs, axes, strict=False))
    expected = [[exact(walk[-1] + a * first + b * second) for a in found.plane.across] for b in found.plane.up]
    np.testing.assert_allclose(found.plane.losses, expected, rtol=1e-9)
    share = sizes**2 / np.sum(sizes**2)
    np.testing.assert_allclose(found.plane.shares, share[:2], rtol=1e-9)
    for stop, at in zip(found.path, walk, strict=True):
        moved = at - walk[-1]
        assert stop.loss == pytest.approx(exact(at))
        assert (stop.across, stop.up) == pytest.approx((moved @ first / size**2, moved @ second / size**2))
        assert stop.beside == pytest.approx(abs(moved @ axes[2]) / size, abs=1e-9)
    assert found.plane.across[0] < min(stop.across for stop in found.path)
    assert found.plane.up[-1] > max(stop.up for stop in found.path)


def test_the_spectrum_is_that_of_the_matrix(walk):
    values = [5.0, 3, 1, 0.5, -0.2, 2]
    found = landscape(patient_at(walk[0], bowl(symmetric(values))[0]), walk, resolution=3).spectrum
    assert found.exact and found.size == 6
    np.testing.assert_allclose(found.values, sorted(values), rtol=1e-9)
    assert found.negative == pytest.approx(1 / 6) and found.flat == 0


def test_a_large_spectrum_is_seen_by_random_vectors():
    values = np.concatenate([np.linspace(-1, 1, 997), [9.0, 20.0, -15.0]])
    loss, _ = bowl(np.diag(values))
    path = [np.ones(1000), np.zeros(1000)]
    found = landscape(patient_at(path[0], loss), path, resolution=3).spectrum
    assert not found.exact
    assert (found.low, found.high) == pytest.approx((-15, 20))
    np.testing.assert_allclose(found.outliers, [20, -15, 9], rtol=1e-6)
    assert sum(found.weights) == pytest.approx(1)
    assert found.negative == pytest.approx(0.4, abs=0.05)  # what is below -0.2, a hundredth of the largest
    assert found.flat == pytest.approx(0.2, abs=0.05)


def times(matrix):
    return lambda v: matrix @ v


def wigner(size):
    drawn = RANDOM.standard_normal((size, size))
    return (drawn + drawn.T) / np.sqrt(2 * size)


def test_random_matrices_have_no_outliers():
    """Wigner's semicircle; Marchenko's and Pastur's law of covariances."""
    samples = RANDOM.standard_normal((400, 400))
    for matrix in (wigner(400), samples @ samples.T / 400):
        found, _ = ground._sampled(times(matrix), 400, 1e-9, 300, 0)
        assert found.outliers == ()


def test_a_spike_stands_out_where_theory_has_it():
    """A symmetric random matrix and a part of rank 1 and size s: one eigenvalue at s + 1 / s (Péché 2006)."""
    spike = RANDOM.standard_normal(600)
    spike /= np.linalg.norm(spike)
    found, least = ground._sampled(times(wigner(600) - 6 * np.outer(spike, spike)), 600, 1e-9, 300, 0)
    assert found.outliers == pytest.approx((-6 - 1 / 6,), rel=0.03)
    assert abs(least @ spike) ** 2 == pytest.approx(1 - 1 / 36, abs=0.03)


def test_eigenvalues_that_are_not_known_yet_are_no_outliers():
    values = np.concatenate([np.linspace(50, 120, 10), np.linspace(-1, 1, 1990)])
    few, _ = ground._sampled(lambda v: values * v, 2000, 1e-9, 0, 0)
    assert len(few.values) == ground.STEPS[0]
    assert all(np.abs(values - each).min() < 0.01 * each for each in few.outliers)
    many = lanczos(lambda v: values * v, 2000, 60)
    assert np.sum(many.errors < 0.01 * np.abs(many.values)) >= 10


def test_lanczos_knows_how_far_it_is_off():
    matrix = symmetric(np.linspace(-3, 8, 60))
    found = lanczos(times(matrix), 60, 15)
    exact = np.linspace(-3, 8, 60)
    for value, error in zip(found.values, found.errors, strict=True):
        assert np.abs(exact - value).min() <= error + 1e-12
    top = found.vector(-1)
    assert np.linalg.norm(top) == pytest.approx(1)
    assert np.linalg.norm(matrix @ top - found.values[-1] * top) == pytest.approx(found.errors[-1])


# -- filters -----------------------------------------------------------------------------------------------------------


def pictures():
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 5))


def patient_of(net, *batches, loss=None):
    return Patient(net, loss or nn.MSELoss(), gg.optim.SGD(net.parameters(), lr=0.1), list(batches))


def test_a_random_directions_filters_are_as_large_as_the_weights():
    gg.manual_seed(0)
    net = pictures()
    patient = patient_of(net, (gg.randn(4, 2, 4, 4), gg.randn(4, 5)))
    known = filters(patient, row(net.parameters()))
    assert known.count == 3 + 5
    moved = random_direction(known, np.random.default_rng(1)) * known.scale
    other = random_direction(known, np.random.default_rng(2)) * known.scale
    assert not np.allclose(moved, other)
    begin = 0
    for p in net.parameters():
        part = moved[begin : begin + p.numel()].reshape(tuple(p.shape))
        begin += p.numel()
        if p.ndim == 1:
            assert not part.any(), "biases and the factors of norms stay"
        else:
            sizes = [np.linalg.norm(each) for each in p.detach().numpy()]
            np.testing.assert_allclose([np.linalg.norm(each) for each in part], sizes, rtol=1e-6)


@pytest.mark.parametrize("directions", ["path", "random"])
def test_the_unit_is_every_filter_changed_by_its_own_size(directions):
    gg.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.Flatten(), nn.Linear(12, 5, bias=False)).double()
    patient = patient_of(net, (gg.randn(4, 2, 4, 4).double(), gg.randn(4, 5).double()))
    end = row(net.parameters())
    found = landscape(patient, [2 * end, end], directions=directions, resolution=3).path[0]
    if directions == "path":
        assert (found.across, found.beside) == pytest.approx((1, 0))
    else:
        assert 0 < found.across**2 + found.up**2 < 1 and found.beside < 1


def rectifiers(scale):
    """The same function for every scale."""
    gg.manual_seed(3)
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)).double()
    with gg.no_grad():
        net[0].weight.mul_(scale)
        net[0].bias.mul_(scale)
        net[2].weight.div_(scale)
    return net


@pytest.mark.parametrize("directions", ["path", "random"])
def test_nets_that_compute_the_same_have_the_same_picture(directions):
    """Li et al. (2018): plain distances would make one of the two look sharp."""
    batch = gg.randn(16, 3, dtype=gg.float64), gg.randn(16, 2, dtype=gg.float64)
    walk = np.cumsum(np.random.default_rng(5).standard_normal((9, 50)), 0) * 0.1
    found = []
    for scale in (1.0, 10.0):
        net = rectifiers(scale)
        scales = np.concatenate([np.full(32, scale), np.full(16, 1 / scale), np.ones(2)])
        path = row(net.parameters()) + walk * scales
        found.append(landscape(patient_of(net, batch), path, directions=directions, resolution=9))
    one, other = found
    np.testing.assert_allclose(one.plane.losses, other.plane.losses, rtol=1e-6)
    np.testing.assert_allclose(one.plane.across, other.plane.across, rtol=1e-6)
    for a, b in zip(one.path, other.path, strict=True):
        assert (a.across, a.up, a.beside) == pytest.approx((b.across, b.up, b.beside), abs=1e-6)
    assert one.spectrum.high != pytest.approx(other.spectrum.high, rel=0.1), "plain curvature depends on the scale"


# -- what it stands on -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "at", "ground"),
    [
        (lambda w: w[0] ** 2 + 3 * w[1] ** 2 + 1, (0.0, 0.0), "minimum"),
        (lambda w: w[0] ** 2 + 3 * w[1] ** 2 + 1, (0.0, 0.3), "slope"),
        (lambda w: w[0] ** 2 - w[1] ** 2 + w[1] ** 4 + 1, (0.0, 0.0), "saddle"),
        (lambda w: w[0] ** 2 + 0 * w[1] ** 2 + 1, (0.0, 0.5), "valley floor"),
        (lambda w: (0 * w).sum() + 1, (0.3, 0.5), "flat"),
        (lambda w: w[0] ** 2 - 1e-2 * w[1] ** 2 + 1e3 * w[1] ** 4 + 1, (0.0, 0.0), ""),
    ],
)
def test_what_it_stands_on(loss, at, ground):
    found = landscape(patient_at((1.0, 1.0), loss), [np.ones(2), np.array(at)], resolution=3)
    assert found.ground == ground, found.why
    assert found.why


def test_xor_from_a_small_start_stands_at_a_saddle():
    gg.manual_seed(0)
    x, y = gg.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), gg.tensor([[0.0], [1], [1], [0]])
    net = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1))
    with gg.no_grad():
        for p in net.parameters():
            p.mul_(0.05)
    patient, trail = patient_of(net, (x, y), loss=nn.BCEWithLogitsLoss()), Trail()
    for _ in range(400):
        trail.take(patient.parameters)
        patient.step((x, y))
    trail.end(patient.parameters)
    found = landscape(patient, trail.path, trail.steps, resolution=5)
    assert found.ground == "saddle" and found.spectrum.low < 0


# -- corners -----------------------------------------------------------------------------------------------------------


def test_nothing_of_the_users_changes():
    gg.manual_seed(0)
    net = nn.Sequential(pictures(), nn.Dropout(0.5))
    patient = patient_of(net, (gg.randn(4, 2, 4, 4), gg.randn(4, 5)))
    before, state = {k: v.numpy().copy() for k, v in net.state_dict().items()}, gg.get_rng_state()
    start = row(patient.parameters)
    landscape(patient, [start, start * 1.5], resolution=5)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    assert bool((gg.get_rng_state() == state).all())
    assert all(p.grad is None for p in net.parameters())


def test_one_weight_has_a_line():
    found = landscape(patient_at([3.0], lambda w: (w**2).sum()), [[3.0], [2.0], [1.0]], resolution=5)
    assert len(found.plane.up) == 1
    assert found.plane.share == pytest.approx(1)
    np.testing.assert_allclose(found.plane.losses[0], [(1 + a) ** 2 for a in found.plane.across])
    assert [(stop.across, stop.up) for stop in found.path] == [(2, 0), (1, 0), (0, 0)]


def test_a_straight_path_has_a_random_second_direction():
    loss, _ = bowl(np.eye(4))
    found = landscape(patient_at(np.ones(4), loss), [np.ones(4) * k for k in (3.0, 2, 1)], resolution=5)
    assert found.plane.directions == "path and random" and "straight" in found.notes[0]
    assert found.plane.shares == pytest.approx((1, 0))
    corner = found.plane.across[0], found.plane.up[0]  # at a right angle: the distances add up
    at = 2 * ((1 + corner[0]) ** 2 + corner[1] ** 2) + 0.5
    assert found.plane.losses[0][0] == pytest.approx(at)


def test_weights_that_never_moved():
    loss, _ = bowl(np.eye(3))
    found = landscape(patient_at(np.ones(3), loss), [np.ones(3)] * 4, resolution=5)
    assert found.plane.directions == "random" and found.plane.share == 0
    assert "did not move" in found.notes[0]
    assert landscape(patient_at(np.zeros(3), loss), [np.zeros(3)], resolution=3).ground == "minimum"


def test_losses_that_are_not_finite_are_there():
    patient = patient_at((2.0, 2.0), lambda w: w[0].log() ** 2 + w[1].sqrt())
    found = landscape(patient, [np.array([2.0, 0.5]), np.array([1.0, 0.2]), np.array([1.0, 0.1])], resolution=11)
    missing = ~np.isfinite(found.plane.losses)
    assert 0 < missing.sum() < missing.size
    assert f"{missing.sum()} of 121" in found.notes[0]


def test_a_path_that_leaves_the_numbers_ends_before():
    loss, _ = bowl(np.eye(2))
    path = [np.ones(2), np.full(2, 3.0), np.array([np.nan, 1]), np.ones(2)]
    found = landscape(patient_at(np.ones(2), loss), path, [0, 5, 10, 15], resolution=3)
    assert [stop.step for stop in found.path] == [0, 5]
    assert "After 10 steps weights are not finite" in found.notes[0]
    with pytest.raises(ArgumentError, match="from the first"):
        landscape(patient_at(np.ones(2), loss), path[2:], resolution=3)


def test_a_loss_that_is_not_finite_at_the_end_has_no_spectrum():
    found = landscape(patient_at((1.0, 1.0), lambda w: w.log().sum()), [np.ones(2), -np.ones(2)], resolution=5)
    assert found.spectrum is None and found.ground == ""
    assert any("not finite" in note for note in found.notes)


def test_bad_input_is_refused():
    patient = patient_at(np.ones(2), bowl(np.eye(2))[0])
    with pytest.raises(ArgumentError, match="2 numbers"):
        landscape(patient, [np.ones(3)])
    with pytest.raises(ArgumentError, match="2 numbers"):
        landscape(patient, [])
    with pytest.raises(ArgumentError, match="directions"):
        landscape(patient, [np.ones(2)], directions="up")
    with pytest.raises(ArgumentError, match="at least 3"):
        landscape(patient, [np.ones(2)], resolution=2)


def test_a_slow_net_is_looked_at_less_often():
    def slow(w):
        time.sleep(0.004)
        return (w**2).sum()

    patient = patient_at(np.ones(2), slow)
    patient.batches = [*patient.batches] * 5
    began = time.perf_counter()
    found = landscape(patient, [np.ones(2), np.zeros(2)], seconds=1.0)
    assert time.perf_counter() - began < 3
    assert 7 <= len(found.plane.up) < 31 and found.batches == 1
    assert "1 of 5 batches" in found.notes[0]


# -- snapshots ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 7, 59, 60, 61, 1000])
def test_a_trail_is_spread_over_the_run(length):
    net, trail = Point([0.0]), Trail()
    for step in range(length):
        with gg.no_grad():
            net.at.fill_(float(step))
        trail.take(net.parameters())
    with gg.no_grad():
        net.at.fill_(float(length))
    trail.end(net.parameters())
    assert trail.steps[0] == 0 and trail.steps[-1] == length
    assert [float(each[0]) for each in trail.path] == trail.steps
    assert min(length + 1, 30) <= len(trail.path) <= 61
    gaps = np.diff(trail.steps)
    assert len(set(gaps[:-1].tolist())) <= 1 and gaps[-1] <= gaps[0]
