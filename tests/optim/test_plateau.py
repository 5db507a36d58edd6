"""ReduceLROnPlateau against PyTorch's: the same metrics, the same rates and counts."""

import copy
import math

import numpy as np
import pytest
import torch

from glassgrad import functions as fn
from glassgrad import optim
from glassgrad.errors import ArgumentError, StateError

HERE, THERE = optim, torch.optim
CASES = [
    {},
    {"patience": 2, "factor": 0.5},
    {"patience": 0, "factor": 0.9, "cooldown": 3},
    {"patience": 3, "factor": 0.5, "mode": "max", "threshold": 0.05},
    {"patience": 1, "factor": 0.5, "threshold": 0.2, "threshold_mode": "abs", "min_lr": 0.01},
    {"patience": 1, "factor": 0.5, "mode": "max", "threshold": 0.2, "threshold_mode": "abs", "min_lr": [0.2, 0.0]},
    {"patience": 0, "factor": 0.5, "eps": 0.1},
    {"patience": 4, "factor": 0.0, "cooldown": 1},
]
KEYS = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")


def metrics(kind):
    rng = np.random.default_rng(7)
    steps = np.arange(80)
    return {
        "falling": 3.0 * 0.9**steps,
        "rising": 0.1 * steps - 2.0,
        "noisy": 1 / (1 + steps) + rng.normal(0, 0.1, 80),
        "flat": np.ones(80),
        "broken": np.where(steps % 9 == 4, math.nan, np.where(steps % 11 == 7, math.inf, np.sin(steps / 7))),
    }[kind].tolist()


def optimizer_of(module, tensors=False):
    make = fn.tensor if module is HERE else torch.tensor
    rates = [make(np.float64(r)) if tensors else r for r in (0.3, 0.8)]
    return module.SGD([{"params": [make([1.0], requires_grad=True)], "lr": rate} for rate in rates])


def path_of(schedule, values):
    path = []
    for value in values:
        schedule.step(value)
        groups = schedule.optimizer.param_groups
        rates = [float(rate) for rate in (*(g["lr"] for g in groups), *schedule.get_last_lr())]
        path.append([*rates, *(getattr(schedule, key) for key in KEYS), schedule.in_cooldown])
    return path


def close(mine, reference):
    np.testing.assert_allclose(np.array(mine, float), np.array(reference, float), rtol=1e-9, atol=1e-12)


def made(module, options, tensors=False):
    return module.lr_scheduler.ReduceLROnPlateau(optimizer_of(module, tensors), **options)


@pytest.mark.parametrize("tensors", [False, True], ids=["numbers", "tensors"])
@pytest.mark.parametrize("kind", ["falling", "rising", "noisy", "flat", "broken"])
@pytest.mark.parametrize("options", CASES, ids=range(len(CASES)))
def test_rates(options, kind, tensors):
    close(*(path_of(made(module, options, tensors), metrics(kind)) for module in (HERE, THERE)))


@pytest.mark.parametrize("options", CASES, ids=range(len(CASES)))
def test_state_round_trip(options):
    """Saved in mid-run, new objects go on identically, from our state and from PyTorch's."""
    first, reference, values = made(HERE, options), made(THERE, options), metrics("noisy")
    path_of(first, values[:30])
    path_of(reference, values[:30])
    saved = copy.deepcopy((first.state_dict(), first.optimizer.state_dict()))
    foreign = copy.deepcopy((reference.state_dict(), reference.optimizer.state_dict()))
    assert set(foreign[0]) == set(saved[0])
    expected = path_of(first, values[30:])
    for state, groups in (saved, foreign):
        other = made(HERE, {})
        other.load_state_dict(state)
        other.optimizer.load_state_dict(groups)
        close(path_of(other, values[30:]), expected)


def test_metric_as_tensor():
    plain, given = made(HERE, {"patience": 1}), made(HERE, {"patience": 1})
    values = metrics("noisy")
    assert path_of(plain, values) == path_of(given, [fn.tensor(np.float64(v)) for v in values])


def test_epoch_warns():
    for module in (HERE, THERE):
        schedule = made(module, {})
        with pytest.warns(UserWarning, match="deprecated"):
            schedule.step(1.0, epoch=7)
        assert schedule.last_epoch == 7


def test_groups_added_later():
    def run(module, options):
        schedule = made(module, {"patience": 0, "factor": 0.5, **options})
        path_of(schedule, [1.0, 1.0])
        make = fn.tensor if module is HERE else torch.tensor
        schedule.optimizer.add_param_group({"params": [make([1.0], requires_grad=True)], "lr": 0.6})
        return path_of(schedule, [1.0, 1.0])

    close(run(HERE, {"min_lr": 0.1}), run(THERE, {"min_lr": 0.1}))
    with pytest.raises(RuntimeError, match="min_lrs"):
        run(THERE, {"min_lr": [0.1, 0.2]})
    with pytest.raises(StateError, match=r"(?s)3 groups, 2 values.*min_lrs"):
        run(HERE, {"min_lr": [0.1, 0.2]})


BAD = {
    "factor": ({"factor": 1.0}, r"factor=1\.0"),
    "mode": ({"mode": "least"}, "mode='least'"),
    "threshold_mode": ({"threshold_mode": "both"}, "threshold_mode='both'"),
    "min_lr": ({"min_lr": [0.1]}, "1 values, 2 groups"),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    options, text = BAD[name]
    with pytest.raises(ValueError):
        made(THERE, options)
    with pytest.raises(ArgumentError, match=text):
        made(HERE, options)
