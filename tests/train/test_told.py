"""What a training tells and leaves: lines, a bar, the history's table, CSV and plots, TensorBoard's events; and the
learning-rate range test."""

import csv
import io
import re
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console
from tests.train.nets import data, facts, training

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.errors import GlassgradError
from glassgrad.train import CSV, Callback, History, RateTest, TensorBoard, Trainer
from glassgrad.train.progress import Bar, clock


def test_a_line_for_each_epoch_where_there_is_no_terminal(capsys):
    trainer, loader = training(compile=False, progress=None)
    trainer.fit(loader, data(20, seed=1), epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(
        r"epoch 1/2  loss [\d.]+  accuracy [\d.]+  valid_loss [\d.]+  valid_accuracy [\d.]+  rate [\d.e-]+"
        r"  [\d,]+ samples/s  left \d+:\d\d",
        lines[0],
    )
    assert lines[1].endswith("left 0:00")


def test_a_bar_in_a_terminal(monkeypatch):
    monkeypatch.setattr("glassgrad.train.progress.OFTEN", 0.0)
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=160, color_system=None)
    shown = []

    class Look(Callback):
        def on_step(self, trainer, loss):
            console.file.flush()
            shown.append(written.getvalue())

    trainer, loader = training(compile=False, progress=console, callbacks=[Look()])
    trainer.fit(loader, data(20, seed=1), epochs=2)
    text = written.getvalue()
    assert "epoch 2/2  loss" in text
    assert re.search(r"epoch 1/2 .*7/7.*loss [\d.]+  accuracy [\d.]+  rate [\d.e-]+  [\d,]+ samples/s  left 0:", text)
    assert len(shown) == 14


def test_a_bar_is_looked_at_seldom():
    bar = Bar(Console(file=io.StringIO(), force_terminal=True))
    bar.start(1, 0, 10)
    try:
        assert bar.wants()
        bar.step(1, 1, {"loss": 1.0})
        assert not bar.wants()
    finally:
        bar.end()


def test_nothing_where_that_is_asked_for(capsys):
    trainer, loader = training(compile=False, progress=False)
    trainer.fit(loader, epochs=1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3723, "1:02:03"), (-1, "0:00")])
def test_clock(seconds, text):
    assert clock(seconds) == text


HISTORY = History([{"epoch": 1, "loss": 0.5, "rate": 0.1}, {"epoch": 2, "loss": 0.25, "rate": 0.1, "valid_loss": 1.5}])


def test_a_history_as_a_table_and_as_columns():
    assert HISTORY.table().splitlines() == [
        "epoch  loss  rate  valid_loss",
        "    1   0.5   0.1",
        "    2  0.25   0.1         1.5",
    ]
    assert HISTORY["valid_loss"] == [None, 1.5]
    assert (len(HISTORY), HISTORY.last["epoch"], [row["epoch"] for row in HISTORY]) == (2, 2, [1, 2])
    with pytest.raises(GlassgradError, match="columns epoch, loss, rate, valid_loss"):
        HISTORY["accuracy"]
    assert History().table() == ""


def test_a_history_as_a_picture(tmp_path):
    for ending, start in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        path = HISTORY.plot(tmp_path / "deep" / f"curve.{ending}")
        assert path.read_bytes().startswith(start)
    assert "valid" in (tmp_path / "deep" / "curve.svg").read_text()
    assert len(list((tmp_path / "deep").iterdir())) == 3


def test_csv_after_every_epoch(tmp_path):
    path = tmp_path / "history.csv"
    lengths = []
    trainer, loader = training(
        compile=False, callbacks=[CSV(path), lambda *_: lengths.append(len(path.read_text().splitlines()))]
    )
    trainer.fit(loader, epochs=3)
    assert lengths == [2, 3, 4]
    read = list(csv.DictReader(path.read_text().splitlines()))
    assert [float(row["loss"]) for row in read] == trainer.history["loss"]
    assert [file.name for file in tmp_path.iterdir()] == ["history.csv"]


