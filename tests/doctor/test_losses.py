"""Softmax and sigmoid once too often, once too seldom, over the wrong axis; and losses that have what they take."""

import math

import numpy as np
import pytest
from tests.doctor.asked import ask, patient, silent
from tests.doctor.nets import End, Tokens

import glassgrad as gg
from glassgrad import nn
from glassgrad.doctor.script import examine
from glassgrad.nn import functional as F

SOFTMAX, SIGMOID = "softmax before a loss that has one", "sigmoid before a loss that has one"
ROWS = 24


def make(kind, out, labels=None):
    """A net with its inputs and labels."""
    if kind == "transformer":
        tokens = gg.randint(0, out, (ROWS, 7))
        return Tokens(out, 16, out), tokens, (tokens + 1) % out
    labels = gg.arange(ROWS) % out
    if kind == "mlp":
        net, x = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, out)), gg.randn(ROWS, 8)
    elif kind == "cnn":
        net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, out))
        x = gg.rand(ROWS, 1, 6, 6)
    else:
        net, x = End(6, out), gg.randn(ROWS, 5, 6)
    x = x + labels.float().reshape(-1, *[1] * (x.ndim - 1)) / out
    return net, x, labels


def cross_entropy(y, t):
    """Of any net here: that of each token, if it says something of each."""
    return F.cross_entropy(y.flatten(0, -2), t.flatten())


KINDS = ["mlp", "cnn", "lstm", "transformer"]


@pytest.mark.parametrize("count", [2, 10])
@pytest.mark.parametrize("kind", KINDS)
def test_a_softmax_before_a_cross_entropy_leaves_a_least_loss_and_is_left_out(kind, count):
    net, x, t = make(kind, count)
    (found,) = ask(SOFTMAX, patient(nn.Sequential(net, nn.Softmax(-1)), cross_entropy, (x, t)))
    # the right class has probability 1, the others 0: softmax of that is e / (e + C - 1)
    assert found.evidence["least loss there can be"] == pytest.approx(-math.log(math.e / (math.e + count - 1)))
    assert (found.where.op, found.where.module) == ("softmax", "1")
    assert found.proof.holds
    assert float(found.mended.value((x, t)).item()) == pytest.approx(float(cross_entropy(net(x), t).item()))
    silent(found.mended, SOFTMAX)


@pytest.mark.parametrize("kind", KINDS)
def test_a_softmax_in_forward_is_named_by_its_line(kind):
    class Soft(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x).softmax(-1)

    net, x, t = make(kind, 5)
    (found,) = ask(SOFTMAX, patient(Soft(net), cross_entropy, (x, t)))
    assert found.where.op == "softmax"
    assert "test_losses.py" in found.where.line
    assert "in forward" in found.where.line
    assert found.proof.holds
    assert float(found.mended.value((x, t)).item()) == pytest.approx(float(cross_entropy(net(x), t).item()), rel=1e-4)


