"""The Trainer against loops by hand, against torch, against closed forms; what it tells, and when it stops."""

import itertools
import math
import random
from copy import deepcopy

import numpy as np
import pytest
import torch
from tests.train.nets import data, facts, rows, training

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.errors import GlassgradError
from glassgrad.nn.utils import clip_grad_norm_
from glassgrad.train import Callback, EarlyStop, KeepBest, NotFiniteLoss, Trainer, accuracy
from glassgrad.utils.data import DataLoader, TensorDataset

mse = nn.functional.mse_loss
QUIET = {"progress": False, "compile": False}


def line(rate=0.1, **options):
    """w · x towards 2x, from w = 0: every number can be worked out by hand."""
    net = nn.Linear(1, 1, bias=False)
    net.weight.data = gg.zeros(1, 1)
    return Trainer(net, mse, optim.SGD(net.parameters(), lr=rate), **(QUIET | options))


ONE = (gg.ones(1, 1), 2 * gg.ones(1, 1))
"""One row: the loss is (w - 2)², its gradient 2 (w - 2), so w - 2 shrinks by 1 - 2 · rate."""


def test_by_the_closed_form():
    history = line().fit(ONE, epochs=4)
    assert history["loss"] == pytest.approx([4 * 0.8 ** (2 * k) for k in range(4)], rel=1e-6)
    assert history["epoch"] == history["step"] == [1, 2, 3, 4]


def test_it_is_the_loop_that_one_would_write():
    gg.manual_seed(3)
    np.random.seed(3)
    trainer, loader = training(compile=False)
    trainer.callbacks.clear()
    trainer.fit(loader, epochs=2)
    gg.manual_seed(3)
    np.random.seed(3)
    other, others = training(compile=False)
    means = []
    for _ in range(2):
        other.model.train()
        total = right = count = 0.0
        for x, y in others:
            other.optimizer.zero_grad()
            said = other.model(x)
            loss = nn.functional.cross_entropy(said, y)
            loss.backward()
            clip_grad_norm_(list(other.model.parameters()), 1.0)
            other.optimizer.step()
            other.schedule.step()
            total, right = total + loss.item() * len(x), right + accuracy(said, y).item() * len(x)
            count += len(x)
        means.append([total / count, right / count])
    assert facts(trainer)[:4] == facts(other)[:4]
    assert [[row["loss"], row["accuracy"]] for row in trainer.history] == means


def test_compiled_steps_give_the_same_and_are_compiled_once():
    reached = []
    for compile in (False, True):
        gg.manual_seed(3)
        np.random.seed(0)
        trainer, loader = training(compile=compile)
        trainer.fit(loader, data(20, seed=1), epochs=4)
        reached.append(trainer)
    for name, value in reached[0].model.state_dict().items():
        assert np.allclose(value.numpy(), reached[1].model.state_dict()[name].numpy(), atol=2e-4), name
    # batches of 8 and a last one of 2: two signatures, once each, however many epochs
    steps = reached[1].steps
    assert [plan.calls for plan in plans(steps.train)] == [4 * 6 - 1, 4]
    assert [plan.calls for plan in plans(steps.evaluate)] == [4]


def plans(runner):
    """What a runner has compiled."""
    return [plan for held in runner.call.plans.values() for plan in held]


def test_like_torch():
    gg.manual_seed(0)
    x, y = data()
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))
    peer = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    peer.load_state_dict({name: torch.tensor(value.numpy()) for name, value in net.state_dict().items()})
    optimizer = optim.SGD(net.parameters(), lr=0.5, momentum=0.9, weight_decay=1e-3)
    schedule = optim.lr_scheduler.StepLR(optimizer, 2, 0.1)
    trainer = Trainer(net, nn.CrossEntropyLoss(), optimizer, schedule=schedule, clip_value=0.05, clip_norm=0.1, **QUIET)
    history = trainer.fit(DataLoader(TensorDataset(x, y), 16), (x, y), epochs=5)

    optimizer = torch.optim.SGD(peer.parameters(), lr=0.5, momentum=0.9, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.1)
    tx, ty = torch.tensor(x.numpy()), torch.tensor(y.numpy())
    held, rates = [], []
    for _ in range(5):
        for xs, ys in zip(tx.split(16), ty.split(16), strict=True):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(peer(xs), ys).backward()
            torch.nn.utils.clip_grad_value_(peer.parameters(), 0.05)
            torch.nn.utils.clip_grad_norm_(peer.parameters(), 0.1)
            optimizer.step()
        rates.append(optimizer.param_groups[0]["lr"])
        schedule.step()
        held.append(torch.nn.functional.cross_entropy(peer(tx), ty).item())
    assert history["valid_loss"] == pytest.approx(held, rel=1e-4)
    assert history["rate"] == rates


