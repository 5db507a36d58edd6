"""The disk cache: a second process compiles nothing, and whatever stands where an entry should be does no harm."""

import dataclasses
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.engine import cache, compile, jit, likeness, native
from glassgrad.engine.access import Buffer
from glassgrad.engine.groups import Group
from glassgrad.engine.program import CONST, INPUT, Val
from glassgrad.op import REGISTRY

# A process that trains a small net, and says how often it compiled, what came out, and which files it has now.
TRAIN = """
import json, sys
from glassgrad.engine import jit
from tests.engine.test_cache import train
compiled, of = [], jit.object_of
jit.object_of = lambda text, target: compiled.append(len(text)) or of(text, target)
weights = train()
print(json.dumps([sum(size > 5000 for size in compiled), weights.tobytes().hex()]))
"""


def train(steps=4, width=5):
    """Weights after a few compiled steps of a small net."""
    gg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 2))
    rule = optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        rule.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        rule.step()
        return loss

    rng = np.random.default_rng(1)
    x, y = gg.tensor(rng.normal(size=(7, 3)).astype(np.float32)), gg.tensor(rng.normal(size=(7, 2)).astype(np.float32))
    for _ in range(steps):
        step(x, y)
    return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder of the test's own."""
    where = tmp_path / "code"
    monkeypatch.setenv(cache.VARIABLE, str(where))
    return where


@pytest.fixture
def compiled(monkeypatch):
    """The modules that are compiled from now on."""
    made, of = [], jit.object_of
    monkeypatch.setattr(jit, "object_of", lambda text, target: made.append(text) or of(text, target))
    return made


def start(code=TRAIN, **environment):
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root,
        env=os.environ | environment,
    )  # fmt: skip


