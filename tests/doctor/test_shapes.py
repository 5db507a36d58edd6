"""Losses that pair every prediction with every target, or add up over the rows; and losses that do neither."""

import math

import pytest
from tests.doctor.asked import ask, patient, silent

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor.check import diagnosis
from glassgrad.doctor.patient import Ending
from glassgrad.doctor.script import examine
from glassgrad.nn import functional as F

PAIRS, SUM = "shapes that broadcast in the loss", "a loss that is a sum"
ROWS = 16


class Read(nn.Module):
    """Something recurrent or attending, read at its end."""

    def __init__(self, kind, out=1):
        super().__init__()
        self.body = nn.LSTM(4, 8, batch_first=True) if kind == "lstm" else nn.TransformerEncoderLayer(
            4, 2, 16, dropout=0.0, batch_first=True)  # fmt: skip
        self.head = nn.Linear(8 if kind == "lstm" else 4, out)

    def forward(self, x):
        y = self.body(x)
        return self.head((y[0] if isinstance(y, tuple) else y)[:, -1])


def make(kind, out=1, rows=ROWS):
    if kind == "mlp":
        net, x = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, out)), gg.randn(rows, 6)
    elif kind == "cnn":
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, out))
        x = gg.randn(rows, 1, 5, 5)
    else:
        net, x = Read(kind, out), gg.randn(rows, 5, 4)
    return net, x, x.flatten(1)[:, :out] * 2 + 1


KINDS = ["mlp", "cnn", "lstm", "transformer"]


class Written(Ending):
    """Targets in a loss that was written by hand."""

    def __init__(self, answers, loss):
        self.answers, self.loss = answers, loss

    def answered(self, answers):
        return Written(answers, self.loss)

    def __call__(self, predictions):
        return self.loss(predictions, self.answers)


def ended(predictions, targets):
    return targets(predictions)


def mse(y, t):
    return ((y - t) ** 2).mean()


@pytest.mark.parametrize("ending", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_column_against_a_row_is_every_pair(kind, ending):
    net, x, t = make(kind)
    given = patient(net, mse, (x, t[:, 0])) if not ending else patient(net, ended, (x, Written(t[:, 0], mse)))
    (found,) = ask(PAIRS, given)
    assert found.evidence == {"pairs": ROWS * ROWS, "rows": ROWS}
    assert "test_shapes.py" in found.where.line
    assert found.proof.holds
    assert found.mended.value(given.batches[0]).item() == pytest.approx(mse(net(x), t).item())
    silent(found.mended, PAIRS)


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss()])
@pytest.mark.filterwarnings("ignore:.*broadcasts")
def test_losses_that_are_modules_and_other_shapes(loss):
    net, x, t = make("mlp", 3)
    (found,) = ask(PAIRS, patient(net, loss, (x, t[:, None])))  # (N, 3) against (N, 1, 3)
    assert found.evidence["pairs"] == ROWS * ROWS * 3
    assert found.proof.holds
    net, x, t = make("mlp")
    (found,) = ask(PAIRS, patient(nn.Sequential(net, nn.Flatten(0)), loss, (x, t)))  # (N) against (N, 1)
    assert found.proof.holds
    assert ask(PAIRS, patient(net, loss, (x, (t[:, 0] * 3).long())))  # targets that are integers


def test_the_pairs_draw_all_predictions_to_the_mean():
    """Why it is a fault: the least loss over pairs is the variance of the targets, at their mean."""
    t = gg.randn(ROWS)
    y = gg.zeros(ROWS, 1, requires_grad=True)
    rule = optim.SGD([y], lr=4.0)
    for _ in range(200):
        rule.zero_grad()
        mse(y, t).backward()
        rule.step()
    assert gg.allclose(y, t.mean().expand(ROWS, 1), atol=1e-4)
    assert mse(y, t).item() == pytest.approx(t.var(correction=0).item(), rel=1e-4)


