"""Compiled steps and threads: many at once, forks, interrupts, the end of the process, and the same bits throughout."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.engine import compile, locks, native, threads

F = nn.functional


@pytest.fixture
def shared(monkeypatch):
    """Steps are shared among threads however small they are."""
    share_all(monkeypatch.setattr)


def share_all(set=setattr):
    set(native, "ALONE", 0)
    set(native, "WORTH", 0)


def training(count=2, schedule=False, width=32, seed=0):
    """A step that trains a small net, on one batch; the function that returns its weights; its optimizer."""
    gg.manual_seed(seed)
    model = nn.Sequential(nn.Linear(16, width), nn.Tanh(), nn.Dropout(0.2), nn.Linear(width, 8))
    rule = optim.Adam(model.parameters(), lr=0.01)
    plan = optim.lr_scheduler.ExponentialLR(rule, 0.999) if schedule else None
    rng = np.random.default_rng(1)
    x = gg.tensor(rng.normal(size=(24, 16)).astype(np.float32))
    y = gg.tensor(rng.normal(size=(24, 8)).astype(np.float32))

    @compile(threads=count)
    def step(x, y):
        rule.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        rule.step()
        if plan is not None:
            plan.step()
        return loss

    def state():
        made = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
        rates = rule.param_groups[0]["lr"], plan and plan.last_epoch
        return made + gg.get_rng_state().numpy().tobytes() + repr(rates).encode()

    def steps():
        return int(next(iter(rule.state.values()))["step"])

    return lambda: step(x, y), state, steps


def run(code, seconds=120, **environment):
    """What a process that runs this code prints, and how long it took."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=seconds, check=False,
        cwd=Path(__file__).parents[2], env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert not done.stderr
    return done.stdout, time.monotonic() - start


# -- many at once -----------------------------------------------------------------------------------------------------


def together(count, function):
    failed = []

    def guarded(number):
        try:
            function(number)
        except BaseException as error:
            failed.append(error)

    workers = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failed


@pytest.mark.parametrize("count", [1, 2])
def test_many_threads_call_one_step(shared, count):
    step, state, steps = training(count)
    together(4, lambda _: [step() for _ in range(50)])
    assert steps() == 200
    found = state()
    plain, expected, _ = training(count)
    for _ in range(200):
        plain()
    assert found == expected()


def test_many_threads_call_different_steps_and_one_net_has_two(shared):
    model = nn.Linear(64, 64)
    x = gg.tensor(np.random.default_rng(0).normal(size=(32, 64)).astype(np.float32))
    grow = compile(lambda: model.weight.mul_(1.0), threads=2)
    look = compile(lambda x: model(x).sum(1), threads=2)
    own = [compile(lambda x, k=k: (x * k).softmax(1) @ x.T, threads=1 + k % 2) for k in range(3)]
    with gg.no_grad():
        expected = look(x).numpy(), [f(x).numpy() for f in own]

    def work(number):
        with gg.no_grad():
            for _ in range(30):
                if number == 0:
                    grow()
                np.testing.assert_allclose(look(x).numpy(), expected[0], rtol=1e-4, atol=1e-4)
                for f, wanted in zip(own, expected[1], strict=True):
                    np.testing.assert_allclose(f(x).numpy(), wanted, rtol=1e-4, atol=1e-4)

    together(4, work)


def test_a_deferred_action_may_call_the_step(shared):
    inner, _, _ = training()
    seen = []

    class Schedule(optim.lr_scheduler.LambdaLR):
        def step(self, *args):
            if len(seen) < 50 and getattr(self, "ready", False):
                seen.append(inner().item())
            super().step(*args)

    rule = optim.SGD([gg.ones(3, requires_grad=True)], lr=0.1)
    plan = Schedule(rule, lambda epoch: 1.0)
    plan.ready = True

    @compile
    def step():
        rule.step()
        plan.step()
        return gg.zeros(1)

    for _ in range(10):
        step()
    assert len(seen) >= 8


def test_steps_with_a_tensor_in_common_have_a_lock_in_common():
    a, b, c = (gg.ones(2) for _ in range(3))
    first, second = locks.lock_of([a]), locks.lock_of([b])
    assert first is not second
    assert locks.lock_of([a, c]) is first
    both = locks.lock_of([b, c])
    with both:
        found = []
        thread = threading.Thread(target=lambda: found.extend(x.acquire(timeout=0.05) for x in (first, second)))
        thread.start()
        thread.join()
        assert found == [False, False]


