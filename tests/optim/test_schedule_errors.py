"""What schedules refuse and warn of: where PyTorch raises, glassgrad raises an error of that type, and says why."""

import warnings

import pytest
import torch

from glassgrad import functions as fn
from glassgrad import optim
from glassgrad.errors import GlassgradError

HERE, THERE = optim, torch.optim


def optimizer_of(module, rule="SGD", **options):
    make = fn.tensor if module is HERE else torch.tensor
    return getattr(module, rule)([make([1.0], requires_grad=True)], lr=0.5, **options)


def schedule(name, *args, rule="SGD", **options):
    """Makes a schedule over a new optimizer of one group."""
    return lambda module: getattr(module.lr_scheduler, name)(optimizer_of(module, rule), *args, **options)


def steps(count, make, *args):
    def work(module):
        made = make(module)
        for _ in range(count):
            made.optimizer.step()
            made.step(*args)

    return work


def combined(name, *parts, optimizer=None, milestones=None):
    """SequentialLR or ChainedScheduler of ``parts``, each a function of the module and of one optimizer of all."""

    def work(module):
        shared = optimizer_of(module)
        schedules = [part(module, shared) for part in parts]
        own = optimizer_of(module) if optimizer else shared
        if name == "SequentialLR":
            return module.lr_scheduler.SequentialLR(own, schedules, milestones)
        return module.lr_scheduler.ChainedScheduler(schedules, own)

    return work


def step_lr(module, optimizer):
    return module.lr_scheduler.StepLR(optimizer, 3)


def plateau(module, optimizer):
    return module.lr_scheduler.ReduceLROnPlateau(optimizer)


def nothing(module, optimizer):
    return "StepLR"


