"""Small trainings that several tests build in the same way."""

import numpy as np

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.train import EarlyStop, Trainer
from glassgrad.utils.data import DataLoader, TensorDataset

UNLIKE = ("seconds", "samples_per_second")
"""What differs between two runs that are the same."""


def rows(history):
    """A history without what is measured by the clock."""
    return [{name: value for name, value in row.items() if name not in UNLIKE} for row in history]


def data(count=50, seed=0):
    drawn = np.random.default_rng(seed)
    x = drawn.normal(size=(count, 6)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    return gg.from_numpy(x), gg.from_numpy(y)


def noisy(items):
    """A batch with noise from NumPy's global source, so that its state counts."""
    x = gg.stack([item[0] for item in items]) + gg.tensor(np.random.normal(size=(len(items), 6)) * 0.01).float()
    return x, gg.stack([item[1] for item in items])


def training(*, loader=None, **options):
    """A trainer with much that a checkpoint must hold (dropout, batch norm, a schedule, noise of several sources) and
    its data."""
    net = nn.Sequential(nn.Linear(6, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
    optimizer = optim.AdamW(net.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=40)
    options = {"schedule": schedule, "metrics": ["accuracy"], "clip_norm": 1.0, "progress": False} | options
    callbacks = [EarlyStop(patience=3), *options.pop("callbacks", ())]
    trainer = Trainer(net, nn.CrossEntropyLoss(), optimizer, callbacks=callbacks, **options)
    pairs = TensorDataset(*data())
    return trainer, loader(pairs) if loader else DataLoader(pairs, 8, shuffle=True, collate_fn=noisy)


def facts(trainer):
    """Everything that must come out the same: weights, the optimizer's state, the schedule's, the history."""
    weights = {name: value.tolist() for name, value in trainer.model.state_dict().items()}
    state = trainer.optimizer.state_dict()
    moments = {key: {n: v.tolist() for n, v in held.items()} for key, held in state["state"].items()}
    groups = [{name: value for name, value in group.items() if name != "params"} for group in state["param_groups"]]
    return weights, moments, groups, trainer.schedule.state_dict(), rows(trainer.history), trainer.step
