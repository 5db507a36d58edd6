"""A training that was stopped and goes on does what it would have done without the stop, bit for bit."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from tests.train.nets import data, facts, noisy, training

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.errors import GlassgradError
from glassgrad.saving import Checkpoints
from glassgrad.train import Callback, EarlyStop, Trainer
from glassgrad.utils.data import DataLoader


@pytest.fixture(autouse=True)
def ctrl_c():
    """Python's own handler, which a test process beside others may not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class PressAt(Callback):
    """Presses Ctrl-C at a step."""

    def __init__(self, step, times=1):
        self.step, self.times = step, times

    def on_step(self, trainer, loss):
        if trainer.step == self.step:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)


class Quiet(Callback):
    """In the place of the one who presses."""


def scramble():
    """Everything as in a process that began otherwise."""
    gg.manual_seed(random.SystemRandom().randrange(2**32))
    np.random.seed(random.SystemRandom().randrange(2**32))
    random.seed()


VALID = data(20, seed=1)


@pytest.mark.parametrize(
    ("options", "stops"),
    [
        ({"compile": False}, [1, 3, 7, 8, 20]),
        ({"compile": False, "accumulate": 3}, [1, 3, 4]),
        ({"compile": True, "accumulate": 3}, [5]),
    ],
    ids=["eager", "eager, accumulated", "compiled, accumulated"],
)
def test_ctrl_c_and_resume_at_any_step_is_as_if_nothing_had_been(tmp_path, options, stops):
    gg.manual_seed(3)
    whole, loader = training(seed=7, callbacks=[Quiet()], **options)
    whole.fit(loader, VALID, epochs=4)
    for stop in stops:
        gg.manual_seed(3)
        first, loader = training(seed=7, callbacks=[PressAt(stop)], checkpoints=tmp_path / str(stop), **options)
        history = first.fit(loader, VALID, epochs=4)
        assert history.stopped == "Ctrl-C"
        assert first.step == stop
        scramble()
        second, loader = training(seed=7, callbacks=[Quiet()], checkpoints=tmp_path / str(stop), **options)
        assert second.resume() == stop
        assert second.fit(loader, VALID, epochs=4).stopped == whole.history.stopped
        assert facts(second) == facts(whole)


def test_it_stops_and_goes_on_again_and_again(tmp_path):
    gg.manual_seed(3)
    whole, loader = training(seed=7, compile=False, callbacks=[Quiet()])
    whole.fit(loader, VALID, epochs=3)
    gg.manual_seed(3)
    for stop in (4, 5, 11, 21, 999):
        part, loader = training(seed=7, compile=False, callbacks=[PressAt(stop)], checkpoints=tmp_path)
        part.resume()
        part.fit(loader, VALID, epochs=3)
        scramble()
    assert facts(part) == facts(whole)


def test_the_same_trainer_can_go_back(tmp_path):
    gg.manual_seed(3)
    trainer, loader = training(seed=7, compile=False, checkpoints=Checkpoints(tmp_path, keep=5))
    trainer.fit(loader, VALID, epochs=3)
    reached = facts(trainer)
    assert trainer.resume(step=7) == 7
    trainer.fit(loader, VALID, epochs=3)
    assert facts(trainer) == reached


@pytest.mark.parametrize(
    "loader",
    [
        lambda pairs: DataLoader(pairs, 8, shuffle=True, num_workers=2),
        lambda pairs: DataLoader(pairs, 8, shuffle=True, generator=gg.Generator()),
        lambda pairs: [(pairs.tensors[0][i : i + 9], pairs.tensors[1][i : i + 9]) for i in range(0, 50, 9)],
        lambda pairs: Drawn(pairs),  # noqa: PLW0108
    ],
    ids=["workers", "generator", "list", "numpy"],
)
def test_wherever_the_order_comes_from(tmp_path, loader):
    gg.manual_seed(3)
    whole, batches = training(loader=loader, seed=7, compile=False, callbacks=[Quiet()])
    whole.fit(batches, VALID, epochs=3)
    gg.manual_seed(3)
    stopped = {"seed": 7, "compile": False, "checkpoints": tmp_path}
    first, batches = training(loader=loader, callbacks=[PressAt(10)], **stopped)
    first.fit(batches, VALID, epochs=3)
    scramble()
    second, batches = training(loader=loader, callbacks=[Quiet()], **stopped)
    second.resume()
    second.fit(batches, VALID, epochs=3)
    assert facts(second) == facts(whole)


class Drawn:
    """Batches in an order that a generator of NumPy's draws as it goes."""

    def __init__(self, pairs):
        self.pairs, self.source = pairs, np.random.default_rng(0)

    def __iter__(self):
        for _ in range(5):
            rows = gg.tensor(self.source.integers(0, 50, 8))
            yield self.pairs[rows]


