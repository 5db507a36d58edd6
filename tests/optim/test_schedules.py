"""Every schedule against PyTorch's, rate by rate: saving, resuming, jumps, tensors as rates, momentum."""

import copy
import math
import pickle
import warnings

import numpy as np
import pytest
import torch

from glassgrad import functions as fn
from glassgrad import optim
from glassgrad.tensor import Tensor

STEPS = 50
HERE, THERE = optim, torch.optim


class Falling:
    """A factor with something to save: an object, not a function."""

    def __init__(self, slope):
        self.slope = slope

    def __call__(self, epoch):
        return 1 / (1 + self.slope * epoch)


def plain(name, **options):
    """A case: ``(module, optimizer, **more) -> schedule``, for either library."""
    return lambda module, optimizer, **more: getattr(module.lr_scheduler, name)(optimizer, **options, **more)


def sequence(milestones, *parts, **own):
    def made(module, optimizer, **more):
        schedules = [part(module, optimizer, **more) for part in parts]
        with warnings.catch_warnings():
            if module is THERE:  # PyTorch warns of the first steps that it takes itself in combined schedules
                warnings.filterwarnings("ignore", "Detected call")
            return module.lr_scheduler.SequentialLR(optimizer, schedules, milestones=milestones, **own, **more)

    return made


def chain(*parts):
    def made(module, optimizer, **more):
        return module.lr_scheduler.ChainedScheduler([part(module, optimizer, **more) for part in parts])

    return made