# -- accumulation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_parts_of_a_batch_train_like_the_whole(compile, reduction):
    if compile and reduction == "sum":
        pytest.skip("the same code")
    x, y = data(50)
    reached = []
    for size, parts in ((24, 1), (8, 3)):  # the whole batches: 24, 24 and 2 rows
        gg.manual_seed(1)
        net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))
        net.idle = nn.Parameter(gg.ones(2))  # no gradient: weight decay must not touch it
        loss = nn.CrossEntropyLoss(reduction=reduction)
        rule = optim.AdamW(net.parameters(), lr=0.05, weight_decay=0.1)
        options = {"accumulate": parts, "clip_norm": 0.1, "metrics": ["accuracy"], "compile": compile and parts > 1}
        trainer = Trainer(net, loss, rule, progress=False, **options)
        batches = list(zip(x.split(size), y.split(size), strict=True))
        if reduction == "sum":  # means of sums differ with the size of batches
            trainer.metrics.clear()
        trainer.fit(batches, epochs=4)
        assert trainer.step == 12
        reached.append((trainer, net))
    (whole, a), (parted, b) = reached
    for name, value in a.state_dict().items():
        assert np.allclose(value.numpy(), b.state_dict()[name].numpy(), atol=1e-5), name
    assert b.idle.tolist() == [1.0, 1.0]
    if compile:
        assert [plan.calls for plan in plans(parted.steps.gather)] == [4 * 6 - 1, 4]
        assert [plan.calls for plan in plans(parted.steps.apply)] == [4 * 3 - 1]
    if reduction == "mean":
        assert parted.history["loss"] == pytest.approx(whole.history["loss"], rel=1e-4)


def test_the_loss_of_an_accumulated_step_is_that_of_all_its_rows():
    told = []

    class Note(Callback):
        def on_step(self, trainer, loss):
            told.append(loss)

    trainer = line(rate=1e-9, accumulate=2, callbacks=[Note()])
    x = gg.tensor([[1.0], [1.0], [2.0], [3.0]])
    trainer.fit([(x[:3], 2 * x[:3]), (x[3:], 2 * x[3:]), (x[:1], 2 * x[:1])], epochs=1)
    assert told == pytest.approx([(4 + 4 + 16 + 36) / 4, 4.0])


# -- measuring -----------------------------------------------------------------------------------------------------


def test_means_are_over_rows_not_batches():
    trainer = line(rate=1e-12, metrics={"error": lambda said, targets: (said - targets).abs().mean()})
    x = gg.tensor([[1.0], [2.0], [6.0]])
    batches = [(x[:2], 2 * x[:2]), (x[2:], 2 * x[2:])]
    assert trainer.evaluate(batches) == pytest.approx({"loss": (4 + 16 + 144) / 3, "error": (2 + 4 + 12) / 3})
    row = trainer.fit(batches, batches, epochs=1).last
    assert row["loss"] == pytest.approx(row["valid_loss"]) == pytest.approx((4 + 16 + 144) / 3)
    assert row["error"] == pytest.approx(row["valid_error"]) == pytest.approx(6)


def test_metrics_are_computed_in_the_compiled_step():
    calls = itertools.count()

    def error(said, targets):
        next(calls)
        return (said - targets).abs().mean()

    trainer = line(compile=True, metrics=[error])
    trainer.fit(ONE, epochs=10)
    assert next(calls) == 2  # once as it is, once traced


def test_evaluation_leaves_modes_and_statistics_alone():
    trainer, loader = training(compile=False)
    trainer.fit(loader, epochs=1)
    trainer.model[1].eval()
    before = facts(trainer)
    first, again = trainer.evaluate(data()), trainer.evaluate(data())
    assert first == again  # no dropout
    assert facts(trainer) == before
    assert [module.training for module in trainer.model] == [True, False, True, True, True]