def test_ctrl_c_in_the_validation(tmp_path):
    class Pressing:
        presses = True

        def __iter__(self):
            gg.rand(1)  # what a validation draws before it is broken off must not count
            for _ in range(3):
                yield VALID
            if self.presses and whole_or_not.epoch == 1:
                os.kill(os.getpid(), signal.SIGINT)
            yield VALID

    class Patient(Pressing):
        presses = False

    gg.manual_seed(3)
    whole_or_not, loader = training(seed=7, compile=False)
    whole_or_not.fit(loader, Patient(), epochs=3)
    reached = facts(whole_or_not)
    gg.manual_seed(3)
    whole_or_not, loader = training(seed=7, compile=False, checkpoints=tmp_path)
    assert whole_or_not.fit(loader, Pressing(), epochs=3).stopped == "Ctrl-C"
    assert whole_or_not.epoch == 1
    scramble()
    second, loader = training(seed=7, compile=False, checkpoints=tmp_path)
    assert second.resume() == 14
    second.fit(loader, Patient(), epochs=3)
    assert facts(second) == reached


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    trainer, loader = training(callbacks=[PressAt(3, times=2)], compile=False, checkpoints=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(loader, epochs=1)
    assert trainer.step == 3
    assert Checkpoints(tmp_path).latest() is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_means_what_it_meant_when_a_training_is_over():
    trainer, loader = training(callbacks=[PressAt(3)], compile=False)
    trainer.fit(loader, epochs=1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_another_thread_signals_are_left_alone():
    reached = []
    trainer, loader = training(compile=False)
    thread = threading.Thread(target=lambda: reached.append(trainer.fit(loader, epochs=1)))
    thread.start()
    thread.join()
    assert len(reached[0]) == 1


def test_an_early_stop_stays_one(tmp_path):
    class Killed(Exception):
        pass

    class Dies(Callback):
        def on_end(self, trainer):
            raise Killed

    def made(*more):
        gg.manual_seed(1)
        net = nn.Linear(6, 2)
        optimizer = optim.SGD(net.parameters(), lr=3.0)  # so much that it gets worse
        callbacks = [*more, EarlyStop(patience=2)]
        return Trainer(net, nn.CrossEntropyLoss(), optimizer, callbacks=callbacks, checkpoints=tmp_path, seed=1,
                       compile=False, progress=False)  # fmt: skip

    dying = made(Dies())
    with pytest.raises(Killed):
        dying.fit(data(), VALID, epochs=50)
    resumed = made(Quiet())
    resumed.resume()
    history = resumed.fit(data(), VALID, epochs=50)
    best = min(history["valid_loss"])
    assert history.stopped.startswith("early stop")
    assert len(history) == len(dying.history) < 50
    assert resumed.evaluate(VALID, batch_size=32)["loss"] == best


SCRIPT = """
import os, signal, sys
import glassgrad as gg
from glassgrad.saving import save
from glassgrad.train import Callback
from tests.train.nets import data, training

class Dies(Callback):
    def on_step(self, trainer, loss):
        if trainer.step == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

gg.manual_seed(3)
trainer, loader = training(seed=7, callbacks=[Dies()], checkpoints=sys.argv[1], checkpoint_every=2)
trainer.resume()
trainer.fit(loader, data(20, seed=1), epochs=3)
save(trainer.state_dict(), sys.argv[1] + "/end")
"""


def test_killed_processes_lose_nothing(tmp_path):
    """A process that is killed at steps 5 and 16, each time begun anew, ends like one that never was; compiled."""
    code = textwrap.dedent(SCRIPT)
    for folder, deaths in (("killed", (5, 16, 0)), ("whole", (0,))):
        for death in deaths:
            done = subprocess.run(
                [sys.executable, "-c", code, str(tmp_path / folder), str(death)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == (-signal.SIGKILL if death else 0), done.stderr
    ends = []
    for folder in ("killed", "whole"):
        trainer, _ = training(callbacks=[Quiet()])
        trainer.load_state_dict(gg.load(tmp_path / folder / "end"))
        ends.append(facts(trainer))
    assert ends[0] == ends[1]


def test_checkpoints_come_with_epochs_and_every_so_many_steps(tmp_path):
    class Kept:
        def __init__(self):
            self.steps = []

        def save(self, state, step):
            self.steps.append(step)

    trainer, loader = training(compile=False, checkpoints=(kept := Kept()), checkpoint_every=3)
    trainer.fit(loader, epochs=2)
    assert kept.steps == [3, 6, 7, 9, 12, 14]


def test_resume_without_a_checkpoint_changes_nothing(tmp_path):
    trainer, _ = training(checkpoints=tmp_path)
    before = facts(trainer)
    assert trainer.resume() == 0
    assert facts(trainer) == before


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"schedule": None}, "a schedule"),
        ({"callbacks": [Quiet()]}, "other callbacks"),
        ({"metrics": ["accuracy", "mse"]}, "other metrics"),
    ],
    ids=["schedule", "callbacks", "metrics"],
)
def test_a_checkpoint_of_another_trainer_is_refused(tmp_path, other, said):
    trainer, loader = training(checkpoints=tmp_path, compile=False)
    trainer.fit(loader, epochs=1)
    second, _ = training(checkpoints=tmp_path, **other)
    with pytest.raises(GlassgradError, match=said):
        second.resume()


def test_other_data_and_other_files_are_refused(tmp_path):
    trainer, loader = training(checkpoints=tmp_path, compile=False)
    trainer.fit(loader, epochs=1)
    trainer.resume()
    with pytest.raises(GlassgradError, match="7 at the checkpoint"):
        trainer.fit(DataLoader(loader.dataset, 4, collate_fn=noisy), epochs=2)
    Checkpoints(tmp_path).save({"weights": gg.ones(2)}, 99)
    with pytest.raises(GlassgradError, match="no checkpoint of a Trainer"):
        trainer.resume()
    with pytest.raises(GlassgradError, match="checkpoints=FOLDER"):
        training()[0].resume()
