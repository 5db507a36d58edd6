"""Modules in the wrong mode, norms over one row; and modes that are as they should be."""

import pytest
from tests.doctor.asked import ask, patient, silent

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.doctor import check, watch
from glassgrad.doctor.loop import Loop, Seen
from glassgrad.doctor.script import examine
from glassgrad.findings import FAULT, NOTE, Place
from glassgrad.utils.data import DataLoader, TensorDataset

EVALUATION, ASKED, ONE = "evaluation mode", "training mode in evaluation", "batch norm of one row"
ROWS = 24


class Last(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.lstm, self.inside, self.head = nn.LSTM(4, 12, batch_first=True), inside, nn.Linear(12, 3)

    def forward(self, x):
        return self.head(self.inside(self.lstm(x)[0][:, -1]))


class Attending(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.layer, self.head = nn.TransformerEncoderLayer(4, 2, 16, dropout=p, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.layer(x).mean(1))


def mlp(inside):
    return nn.Sequential(nn.Linear(8, 12), inside, nn.ReLU(), nn.Linear(12, 3)), gg.randn(ROWS, 8) * 2 + 1


def cnn(inside):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), inside, nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))
    return net, gg.randn(ROWS, 1, 5, 5)


def lstm(inside):
    return Last(inside), gg.randn(ROWS, 5, 4)


MAKERS = {
    "mlp, batch norm": (lambda: mlp(nn.BatchNorm1d(12)), "1"),
    "mlp, dropout": (lambda: mlp(nn.Dropout(0.5)), "1"),
    "cnn, batch norm": (lambda: cnn(nn.BatchNorm2d(4)), "1"),
    "cnn, dropout": (lambda: cnn(nn.Dropout2d(0.2)), "1"),
    "lstm, batch norm": (lambda: lstm(nn.BatchNorm1d(12)), "inside"),
    "lstm, dropout": (lambda: lstm(nn.Dropout(0.1)), "inside"),
    "transformer": (lambda: (Attending(0.1), gg.randn(ROWS, 5, 4)), "layer.dropout1"),
}
LABELS = gg.arange(ROWS) % 3
LOSS = nn.CrossEntropyLoss()


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_trained_in_evaluation_mode_is_named(name):
    made, path = MAKERS[name]
    net, x = made()
    (found,) = ask(EVALUATION, patient(net.eval(), LOSS, (x, LABELS)))
    assert path in [found.where.module, *(each.module for each in found.suspicion.also)]
    silent(patient(net.train(), LOSS, (x, LABELS)), EVALUATION, ASKED, ONE)


@pytest.mark.parametrize("name", MAKERS)
def test_evaluation_mode_in_later_steps_of_a_loop(name):
    made, path = MAKERS[name]
    net, x = made()
    seen = {n: Seen(30, 11, Place(line="train.py:7 in fit")) for n, m in net.named_modules() if not list(m.children())}
    (found,) = ask(EVALUATION, patient(net, LOSS, (x, LABELS), loop=Loop(backwards=40, evaluating=seen)))
    assert "from step 11 on" in found.suspicion.symptom
    assert (found.where.module, found.where.line) == (path, "train.py:7 in fit") or name == "transformer"
    few = {n: Seen(3, 11) for n in seen}
    silent(patient(net, LOSS, (x, LABELS), loop=Loop(backwards=40, evaluating=few)), EVALUATION)


@pytest.mark.parametrize("name", MAKERS)
def test_predictions_in_training_mode(name):
    made, path = MAKERS[name]
    net, x = made()
    seen = {n: Seen(4, 12, Place(line="test.py:3 in score")) for n, m in net.named_modules() if not list(m.children())}
    (found,) = ask(ASKED, patient(net, LOSS, (x, LABELS), loop=Loop(backwards=40, training=seen)))
    assert path in [found.where.module, *(each.module for each in found.suspicion.also)]
    assert found.where.line == "test.py:3 in score"
    assert found.evidence["change of a prediction"] > 0
    assert ("dropout" in found.suspicion.cause) == ("batch norm" not in name)
    first = {n: Seen(1, 1) for n in seen}  # a look at the shapes before the training
    silent(patient(net, LOSS, (x, LABELS), loop=Loop(backwards=40, training=first)), ASKED)