@pytest.mark.parametrize("count", [3, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_a_softmax_in_the_line_of_the_loss(kind, count):
    net, x, t = make(kind, count)
    (found,) = ask(SOFTMAX, patient(net, lambda y, t: cross_entropy(y.softmax(-1), t), (x, t)))
    assert found.where.op == "softmax"
    assert found.evidence["least loss there can be"] == pytest.approx(math.log(math.e + count - 1) - 1)
    assert found.proof.holds


@pytest.mark.parametrize("kind", ["mlp", "cnn", "lstm"])
@pytest.mark.parametrize("place", ["model", "loss"])
def test_a_softmax_over_the_rows(kind, place):
    net, x, t = make(kind, 5)
    loss = nn.CrossEntropyLoss()
    if place == "model":
        given = patient(nn.Sequential(net, nn.Softmax(0)), loss, (x, t))
    else:
        given = patient(net, lambda y, t: loss(y.softmax(0), t), (x, t))
    (found,) = ask(SOFTMAX, given)
    assert "axis 0, the rows" in found.suspicion.symptom
    assert found.where.op == "softmax"
    assert found.proof.holds


@pytest.mark.parametrize("kind", ["mlp", "cnn", "lstm"])
def test_logarithms_over_the_rows_and_probabilities_and_scores_for_a_loss_that_only_picks(kind):
    net, x, t = make(kind, 5)
    pick = nn.NLLLoss()
    for made, said in (
        (nn.LogSoftmax(0), "axis 0"),
        (nn.Softmax(1), "is given probabilities"),
        (nn.Identity(), "scores"),
    ):
        (found,) = ask(SOFTMAX, patient(nn.Sequential(net, made), pick, (x, t)))
        assert said in found.suspicion.symptom
    assert found.proof.holds
    rows = float(gg.exp(net(x)).sum(1).max().item())
    assert found.evidence["probabilities of a row, summed"] == pytest.approx(rows, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_healthy_losses_of_classes(kind):
    net, x, t = make(kind, 5)
    truth = F.one_hot(t, 5).float()
    # log_softmax of log_softmax is log_softmax: once more does no harm
    silent(patient(nn.Sequential(net, nn.LogSoftmax(-1)), cross_entropy, (x, t)), SOFTMAX, SIGMOID)
    silent(patient(net, cross_entropy, (x, t)), SOFTMAX, SIGMOID)
    silent(patient(net, nn.CrossEntropyLoss(label_smoothing=0.1), (x, t)) if kind != "transformer" else
           patient(net, lambda y, t: cross_entropy(y, t) + 0.1, (x, t)), SOFTMAX, SIGMOID)  # fmt: skip
    pick = nn.Sequential(net, nn.LogSoftmax(-1))
    silent(patient(pick, lambda y, t: F.nll_loss(y.flatten(0, -2), t.flatten()), (x, t)), SOFTMAX, SIGMOID)
    soft = nn.Sequential(net, nn.Softmax(-1))
    silent(patient(soft, lambda y, t: -(t * y.log()).sum(-1).mean(), (x, truth)), SOFTMAX, SIGMOID)
    silent(patient(soft, nn.MSELoss(), (x, truth)), SOFTMAX, SIGMOID)
    silent(patient(net, nn.BCEWithLogitsLoss(), (x, truth)), SOFTMAX, SIGMOID)
    yes = nn.Sequential(net, nn.Sigmoid())
    silent(patient(yes, nn.BCELoss(), (x, truth)), SOFTMAX, SIGMOID)
    silent(patient(yes, nn.MSELoss(), (x, truth)), SOFTMAX, SIGMOID)
    silent(patient(yes, nn.L1Loss(), (x, truth)), SOFTMAX, SIGMOID)


@pytest.mark.parametrize("where", ["model", "forward", "loss"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_sigmoid_before_logits(kind, where):
    net, x, t = make(kind, 2)
    t = F.one_hot(t, 2).float()[..., :1]
    net.head = nn.Linear(net.head.in_features, 1) if hasattr(net, "head") else None
    if net.head is None:
        del net.head
        net = nn.Sequential(net, nn.Linear(2, 1))
    loss = nn.BCEWithLogitsLoss()

    class Squashed(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net

        def forward(self, x):
            return self.inner(x).sigmoid()

    given = {
        "model": lambda: patient(nn.Sequential(net, nn.Sigmoid()), loss, (x, t)),
        "forward": lambda: patient(Squashed(), loss, (x, t)),
        "loss": lambda: patient(net, lambda y, t: loss(y.sigmoid(), t), (x, t)),
    }[where]()
    (found,) = ask(SIGMOID, given, steps=80)
    assert found.where.op == "sigmoid"
    ones = float(t.mean().item())  # a 1 costs -log sigmoid(1), a 0 costs -log sigmoid(-0) = log 2
    least = ones * -math.log(1 / (1 + math.exp(-1))) + (1 - ones) * math.log(2)
    assert found.evidence["least loss there can be"] == pytest.approx(least, rel=1e-5)
    assert found.proof.holds
    assert float(found.mended.value((x, t)).item()) == pytest.approx(float(loss(net(x), t).item()), rel=1e-4)
    silent(found.mended, SIGMOID)


@pytest.mark.parametrize("count", [2, 6])
def test_sigmoids_before_a_cross_entropy(count):
    net, x, t = make("mlp", count)
    (found,) = ask(SIGMOID, patient(nn.Sequential(net, nn.Sigmoid()), nn.CrossEntropyLoss(), (x, t)))
    assert found.evidence["least loss there can be"] == pytest.approx(math.log(math.e + count - 1) - 1)
    assert found.proof.holds


def test_a_sum_of_losses_is_asked_as_well_as_a_mean():
    net, x, t = make("mlp", 4)
    total = nn.CrossEntropyLoss(reduction="sum")
    assert ask(SOFTMAX, patient(nn.Sequential(net, nn.Softmax(1)), total, (x, t)))
    assert ask(SOFTMAX, patient(net, lambda y, t: total(y.softmax(1), t), (x, t)))
    yes = (t[:, None] > 1).float()
    assert ask(SIGMOID, patient(nn.Sequential(net, nn.Linear(4, 1), nn.Sigmoid()),
                                nn.BCEWithLogitsLoss(reduction="sum"), (x, yes)))  # fmt: skip


def test_the_least_loss_is_where_training_ends_with_a_softmax_too_many():
    """What the rule says is tried: scores without end, and a cross entropy that stops at the number it names."""
    scores = np.full((1, 4), -1e3)
    scores[0, 2] = 1e3
    y = gg.tensor(scores).softmax(1)
    assert F.cross_entropy(y, gg.tensor([2])).item() == pytest.approx(math.log1p(3 / math.e))


@pytest.mark.parametrize("kind", KINDS)
def test_a_sigmoid_before_another_shape(kind):
    net, x, t = make(kind, 2)
    flat = nn.Sequential(net, nn.Sigmoid(), nn.Flatten(0))
    loss = nn.BCEWithLogitsLoss()
    (found,) = ask(SIGMOID, patient(flat, loss, (x, F.one_hot(t, 2).float().flatten())))
    assert (found.where.op, found.where.module) == ("sigmoid", "1")
    assert found.proof.holds


class Both(nn.Module):
    """Gives scores and their loss."""

    def __init__(self, net, twice):
        super().__init__()
        self.net, self.twice = net, twice

    def forward(self, x, t):
        y = self.net(x)
        y = y.softmax(-1) if self.twice else y
        return y, cross_entropy(y, t)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_gives_its_loss_is_read_from_the_tape(kind):
    net, x, t = make(kind, 5)
    (found,) = ask(SOFTMAX, patient(Both(net, True), lambda y, _: y[1], (x, t, None)))
    assert found.where.op == "softmax"
    assert found.evidence["least loss there can be"] == pytest.approx(math.log(math.e + 4) - 1)
    silent(patient(Both(net, False), lambda y, _: y[1], (x, t, None)), SOFTMAX, SIGMOID)


SCRIPT = """
import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor.script import examine
from glassgrad.nn import functional as F

gg.manual_seed(0)
x = gg.randn(64, 6)
y = {target}
net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, {out}))
opt = optim.Adam(net.parameters(), lr=0.05)
criterion = {criterion}
for step in range(40):
    rows = gg.randperm(64)[:16]
    said = net(x[rows])
    loss = criterion({said}, y[rows])
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
YES, KIND = "(x[:, :1] > 0).float()", "(x[:, 0] > 0).long() + (x[:, 1] > 0)"


@pytest.mark.parametrize(
    ("target", "out", "criterion", "said", "fault"),
    [
        (YES, 1, "nn.BCEWithLogitsLoss()", "said.sigmoid()", SIGMOID),
        (YES, 1, "F.binary_cross_entropy_with_logits", "gg.sigmoid(said)", SIGMOID),
        (KIND, 3, "nn.CrossEntropyLoss()", "F.softmax(said, dim=1)", SOFTMAX),
        (KIND, 3, "F.cross_entropy", "said.softmax(0)", SOFTMAX),
        (YES, 1, "nn.BCELoss()", "said.sigmoid()", ""),
        (YES, 1, "nn.MSELoss()", "said.sigmoid()", ""),
        (KIND, 3, "nn.NLLLoss()", "said.log_softmax(1)", ""),
        (KIND, 3, "F.cross_entropy", "2.0 * said", ""),
    ],
)
def test_losses_written_in_a_script(tmp_path, target, out, criterion, said, fault):
    path = tmp_path / "training.py"
    path.write_text(SCRIPT.format(target=target, out=out, criterion=criterion, said=said))
    d = examine(path, trial=40)
    found = [each for each in d.findings if each.fault in (SOFTMAX, SIGMOID)]
    assert [each.fault for each in found] == ([fault] if fault else [])
    for each in found:
        assert each.where.line.endswith("training.py:16 in <module>")
        assert each.proof.holds


def test_a_sigmoid_written_by_hand():
    net, x, t = make("mlp", 2)
    truth = F.one_hot(t, 2).float()
    loss = nn.BCEWithLogitsLoss()

    class Squashed(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net

        def forward(self, x):
            return 1 / (1 + gg.exp(-self.inner(x)))

    (found,) = ask(SIGMOID, patient(Squashed(), loss, (x, truth)))
    assert found.where.op == "div"
    assert found.proof.holds
    (found,) = ask(SIGMOID, patient(net, lambda y, t: loss(1 / (1 + gg.exp(-y)), t), (x, truth)))
    assert found.where.op == "div"
