"""Whatever happens while a file is written, the older one is whole and nothing is left behind."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.saving.states import fingerprint, small
from tests.saving.training import train

import glassgrad as gg
from glassgrad.saving import Checkpoints, FileError, disk
from glassgrad.saving.disk import UNFINISHED

ROOT = Path(__file__).parents[2]
CALLS = ["open", "fstat", "write", "fsync", "replace", "close", "chmod", "stat", "scandir"]
NEW = {"new": np.arange(100.0), "more": [gg.ones(30), "text"]}


@pytest.mark.parametrize("what", ["save", "train", "fit"])
def test_killed_at_any_moment(what, tmp_path, pytestconfig, record_property):
    kills = pytestconfig.getoption("--kills")
    done = subprocess.run(
        [sys.executable, "-m", "tests.saving.killed", what, str(tmp_path), str(kills)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    print(what, told)
    record_property(what, told)
    assert told["kills"] == kills


class Failing:
    """Counts the calls of os functions by saving, and lets the n-th fail."""

    def __init__(self, monkeypatch, at=None, error=None, names=CALLS):
        self.count, self.at, self.error, self.failed = 0, at, error, None
        for name in names:
            monkeypatch.setattr(os, name, self.counted(name, getattr(os, name)))

    def counted(self, name, real):
        def call(*args, **kwargs):
            if sys._getframe(1).f_globals["__name__"].startswith("glassgrad.saving"):
                self.count += 1
                if self.count == self.at:
                    self.failed = name
                    if name == "close":  # the descriptor is gone all the same
                        real(*args, **kwargs)
                    raise self.error
            return real(*args, **kwargs)

        return call


def test_the_file_is_on_the_disk_before_it_is_renamed_and_the_folder_after(tmp_path, monkeypatch):
    done = []

    def noted(name, real):
        def call(*args):
            folder = name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            done.append("fsync of the folder" if folder else name)
            return real(*args)

        return call

    for name in ("write", "fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    gg.save(NEW, tmp_path / "file")
    assert done[-3:] == ["fsync", "replace", "fsync of the folder"]
    assert set(done[:-3]) == {"write"}


def descriptors():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EACCES])
def test_an_error_at_every_call_keeps_the_older_file(tmp_path, monkeypatch, older, code):
    monkeypatch.setattr(disk, "PIECE", 100)
    path = tmp_path / "file"
    failures, at, before = set(), 0, descriptors()
    while True:
        at += 1
        path.unlink(missing_ok=True)
        if older:
            gg.save(small(), path)
        with monkeypatch.context() as patch:
            failing = Failing(patch, at, OSError(code, os.strerror(code)))
            try:
                gg.save(NEW, path)
                error = None
            except OSError as caught:
                error = caught
        if failing.failed is None:
            break
        failures.add(failing.failed)
        assert [file.name for file in tmp_path.iterdir()] in ([], ["file"]), failing.failed
        assert descriptors() == before, failing.failed
        if error is None or "is written" in str(error):  # what a save can do without, or after the rename
            assert failing.failed in ("scandir", "chmod", "stat", "close", "fsync", "open"), failing.failed
            assert fingerprint(gg.load(path)) == fingerprint(NEW)
        else:
            assert isinstance(error, FileError) and error.errno == code and "cannot be written" in str(error)
            assert fingerprint(gg.load(path)) == fingerprint(small()) if older else not path.exists()
    assert failures >= {"open", "write", "fsync", "replace"}
    assert at > 20


def test_ctrl_c_at_every_call(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "PIECE", 100)
    path, at = tmp_path / "file", 0
    while True:
        at += 1
        gg.save(small(), path)
        with monkeypatch.context() as patch:
            failing = Failing(patch, at, KeyboardInterrupt(), ["write", "fsync", "replace"])
            try:
                gg.save(NEW, path)
                break
            except KeyboardInterrupt:
                pass
        assert [file.name for file in tmp_path.iterdir()] == ["file"]
        after = failing.count == at and failing.failed == "fsync" and fingerprint(gg.load(path)) == fingerprint(NEW)
        assert after or fingerprint(gg.load(path)) == fingerprint(small())


def test_writes_that_are_cut_short_go_on(tmp_path, monkeypatch):
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: real(handle, bytes(data)[: max(1, len(data) // 2)]))
        gg.save(NEW, tmp_path / "file")
    assert fingerprint(gg.load(tmp_path / "file")) == fingerprint(NEW)


def test_reads_that_are_cut_short_go_on(tmp_path, monkeypatch):
    gg.save(NEW, tmp_path / "file")

    class Slow:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def readinto(self, data):
            return self.file.readinto(data[: max(1, len(data) // 2)])

    opened = disk.opened
    monkeypatch.setattr(disk, "opened", lambda path: Slow(opened(path)))
    assert fingerprint(gg.load(tmp_path / "file")) == fingerprint(NEW)


def test_a_real_limit_of_the_system(tmp_path):
    """No room, as the system says it: the process may write no file above 50 kB."""
    code = (
        "import resource, sys, numpy as np, glassgrad as gg\n"
        "from glassgrad.saving import FileError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "gg.save([1, np.zeros(100)], sys.argv[1])\n"
        "try: gg.save([2, np.zeros(100_000)], sys.argv[1])\n"
        "except FileError as error: print(error.errno)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "file"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(errno.EFBIG)]
    assert gg.load(tmp_path / "file")[0] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_read_errors_are_told(tmp_path, monkeypatch):
    gg.save(1, tmp_path / "file")
    monkeypatch.setattr("glassgrad.saving.container._fill", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "bad")))
    with pytest.raises(FileError, match="bad") as caught:
        gg.load(tmp_path / "file")
    assert caught.value.errno == errno.EIO


def test_orphans_go_and_what_others_write_stays(tmp_path):
    orphan, busy = tmp_path / f".orphan{UNFINISHED}", tmp_path / f".busy{UNFINISHED}"
    other = tmp_path / ".something else"
    for file in (orphan, busy, other):
        file.write_bytes(b"...")
    with busy.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        gg.save(1, tmp_path / "file")
        assert sorted(file.name for file in tmp_path.iterdir()) == sorted([busy.name, "file", other.name])
    gg.save(1, tmp_path / "file")
    assert sorted(file.name for file in tmp_path.iterdir()) == [other.name, "file"]


def test_a_living_writer_keeps_its_file_while_another_saves(tmp_path):
    code = (
        "import os, sys, time, glassgrad as gg\n"
        "real = os.write\n"
        "def slow(handle, data):\n"
        "    print('writing', flush=True); sys.stdin.readline(); return real(handle, data)\n"
        "os.write = slow\n"
        "gg.save('theirs', sys.argv[1])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "theirs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "writing\n"
        gg.save("mine", tmp_path / "mine")
        assert len(list(tmp_path.iterdir())) == 2
        process.stdin.write("\n")
        process.stdin.close()
    assert process.returncode == 0
    assert gg.load(tmp_path / "theirs") == "theirs"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine", "theirs"]


def test_an_unfinished_file_that_was_taken_before_it_was_locked(tmp_path, monkeypatch):
    """Between making a file and locking it, another process may take it for an orphan: another one is begun."""
    locked, taken = disk.locked, []

    def late(handle):
        if not taken:
            taken.extend(tmp_path.glob(f".*{UNFINISHED}"))
            taken[0].unlink()
        return locked(handle)

    monkeypatch.setattr(disk, "locked", late)
    gg.save(2, tmp_path / "file")
    assert taken and gg.load(tmp_path / "file") == 2


def test_without_locks_only_old_orphans_go(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "locked", lambda handle: None)
    young, old = tmp_path / f".young{UNFINISHED}", tmp_path / f".old{UNFINISHED}"
    for file in (young, old):
        file.write_bytes(b"...")
    os.utime(old, (0, 0))
    gg.save(1, tmp_path / "file")
    assert sorted(file.name for file in tmp_path.iterdir()) == [young.name, "file"]


@pytest.mark.parametrize(("compiled", "stop"), [(False, 1), (False, 5), (False, 8), (True, 7)])
def test_resuming_is_as_if_it_had_never_stopped(tmp_path, compiled, stop):
    whole = train(12, compiled=compiled)
    train(stop, Checkpoints(tmp_path), compiled, schedule_steps=12)
    assert Checkpoints(tmp_path).load()["step"] == stop
    resumed = train(12, Checkpoints(tmp_path), compiled)
    assert fingerprint(resumed) == fingerprint(whole)
    assert fingerprint(Checkpoints(tmp_path).load()) == fingerprint(whole)