WARM = plain("LinearLR", start_factor=0.1, total_iters=7)
CASES = {
    "LambdaLR": [
        plain("LambdaLR", lr_lambda=lambda epoch: 0.95**epoch),
        plain("LambdaLR", lr_lambda=[lambda epoch: epoch / 30, Falling(0.5)]),
    ],
    "MultiplicativeLR": [
        plain("MultiplicativeLR", lr_lambda=lambda epoch: 1 - 1 / (2 + epoch)),
        plain("MultiplicativeLR", lr_lambda=[Falling(0.01), lambda epoch: 1.01]),
    ],
    "StepLR": [plain("StepLR", step_size=7), plain("StepLR", step_size=1, gamma=0.9)],
    "MultiStepLR": [
        plain("MultiStepLR", milestones=[3, 9, 9, 40], gamma=0.5),
        plain("MultiStepLR", milestones=[30, 2]),
        plain("MultiStepLR", milestones=[0, 1]),
    ],
    "ConstantLR": [
        plain("ConstantLR"),
        plain("ConstantLR", factor=0.25, total_iters=20),
        plain("ConstantLR", factor=1.0),
    ],
    "LinearLR": [
        plain("LinearLR"),
        plain("LinearLR", start_factor=1.0, end_factor=0.0, total_iters=10),
        plain("LinearLR", start_factor=0.5, end_factor=0.7, total_iters=60),
    ],
    "ExponentialLR": [plain("ExponentialLR", gamma=0.9), plain("ExponentialLR", gamma=1.05)],
    "PolynomialLR": [
        plain("PolynomialLR"),
        plain("PolynomialLR", total_iters=30, power=2.5),
        plain("PolynomialLR", total_iters=100, power=0.5),
    ],
    "CosineAnnealingLR": [
        plain("CosineAnnealingLR", T_max=60),
        plain("CosineAnnealingLR", T_max=9, eta_min=0.01),
        plain("CosineAnnealingLR", T_max=1),
    ],
    "CosineAnnealingWarmRestarts": [
        plain("CosineAnnealingWarmRestarts", T_0=9),
        plain("CosineAnnealingWarmRestarts", T_0=3, T_mult=2, eta_min=0.01),
        plain("CosineAnnealingWarmRestarts", T_0=1, T_mult=3),
    ],
    "CyclicLR": [
        plain("CyclicLR", base_lr=0.1, max_lr=0.9, step_size_up=6),
        plain("CyclicLR", base_lr=[0.1, 0.2], max_lr=[0.5, 0.9], step_size_up=3, step_size_down=8, mode="triangular2"),
        plain("CyclicLR", base_lr=0.1, max_lr=0.9, step_size_up=4, mode="exp_range", gamma=0.97, cycle_momentum=False),
        plain("CyclicLR", base_lr=0.1, max_lr=0.9, step_size_up=4, scale_fn=Falling(0.3), base_momentum=[0.5, 0.6]),
        plain("CyclicLR", base_lr=0.1, max_lr=1, step_size_up=4, scale_fn=lambda x: 0.9**x, scale_mode="iterations"),
    ],
    "OneCycleLR": [
        plain("OneCycleLR", max_lr=1.0, total_steps=60),
        plain("OneCycleLR", max_lr=[0.5, 2.0], epochs=6, steps_per_epoch=10, anneal_strategy="linear"),
        plain("OneCycleLR", max_lr=1.0, total_steps=55, pct_start=0.4, three_phase=True, div_factor=10.0),
        plain("OneCycleLR", max_lr=1.0, total_steps=70, pct_start=0.0, cycle_momentum=False, final_div_factor=1e2),
        plain("OneCycleLR", max_lr=1.0, total_steps=51, base_momentum=0.5, max_momentum=[0.8, 0.9]),
    ],
    "SequentialLR": [
        sequence([7], WARM, plain("CosineAnnealingLR", T_max=40)),
        sequence([5, 20], plain("ConstantLR", factor=0.1, total_iters=9), plain("ExponentialLR", gamma=0.9), WARM),
        sequence([6], chain(plain("ConstantLR"), plain("StepLR", step_size=2)), plain("PolynomialLR", total_iters=20)),
        sequence([0], WARM, plain("StepLR", step_size=5)),
        sequence([9], sequence([4], WARM, plain("StepLR", step_size=2)), plain("CosineAnnealingWarmRestarts", T_0=5)),
    ],
    "ChainedScheduler": [
        chain(WARM, plain("ExponentialLR", gamma=0.9)),
        chain(plain("StepLR", step_size=4, gamma=0.7), plain("CosineAnnealingLR", T_max=11, eta_min=0.001), WARM),
    ],
}
TABLE = [pytest.param(case, id=f"{name}-{i}") for name, rows in CASES.items() for i, case in enumerate(rows)]
WITH_MOMENTUM = [row for row in TABLE if row.id.startswith(("CyclicLR", "OneCycleLR"))]
RESUMABLE = [row for row in TABLE if not row.id.startswith(("SequentialLR", "ChainedScheduler"))]


def rates(module):
    """Rates as tensors, in float64 so as not to lose digits."""
    make = fn.tensor if module is HERE else torch.tensor
    return [make(np.float64(rate)) for rate in (0.3, 0.8)]


def optimizer_of(module, rule="SGD", lr=(0.3, 0.8)):
    make = fn.tensor if module is HERE else torch.tensor
    params = [make([1.0, 2.0], requires_grad=True) for _ in lr]
    groups = [{"params": [p], "lr": rate} for p, rate in zip(params, lr, strict=True)]
    return getattr(module, rule)(groups, **({"momentum": 0.9} if rule == "SGD" else {}))


def number(value):
    return value.item() if isinstance(value, (Tensor, torch.Tensor)) else value


def seen(optimizer, schedule):
    """What a schedule has set: rates, momenta, and what it says of the rates."""
    groups = optimizer.param_groups
    momenta = [g["momentum"] if "momentum" in g else g["betas"][0] for g in groups if "momentum" in g or "betas" in g]
    return [number(value) for value in (*(g["lr"] for g in groups), *momenta, *schedule.get_last_lr())]


def go_on(optimizer, schedule, steps):
    path = [seen(optimizer, schedule)]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        path.append(seen(optimizer, schedule))
    return path