# name: what PyTorch raises, what our message says, what is done
BAD = {
    "no optimizer": (TypeError, "needs an optimizer", lambda m: m.lr_scheduler.StepLR([0.1], 3)),
    "plateau, no optimizer": (TypeError, "needs an optimizer", lambda m: m.lr_scheduler.ReduceLROnPlateau("SGD")),
    "cyclic, no optimizer": (TypeError, "needs an optimizer", lambda m: m.lr_scheduler.CyclicLR(0.1, 0.1, 1.0)),
    "one cycle, no optimizer": (TypeError, "needs an optimizer", lambda m: m.lr_scheduler.OneCycleLR(0.1, 1.0, 9)),
    "resumed too early": (KeyError, r"(?s)last_epoch=4.*'initial_lr'", schedule("ExponentialLR", 0.9, last_epoch=4)),
    "lambdas": (ValueError, "2 values, 1 groups", schedule("LambdaLR", [len, len])),
    "multiplicative": (ValueError, "2 values, 1 groups", schedule("MultiplicativeLR", [len, len])),
    "not callable": (TypeError, "function of the epoch", schedule("MultiplicativeLR", [0.5])),
    "constant": (ValueError, r"factor=1\.5", schedule("ConstantLR", factor=1.5)),
    "linear start": (ValueError, r"start_factor=0", schedule("LinearLR", start_factor=0)),
    "linear end": (ValueError, r"end_factor=-1", schedule("LinearLR", end_factor=-1)),
    "T_0": (ValueError, r"T_0=0", schedule("CosineAnnealingWarmRestarts", 0)),
    "T_0 as float": (ValueError, r"T_0=2\.0", schedule("CosineAnnealingWarmRestarts", 2.0)),
    "T_mult": (ValueError, r"T_mult=0", schedule("CosineAnnealingWarmRestarts", 2, 0)),
    "eta_min": (ValueError, r"eta_min='0'", schedule("CosineAnnealingWarmRestarts", 2, 1, "0")),
    "epoch": (ValueError, r"epoch=-1", steps(1, schedule("CosineAnnealingWarmRestarts", 2), -1)),
    "cyclic mode": (ValueError, r"mode='square'", schedule("CyclicLR", 0.1, 1.0, mode="square", cycle_momentum=False)),
    "cyclic groups": (ValueError, "base_lr", schedule("CyclicLR", [0.1, 0.2], 1.0, cycle_momentum=False)),
    "no momentum": (ValueError, "(?s)Adagrad.*cycle_momentum=False", schedule("CyclicLR", 0.1, 1.0, rule="Adagrad")),
    "one cycle, no momentum": (ValueError, "Adagrad", schedule("OneCycleLR", 1.0, 9, rule="Adagrad")),
    "no length": (ValueError, "total_steps", schedule("OneCycleLR", 1.0)),
    "half a length": (ValueError, "steps_per_epoch", schedule("OneCycleLR", 1.0, epochs=3)),
    "total_steps": (ValueError, "total_steps=0", schedule("OneCycleLR", 1.0, 0)),
    "epochs": (ValueError, "epochs=-1", schedule("OneCycleLR", 1.0, epochs=-1, steps_per_epoch=4)),
    "steps_per_epoch": (ValueError, "steps_per_epoch=0", schedule("OneCycleLR", 1.0, epochs=1, steps_per_epoch=0)),
    "pct_start": (ValueError, r"pct_start=1\.5", schedule("OneCycleLR", 1.0, 9, pct_start=1.5)),
    "strategy": (ValueError, "'sin'", schedule("OneCycleLR", 1.0, 9, anneal_strategy="sin", rule="Adam")),
    "max_lr": (ValueError, "2 values, 1 groups", schedule("OneCycleLR", [1.0, 2.0], 9, rule="Adam")),
    "too many steps": (ValueError, "after 5 steps", steps(6, schedule("OneCycleLR", 1.0, 5, cycle_momentum=False))),
    "empty chain": (ValueError, "at least one", lambda m: m.lr_scheduler.ChainedScheduler([])),
    "empty sequence": (ValueError, "at least one", combined("SequentialLR", milestones=[])),
    "milestones": (ValueError, "1 milestones, 1 schedules", combined("SequentialLR", step_lr, milestones=[3])),
    "not a schedule": (TypeError, "item 1", combined("SequentialLR", step_lr, nothing, milestones=[3])),
    "chain of others": (TypeError, "item 0 is not a schedule", combined("ChainedScheduler", nothing)),
    "plateau in a chain": (ValueError, "metric", combined("ChainedScheduler", step_lr, plateau)),
    "plateau in a sequence": (ValueError, "metric", combined("SequentialLR", plateau, step_lr, milestones=[2])),
    "two optimizers": (ValueError, "another optimizer", combined("ChainedScheduler", step_lr, optimizer=True)),
    "two optimizers in a sequence": (
        ValueError, "another optimizer", combined("SequentialLR", step_lr, step_lr, optimizer=True, milestones=[2]),
    ),
    "sequence to an epoch": (TypeError, "epoch=3", steps(1, combined("SequentialLR", step_lr, milestones=[]), 3)),
    "chain to an epoch": (TypeError, "epoch=3", steps(1, combined("ChainedScheduler", step_lr), 3)),
    "base class": (NotImplementedError, "get_lr", schedule("LRScheduler")),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    kind, text, call = BAD[name]
    with pytest.raises(kind):
        call(THERE)
    with pytest.raises(kind, match=text) as raised:
        call(HERE)
    assert isinstance(raised.value, (GlassgradError, NotImplementedError))
    assert raised.value.args


def caught(work):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        work()
    return [w for w in seen if issubclass(w.category, UserWarning)]


@pytest.mark.parametrize("module", [HERE, THERE], ids=["here", "there"])
def test_step_before_the_optimizers(module):
    """The first step warns when no optimizer step came before it, later ones do not, and neither when one came."""
    for early in (True, False):
        optimizer = optimizer_of(module)
        made = module.lr_scheduler.StepLR(optimizer, 3)
        if not early:
            optimizer.step()
        found = caught(made.step)
        assert len(found) == (1 if early else 0)
        assert all("optimizer.step()" in str(w.message) and w.filename == __file__ for w in found)
        assert not caught(made.step)


@pytest.mark.parametrize("module", [HERE, THERE], ids=["here", "there"])
def test_get_lr_outside_of_step(module):
    made = schedule("ExponentialLR", 0.5)(module)
    with pytest.warns(UserWarning, match=r"get_last_lr\(\)"):
        assert made.get_lr() == [0.25]
    assert made.get_last_lr() == [0.5]


def test_combined_schedules_do_not_warn():
    """Making one takes first steps again inside, which is nobody's mistake; a real one warns."""
    outer = combined(
        "SequentialLR", lambda m, o: m.lr_scheduler.ChainedScheduler([step_lr(m, o)]), step_lr, milestones=[4]
    )
    assert not caught(lambda: outer(HERE))
    made = combined("SequentialLR", step_lr, step_lr, milestones=[4])(HERE)
    assert len(caught(made.step)) == 1


def test_schedule_of_ones_own():
    """A subclass that overrides get_lr, with a closed form and with keywords of its own, works as PyTorch's does."""
    paths = []
    for module in (HERE, THERE):

        class Saw(module.lr_scheduler._LRScheduler):
            def __init__(self, optimizer, teeth, last_epoch=-1):
                self.teeth = teeth
                super().__init__(optimizer, last_epoch)

            def get_lr(self):
                return [base * (1 - self.last_epoch % self.teeth / self.teeth) for base in self.base_lrs]

        optimizer = optimizer_of(module)
        made, path = Saw(optimizer, 4), []
        for _ in range(10):
            path += made.get_last_lr()
            optimizer.step()
            made.step()
        again = Saw(optimizer_of(module), 9)
        again.load_state_dict(made.state_dict())
        again.step()
        paths.append(path + again.get_last_lr())
    assert paths[0] == pytest.approx(paths[1], rel=1e-12)