# -- how work is shared -----------------------------------------------------------------------------------------------


def works():
    """Steps like those of the benchmarks, small: name, step, state."""
    yield "mlp", training
    yield "cnn", convolutional
    yield "gpt", attention


def trained(model, batch, loss_of, count):
    rule = optim.AdamW(model.parameters(), lr=0.01)

    @compile(threads=count)
    def step(x, y):
        rule.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        rule.step()
        return loss

    return lambda: step(*batch), lambda: np.concatenate(
        [p.detach().numpy().ravel() for p in model.parameters()]
    ).tobytes()


def convolutional(count):
    gg.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3), nn.Flatten(), nn.Linear(20, 4)
    )
    rng = np.random.default_rng(0)
    batch = gg.tensor(rng.normal(size=(9, 2, 8, 8)).astype(np.float32)), gg.tensor(rng.integers(0, 4, 9))
    return trained(model, batch, F.cross_entropy, count)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.norm = nn.Embedding(11, 16), nn.LayerNorm(16)
        self.qkv, self.head = nn.Linear(16, 48), nn.Linear(16, 11)

    def forward(self, text):
        x = self.tokens(text)
        q, k, v = (z.view(3, 10, 2, 8).transpose(1, 2) for z in self.qkv(self.norm(x)).split(16, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(x + F.gelu(y.transpose(1, 2).reshape(3, 10, 16))).view(-1, 11)


def attention(count):
    gg.manual_seed(0)
    rng = np.random.default_rng(0)
    batch = gg.tensor(rng.integers(0, 11, (3, 10))), gg.tensor(rng.integers(0, 11, 30))
    return trained(Attention(), batch, F.cross_entropy, count)


@pytest.mark.parametrize("name", ["mlp", "cnn", "gpt"])
def test_the_same_bits_with_any_number_of_threads(shared, name):
    make = dict(works())[name]
    found = {}
    for count in (1, 2, 3, 7):
        step, state, *_ = make(count)
        found[count] = [step().detach().numpy().tobytes() for _ in range(12)], state()
    assert all(each == found[1] for each in found.values())


BITS = """
from tests.engine.test_threads import *
share_all()
step, state = attention(2)
for _ in range(6):
    step()
import hashlib
print(hashlib.sha256(state()).hexdigest())
"""


def test_the_same_bits_in_fresh_processes(request):
    count = 20 if request.config.getoption("--exhaustive") else 4
    assert len({run(BITS, PYTHONHASHSEED=str(number))[0] for number in range(count)}) == 1


def test_a_run_needs_no_worker(shared, monkeypatch):
    step, state, *_ = attention(3)
    other, expected, *_ = attention(1)
    held = threads.Pool(3)
    monkeypatch.setattr(threads, "pool", lambda count: held)
    monkeypatch.setattr(threading.Thread, "start", lambda self: (_ for _ in ()).throw(RuntimeError("no more threads")))
    for _ in range(5):
        step(), other()
    assert not held.threads
    assert state() == expected()
    held.close()
    step(), other()
    assert state() == expected()


def test_a_late_worker_does_nothing_wrong(shared):
    """More threads than cores, so that some are always behind by a run or more; and steps of other lengths between."""
    (step, state, *_), (other, wanted, *_) = attention(6), attention(1)
    mixed, _, _ = training(6)
    for _ in range(60):
        step(), mixed(), mixed()
        other()
    assert state() == wanted()


# -- forks ------------------------------------------------------------------------------------------------------------

FORK = """
import json, multiprocessing, os, sys, threading
from tests.engine.test_threads import *
share_all()
noise = attention(2)[0]
step, state, steps = training(2)
for _ in range(5):
    step()
stop = []
def busy():
    while not stop:
        noise()
thread = threading.Thread(target=busy)
thread.start()
def more(_=None):
    for _ in range(5):
        step()
    return state().hex()
found = []
for _ in range(6):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        noise()
        os.write(writing, more().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found.append(pipe.read())
    assert os.waitpid(child, 0)[1] == 0
with multiprocessing.get_context("fork").Pool(2) as pool:
    found.append(pool.map(more, [0])[0])
stop.append(1)
thread.join()
found.append(more())
print(len(set(found)), len(found[0]) > 100, steps())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_child_goes_on_and_so_does_the_parent():
    assert run(FORK)[0] == "1 True 10\n"


# -- interrupts -------------------------------------------------------------------------------------------------------

INTERRUPTS = """
import random, signal, sys, threading, time
from tests.engine.test_threads import *
if COUNT > 1:
    share_all()
step, state, steps = training(COUNT, SCHEDULE)
step(), step()
caught, done = 0, []
def press():
    draw = random.Random(3)
    for _ in range(30):
        time.sleep(draw.uniform(0, 0.02))
        while done:
            time.sleep(0.0001)
        done.append(1)
        os.kill(os.getpid(), signal.SIGINT)
thread = threading.Thread(target=press, daemon=True)
thread.start()
while caught < 30:
    try:
        while True:
            step()
    except KeyboardInterrupt:
        caught += 1
        done.clear()
total, found = steps(), state()
other, expected, count = training(COUNT, SCHEDULE)
other()
while count() < total:
    other()
print(total > 30, found == expected())
"""


@pytest.mark.parametrize("schedule", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_ctrl_c_leaves_whole_steps(count, schedule):
    code = f"COUNT, SCHEDULE = {count}, {schedule}\n{INTERRUPTS}"
    assert run(code)[0] == "True True\n"


EVERYWHERE = """
import signal, sys
from tests.engine.test_threads import *
def made():
    step, state, steps = training(1, SCHEDULE)
    step(), step()
    return step, state, steps
step, state, steps = made()
def interrupted(at):
    left = [at]
    def look(frame, event, _):
        name = frame.f_code.co_filename
        if name.endswith(("bind.py", "quick.py", "compile.py", "locks.py", "base.py")) or name == "<string>":
            if event == "line":
                left[0] -= 1
                if left[0] == 0:
                    signal.raise_signal(signal.SIGINT)
            return look
    sys.settrace(look)
    try:
        step()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    return left[0] <= 0
at = reached = 0
while True:
    at += 1
    disturb(step)
    if not interrupted(at):
        break
    reached += 1
    step()
total, found = steps(), state()
other, expected, count = made()
while count() < total:
    disturb(other)
    other()
print(reached > 20, found == expected())
"""


def disturb(step):
    """Have the next call take everything in anew: other tensors with the same numbers, held elsewhere too."""
    model = next(c.cell_contents for c in inner(step).__closure__ if isinstance(c.cell_contents, nn.Module))
    with gg.no_grad():
        for number, p in enumerate(model.parameters()):
            if number % 2:
                p.copy_(p.clone())
            else:
                kept[:] = [*kept[-3:], p.detach()]


kept = []


def inner(step):
    return next(c.cell_contents for c in step.__closure__ if hasattr(c.cell_contents, "function")).function


@pytest.mark.parametrize("schedule", [False, True])
def test_an_interrupt_at_any_line_leaves_whole_steps(schedule):
    assert run(f"SCHEDULE = {schedule}\n{EVERYWHERE}")[0] == "True True\n"


def test_signals_wait_while_undisturbed():
    called = []
    before = signal.signal(signal.SIGINT, lambda number, frame: called.append(number))
    try:
        mine = signal.getsignal(signal.SIGINT)
        with locks.Undisturbed(), locks.Undisturbed():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            assert not called
        assert len(called) == 2
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


# -- the end ----------------------------------------------------------------------------------------------------------

END = """
import sys, threading, time
from tests.engine.test_threads import *
share_all()
step, state, steps = training(2)
step(), step(), step()
def busy():
    while True:
        step()
if sys.argv[0] == "-c" and BUSY:
    threading.Thread(target=busy, daemon=True).start()
    time.sleep(0.3)
else:
    time.sleep(0.05)
print(time.monotonic())
"""


@pytest.mark.parametrize("busy", [False, True])
def test_the_process_ends(busy):
    for _ in range(3):
        out, _ = run(f"BUSY = {busy}\n{END}")
        assert time.monotonic() - float(out) < 2.0  # 1 s, and what a busy machine needs to clean up


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="how much memory is taken is not to be found")
def test_steps_that_are_gone_take_no_memory(shared, request):
    """A step that is held takes a megabyte."""

    def some(count):
        for number in range(count):
            f = compile(lambda x, number=number: (x @ x).tanh() @ x, threads=2)
            x = gg.ones(200, 200)
            f(x), f(x)
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    some(10)
    first = some(1)
    count = 200 if request.config.getoption("--exhaustive") else 25
    growth = (some(count) - first) / count
    print(f"{growth:.0f} bytes for each step")
    assert growth < 100e3
