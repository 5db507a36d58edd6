"""`check` changes nothing of the user's: weights and gradients that a loss sees, batches, hooks, random numbers."""

import copy
import functools
import random

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import check
from glassgrad.doctor.copies import Copies
from glassgrad.doctor.patient import Patient

F = nn.functional
NET = None
"""A net that a loss sees under a global name."""


def net():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def batch():
    x = gg.randn(32, 4)
    return x, x[:, :1] * 0.5 + x[:, 1:2]


def sgd(model, lr=0.1):
    return optim.SGD(model.parameters(), lr=lr)


def decay(model):
    return sum((w**2).sum() for w in model.parameters())


class Trainer:
    def __init__(self, model):
        self.model, self.seen = model, []

    def loss(self, said, true):
        return F.mse_loss(said, true) + 0.1 * decay(self.model)


def global_penalty():
    return decay(NET)


def by_closure(model):
    return lambda said, true: F.mse_loss(said, true) + 0.1 * decay(model)


def by_list(model):
    cells = list(model.parameters())
    return lambda said, true: F.mse_loss(said, true) + 0.1 * sum((w**2).sum() for w in cells)


def by_inner_function(model):
    def penalty():
        return decay(model)

    return lambda said, true: F.mse_loss(said, true) + 0.1 * penalty()


def by_default(model):
    return lambda said, true, of=model: F.mse_loss(said, true) + 0.1 * decay(of)


def by_partial(model):
    def loss(of, said, true):
        return F.mse_loss(said, true) + 0.1 * decay(of)

    return functools.partial(loss, model)


def by_method(model):
    return Trainer(model).loss


def by_global_name(model):
    global NET  # noqa: PLW0603 - what a notebook does
    NET = model
    return lambda said, true: F.mse_loss(said, true) + 0.1 * global_penalty()


LOSSES = [by_closure, by_list, by_inner_function, by_default, by_partial, by_method, by_global_name]


@pytest.mark.parametrize("made", LOSSES)
def test_a_loss_that_sees_the_model_sees_the_one_that_is_trained(made):
    """Ten steps on a copy end where the user's own ten steps do, and leave the user's gradients alone."""
    model, (x, y) = net(), batch()
    loss, other = made(model), copy.deepcopy(model)
    patient = Patient(model, loss, sgd(model), [(x, y)])
    tried = patient.copy()
    losses = tried.train(10)
    assert all(p.grad is None for p in model.parameters())
    again, rule = by_closure(other), sgd(other)
    for expected in losses[:-1]:
        rule.zero_grad()
        found = again(other(x), y)
        found.backward()
        rule.step()
        assert found.item() == pytest.approx(expected, rel=1e-5)
    later = tried.copy()
    later.step((x, y))
    assert tried.value((x, y)).item() == pytest.approx(again(other(x), y).item(), rel=1e-5), "a copy of a copy"
    check(model, loss, (x, y), optimizer=sgd(model), steps=10)
    assert all(p.grad is None for p in model.parameters())


def test_a_loss_that_runs_the_model_itself_has_gradients():
    model, (x, y) = net(), batch()
    d = check(model, lambda _, true: F.mse_loss(model(x), true), (x, y), optimizer=sgd(model), steps=30)
    assert not d.findings


def test_functions_that_see_nothing_of_a_model_are_not_copied():
    rate = 3.0
    copies = Copies()
    for function in (lambda a, b: rate * F.mse_loss(a, b), F.mse_loss, functools.partial(F.mse_loss, reduction="sum")):
        assert copies.of(function) is function


def test_a_function_that_sees_itself_is_copied():
    model = net()

    def loss(said, true, depth=1):
        return loss(said, true, depth - 1) if depth else F.mse_loss(said, true) + decay(model)

    copies = Copies()
    made = copies.of(loss)
    x, y = batch()
    made(copies.of(model)(x), y).backward()
    assert all(p.grad is None for p in model.parameters())


def test_batches_stay_as_they_are():
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 1))
    x, y = batch()
    before = x.numpy().copy()
    d = check(model, F.mse_loss, (x, y), optimizer=sgd(model), steps=10)
    assert np.array_equal(x.numpy(), before)
    assert np.array_equal(d.patient.batches[0][0].numpy(), before), "no step is given what another one made"
    x.requires_grad_()
    check(net(), F.mse_loss, (x, y), steps=10)
    assert x.grad is None


def test_a_model_that_differentiates_by_its_inputs_can():
    class Slope(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            with gg.enable_grad():
                (g,) = gg.autograd.grad(self.net(x).sum(), [x], create_graph=True)
            return g.sum(1, keepdim=True)

    x, y = batch()
    assert check(Slope(), F.mse_loss, (x.requires_grad_(), y), steps=10).patient


def test_hooks_of_the_users_are_not_called_and_stay():
    model, seen = net(), []
    model[0].register_forward_hook(lambda *_: seen.append(1))
    model.register_forward_pre_hook(functools.partial(lambda *_: seen.append(1)))
    check(model, F.mse_loss, batch(), optimizer=sgd(model), steps=10)
    assert not seen
    model(batch()[0])
    assert len(seen) == 2


def test_random_numbers_of_numpy_and_of_python_go_on_where_they_were():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            noise = np.random.randn(*x.shape).astype(np.float32)
            return self.net(x + 0.01 * random.random() * gg.tensor(noise))

    np.random.seed(0)
    random.seed(0)
    model, given = Noisy(), batch()
    before, pythons = np.random.get_state(), random.getstate()
    d = check(model, F.mse_loss, given, optimizer=sgd(model), steps=10)
    assert np.array_equal(before[1], np.random.get_state()[1])
    assert before[2] == np.random.get_state()[2]
    assert random.getstate() == pythons
    again = check(model, F.mse_loss, given, optimizer=sgd(model), steps=10)
    assert again.report.losses == d.report.losses


def test_the_mode_of_the_user_does_not_matter():
    model = net()
    with gg.no_grad():
        d = check(model, F.mse_loss, batch(), optimizer=sgd(model), steps=30)
        assert not gg.is_grad_enabled()
    assert not d.findings


def test_a_model_that_keeps_its_last_output_can_be_copied():
    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            self.last = [self.net(x)]
            return self.last[0]

    model, (x, y) = Keeps(), batch()
    F.mse_loss(model(x), y).backward()
    held = model.last[0]
    assert not check(model, F.mse_loss, (x, y), optimizer=sgd(model), steps=30).findings
    assert model.last[0] is held
