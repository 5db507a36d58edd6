"""What `check` finds of single faults in small nets, that its remedies mend them, and that healthy nets are let be."""

import math

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import check
from glassgrad.doctor.patient import Patient
from glassgrad.errors import ArgumentError, ShapeError

ROWS = 32


def dense(activation=nn.ReLU, depth=2, out=1, width=16):
    layers = [each for _ in range(depth) for each in (nn.Linear(width, width), activation())]
    return nn.Sequential(*layers, nn.Linear(width, out))


def numbers(rows=ROWS):
    return gg.randn(rows, 16), gg.randn(rows, 1)


def classes(rows=ROWS, count=5):
    return gg.randn(rows, 16), gg.randint(0, count, (rows,))


def start(net, draw):
    for p in net.parameters():
        draw(p)
    return net


def sgd(net, lr=0.05):
    return optim.SGD(net.parameters(), lr=lr)


def adam(net, lr=0.01):
    return optim.Adam(net.parameters(), lr=lr)


class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.never = nn.Linear(16, 16), nn.Linear(16, 1), nn.Linear(3, 3)

    def forward(self, x):
        return self.second(self.first(x).relu().detach())


class Of(nn.Module):
    """A layer, and something after it."""

    def __init__(self, after):
        super().__init__()
        self.layer, self.after = nn.Linear(16, 1), after

    def forward(self, x):
        return self.after(self.layer(x))


def wide(p):
    nn.init.normal_(p, std=1.5) if p.ndim > 1 else nn.init.zeros_(p)


def patient(kind):
    """A net, its loss, a batch, an optimizer, of one kind."""
    x, y = numbers()
    mse = nn.MSELoss()
    if kind == "vanishing gradients":
        net = dense(nn.Sigmoid, 8)
        return net, mse, (x, y), sgd(net)
    if kind == "saturated activations":
        net = start(dense(nn.Tanh, 10), wide)
        return net, mse, (x, y), sgd(net)
    if kind == "exploding gradients":
        net = start(dense(nn.ReLU, 10), wide)
        return net, mse, (x, y), sgd(net)
    if kind == "too high a rate":
        net = dense()
        return net, mse, (x, y), sgd(net, 5.0)
    if kind == "too low a rate":
        net = dense()
        return net, mse, (x, y), sgd(net, 1e-7)
    if kind == "softmax before a loss that has one":
        net = nn.Sequential(dense(out=5), nn.Softmax(1))
        return net, nn.CrossEntropyLoss(), classes(), adam(net)
    if kind == "sigmoid before a loss that has one":
        net = nn.Sequential(dense(), nn.Sigmoid())
        return net, nn.BCEWithLogitsLoss(), (x, (y > 0).float()), adam(net)
    if kind == "shapes that broadcast in the loss":
        net = dense()
        return net, lambda said, true: ((said - true) ** 2).mean(), (x, y[:, 0]), adam(net)
    if kind == "zero start":
        net = start(dense(), nn.init.zeros_)
        return net, mse, (x, y), sgd(net)
    if kind == "symmetric start":
        net = start(dense(), lambda p: nn.init.constant_(p, 0.1))
        return net, mse, (x, y), sgd(net)
    if kind == "parameters outside of the optimizer":
        net = dense()
        return net, mse, (x, y), adam(net[2:])
    if kind == "no gradient":
        net = Cut()
        return net, mse, (x, y), sgd(net)
    if kind == "numbers that are not finite":
        net = Of(gg.log)
        return net, mse, (x, y), sgd(net)
    if kind == "evaluation mode":
        net = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1)).eval()
        return net, mse, (x * 3 + 1, y), sgd(net)
    if kind == "unscaled inputs":
        net = dense()
        return net, mse, (x * gg.logspace(0, 3, 16), y), sgd(net)
    raise AssertionError(kind)


FOUND = {
    "vanishing gradients": "sigmoid",
    "saturated activations": "tanh",
    "exploding gradients": "affine",
    "too high a rate": "",
    "too low a rate": "",
    "softmax before a loss that has one": "softmax",
    "sigmoid before a loss that has one": "sigmoid",
    "shapes that broadcast in the loss": "expand",
    "zero start": "",
    "symmetric start": "",
    "parameters outside of the optimizer": "",
    "no gradient": "detach",
    "numbers that are not finite": "log",
    "evaluation mode": "",
    "unscaled inputs": "",
}
"""Every fault, and the operation it begins at."""
BESIDE = ("saturated activations", "exploding gradients")
"""What is seen of weights that are too large, which are said first."""
NO_REMEDY = ("no gradient", "numbers that are not finite")


def plain(tensors):
    return [t.detach().numpy().copy() for t in tensors]