def test_predictions():
    trainer, _ = training(compile=True)
    x, y = data(70)
    said = trainer.predict(x, batch_size=16)
    trainer.model.eval()
    right = trainer.model(x).detach().numpy()
    assert np.allclose(said.numpy(), right, atol=1e-6)
    trainer, loose = Trainer(trainer.model, mse, trainer.optimizer, **QUIET), trainer
    assert len(plans(loose.steps.predict)) == 2
    for given in (x.numpy(), (x,), (x, y), [(x[:9], y[:9]), (x[9:], y[9:])], TensorDataset(x, y)):
        assert np.allclose(trainer.predict(given).numpy(), right, atol=1e-6)


def test_models_of_several_inputs_and_outputs():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(gg.ones(1))

        def forward(self, a, b):
            return a * self.w, b * self.w

    net = Both()
    trainer = Trainer(
        net, lambda said, y: (said[0] + said[1] - y).square().mean(), optim.SGD(net.parameters()), **QUIET
    )
    x = gg.arange(6).float()
    assert trainer.evaluate((x, x, 2 * x))["loss"] == 0
    a, b = trainer.predict((x, 3 * x, x), batch_size=4)
    assert a.tolist() == x.tolist()
    assert b.tolist() == (3 * x).tolist()


@pytest.mark.parametrize(
    ("said", "targets", "share"),
    [
        ([[1.0, 2.0], [3.0, 1.0]], [1, 1], 0.5),
        ([0.5, -0.5, 0.1, -3.0], [1.0, 1.0, 1.0, 0.0], 0.75),
        ([[0.5], [-0.5]], [[1], [0]], 1.0),
        ([[[1.0, 0.0], [0.0, 1.0]]], [[0, 0]], 0.5),
    ],
)
def test_accuracy(said, targets, share):
    assert accuracy(gg.tensor(said), gg.tensor(targets)).item() == share


@pytest.mark.parametrize("metric", ["accuracy", "mse", "mae"])
def test_metrics_refuse_shapes_that_would_broadcast(metric):
    trainer = Trainer(nn.Identity(), lambda *_: gg.zeros(1), optim.SGD([gg.zeros(1)]), metrics=[metric], **QUIET)
    with pytest.raises(GlassgradError, match=f"{metric} compares"):
        trainer.evaluate((gg.ones(4, 1), gg.ones(4)))


# -- stopping, the best ----------------------------------------------------------------------------------------------


class Scripted(Callback):
    """Puts a number of a list into each row."""

    def __init__(self, values):
        self.values = values

    def on_epoch(self, trainer, row):
        row["score"] = self.values[row["epoch"] - 1]


@pytest.mark.parametrize(
    ("values", "options", "epochs", "best"),
    [
        ([3, 2, 2.5, 2.2, 1, 0], {"patience": 2}, 4, 2),
        ([3, 2, 2.5, 1.9, 1, 0], {"patience": 2}, 6, 6),
        ([3, 2.9, 2.85, 0], {"patience": 2, "min_delta": 0.2}, 3, 1),
        ([1, 2, 1, 3, 1, 1, 9], {"patience": 2, "mode": "max"}, 6, 4),
        ([math.nan, math.nan, 5], {"patience": 2}, 2, None),
    ],
)
def test_early_stop(values, options, epochs, best):
    weights = {}
    stop = EarlyStop(monitor="score", **options)
    keep = lambda trainer, row: weights.update({row["epoch"]: trainer.model.weight.item()})  # noqa: E731
    trainer = line(callbacks=[Scripted(values), stop, keep])
    history = trainer.fit(ONE, epochs=len(values))
    assert len(history) == epochs
    assert trainer.model.weight.item() == weights[best or epochs]
    assert ("early stop" in history.stopped) == (epochs < len(values))
    if epochs < len(values) and best:
        assert f"in epoch {best}" in history.stopped


def test_the_best_is_kept_in_a_file_too(tmp_path):
    path = tmp_path / "best.safetensors"
    best = KeepBest("score", path=path, restore=False)
    trainer = line(callbacks=[Scripted([2, 1, 3]), best])
    trainer.fit(ONE, epochs=3)
    assert trainer.model.weight.item() == pytest.approx(2 - 2 * 0.8**3)
    trainer.model.load_state_dict(gg.load(path))
    assert trainer.model.weight.item() == pytest.approx(2 - 2 * 0.8**2)
    assert (best.best, best.epoch) == (1, 2)


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(GlassgradError, match="no number 'valid_loss'"):
        line(callbacks=[KeepBest("valid_loss")]).fit(ONE)


