"""Processes that save, train and are killed: run as a program of its own, as it forks.

    python -m tests.saving.killed save FOLDER KILLS
    python -m tests.saving.killed train FOLDER KILLS
    python -m tests.saving.killed fit FOLDER KILLS

prints what was found as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time

import numpy as np
from tests.saving.states import fingerprint
from tests.saving.training import train

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.saving import Checkpoints
from glassgrad.saving.disk import UNFINISHED
from glassgrad.train import Trainer
from glassgrad.utils.data import DataLoader, TensorDataset

VARIANTS = [np.random.default_rng(seed).normal(size=(256, 1024)) for seed in range(4)]  # 2 MB each


def state(count):
    """The state of a count; every part of it says which one it is."""
    return {"count": count, "weights": gg.tensor(VARIANTS[count % 4]), "more": [VARIANTS[(count + 1) % 4], count]}


def child(work):
    """A forked process that does some work and ends."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def kill(pid, seconds):
    """Kill a process after a time; whether it was still there."""
    time.sleep(seconds)
    if ended(pid):
        return False
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return True


def ended(pid):
    """Whether a process is over; if so, well."""
    done, status = os.waitpid(pid, os.WNOHANG)
    assert not done or os.waitstatus_to_exitcode(status) == 0, status
    return bool(done)


def unfinished(folder):
    return sum(name.endswith(UNFINISHED) for name in os.listdir(folder))


def saves(folder, kills):
    """Kill a process that saves one file again and again: what is there is the last it saved, or the one after."""
    path = os.path.join(folder, "file")
    gg.save(state(0), path)
    count = during = 0
    for _ in range(kills):
        read, write = os.pipe()

        def work(count=count, write=write):
            while True:
                count += 1
                gg.save(state(count), path)
                os.write(write, count.to_bytes(8, "little"))

        pid = child(work)
        os.close(write)
        assert kill(pid, random.uniform(0.0, 0.1))
        saved = count
        while told := os.read(read, 8):
            saved = int.from_bytes(told, "little")
        os.close(read)
        during += unfinished(folder)
        found = gg.load(path)
        count = found["count"]
        assert count in (saved, saved + 1), (count, saved)
        assert fingerprint(found) == fingerprint(state(count))
        if random.random() < 0.5:  # the next save, by this process or the next one, cleans up
            gg.save(state(count), path)
            assert os.listdir(folder) == ["file"]
    gg.save(state(count), path)
    assert os.listdir(folder) == ["file"]
    return {"kills": kills, "while a file was unfinished": during, "saves": count}


def trains(folder, kills, steps=150):
    """Kill a training again and again; it ends with the same bits as one that was never stopped."""
    whole = fingerprint(train(steps))
    done = during = rounds = 0
    while done < kills:
        here = os.path.join(folder, str(rounds))
        rounds += 1
        while True:
            pid = child(lambda here=here: train(steps, Checkpoints(here)))
            if done >= kills or not kill(pid, random.uniform(0.0, 0.15)):
                break
            done += 1
            during += os.path.isdir(here) and unfinished(here) > 0
        if done >= kills:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        checkpoints = Checkpoints(here)
        assert fingerprint(checkpoints.load()) == whole
        assert len(checkpoints.all()) == 3 and len(os.listdir(here)) == 3
    return {"kills": done, "while a file was unfinished": during, "trainings": rounds}


def fit(folder, epochs=6):
    """A compiled training of a Trainer that goes on from the last checkpoint in a folder; its end is left there too."""
    gg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 2))
    rule = optim.AdamW(model.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.OneCycleLR(rule, max_lr=0.05, total_steps=10 * epochs)
    rng = np.random.default_rng(1)
    data = TensorDataset(*(gg.tensor(rng.normal(size=(60, width)).astype(np.float32)) for width in (3, 2)))
    trainer = Trainer(
        model, nn.MSELoss(), rule, schedule=schedule, metrics=["mae"], checkpoints=os.path.join(folder, "checkpoints"),
        checkpoint_every=2, progress=False, seed=3,
    )  # fmt: skip
    trainer.resume()
    history = trainer.fit(DataLoader(data, batch_size=6, shuffle=True), data, epochs=epochs)
    assert not trainer.uncompiled
    told = [[row[name] for name in ("step", "loss", "mae", "valid_loss", "valid_mae", "rate")] for row in history]
    gg.save([model.state_dict(), rule.state_dict(), schedule.state_dict(), told], os.path.join(folder, "end"))


def kill_while_saving(pid, folder):
    """Kill a process as soon as a file is there that is not finished; whether it was still there."""
    while not (os.path.isdir(folder) and unfinished(folder)):
        if ended(pid):
            return False
    return kill(pid, 0)


def fits(folder, kills):
    """Kill a Trainer again and again, every second time while it saves; it ends with the bits of one never stopped."""

    def begin(name):
        here = os.path.join(folder, name)
        os.makedirs(here, exist_ok=True)
        return here, os.path.join(here, "checkpoints"), child(lambda: fit(here))

    for name in ("first", "whole"):  # the first one compiles, and leaves its machine code on the disk
        began = time.perf_counter()
        whole, _, pid = begin(name)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    seconds = time.perf_counter() - began
    bits = fingerprint(gg.load(os.path.join(whole, "end")))
    done = during = rounds = 0
    while done < kills:
        rounds += 1
        while True:
            here, saved, pid = begin(str(rounds))
            late = done >= kills or not (
                kill_while_saving(pid, saved) if done % 2 else kill(pid, random.uniform(0.0, seconds))
            )
            if late:
                break
            done += 1
            during += os.path.isdir(saved) and unfinished(saved) > 0
        if done >= kills:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert fingerprint(gg.load(os.path.join(here, "end"))) == bits
    return {"kills": done, "while a file was unfinished": during, "trainings": rounds}


if __name__ == "__main__":
    what, where, many = sys.argv[1:]
    print(json.dumps({"save": saves, "train": trains, "fit": fits}[what](where, int(many))))