@pytest.mark.parametrize("fault", FOUND)
def test_a_fault_is_found_where_it_is_and_its_remedy_mends_it(fault):
    net, loss, batch, optimizer = patient(fault)
    before, drawn = plain(net.parameters()), gg.get_rng_state()
    d = check(net, loss, batch, optimizer=optimizer, steps=100)
    found = next(each for each in d.findings if each.fault == fault)
    assert found is d.findings[0] or (fault in BESIDE and d.findings[0].fault == "too large a start")
    assert found.where.op == FOUND[fault]
    assert all(np.array_equal(a, b) for a, b in zip(before, plain(net.parameters()), strict=True)), "nothing changes"
    assert gg.equal(drawn, gg.get_rng_state())
    assert not optimizer.state
    if fault in NO_REMEDY:
        assert not found.remedy
        assert found.proof is None
        return
    assert found.remedy
    assert found.proof.holds
    mended = d.apply(found)
    assert mended.model is not net
    again = check(mended.model, mended.loss, mended.batches, optimizer=mended.optimizer, steps=100)
    if "clip" not in found.remedy:  # which leaves the gradient as it is, and takes smaller steps
        assert fault not in [each.fault for each in again.findings]


HEALTHY = {
    "dense": lambda: (dense(), nn.MSELoss(), numbers(), sgd),
    "tanh": lambda: (dense(nn.Tanh, 4), nn.MSELoss(), numbers(), sgd),
    "classes": lambda: (dense(out=5), nn.CrossEntropyLoss(), classes(), adam),
    "sigmoid with its own loss": lambda: (
        nn.Sequential(dense(), nn.Sigmoid()), nn.BCELoss(), (gg.randn(ROWS, 16), gg.rand(ROWS, 1).round()), adam,
    ),
    "batch norm, dropout": lambda: (
        nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 5)),
        nn.CrossEntropyLoss(), classes(), adam,
    ),
    "convolutions": lambda: (
        nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 5)),
        nn.CrossEntropyLoss(), (gg.randn(ROWS, 1, 8, 8), gg.randint(0, 5, (ROWS,))), adam,
    ),
    "the last layer begins with zeros": lambda: (
        nn.Sequential(*dense()[:-1], start(nn.Linear(16, 1), nn.init.zeros_)), nn.MSELoss(), numbers(), sgd,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_net_is_let_be(name):
    net, loss, batch, rule = HEALTHY[name]()
    d = check(net, loss, batch, optimizer=rule(net), steps=100)
    print(d)
    assert not d.findings


def test_the_articles_xor_program_stands_on_a_saddle_and_a_higher_rate_leaves_it():
    x = gg.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = gg.tensor([[0.0], [1], [1], [0]])
    for seed in range(3):
        gg.manual_seed(seed)
        net = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1))
        start(net, lambda p: nn.init.normal_(p, std=0.1) if p.ndim > 1 else nn.init.zeros_(p))
        d = check(net, nn.BCEWithLogitsLoss(), (x, y), optimizer=sgd(net, 0.1), steps=400)
        (found,) = d.findings
        assert "saddle" in found.symptom
        assert dict(found.evidence)["least curvature"] < 0
        mended = d.apply(found)
        mended.train(2000)
        assert bool(((mended.model(x) > 0).float() == y).all())


def test_the_first_number_that_is_none_is_named_with_its_entry():
    x, y = numbers()
    x[3, 2] = math.nan
    (found,) = check(dense(), nn.MSELoss(), (x, y)).findings
    assert found.where.entry == (3, 2)
    net = Of(lambda x: (x - x).sqrt())
    (found,) = check(net, nn.MSELoss(), numbers()).findings
    assert (found.where.op, found.where.entry) == ("sqrt", (0, 0))
    assert "no finite slope" in found.cause
    assert "test_check.py" in found.where.line


def test_bad_input_is_refused():
    x, y = numbers()
    with pytest.raises(ArgumentError, match="inputs and targets"):
        check(dense(), nn.MSELoss(), (x,))
    with pytest.raises(ShapeError, match="one number"):
        check(dense(), nn.MSELoss(reduction="none"), (x, y))
    net = dense()
    d = check(net, nn.MSELoss(), (x, y), optimizer=sgd(net, 5.0))
    with pytest.raises(ArgumentError, match="no remedy"):
        d.apply(check(Cut(), nn.MSELoss(), (x, y)).findings[0])


@pytest.mark.parametrize("trained", [False, True])
def test_a_head_alone_in_the_optimizer_is_a_note_if_the_body_was_trained(trained):
    gg.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3))
    x = gg.randn(128, 4)
    t = (x[:, 0] > 0).long() + (x[:, 1] * x[:, 2] > 0).long()
    loss = nn.CrossEntropyLoss()
    if trained:
        Patient(net, loss, optim.Adam(net.parameters(), lr=0.01), [(x, t)]).train(200)

    def weights(held):
        found = check(net, loss, (x, t), optimizer=optim.Adam(held, lr=0.01), steps=30).findings
        return [each.weight for each in found if each.fault == "parameters outside of the optimizer"]

    assert weights(net[4].parameters()) == ["note" if trained else "fault"]
    assert weights([net[4].weight]) == ["fault"]  # one of a layer is forgotten
    assert weights([*net[0].parameters(), *net[2].parameters()]) == ["fault"]  # the last layer was replaced