def close(mine, reference):
    np.testing.assert_allclose(mine, reference, rtol=1e-9, atol=1e-12)


def both(work):
    """The results of the same work with glassgrad's and with PyTorch's modules."""
    return work(HERE), work(THERE)


@pytest.mark.parametrize("case", TABLE)
def test_rates(case):
    def work(module):
        optimizer = optimizer_of(module)
        return go_on(optimizer, case(module, optimizer), STEPS)

    close(*both(work))


@pytest.mark.parametrize("rule", ["Adam", "RMSprop"])
@pytest.mark.parametrize("case", WITH_MOMENTUM)
def test_momentum_of_other_rules(case, rule):
    def work(module):
        optimizer = optimizer_of(module, rule)
        return go_on(optimizer, case(module, optimizer), 20)

    close(*both(work))


@pytest.mark.parametrize("case", TABLE)
def test_tensor_rates(case):
    """A rate that is a tensor stays the same tensor, and no result is an alias of it."""

    def work(module):
        lr = rates(module)
        optimizer = optimizer_of(module, lr=lr)
        schedule = case(module, optimizer)
        path = go_on(optimizer, schedule, STEPS)
        assert all(g["lr"] is rate for g, rate in zip(optimizer.param_groups, lr, strict=True))
        assert not {id(rate) for rate in schedule.get_last_lr()} & {id(rate) for rate in lr}
        return path

    close(*both(work))


@pytest.mark.parametrize("case", TABLE)
def test_rates_edited_by_hand(case):
    def work(module):
        optimizer = optimizer_of(module)
        schedule = case(module, optimizer)
        path = go_on(optimizer, schedule, 10)
        optimizer.param_groups[0]["lr"] *= 0.5
        return path + go_on(optimizer, schedule, 20)

    close(*both(work))


@pytest.mark.parametrize("make", [lambda module: (0.3, 0.8), rates], ids=["numbers", "tensors"])
@pytest.mark.parametrize("case", TABLE)
def test_state_round_trip(case, make):
    """Saved in mid-run, new objects go on identically; so do those that take PyTorch's own state."""
    optimizer, other = optimizer_of(HERE, lr=make(HERE)), optimizer_of(THERE, lr=make(THERE))
    schedule, reference = case(HERE, optimizer), case(THERE, other)
    go_on(optimizer, schedule, 17)
    go_on(other, reference, 17)
    saved = copy.deepcopy((schedule.state_dict(), optimizer.state_dict()))
    foreign = copy.deepcopy((reference.state_dict(), other.state_dict()))
    before = copy.deepcopy(saved[0])
    expected, theirs = go_on(optimizer, schedule, STEPS - 17), go_on(other, reference, STEPS - 17)
    close(expected, theirs)
    for (state, groups), wanted in ((saved, expected), (foreign, theirs)):
        second = optimizer_of(HERE, lr=make(HERE))
        again = case(HERE, second)
        again.load_state_dict(state)
        second.load_state_dict(groups)
        close(go_on(second, again, STEPS - 17), wanted)
    assert sorted(saved[0]) == sorted(before), "loading took something out of the saved state"


@pytest.mark.parametrize("back", [0, 1])
@pytest.mark.parametrize("case", RESUMABLE)
def test_resume_by_last_epoch(case, back):
    def work(module):
        optimizer = optimizer_of(module)
        first = case(module, optimizer)
        go_on(optimizer, first, 17)
        second = optimizer_of(module)
        second.load_state_dict(optimizer.state_dict())
        return go_on(second, case(module, second, last_epoch=first.last_epoch - back), STEPS - 18)

    close(*both(work))


@pytest.mark.parametrize("case", [row for row in RESUMABLE if "WarmRestarts" not in row.id])
def test_jumps(case):
    """step(epoch) goes there by the closed form where there is one, and warns."""

    def work(module):
        optimizer = optimizer_of(module)
        schedule = case(module, optimizer)
        path = []
        for epoch in (3, 0, 29, 12, None, 1, None, 50):
            optimizer.step()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                schedule.step(epoch)
            assert [w.category for w in caught] == ([] if epoch is None else [UserWarning])
            path.append([*seen(optimizer, schedule), schedule.last_epoch])
        return path

    close(*both(work))