def events(folder):
    """The scalars in TensorBoard's event files: (tag, step, value)."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for file in sorted(folder.iterdir()):
        raw, at = file.read_bytes(), 0
        while at < len(raw):  # length, its checksum, the event, its checksum
            length = int.from_bytes(raw[at : at + 8], "little")
            event = Event.FromString(raw[at + 12 : at + 12 + length])
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            at += 16 + length
    return found


def test_tensorboards_events(tmp_path):
    trainer, loader = training(compile=False, callbacks=[TensorBoard(tmp_path, every=5)])
    trainer.fit(loader, data(20, seed=1), epochs=2)
    found = events(tmp_path)
    assert [step for tag, step, _ in found if tag == "step/loss"] == [5, 10]
    for tag in ("loss", "valid_loss", "accuracy", "rate", "samples_per_second"):
        told = [(step, value) for name, step, value in found if name == f"epoch/{tag}"]
        assert told == [(7 * row["epoch"], pytest.approx(row[tag], rel=1e-6)) for row in trainer.history]


@pytest.mark.parametrize(
    ("module", "extra", "code"),
    [
        ("matplotlib.figure", "plots", "History([{'epoch': 1, 'loss': 1.0}]).plot('x.png')"),
        ("tensorboardX", "tensorboard", "TensorBoard('runs')"),
    ],
)
def test_a_missing_extra_is_named(tmp_path, module, extra, code):
    code = f"import sys; sys.modules[{module!r}] = None\nfrom glassgrad.train import *\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert f"pip install 'glassgrad[{extra}]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


# -- the learning-rate range test --------------------------------------------------------------------------------------


def bowl(compile=False):
    """(w - 2)², from w = 0: a step of rate r multiplies w - 2 by 1 - 2r."""
    net = nn.Linear(1, 1, bias=False)
    net.weight.data = gg.zeros(1, 1)
    rule = optim.SGD(net.parameters(), lr=0.1)
    return Trainer(net, nn.MSELoss(), rule, progress=False, compile=compile)


@pytest.mark.parametrize("compile", [False, True])
def test_the_range_test_by_the_closed_form(compile):
    found = bowl(compile).find_lr((gg.ones(1, 1), 2 * gg.ones(1, 1)), low=1e-3, high=10.0, steps=40)
    rates = 1e-3 * 1e4 ** (np.arange(40) / 39)
    away, losses = 2.0, []
    for rate in rates:
        losses.append(away**2)
        away *= 1 - 2 * rate
    assert found.rates == pytest.approx(rates[: len(found.rates)].tolist())
    assert found.losses == pytest.approx(losses[: len(found.losses)], rel=1e-2)
    assert len(found.rates) < 40  # it has blown up at rates above 1
    assert found.smoothed[-1] > 4 * min(found.smoothed)
    assert found.smoothed[0] == pytest.approx(found.losses[0])
    assert 0.01 < found.suggestion < 1.0


def test_the_suggestion_is_where_the_loss_falls_fastest():
    smoothed = [5.0, 5.0, 4.5, 3.0, 2.8, 2.7, 9.0]
    rates = [10.0**k for k in range(-6, 1)]
    assert RateTest(rates, smoothed, smoothed).suggestion == 1e-4  # from 5.0 to 3.0 around it: the steepest
    assert RateTest([1.0, 2.0], [1.0, 9.0], [1.0, 9.0]).suggestion == 1.0


@pytest.mark.parametrize("begun", [False, True])
def test_the_range_test_leaves_everything_as_it_was(tmp_path, begun):
    gg.manual_seed(3)
    trainer, loader = training(compile=False)
    if begun:
        trainer.fit(loader, epochs=1)
    before, drawn = facts(trainer), gg.get_rng_state().tolist()
    found = trainer.find_lr(loader, steps=20, high=0.5)
    assert len(found.losses) == 20 > len(loader)
    assert facts(trainer) == before
    assert gg.get_rng_state().tolist() == drawn
    assert found.plot(tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")


def test_the_range_test_with_a_rate_in_a_tensor():
    net = nn.Linear(1, 1)
    rule = optim.SGD(net.parameters(), lr=gg.tensor(0.25))
    trainer = Trainer(net, nn.MSELoss(), rule, progress=False, compile=False)
    trainer.find_lr((gg.ones(1, 1), gg.ones(1, 1)), steps=5)
    assert rule.param_groups[0]["lr"].item() == 0.25


@pytest.mark.parametrize("options", [{"low": 0.0}, {"low": 2.0, "high": 1.0}, {"steps": 1}])
def test_the_range_test_refuses(options):
    with pytest.raises(GlassgradError):
        bowl().find_lr((gg.ones(1, 1), gg.ones(1, 1)), **options)