def test_shapes_that_a_loss_refuses_are_named_with_the_way_out():
    net, x, t = make("mlp")
    (found,) = ask(PAIRS, patient(net, nn.BCEWithLogitsLoss(), (x, (t[:, 0] > 0).float())))
    assert f"({ROWS}, 1)" in found.suspicion.symptom
    assert f"({ROWS},)" in found.suspicion.symptom
    assert found.proof.holds


@pytest.mark.parametrize("kind", KINDS)
def test_healthy_shapes(kind):
    net, x, t = make(kind)
    silent(patient(net, mse, (x, t)), PAIRS)
    silent(patient(net, lambda y, t: mse(y[:, 0], t), (x, t[:, 0])), PAIRS)
    silent(patient(net, lambda y, t: mse(y, t[:, None]), (x, t[:, 0])), PAIRS)
    wide, x, _ = make(kind, ROWS)  # a layer as wide as the batch has rows, so that (N, N) is a usual shape
    wide = nn.Sequential(wide, nn.Linear(ROWS, 1))
    silent(patient(wide, lambda y, t: mse(y[:, 0], t), (x, t[:, 0])), PAIRS)
    quantiles, x, _ = make(kind, 3)  # three predictions for one number
    silent(patient(quantiles, mse, (x, t)), PAIRS)
    classes, x, _ = make(kind, 4)
    silent(patient(classes, nn.CrossEntropyLoss(), (x, gg.arange(ROWS) % 4)), PAIRS)


SUMS = {
    "a squared error": lambda y, t: ((y - t) ** 2).sum(),
    "half of it": lambda y, t: 0.5 * ((y - t) ** 2).sum(),
    "the mean of a row, added up": lambda y, t: ((y - t) ** 2).mean(1).sum(),
    "a module": nn.MSELoss(reduction="sum"),
    "with a penalty": lambda y, t: ((y - t) ** 2).sum() + 1e-3 * (y**2).mean(),
}
MEANS = {
    "a mean": mse,
    "over the rows": lambda y, t: ((y - t) ** 2).sum(1).mean(),
    "divided by the rows": lambda y, t: ((y - t) ** 2).sum() / len(y),
    "half of it": lambda y, t: ((y - t) ** 2).sum() / (2 * len(y)),
    "by weights": lambda y, t: (((y - t) ** 2) * t.abs()).sum() / t.abs().sum(),
    "a module": nn.SmoothL1Loss(),
    "a large mean": lambda y, t: 100 * ((y - t) ** 2).mean(),
    "a norm": lambda y, t: (y - t).norm(),
}


def with_decay(net, loss):
    return lambda y, t: loss(y, t) + 1e-2 * sum((p**2).sum() for p in net.parameters())


@pytest.mark.parametrize("ending", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SUMS)
def test_a_sum_at_a_rate_for_a_mean(kind, name, ending):
    net, x, t = make(kind, 2)
    rule = optim.SGD(net.parameters(), lr=0.2)
    loss = SUMS[name]
    given = patient(net, ended, (x, Written(t, loss)), rule) if ending else patient(net, loss, (x, t), rule)
    (found,) = ask(SUM, given)
    assert found.evidence["rows"] == ROWS
    assert found.proof.holds
    silent(found.mended, SUM)


@pytest.mark.parametrize("ending", [False, True])
@pytest.mark.parametrize("name", MEANS)
def test_means_are_no_sums(name, ending):
    for kind in ("mlp", "lstm"):
        net, x, t = make(kind, 2)
        for loss in (MEANS[name], with_decay(net, MEANS[name])):
            rule = optim.SGD(net.parameters(), lr=0.02)
            given = patient(net, ended, (x, Written(t, loss)), rule) if ending else patient(net, loss, (x, t), rule)
            silent(given, SUM)


def test_classes_and_tokens_in_a_mean_and_in_a_sum():
    net, x, _ = make("mlp", 4)
    t = gg.arange(ROWS) % 4
    rule = optim.SGD(net.parameters(), lr=0.5)
    for loss, adds in ((F.cross_entropy, False), (lambda y, t: F.cross_entropy(y, t, weight=gg.ones(4)), False),
                       (lambda y, t: F.cross_entropy(y, t, reduction="sum"), True)):  # fmt: skip
        assert bool(ask(SUM, patient(net, ended, (x, Written(t, loss)), rule))) == adds
        assert bool(ask(SUM, patient(net, loss, (x, t), rule))) == adds


