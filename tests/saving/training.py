"""A small training with everything that has a state: model, Adam, OneCycleLR, two generators, a place in the data."""

from __future__ import annotations

import numpy as np

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, TensorDataset


def train(steps, checkpoints=None, compiled=False, schedule_steps=None):
    """Train from the last checkpoint, or from the start, saving after each step; returns the state after ``steps``."""
    gg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 2))
    rule = optim.Adam(model.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.OneCycleLR(rule, max_lr=0.05, total_steps=schedule_steps or steps)
    order = gg.Generator().manual_seed(7)
    rng = np.random.default_rng(1)
    data = [gg.tensor(rng.normal(size=(30, width)).astype(np.float32)) for width in (3, 2)]
    loader = DataLoader(TensorDataset(*data), batch_size=6, shuffle=True, generator=order)

    def update(x, y):
        rule.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        rule.step()
        return loss

    update = gg.compile(update) if compiled else update
    step = seen = 0
    if checkpoints is not None and checkpoints.latest() is not None:
        state = checkpoints.load()
        model.load_state_dict(state["model"])
        schedule.load_state_dict(state["schedule"])
        rule.load_state_dict(state["rule"])
        gg.set_rng_state(state["random"])
        order.set_state(state["order"])
        step, seen = state["step"], state["seen"]
        if compiled:  # the first call of a compiled step runs as it is, with other last bits: that call was made
            update.warm = True
    held = None
    while step < steps:
        began = order.get_state()
        for place, (x, y) in enumerate(loader):
            if place < seen or step == steps:
                continue  # it was seen before the training was stopped
            loss = update(x, y)
            schedule.step()
            step += 1
            held = {
                "model": model.state_dict(), "rule": rule.state_dict(), "schedule": schedule.state_dict(),
                "random": gg.get_rng_state(), "order": began, "seen": place + 1, "step": step, "loss": loss.item(),
            }  # fmt: skip
            if checkpoints is not None:
                checkpoints.save(held, step)
        seen = 0
    return held
