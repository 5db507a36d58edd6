"""Where a training stands that does not move on: saddles, minima, flats; and plateaus that are none of these."""

import pytest
from tests.doctor.trained import NETS, RULES, rows

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import check
from glassgrad.doctor.patient import Patient
from glassgrad.doctor.probe import Probe
from glassgrad.doctor.rules.places import flat, ground


class Surface(nn.Module):
    """The loss is a function of two numbers, the same for every row."""

    def __init__(self, value, at):
        super().__init__()
        self.w, self.value = nn.Parameter(gg.tensor(at, dtype=gg.float64)), value

    def forward(self, x):
        return self.value(*self.w) + x.mean() * self.w.sum()


def on(value, at):
    """The rows pull by 1 and -1 along both numbers, so that they cancel."""
    model = Surface(value, at)
    x = gg.tensor([1.0, -1.0]).double().repeat(8)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    return Patient(model, lambda said, _: said, optimizer, [(x, x)])


@pytest.mark.parametrize(
    ("value", "kind", "low", "high"),
    [
        (lambda a, b: a**2 - b**2 + 3, "a saddle", -2, 2),
        (lambda a, b: a**2 + 2 * b**2 + 3, "a minimum", 2, 4),
        (lambda a, b: a**2 + 0 * b + 3, "a flat", 0, 2),
    ],
)
def test_the_ground_is_what_the_curvatures_say(value, kind, low, high):
    found = ground(on(value, [0.0, 0.0]))
    assert found.kind == kind
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high))
    assert found.gradient == pytest.approx(0, abs=1e-12)


def test_gradients_that_cancel_are_told_from_those_that_agree():
    here, away = (ground(on(lambda a, b: a**2 + b**2 + 3, at)) for at in ([0.0, 0.0], [1.0, 1.0]))
    assert away.gradient == pytest.approx(8**0.5)
    assert not away.cancels
    assert not away.weak
    assert here.weak


def suspicions(net, batch, optimizer, loss, steps=60):
    return list(flat(Probe(Patient(net, loss, optimizer, [batch]), steps)))


@pytest.mark.parametrize("net", NETS)
def test_a_classifier_of_random_labels_is_on_no_saddle(net):
    """At first it stays at ln C, since nothing is to be learned of the inputs but by heart."""
    gg.manual_seed(0)
    x, _ = rows(net)
    model = NETS[net]()
    optimizer = RULES["sgd"](model.parameters(), 0.1)
    assert not suspicions(model, (x, gg.randint(0, 4, (len(x),))), optimizer, nn.CrossEntropyLoss())


def test_a_minimum_that_is_as_low_as_it_can_be_is_none_to_tell_of():
    gg.manual_seed(0)
    x = gg.randn(64, 2)
    y = x.sum(1, keepdim=True) + gg.randn(64, 1)
    net = nn.Linear(2, 1, bias=False)
    optimizer = optim.SGD(net.parameters(), lr=0.3)
    patient = Patient(net, nn.MSELoss(), optimizer, [(x, y)])
    patient.train(300)
    here = ground(patient)
    assert here.cancels
    assert here.kind == "a minimum"
    assert not check(net, nn.MSELoss(), (x, y), optimizer=optimizer, steps=60).findings


@pytest.mark.parametrize("bias", [-12.0, -20.0])
def test_a_sigmoid_that_begins_flat_under_a_square_is_a_flat_place(bias):
    gg.manual_seed(0)
    net = NETS["mlp"]()
    nn.init.constant_(net[4].bias, bias)
    x, y = rows("mlp")
    target = nn.functional.one_hot(y, 4).float()
    loss = lambda said, true: nn.functional.mse_loss(said.sigmoid(), true)  # noqa: E731
    (found,) = suspicions(net, (x, target), optim.SGD(net.parameters(), lr=0.5), loss)
    assert "no row pulls" in found.cause
    assert found.remedies


def test_what_the_users_own_loop_has_learned_stands_on_no_flat():
    from benchmarks.doctor.xor import program

    from glassgrad.doctor.loop import Loop
    from glassgrad.recipes.article import X, Y

    net, optimizer = program(0)
    loss = nn.BCEWithLogitsLoss()
    stuck = Patient(net, loss, optimizer, [(X, Y)])
    assert list(flat(Probe(stuck, 100)))
    learned = Patient(net, loss, optimizer, [(X, Y)], loop=Loop(losses=[0.7 * 0.99**n for n in range(500)]))
    assert not list(flat(Probe(learned, 100)))
