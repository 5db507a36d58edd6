"""What is measured goes on from what was recorded: the same bits, nothing of the user's changed, memory by hand."""

import time

import numpy as np
import pytest
from tests.own import cube

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.autograd import grad
from glassgrad.costs import cost_of, measure
from glassgrad.costs.measure import Measured, best, differences
from glassgrad.costs.recorded import Forward


def bits(tensors):
    return [np.asarray(x.detach().numpy()).tobytes() for x in tensors]


class Partly(nn.Module):
    """Some of it without gradients: a target network, a detached mean, a choice."""

    def __init__(self):
        super().__init__()
        self.net, self.target = nn.Linear(5, 5), nn.Linear(5, 5)

    def forward(self, x):
        y = self.net(x).tanh()
        with gg.no_grad():
            target = self.target(y) * 2
        mean = y.mean().detach()
        return gg.where(y > mean, y * target, y - mean) + self.target(y)


class Slopes(nn.Module):
    """With a gradient within: a penalty."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 5)

    def forward(self, x):
        x = x.detach().requires_grad_()
        y = self.net(x).sigmoid()
        (slope,) = grad(y.sum(), x, create_graph=True)
        return y + slope * slope


class First(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(7, 3)

    def forward(self, x):
        return self.table((x * 2).long() % 7) * 2.0


NETS = {
    "dropout": ((4, 5), lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Dropout(0.5), nn.Linear(7, 2))),
    "batch norm": ((6, 5), lambda: nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.ReLU(inplace=True))),
    "convolutions": ((2, 3, 8, 8), lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2))),
    "transformer": ((2, 5, 8), lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)),
    "recurrent": ((3, 4, 6), lambda: First(nn.LSTM(6, 5))),
    "embedding": ((3, 4), Embedded),
    "partly": ((4, 5), Partly),
    "slopes": ((4, 5), Slopes),
}


def recorded(name):
    gg.manual_seed(4)
    shape, make = NETS[name]
    net, x = make(), gg.randn(*shape)
    with gg.record() as tape:
        loss = (net(x) ** 2).mean()
        loss.backward()
    return net, loss, tape


@pytest.mark.parametrize("name", NETS)
def test_what_is_measured_is_what_was_recorded(name):
    net, loss, tape = recorded(name)
    forward = Forward(tape)
    given = forward.tensors()
    wanted = [given[number] for number in forward.wanted]
    for parts in ((), (range(1, len(forward.steps) // 2),)):
        again = forward.run(given, parts)
        assert bits([again]) == bits([loss])
        found = dict(zip([forward.names[n] for n in forward.wanted], bits(grad(again, wanted)), strict=True))
        ours = {n: np.asarray(p.grad.numpy()).tobytes() for n, p in net.named_parameters() if p.grad is not None}
        assert ours.items() <= found.items()
    with gg.no_grad():
        assert bits([forward.run(given)]) == bits([loss])
    assert all(cell is None or cell.grad is None or cell in set(net.parameters()) for cell in forward.cells)


@pytest.mark.parametrize("name", NETS)
def test_it_can_be_compiled(name):
    _, loss, tape = recorded(name)
    run = Measured(Forward(tape), [], 1)
    (value, *found), expected = run.compiled(run.gradient)(), run.gradient()[1:]
    assert value.item() == pytest.approx(loss.item(), rel=1e-5)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-3, atol=1e-5)
    assert not run.notes


def shown(rule):
    return {id(p): {key: value.tolist() for key, value in state.items()} for p, state in rule.state.items()}


def slopes(net):
    return [None if p.grad is None else p.grad.tolist() for p in net.parameters()]


def test_nothing_of_the_users_is_changed():
    net = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3))
    rule = optim.Adam(net.parameters(), lr=0.1)
    x, y = gg.randn(8, 6), gg.zeros(8, dtype=gg.int64)
    for warm in (False, True):
        if warm:
            nn.functional.cross_entropy(net(x), y).backward()
            rule.step()
        state = shown(rule)
        weights, gradients = bits(net.parameters()), slopes(net)
        tracked = net[1].num_batches_tracked.item()
        made = gg.cost(net, x, y, loss=nn.CrossEntropyLoss(), optimizer=rule)
        assert bits(net.parameters()) == weights
        assert slopes(net) == gradients
        assert shown(rule) == state
        assert net[1].num_batches_tracked.item() == tracked + 1, "it is called once, as in training"
        assert made.update.operations > 10 * made.entries
        assert made.memory.update > 0
        assert made.compiled.step > 0 and made.memory.step_arena >= 0
    assert made.entries == sum(p.numel() for p in net.parameters())
    assert (made.parameters, made.bytes) == (6, 4 * made.entries)


def test_memory_by_hand():
    rows, width = 2048, 64
    value = 4 * rows * width
    net = nn.Sequential(*[nn.Sequential(nn.Linear(width, width, bias=False), nn.Tanh()) for _ in range(4)])
    found = gg.cost(lambda x: net(x).sum(), gg.randn(rows, width)).memory
    assert 8 * value <= found.held <= 8.5 * value, "what each product and each tanh gave"
    assert 8 * value <= found.forward <= 8.5 * value
    gradients = 4 * 4 * width * width
    assert 8 * value <= found.backward <= 12 * value + gradients
    assert 4 * value <= found.arena <= 7 * value, "compiled, the products need not be kept"
    assert found.update is None and found.step_arena is None

    @gg.compile
    def step(x):
        loss = net(x).sum()
        return loss.detach(), *grad(loss, list(net.parameters()))

    for _ in range(2):
        step(gg.randn(rows, width))
    assert found.arena == step.report().arena


def test_the_best_of_several_runs(monkeypatch):
    monkeypatch.setattr(measure, "LEAST", 10)
    quick, slow = best(lambda: time.sleep(0.001), lambda: time.sleep(0.02))
    assert 0.001 <= quick < 0.02 <= slow


# -- differences ------------------------------------------------------------------------------------------------------


def by_differences(function, *leaves):
    with gg.record() as tape:
        function(*leaves).backward()
    run = Measured(Forward(tape), [], 1)
    return differences(run, run.loss, False), run


def test_differences_agree_where_they_must():
    w = gg.tensor(np.random.default_rng(0).normal(size=(5, 3)), requires_grad=True)
    b = gg.tensor(np.random.default_rng(1).normal(size=3), requires_grad=True)
    x = gg.tensor(np.random.default_rng(2).normal(size=(4, 5)))
    found, run = by_differences(lambda w, b: ((x @ w + b).tanh() ** 2).sum(), w, b)
    assert (found.entries, found.sampled, found.dtype) == (18, 18, "float64")
    assert found.error < 1e-8 and found.worst < 1e-8
    assert found.seconds == 36 * found.evaluation > 0
    assert bits(run.parameters) == bits([run.pass_.tensors()[n] for n in run.pass_.wanted]), "entries are put back"


def test_only_a_sample_is_measured(monkeypatch):
    w = gg.ones(1000, requires_grad=True, dtype=gg.float64)
    found, _ = by_differences(lambda w: (w * w).sum(), w)
    assert (found.entries, found.sampled) == (1000, measure.SAMPLED)
    assert found.seconds == 2000 * found.evaluation
    monkeypatch.setattr(measure, "PATIENCE", 0.0)
    assert by_differences(lambda w: (w * w).sum(), w)[0].sampled == 2


def test_differences_tell_a_wrong_gradient():
    w = gg.tensor([1.0, 2.0, 3.0], requires_grad=True, dtype=gg.float64)
    found, _ = by_differences(lambda w: (w * w.detach()).sum(), w)
    assert found.error == pytest.approx(1.0), "half of the slope is missing"


def test_single_precision_is_told_as_it_is():
    w = gg.randn(500).requires_grad_()
    single, _ = by_differences(lambda w: (w.sin() * 3).sum() / 7, w)
    double, _ = by_differences(lambda w: (w.sin() * 3).sum() / 7, w.double().detach().requires_grad_())
    assert double.error < 1e-8
    assert 1e-6 < single.error < 0.1


# -- what cannot be measured ------------------------------------------------------------------------------------------


def test_an_operation_of_ones_own_is_noted():
    w = gg.ones(5, requires_grad=True)
    made = gg.cost(lambda x: cube(gg).apply(x * w).sum(), gg.ones(5))
    assert made.differences is None
    assert "Cube" in made.notes[0]
    assert made.forward.operations == 5 + 10 + 5 and made.backward.operations >= 15


def test_what_cannot_be_compiled_is_measured_all_the_same(monkeypatch):
    monkeypatch.setattr(Measured, "compiled", lambda self, function: self.notes.append("It cannot be compiled: so"))
    made = gg.cost(lambda w: (w * w).sum(), gg.ones(3).requires_grad_())
    assert made.compiled is None and made.memory.arena is None and not made.differences.compiled
    assert "It cannot be compiled" in str(made) and "op after op" in str(made)


def test_an_optimizer_of_more_than_the_loss_was_computed_from():
    w, other = gg.ones(3, requires_grad=True), gg.ones(3, requires_grad=True)
    rule = optim.SGD([w, other], lr=0.1)
    with gg.record() as tape:
        (w * w).sum().backward()
        rule.step()
    made = cost_of(tape)
    assert made.memory.update > 0 and made.compiled.step > 0
    assert made.update.operations == 6
    assert other.tolist() == [1, 1, 1]
    made = cost_of(tape, optimizers=[optim.SGD([other], lr=0.1)])
    assert made.memory.update is None and made.compiled.step is None