def test_a_sum_at_a_rate_that_suits_it_is_let_be_and_one_that_diverges_is_a_fault():
    net, x, t = make("mlp", 2)
    total = SUMS["a squared error"]
    silent(patient(net, total, (x, t), optim.SGD(net.parameters(), lr=0.002)), SUM)
    silent(patient(net, total, (x, t), optim.Adam(net.parameters(), lr=0.01)), SUM)
    (found,) = ask(SUM, patient(net, total, (x, t), optim.SGD(net.parameters(), lr=0.1)))
    assert found.suspicion.weight == "fault"
    assert not math.isfinite(found.proof.before[-1]) or found.proof.before[-1] > found.proof.before[0]


class Stateful(nn.Module):
    """Gives predictions and a state."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, 1)

    def forward(self, x):
        h, state = self.lstm(x)
        return self.head(h), state


def test_pairs_made_in_the_line_of_the_loss_by_an_axis_of_the_targets_or_by_a_part_of_what_the_model_gives():
    net, x, t = make("mlp")
    flat = nn.Sequential(net, nn.Flatten(0))
    (found,) = ask(PAIRS, patient(flat, lambda y, t: (y - t.unsqueeze(1)).abs().mean(), (x, t[:, 0])))
    assert found.evidence == {"pairs": ROWS * ROWS, "rows": ROWS}
    assert found.proof.holds
    x = gg.randn(ROWS, 5, 4)
    (found,) = ask(PAIRS, patient(Stateful(), lambda y, t: mse(y[0][:, -1], t), (x, x[:, 0, 0])))
    assert found.evidence == {"pairs": ROWS * ROWS, "rows": ROWS}
    silent(patient(Stateful(), lambda y, t: mse(y[0][:, -1], t), (x, x[:, :1, 0])), PAIRS)


def test_pairs_that_are_meant_give_both_their_axes():
    net, x, t = make("mlp", 3)
    silent(patient(net, lambda y, t: (y[:, None] - t[None]).square().sum(2).min(1).values.mean(), (x, t)), PAIRS)
    silent(patient(net, lambda y, t: (y[:, None] - y[None] - t[:, None] + t[None]).square().mean(), (x, t)), PAIRS)


SCRIPT = """
import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)
x = gg.randn(64, 6)
y = x[:, 0] + x[:, 1] * 0.5
net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
opt = optim.SGD(net.parameters(), lr=0.05)
for step in range(40):
    rows = gg.randperm(64)[:16]
    said = net(x[rows])
    loss = {loss}
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


@pytest.mark.parametrize(
    ("loss", "fault"),
    [
        ("((said - y[rows]) ** 2).mean()", PAIRS),
        ("(said.squeeze(1) - y[rows].unsqueeze(1)).abs().mean()", PAIRS),
        ("((said[:, 0] - y[rows]) ** 2).sum()", SUM),
        ("((said[:, 0] - y[rows]) ** 2).mean()", ""),
        ("((said - y[rows, None]) ** 2).sum() / 16", ""),
    ],
)
def test_losses_written_in_a_script(tmp_path, loss, fault):
    path = tmp_path / "training.py"
    path.write_text(SCRIPT.format(loss=loss))
    d = examine(path, trial=40)
    found = [each for each in d.findings if each.fault in (PAIRS, SUM)]
    assert [each.fault for each in found] == ([fault] if fault else [])
    for each in found:
        if "squeeze(1) -" in loss:  # both shapes are made in the line itself
            assert not each.remedy
            continue
        assert each.proof.holds
        again = diagnosis(d.apply(each), 40).findings
        assert each.fault not in [other.fault for other in again]
        assert each.where.line.endswith("training.py:13 in <module>") or fault == SUM