def test_callbacks_are_called_in_order_and_can_stop():
    told = []

    class Tell(Callback):
        def on_start(self, trainer):
            told.append("start")

        def on_step(self, trainer, loss):
            told.append(round(loss, 4))
            if trainer.step == 3:
                trainer.stop("enough")

        def on_epoch(self, trainer, row):
            told.append(row["epoch"])

        def on_end(self, trainer):
            told.append("end")

    trainer = line(callbacks=[Tell(), lambda trainer, row: told.append("function")])
    history = trainer.fit([ONE, ONE], epochs=5)
    assert told == ["start", 4.0, 2.56, 1, "function", 1.6384, 2, "function", "end"]
    assert (history.stopped, trainer.step) == ("enough", 3)
    assert len(trainer.fit([ONE], epochs=1)) == 3


@pytest.mark.parametrize("compile", [False, True])
def test_a_loss_that_is_not_finite_stops_it_and_names_the_step(compile):
    x = gg.ones(5, 1)
    batches = [(x, x), (x, x), (x, x * math.inf), (x, x)]
    trainer = line(compile=compile)
    with pytest.raises(NotFiniteLoss, match=r"step 3 is inf \(epoch 1, batch 3\)") as caught:
        trainer.fit(batches)
    assert "record" in caught.value.fix
    assert caught.value.batch[1].tolist() == batches[2][1].tolist()


def test_it_goes_on_with_what_is_not_finite_if_told_so():
    x = gg.ones(1, 1)
    trainer = line(allow_nan=True)
    trainer.fit([(x, x), (x, x * math.inf), (x, x)])
    assert trainer.step == 3


def test_its_advice_finds_the_operation():
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    broken = lambda said, targets: (said - said).log().mean() * 0 + mse(said, targets)  # noqa: E731
    trainer = Trainer(net, broken, optim.SGD(net.parameters(), lr=0.0), **QUIET)
    before = deepcopy(net.state_dict())
    with pytest.raises(NotFiniteLoss) as caught:
        trainer.fit(ONE)
    net.load_state_dict(before)
    with gg.record() as tape:
        broken(net(caught.value.batch[0]), caught.value.batch[1]).backward()
    assert any("not finite" in note and "ln(" in note for note in tape.report().notes)


# -- rates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("every", "rates"), [("step", [0.5, 0.125]), ("epoch", [1.0, 0.5]), (None, [1.0, 0.5])])
def test_schedules_go_by_steps_or_epochs(every, rates):
    trainer = line(rate=1.0)
    schedule = optim.lr_scheduler.ExponentialLR(trainer.optimizer, 0.5)
    trainer = Trainer(trainer.model, mse, trainer.optimizer, schedule=schedule, schedule_every=every, **QUIET)
    assert trainer.fit([ONE, ONE], epochs=2)["rate"] == rates


def test_one_cycle_goes_by_steps_and_plateau_by_the_validation():
    trainer = line()
    schedule = optim.lr_scheduler.OneCycleLR(trainer.optimizer, 1.0, total_steps=4)
    trainer = Trainer(trainer.model, mse, trainer.optimizer, schedule=schedule, **QUIET)
    assert trainer.schedule_every == "step"
    trainer = line(rate=0.25)
    schedule = optim.lr_scheduler.ReduceLROnPlateau(trainer.optimizer, factor=0.5, patience=0)
    trainer = Trainer(trainer.model, mse, trainer.optimizer, schedule=schedule, **QUIET)
    away = (ONE[0], -ONE[1])  # what is learned makes this worse
    assert trainer.fit(ONE, away, epochs=3)["rate"] == [0.25, 0.25, 0.125]


def test_a_seed_decides_everything():
    ends = []
    for seed in (4, 4, 5):
        gg.manual_seed(0)
        trainer, loader = training(seed=seed, compile=False)
        gg.rand(3), np.random.rand(3), random.random()
        trainer.fit(loader, epochs=1)
        ends.append((facts(trainer), np.random.rand(), random.random()))
    assert ends[0] == ends[1]
    assert ends[0][0] != ends[2][0]
    assert ends[0][1:] != ends[2][1:]


def test_a_second_fit_goes_on():
    trainer = line()
    trainer.fit(ONE, epochs=2)
    trainer.fit(ONE, epochs=2)
    assert rows(trainer.history) == rows(line().fit(ONE, epochs=4))