def test_modes_that_make_no_difference_and_norms_that_are_frozen_on_purpose():
    net, x = mlp(nn.LayerNorm(12))
    silent(patient(net.eval(), LOSS, (x, LABELS)), EVALUATION)
    seen = {n: Seen(30, 2) for n, _ in net.named_modules()}
    silent(patient(net, LOSS, (x, LABELS), loop=Loop(backwards=40, training=seen, evaluating=seen)), EVALUATION, ASKED)
    net, x = mlp(nn.Dropout(0.0))
    silent(patient(net.eval(), LOSS, (x, LABELS)), EVALUATION)
    net, x = mlp(nn.BatchNorm1d(12))
    net[1].eval().requires_grad_(False)
    silent(patient(net, LOSS, (x, LABELS)), EVALUATION)


def test_a_frozen_part_is_evaluated_as_a_whole():
    net, x = mlp(nn.Dropout(0.5))
    net = nn.Sequential(net[:3], net[3])
    net[0].requires_grad_(False).eval()
    silent(patient(net, LOSS, (x, LABELS)), EVALUATION)
    net[0].requires_grad_(True)
    (found,) = ask(EVALUATION, patient(net, LOSS, (x, LABELS)))
    assert (found.where.module, found.suspicion.weight) == ("0.1", NOTE)


def test_a_norm_that_is_put_into_evaluation_mode_alone_is_a_note():
    net, x = mlp(nn.BatchNorm1d(12))
    net[1].eval()
    (found,) = ask(EVALUATION, patient(net, LOSS, (x, LABELS)))
    assert (found.where.module, found.suspicion.weight) == ("1", NOTE)
    assert found.suspicion.symptom.startswith("1 module is trained")
    (found,) = ask(EVALUATION, patient(net.eval(), LOSS, (x, LABELS)))
    assert found.suspicion.weight == FAULT


def test_a_loop_with_one_norm_in_evaluation_mode_and_one_with_all():
    net, x = mlp(nn.BatchNorm1d(12))
    for names, weight in (("1",), NOTE), (("0", "1", "2", "3"), FAULT):
        loop = Loop(backwards=40, evaluating={name: Seen(30, 11) for name in names})
        (found,) = ask(EVALUATION, patient(net, LOSS, (x, LABELS), loop=loop))
        assert found.suspicion.weight == weight


def test_statistics_that_never_move_are_a_note():
    net, x = mlp(nn.BatchNorm1d(12, momentum=0.0))
    (found,) = ask(EVALUATION, patient(net, LOSS, (x, LABELS)))
    assert found.suspicion.weight == NOTE
    before = net[1].running_mean.tolist()
    net(x)
    assert net[1].running_mean.tolist() == before == [0.0] * 12


@pytest.mark.parametrize("made", [lambda: mlp(nn.BatchNorm1d(12)), lambda: lstm(nn.BatchNorm1d(12))])
@pytest.mark.parametrize("count", [1, 40])
def test_batches_of_one_row(made, count):
    net, x = made()
    batches = [(x[n : n + 1], LABELS[n : n + 1]) for n in (range(ROWS) if count > 1 else [0])]
    (found,) = ask(ONE, patient(net, LOSS, batches))
    assert found.where.module in ("1", "inside")
    assert found.evidence["rows of the batch"] == 1
    assert found.proof.holds
    assert len(found.mended.batches) == (2 if count > 1 else 1)  # of 16 and 8 rows
    silent(found.mended, ONE)
    gives = nn.functional.layer_norm(gg.randn(1, 1), (1,))  # a number less its own mean
    assert gives.item() == 0


def test_one_place_of_one_image_is_one_number_for_each_channel():
    net = nn.Sequential(nn.Conv2d(1, 4, 5), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3))
    (found,) = ask(ONE, patient(net, LOSS, (gg.randn(1, 1, 5, 5), LABELS[:1])))
    assert found.where.module == "1"
    silent(patient(net, LOSS, (gg.randn(2, 1, 5, 5), LABELS[:2])), ONE)


@pytest.mark.parametrize("rows", [13, 17])
def test_a_last_batch_of_one_row_is_left_out(rows):
    net, x = mlp(nn.BatchNorm1d(12))
    batches = list(DataLoader(TensorDataset(x[:rows], LABELS[:rows]), batch_size=4))
    batches = [tuple(batch) for batch in batches]
    d = check(net, LOSS, batches, optimizer=optim.Adam(net.parameters(), lr=0.01), steps=20)
    assert [found.fault for found in d.findings] == [ONE]
    assert "drop_last" in d.findings[0].remedy
    assert len(d.apply(d.findings[0]).batches) == len(batches) - 1