def answer(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert not err
    return json.loads(out)


def entry(place):
    (found,) = place.glob("*.code")
    return found


def test_a_second_process_compiles_nothing(place):
    count, weights = answer(start())
    assert count == 1 and stat.S_IMODE(place.stat().st_mode) == 0o700 and entry(place).stat().st_size > 1000
    assert answer(start()) == [0, weights]
    assert answer(start(GLASSGRAD_CACHE="off")) == answer(start(GLASSGRAD_CACHE="")) == [1, weights]


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DAMAGE = {
    "magic": lambda data: flipped(data, 3),
    "checksum": lambda data: flipped(data, 20),
    "key": lambda data: flipped(data, 55),
    "code": lambda data: flipped(data, len(data) // 2),
    "last byte": lambda data: flipped(data, len(data) - 1),
    "empty": lambda data: b"",
    "cut in the head": lambda data: data[:10],
    "cut in the checksum": lambda data: data[:30],
    "cut in the note": lambda data: data[:100],
    "cut in the code": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "random": lambda data: np.random.default_rng(0).bytes(5000),
}


def test_a_damaged_entry_is_ignored_and_written_anew(place, compiled):
    right = train()
    path = entry(place)
    whole = path.read_bytes()
    for name, damage in DAMAGE.items():
        path.write_bytes(damage(whole))
        compiled.clear()
        assert train().tobytes() == right.tobytes(), name
        assert len(compiled) == 1, name
        assert path.read_bytes() == whole, name
    compiled.clear()
    train()
    assert not compiled


def test_an_entry_of_another_key_is_ignored(place, compiled):
    train(width=5)
    first = entry(place)
    other = first.read_bytes()
    first.unlink()
    right = train(width=6)
    path = entry(place)
    path.write_bytes(other)  # whole, but not what is asked for
    compiled.clear()
    assert train(width=6).tobytes() == right.tobytes() and len(compiled) == 1


class Compiles(Exception):
    pass


@pytest.mark.parametrize("what", ["cpu", "llvm", "sources", "threads"])
def test_code_for_something_else_is_not_found(place, compiled, monkeypatch, what):
    train()
    compiled.clear()
    if what == "cpu":
        other = jit.host()._replace(features=jit.host().features + ",+nothing")
        monkeypatch.setattr(jit, "host", lambda: other)
    elif what == "llvm":
        monkeypatch.setattr(jit, "version", lambda: "another")
    elif what == "sources":
        monkeypatch.setattr(native, "version", lambda: "another")
    else:
        monkeypatch.setattr(native, "ALONE", 0)

    def compiles(*_):
        raise Compiles

    monkeypatch.setattr(jit, "optimise", compiles)
    with pytest.raises(Compiles):
        train()


@pytest.mark.parametrize("what", ["folder", "full folder", "link", "dangling link", "pipe"])
def test_something_else_stands_in_the_way(place, compiled, tmp_path, what):
    right = train()
    path = entry(place)
    whole = path.read_bytes()
    path.unlink()
    if "folder" in what:
        path.mkdir()
        if "full" in what:
            (path / "file").touch()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "elsewhere")
        if what == "link":
            (tmp_path / "elsewhere").write_bytes(whole)
    compiled.clear()
    assert train().tobytes() == right.tobytes() and len(compiled) == 1
    if what != "full folder":
        assert path.is_file() and not path.is_symlink() and path.read_bytes() == whole
    assert not list(place.glob("*.part"))


def test_code_that_others_could_have_written_is_not_run(place, compiled):
    right = train()
    path = entry(place)
    for what, mode in ((path, 0o622), (place, 0o777), (place, 0o770)):
        before = stat.S_IMODE(what.stat().st_mode)
        what.chmod(mode)
        compiled.clear()
        assert train().tobytes() == right.tobytes() and len(compiled) == 1
        what.chmod(before)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives files away")
def test_code_of_another_user_is_not_run(place, compiled):
    right = train()
    for what in (entry(place), place):
        os.chown(what, 12345, -1)
        compiled.clear()
        assert train().tobytes() == right.tobytes() and len(compiled) == 1
        os.chown(what, 0, -1)


def test_without_a_usable_folder(compiled, monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.touch()
    right = None
    for where in (file, file / "below", "/proc/glassgrad", "/dev/null", "off", ""):
        monkeypatch.setenv(cache.VARIABLE, str(where))
        compiled.clear()
        weights = train().tobytes()
        right = right or weights
        assert weights == right and len(compiled) == 1


def test_a_full_disk(place, compiled, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    train()
    assert len(compiled) == 1 and list(place.iterdir()) == []


def test_which_folder(monkeypatch, tmp_path):
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "glassgrad"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, as the standard for it says
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache.folder() == Path("/home/somebody/.cache/glassgrad")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.folder() == Path("/home/somebody/Library/Caches/glassgrad")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert cache.folder() is None
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # nobody knows where home is
    assert cache.folder() is None


def test_processes_that_compile_at_once(place):
    found = [answer(process) for process in [start() for _ in range(8)]]
    assert len({weights for _, weights in found}) == 1
    assert len(list(place.iterdir())) == 1
    assert answer(start()) == [0, found[0][1]]


# A process that writes entries as fast as it can.
WRITE = """
import itertools
from glassgrad.engine import cache
print(flush=True)
for number in itertools.count():
    cache.keep(cache.key_of(str(number % 7)), number, bytes([number % 256]) * 200_000)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_a_writer_that_is_killed(place, monkeypatch):
    rng = np.random.default_rng(0)
    for _ in range(4):
        writer = start(WRITE)
        writer.stdout.readline()
        time.sleep(rng.uniform(0, 0.1))
        writer.kill()
        writer.communicate()
        for number in range(7):
            found = cache.fetch(cache.key_of(str(number)))
            assert found is None or (found[0] % 7 == number and set(found[1]) == {found[0] % 256})
    (place / "killed.part").touch()
    (place / "writing.part").touch()
    for left in place.glob("*.part"):
        if left.name != "writing.part":
            os.utime(left, (0, 0))
    cache.keep(cache.key_of("x"), None, b"code")
    assert [left.name for left in place.glob("*.part")] == ["writing.part"]
    assert cache.fetch(cache.key_of("x")) == (None, b"code")


def test_what_was_used_least_recently_goes_first(place, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 5000)
    keys = [cache.key_of(str(number)) for number in range(6)]
    for number, key in enumerate(keys[:4]):
        cache.keep(key, number, bytes(1000))
        os.utime(place / f"{key}.code", (number + 1, number + 1))
    assert cache.fetch(keys[0])  # used now
    for key in keys[4:]:
        cache.keep(key, None, bytes(1000))
    held = [number for number, key in enumerate(keys) if (place / f"{key}.code").exists()]
    assert held == [0, 3, 4, 5]
    cache.keep(cache.key_of("large"), None, bytes(6000))
    assert cache.fetch(cache.key_of("large")) is None


def test_an_op_that_was_declared_elsewhere_is_not_kept(monkeypatch):
    monkeypatch.setitem(REGISTRY, "madeup", dataclasses.replace(REGISTRY["tanh"], value=lambda xp, x: x))
    likeness.likeness(group_of("tanh"), lambda val, start=0: Buffer(val, start))
    with pytest.raises(likeness.Unlike):
        likeness.likeness(group_of("madeup"), lambda val, start=0: Buffer(val, start))


def group_of(op, shape=(2, 3), number=2.0, dtype="f4", params=None, twice=True):
    """x · number, looked at from behind, then the op."""
    dtype = np.dtype(dtype)
    x, factor = Val(INPUT, (), {}, shape, dtype), Val(CONST, (), {}, (), dtype, np.array(number, dtype))
    spread = Val("expand", (factor,), {"shape": shape}, shape, dtype)
    turned = Val("flip", (x if twice else Val(INPUT, (), {}, shape, dtype),), params or {"axes": (0,)}, shape, dtype)
    made = Group("loop", 0, shape=shape)
    made.add(Val("mul", (x, spread), {}, shape, dtype))
    made.add(Val("add", (made.vals[0], turned), {}, shape, dtype))
    made.add(Val(op, (made.vals[1],), {}, shape, dtype))
    made.stored = made.vals[-1:]
    return made


def test_groups_that_differ_have_other_texts():
    def text(*args, **changes):
        return likeness.likeness(group_of("tanh", *args, **changes), lambda val, start=0: Buffer(val, start))[0]

    assert text() == text()
    others = [
        text((2, 4)), text((3, 2)), text(number=3.0), text(number=-0.0), text(number=0.0), text(dtype="f8"),
        text(params={"axes": (1,)}), text(params={"axes": (0, 1)}), text(),
        likeness.likeness(group_of("exp"), lambda val, start=0: Buffer(val, start))[0],
    ]  # fmt: skip
    assert len(set(others)) == len(others)
    assert text() == text(twice=False)  # the kernel is given two addresses either way
    made = group_of("tanh")
    made.stored = made.vals[1:]
    assert likeness.likeness(made, lambda val, start=0: Buffer(val, start))[0] != text()
    x = made.vals[0].ins[0]
    over = likeness.likeness(made, lambda val, start=0: Buffer(x if val is made.vals[-1] else val, start))[0]
    assert over != likeness.likeness(made, lambda val, start=0: Buffer(val, start))[0]