@pytest.mark.parametrize("case", [row for row in RESUMABLE if "WarmRestarts" in row.id])
def test_fractions_of_epochs(case):
    def work(module):
        optimizer = optimizer_of(module)
        schedule = case(module, optimizer)
        path = []
        for epoch in [i / 4 for i in range(60)] + [3, None, 26, None, 0.5, 100]:
            schedule.step(epoch)
            path.append([*seen(optimizer, schedule), schedule.last_epoch, schedule.T_cur, schedule.T_i])
        return path

    close(*both(work))


def test_formulas():
    """The rates by the formulas of the papers and the documents, not by PyTorch."""
    for epoch in range(21):
        wave = (1 + math.cos(math.pi * epoch / 20)) / 2
        up = min(epoch / 5, 1.0)
        expected = {
            "CosineAnnealingLR": ({"T_max": 20, "eta_min": 0.1}, 0.1 + 0.9 * wave),
            "ExponentialLR": ({"gamma": 0.8}, 0.8**epoch),
            "StepLR": ({"step_size": 4, "gamma": 0.5}, 0.5 ** (epoch // 4)),
            "MultiStepLR": ({"milestones": [3, 8], "gamma": 0.5}, 0.5 ** ((epoch >= 3) + (epoch >= 8))),
            "PolynomialLR": ({"total_iters": 20, "power": 2.0}, (1 - epoch / 20) ** 2),
            "LinearLR": ({"start_factor": 0.2, "total_iters": 5}, 0.2 + 0.8 * up),
            "ConstantLR": ({"factor": 0.5, "total_iters": 6}, 0.5 if epoch < 6 else 1.0),
        }
        for name, (options, value) in expected.items():
            optimizer = optimizer_of(HERE, lr=(1.0,))
            schedule = getattr(optim.lr_scheduler, name)(optimizer, **options)
            assert go_on(optimizer, schedule, epoch)[-1][0] == pytest.approx(value, rel=1e-12, abs=1e-15), (name, epoch)


def test_pickled_with_its_optimizer():
    optimizer = optimizer_of(HERE)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=60)
    go_on(optimizer, schedule, 5)
    second, again = pickle.loads(pickle.dumps((optimizer, schedule)))
    assert again.optimizer is second
    assert go_on(second, again, 20) == go_on(optimizer, schedule, 20)


def test_states_have_torch_keys():
    """What PyTorch saves we save under the same name, so files go both ways; only its weak references are missing."""
    for row in TABLE:
        (case,) = row.values
        mine, reference = both(lambda module, case=case: case(module, optimizer_of(module)).state_dict())
        assert set(reference) - {"_scale_fn_ref"} <= set(mine), row.id


def test_torch_takes_our_state():
    for row in TABLE:
        (case,) = row.values
        optimizer, other = both(optimizer_of)
        schedule, reference = case(HERE, optimizer), case(THERE, other)
        go_on(optimizer, schedule, 17)
        reference.load_state_dict(copy.deepcopy(schedule.state_dict()))
        for group, mine in zip(other.param_groups, optimizer.param_groups, strict=True):
            group.update({key: value for key, value in mine.items() if key != "params"})
        close(go_on(optimizer, schedule, 20), go_on(other, reference, 20))


def test_all_exports_have_cases():
    schedules = set(optim.lr_scheduler.__all__) - {"LRScheduler", "_LRScheduler"}
    assert schedules == set(CASES) | {"ReduceLROnPlateau"}, (
        "a schedule has no case here (ReduceLROnPlateau: test_plateau)"
    )
    assert set(torch.optim.lr_scheduler.__all__) <= set(optim.lr_scheduler.__all__)
