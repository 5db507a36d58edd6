"""Gradients that vanish through time in nets that learn, and activations that are rightly sure, are let be."""

import pytest
from tests.doctor.asked import ask, patient, silent
from tests.doctor.nets import adam, faults

import glassgrad as gg
from glassgrad import nn
from glassgrad.doctor import check

VANISHING, SATURATED = "vanishing gradients", "saturated activations"
F = nn.functional


@pytest.fixture(autouse=True)
def seeded():
    gg.manual_seed(1)


class Remembers(nn.Module):
    def __init__(self, kind=nn.LSTM):
        super().__init__()
        self.reader, self.head = kind(4, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x):
        return self.head(self.reader(x)[0][:, -1])


def sequences(steps, wanted):
    x = gg.randn(32, steps, 4)
    return x, (x[:, wanted, :1] + 0.5 * x[:, wanted, 1:2]).detach()


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_net_that_learns_from_the_last_steps_of_a_sequence(kind):
    net = Remembers(kind)
    silent(patient(net, F.mse_loss, sequences(20, -1), adam(net, 0.02)), VANISHING)


def test_depth_in_time_and_a_head_that_lets_nothing_through():
    net = Remembers()
    net.head = nn.Sequential(*[each for _ in range(8) for each in (nn.Linear(16, 16), nn.Sigmoid())], net.head)
    (found,) = ask(VANISHING, patient(net, F.mse_loss, sequences(12, -1), adam(net, 0.01)))
    assert found.proof.holds


def classifier(after, width=16):
    net = nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1), after)
    x = gg.randn(64, 4)
    return net, x, (x[:, :1] > 0).float()


def trained(net, x, y, loss, steps=300):
    optimizer = adam(net, 0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()
    return optimizer


def test_a_trained_classifier_is_sure_of_its_answers():
    net, x, y = classifier(nn.Sigmoid())
    optimizer = trained(net, x, y, F.binary_cross_entropy)
    assert F.binary_cross_entropy(net(x), y).item() < 0.01
    assert not faults(check(net, F.binary_cross_entropy, (x, y), optimizer=optimizer, steps=40))


def test_answers_that_are_sure_and_wrong():
    net, x, y = classifier(nn.Sigmoid())
    with gg.no_grad():
        net[2].weight *= 100
    (found,) = ask(SATURATED, patient(net, F.binary_cross_entropy, (x, y)))
    assert (found.where.op, found.where.module) == ("sigmoid", "3")


def test_layers_that_are_flat_where_the_loss_is_low():
    net, x, y = classifier(nn.Identity())
    trained(net, x, y, F.mse_loss)
    with gg.no_grad():
        net[0].weight *= 200
        net[0].bias *= 200
    trained(net[2], net[1](net[0](x)).detach(), y, F.mse_loss)
    given = patient(net, F.mse_loss, (x, y))
    assert F.mse_loss(net(x), y).item() < 0.02
    silent(given, SATURATED)
    net[2].reset_parameters()
    with gg.no_grad():
        net[2].weight *= 10
    (found,) = ask(SATURATED, given)
    assert found.where.module == "1"


def test_what_explains_symptoms_of_saturation():
    """Equal units that are saturated are said to be equal, and once."""
    net, x, y = classifier(nn.Identity())
    nn.init.constant_(net[0].weight, 20.0)
    nn.init.zeros_(net[0].bias)
    nn.init.constant_(net[2].weight, 0.1)
    assert faults(check(net, F.mse_loss, (x, y), optimizer=adam(net), steps=40)) == ["symmetric start"]
