"""Labels that are no classes, targets of another kind than the loss takes; and those that are well."""

import math

import pytest
from tests.doctor.asked import ask, patient, silent
from tests.doctor.nets import End, Tokens

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import check
from glassgrad.doctor.loop import Loop
from glassgrad.doctor.script import examine
from glassgrad.nn import functional as F

RANGE = "labels out of range"
ROWS = 24


def make(kind, out):
    if kind == "mlp":
        net, x = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, out)), gg.randn(ROWS, 8)
    elif kind == "cnn":
        net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, out))
        x = gg.randn(ROWS, 1, 6, 6)
    elif kind == "lstm":
        net, x = End(4, out), gg.randn(ROWS, 5, 4)
    else:
        x = gg.randint(0, out, (ROWS, 6))
        return Tokens(out, 8, out), x, (x + 1) % out
    return net, x, gg.arange(ROWS) % out


def cross_entropy(y, t):
    return F.cross_entropy(y.flatten(0, -2), t.flatten())


KINDS = ["mlp", "cnn", "lstm", "transformer"]


@pytest.mark.parametrize("count", [3, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_labels_that_begin_at_1_are_one_too_many(kind, count):
    net, x, t = make(kind, count)
    given = patient(net, cross_entropy, (x, t + 1))
    (found,) = ask(RANGE, given)
    assert found.evidence["label"] == count
    assert found.evidence["classes"] == count
    assert "begin at 1" in found.suspicion.cause
    assert (t + 1)[found.where.entry].item() == count
    assert found.evidence["row"] == found.where.entry[0]
    assert found.proof.holds
    assert cross_entropy(net(x), t).item() == pytest.approx(found.mended.value(found.mended.batches[0]).item())
    silent(found.mended, RANGE)


@pytest.mark.parametrize("kind", KINDS)
def test_one_label_too_large_in_a_later_batch_is_named_with_its_row(kind):
    net, x, t = make(kind, 5)
    wrong = t.clone()
    at = (7,) if t.ndim == 1 else (7, 2)
    wrong[at] = 11
    given = patient(net, cross_entropy, [(x, t), (x, wrong)])
    (found,) = ask(RANGE, given)
    assert "row 7 of batch 1 has label 11, and there are 5 classes" in found.suspicion.symptom
    assert found.where.entry == at
    assert found.evidence["share of labels out of range"] == pytest.approx(1 / (2 * t.numel()))
    assert found.proof.holds
    assert not found.proof.before


def test_check_says_it_first_whether_the_first_step_fails_or_a_later_one():
    net, x, t = make("mlp", 4)
    for batches in ([(x, t + 1)], [(x, t), (x, t + 1)]):
        d = check(net, nn.CrossEntropyLoss(), batches, optimizer=optim.Adam(net.parameters(), lr=0.01), steps=30)
        assert d.findings[0].fault == RANGE
        assert d.findings[0].remedy


def test_a_last_layer_with_too_few_outputs_gets_more():
    net, x, _ = make("mlp", 3)
    t = gg.arange(ROWS) % 6
    (found,) = ask(RANGE, patient(net, nn.CrossEntropyLoss(), (x, t)))
    assert "would need 6" in found.suspicion.cause
    assert found.proof.holds
    assert found.mended.model[-1].out_features == 6
    assert {id(p) for p in found.mended.parameters} == {id(p) for p in found.mended.model.parameters()}
    silent(found.mended, RANGE)


@pytest.mark.parametrize("kind", KINDS)
def test_minus_one_is_refused_by_cross_entropy_and_taken_for_the_last_class_by_an_index(kind):
    net, x, t = make(kind, 4)
    t[0] = -1
    (found,) = ask(RANGE, patient(net, cross_entropy, (x, t)))
    assert found.evidence["label"] == -1
    assert found.proof.holds
    assert "ignore_index=-1" in found.proof.what or found.mended is not None

    def by_index(y, t):
        y, t = y.flatten(0, -2).log_softmax(1), t.flatten()
        return -y[gg.arange(len(t)), t].mean()

    net, x, _ = make(kind, 4)
    (found,) = ask(RANGE, patient(net, by_index, (x, t)))  # no error: -1 is the last class
    assert found.evidence["label"] == -1

    def masked(y, t):
        y, t = y.flatten(0, -2), t.flatten()
        return (F.cross_entropy(y, t.clamp(min=0), reduction="none") * (t >= 0)).sum() / (t >= 0).sum()

    silent(patient(net, masked, (x, t)), RANGE)
    silent(patient(net, nn.CrossEntropyLoss(ignore_index=-1) if kind != "transformer" else masked, (x, t)), RANGE)
    t[0] = -100
    silent(patient(net, cross_entropy, (x, t)), RANGE)


def test_what_nan_becomes_as_an_integer():
    net, x, t = make("mlp", 4)
    t[3] = -(2**63)
    (found,) = ask(RANGE, patient(net, nn.CrossEntropyLoss(), (x, t)))
    assert "NaN" in found.suspicion.cause
    assert found.where.entry == (3,)


@pytest.mark.parametrize("form", ["float", "one-hot", "column", "column of floats"])
def test_targets_of_another_form(form):
    net, x, t = make("mlp", 4)
    given = {
        "float": t.float(), "one-hot": F.one_hot(t, 4), "column": t[:, None], "column of floats": t[:, None].float(),
    }[form]  # fmt: skip
    (found,) = ask(RANGE, patient(net, nn.CrossEntropyLoss(), (x, given)))
    assert str(tuple(given.shape)) in found.suspicion.symptom
    assert found.proof.holds
    assert found.mended.value(found.mended.batches[0]).item() == pytest.approx(F.cross_entropy(net(x), t).item())


@pytest.mark.parametrize("values", [(-1.0, 1.0), (1.0, 2.0), (0.0, 255.0), (0.0, 1.5)])
@pytest.mark.parametrize("kind", KINDS)
def test_targets_outside_of_0_to_1(kind, values):
    net, x, t = make(kind, 2)
    low, high = values
    t = low + (high - low) * F.one_hot(t, 2).float()
    loss = nn.BCEWithLogitsLoss()
    (found,) = ask(RANGE, patient(net, loss, (x, t)))
    assert (found.evidence["least target"], found.evidence["largest target"]) == values
    assert found.proof.holds
    assert set(found.mended.batches[0][1].flatten().tolist()) == {0.0, 1.0}
    silent(found.mended, RANGE)
    if low < 0:  # the slope of a logit, sigmoid - target, never is 0: the loss has no least value
        y = gg.tensor([-50.0], requires_grad=True)
        loss(y, gg.tensor([low])).backward()
        assert y.grad.item() == pytest.approx(-low, abs=1e-6)


def test_targets_outside_of_0_to_1_for_probabilities():
    net, x, t = make("mlp", 2)
    (found,) = ask(RANGE, patient(nn.Sequential(net, nn.Sigmoid()), nn.BCELoss(), (x, F.one_hot(t, 2) * 2.0 - 1)))
    assert found.proof.holds


def test_a_target_that_is_no_number_in_a_later_batch():
    net, x, _ = make("mlp", 1)
    t = gg.randn(ROWS, 1)
    wrong = t.clone()
    wrong[5, 0] = math.nan
    (found,) = ask(RANGE, patient(net, nn.MSELoss(), [(x, t), (x, wrong)]))
    assert found.where.entry == (5, 0)
    assert "batch 1" in found.suspicion.symptom


def test_a_loop_that_ended_with_such_a_label_says_so_itself():
    net, x, t = make("mlp", 4)
    with pytest.raises(IndexError) as raised:
        F.cross_entropy(net(x), t + 1)
    loop = Loop(ended=f"IndexRangeError: {raised.value}")
    (found,) = ask(RANGE, patient(net, nn.CrossEntropyLoss(), (x, t), loop=loop))
    assert found.evidence == {"label": 4.0, "classes": 4.0}
    assert found.where.entry == (3,)
    assert "test_labels.py" in found.where.line


@pytest.mark.parametrize("kind", KINDS)
def test_healthy_targets(kind):
    net, x, t = make(kind, 5)
    silent(patient(net, cross_entropy, (x, t)), RANGE)
    silent(patient(net, cross_entropy, (x, t.clamp(max=2))), RANGE)  # classes that never occur
    truth = F.one_hot(t, 5).float()
    silent(patient(net, nn.BCEWithLogitsLoss(), (x, truth)), RANGE)
    silent(patient(net, nn.BCEWithLogitsLoss(pos_weight=gg.full((5,), 3.0)), (x, truth)), RANGE)
    silent(patient(net, nn.MSELoss(), (x, truth * 10 - 3)), RANGE)
    silent(patient(net, nn.L1Loss(), (x, truth * 10 - 3)), RANGE)
    silent(patient(net, nn.SoftMarginLoss(), (x, truth * 2 - 1)), RANGE)
    silent(patient(net, lambda y, t: (1 - y * t).relu().mean(), (x, truth * 2 - 1)), RANGE)
    silent(patient(net, nn.PoissonNLLLoss(), (x, truth * 7)), RANGE)
    silent(patient(net, nn.MSELoss(), [(x, truth), (x, truth + 2)]), RANGE)


SCRIPT = """
import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)
x, y = gg.randn(96, 8), gg.arange(96) % 5
{wrong}
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 5))
opt = optim.Adam(net.parameters(), lr=0.01)
for at in range(0, 96, 16):
    opt.zero_grad()
    said = net(x[at : at + 16])
    loss = {loss}
    loss.backward()
    opt.step()
"""


@pytest.mark.parametrize(
    "loss",
    ["nn.functional.cross_entropy(said, y[at : at + 16])", "nn.CrossEntropyLoss()(said, y[at : at + 16]) + 0.0 * at"],
)
@pytest.mark.parametrize(("wrong", "label"), [("y = y + 1", 5), ("y[40] = 9", 9), ("y[40] = -1", -1)])
def test_a_script_that_fails_with_a_label(tmp_path, wrong, label, loss):
    path = tmp_path / "training.py"
    path.write_text(SCRIPT.format(wrong=wrong, loss=loss))
    d = examine(path, trial=20)
    assert d.findings[0].fault == RANGE
    assert dict(d.findings[0].evidence)["label"] == label
    assert d.findings[0].where.line.endswith("training.py:13 in <module>")