# -- what cannot be compiled -----------------------------------------------------------------------------------------


def test_what_cannot_be_compiled_runs_and_says_so_in_one_line(capsys):
    def looking(said, targets):
        loss = mse(said, targets)
        return loss if loss.item() > 1 else loss * 1.0

    net = nn.Linear(1, 1, bias=False)
    net.weight.data = gg.zeros(1, 1)
    trainer = Trainer(net, looking, optim.SGD(net.parameters(), lr=0.1), progress=False)
    trainer.fit(ONE, epochs=4)
    said = capsys.readouterr().err
    assert said.startswith("glassgrad: the training step runs uncompiled: ")
    assert said.count("\n") == 1
    assert "test_trainer.py" in said
    assert net.weight.item() == pytest.approx(2 - 2 * 0.8**4)
    assert trainer.uncompiled in said
    assert "cannot look at a value" in trainer.uncompiled


def test_threads_are_handed_on():
    assert line(compile=True, threads=1).steps.train.call.threads == 1


# -- what is refused ---------------------------------------------------------------------------------------------------

NET = nn.Linear(1, 1)
RULE = optim.SGD(NET.parameters(), lr=0.1)
OTHER = optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": abs}, "trains a module"),
        ({"loss": 3}, "loss is a function"),
        ({"optimizer": 0.1}, "needs an optimizer"),
        ({"optimizer": OTHER}, "none of the model's parameters"),
        ({"optimizer": optim.LBFGS(NET.parameters())}, "LBFGS"),
        ({"schedule": 3}, "has a step"),
        ({"schedule": optim.lr_scheduler.StepLR(OTHER, 1)}, "another optimizer"),
        ({"schedule_every": "day"}, "schedule_every"),
        ({"metrics": ["beauty"]}, "no metric 'beauty'"),
        ({"metrics": [3]}, "a metric is"),
        ({"metrics": {"loss": mse}}, "called 'loss'"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"clip_value": math.nan}, "clip_value"),
        ({"accumulate": 0}, "accumulate"),
        ({"checkpoint_every": 1.5}, "checkpoint_every"),
        ({"callbacks": [EarlyStop]}, "a callback is"),
        ({"callbacks": [None]}, "a callback is"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_a_trainer_refuses(options, said):
    given = {"model": NET, "loss": mse, "optimizer": RULE, "progress": False, **options}
    with pytest.raises(GlassgradError, match=said):
        Trainer(given.pop("model"), given.pop("loss"), given.pop("optimizer"), **given)


@pytest.mark.parametrize(
    ("train", "options", "said"),
    [
        (iter([ONE]), {}, "used up after one epoch"),
        ([ONE[0]], {}, "no targets"),
        ([], {}, "no batches"),
        (DataLoader(TensorDataset(*ONE), 2, drop_last=True), {}, "no batches"),
        (TensorDataset(gg.ones(0, 1), gg.ones(0, 1)), {}, "no rows"),
        (3, {}, "data is a DataLoader"),
        ((gg.ones(2, 1), gg.ones(3, 1)), {}, "same first dimension"),
        ([(gg.tensor(1.0), gg.tensor(2.0))], {}, "a row for each sample"),
        (ONE, {"epochs": 0}, "epochs must be"),
        (ONE, {"batch_size": 0}, "batch_size"),
    ],
    ids=[
        "iterator",
        "no targets",
        "no batches",
        "dropped",
        "no rows",
        "number",
        "lengths",
        "no dims",
        "epochs",
        "size",
    ],
)
def test_fit_refuses(train, options, said):
    with pytest.raises(GlassgradError, match=said):
        line().fit(train, **options)


def test_a_loss_must_be_one_number():
    net = nn.Linear(1, 1)
    for loss, said in ((lambda a, b: a - b, "shape"), (lambda a, b: 3.0, "float")):
        with pytest.raises(GlassgradError, match=f"the loss must be(.|\n)*{said}"):
            Trainer(net, loss, optim.SGD(net.parameters()), **QUIET).fit((gg.ones(2, 1), gg.ones(2, 1)))


def test_early_stop_refuses():
    for options in ({"patience": 0}, {"mode": "best"}, {"min_delta": -1}):
        with pytest.raises(GlassgradError):
            EarlyStop(**options)