def test_one_row_in_evaluation_and_norms_of_a_row_are_well():
    net, x = mlp(nn.BatchNorm1d(12))
    silent(patient(net.eval(), LOSS, (x[:1], LABELS[:1])), ONE)
    net, x = mlp(nn.LayerNorm(12))
    silent(patient(net, LOSS, (x[:1], LABELS[:1])), ONE)
    net, x = cnn(nn.BatchNorm2d(4))
    silent(patient(net, LOSS, (x[:1], LABELS[:1])), ONE)


SCRIPT = """
import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)
x = gg.randn({rows}, 8)
y = (x[:, 0] > 0).long()
net = nn.Sequential(nn.Linear(8, 16), {inside}, nn.ReLU(), nn.Linear(16, 2))
opt = optim.Adam(net.parameters(), lr=0.01)
for epoch in range(4):
    {before}
    for at in range(0, {rows}, 16):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[at : at + 16]), y[at : at + 16])
        loss.backward()
        opt.step()
    {after}
    with gg.no_grad():
        print((net(x).argmax(1) == y).float().mean().item())
"""


@pytest.mark.parametrize("inside", ["nn.BatchNorm1d(16)", "nn.Dropout(0.3)"])
@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [("net.train()", "net.eval()", ""), ("pass", "net.eval()", EVALUATION), ("pass", "pass", ASKED)],
)
def test_the_modes_of_a_script(tmp_path, capsys, inside, before, after, fault):
    path = tmp_path / "training.py"
    path.write_text(SCRIPT.format(rows=64, inside=inside, before=before, after=after))
    found = [each for each in examine(path, trial=20).findings if each.fault in (EVALUATION, ASKED)]
    assert [each.fault for each in found] == ([fault] if fault else [])
    if fault:
        assert found[0].where.module == "1"
        assert "training.py" in found[0].where.line


@pytest.mark.parametrize(("after", "weight"), [("net.eval()", NOTE), ("pass", FAULT)])
def test_draws_of_an_answer_after_the_training(tmp_path, capsys, after, weight):
    path = tmp_path / "training.py"
    text = SCRIPT.format(rows=64, inside="nn.Dropout(0.3)", before="net.train()", after=after)
    path.write_text(text + "net.train()\nwith gg.no_grad():\n    drawn = [net(x) for _ in range(5)]\n")
    (found,) = [each for each in examine(path, trial=20).findings if each.fault == ASKED]
    assert found.weight == weight
    watched, x = mlp(nn.Dropout(0.3))
    optimizer = optim.Adam(watched.parameters(), lr=0.01)
    with watch(watched, optimizer, steps=20) as d:
        for _ in range(8):
            optimizer.zero_grad()
            LOSS(watched.train()(x), LABELS).backward()
            optimizer.step()
        with gg.no_grad():
            if weight == NOTE:
                watched.eval()(x)
            drawn = [watched.train()(x) for _ in range(5)]
    assert len(drawn) == 5
    assert [each.weight for each in d.findings if each.fault == ASKED] == [weight]


def test_a_script_whose_last_batch_has_one_row(tmp_path, capsys):
    path = tmp_path / "training.py"
    path.write_text(SCRIPT.format(rows=33, inside="nn.BatchNorm1d(16)", before="net.train()", after="net.eval()"))
    (found,) = [each for each in examine(path, trial=20).findings if each.fault == ONE]
    assert found.where.module == "1"
    assert "training.py:14" in found.where.line
    assert "drop_last" in found.remedy


def test_evaluations_that_keep_gradients_are_no_training(tmp_path, capsys):
    path = tmp_path / "training.py"
    text = SCRIPT.format(rows=64, inside="nn.Dropout(0.3)", before="pass", after="net.eval()")
    text = text.replace("with gg.no_grad():", "for _ in range(9):").replace(
        "        opt.zero_grad()", "        net.train(); opt.zero_grad()"
    )
    path.write_text(text)
    assert EVALUATION not in [each.fault for each in examine(path, trial=20).findings]
