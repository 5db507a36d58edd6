"""A folder of checkpoints: which are kept, which is loaded, and that processes leave each other's alone."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.saving import Checkpoints, DamagedCheckpoint, DamagedFile, FileError, MissingFile


def steps(checkpoints):
    return [found.step for found in checkpoints.all()]


def damage(path):
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))


def test_the_last_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path / "made" / "folder", keep=2)
    assert checkpoints.latest() is None
    for step in range(5):
        checkpoints.save({"step": step}, step)
        assert steps(checkpoints) == list(range(max(0, step - 1), step + 1))
    assert len(os.listdir(checkpoints.folder)) == 2
    assert checkpoints.load() == {"step": 4}
    assert checkpoints.load(3) == {"step": 3}
    assert gg.load(checkpoints.latest().path) == {"step": 4}


@pytest.mark.parametrize(("best", "step"), [("min", 1), ("max", 3), (None, None)])
def test_the_best_is_kept_beside_them(tmp_path, best, step):
    scores = [0.5, 0.1, float("nan"), 0.9, 0.1, 0.9, 0.3]
    checkpoints = Checkpoints(tmp_path, keep=2, best=best)
    for place, score in enumerate(scores):
        checkpoints.save({"step": place}, place, score)
    assert steps(checkpoints) == ([step] if best else []) + [5, 6]
    again = Checkpoints(tmp_path, keep=2, best=best)  # the scores are in the files
    if best:
        assert again.best().step == step
        assert gg.load(again.best().path) == {"step": step}
    for place in (7, 8):
        del checkpoints
        gc.collect()
        checkpoints = Checkpoints(tmp_path, keep=2, best=best)
        checkpoints.save({"step": place}, place, 0.4)
    assert steps(checkpoints) == ([step] if best else []) + [7, 8]


def test_without_scores_there_is_no_best(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, 1)
    assert checkpoints.best() is None


def test_a_training_that_starts_anew_does_not_lose_to_older_steps(tmp_path):
    for first in (100, 0):
        checkpoints = Checkpoints(tmp_path, keep=2)
        for step in range(first, first + 3):
            checkpoints.save({"step": step}, step)
        del checkpoints
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert steps(checkpoints) == [1, 2]
    assert checkpoints.load() == {"step": 2}


def test_a_damaged_one_is_passed_over_and_named(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in range(3):
        checkpoints.save({"step": step, "w": np.arange(10.0)}, step)
    first, second, third = checkpoints.all()
    damage(third.path)
    with pytest.warns(DamagedCheckpoint, match=rf"(?s)step 1\) was loaded instead.*{third.path}.*SHA-256") as told:
        assert checkpoints.load()["step"] == 1
    assert told[0].filename == __file__
    with pytest.raises(DamagedFile, match=r"(?s)of step 2 .*steps \[0, 1, 2\]"):
        checkpoints.load(2)
    open(second.path, "w").close()
    with pytest.warns(DamagedCheckpoint):
        assert checkpoints.load()["step"] == 0
    damage(first.path)
    with pytest.raises(DamagedFile, match=r"no checkpoint .* is whole"):
        checkpoints.load()
    assert len(os.listdir(tmp_path)) == 3  # what is damaged is not removed: somebody may want to look


def test_what_is_not_there(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(MissingFile, match="save one first"):
        checkpoints.load()
    checkpoints.save(1, 5)
    with pytest.raises(FileNotFoundError, match=r"(?s)step 4.*\[5\]"):
        checkpoints.load(4)


@pytest.mark.parametrize(
    ("options", "match"),
    [({"keep": 0}, "keep"), ({"keep": True}, "keep"), ({"keep": 1.5}, "keep"), ({"best": "first"}, "best")],
)
def test_options_that_are_none(tmp_path, options, match):
    with pytest.raises(ValueError, match=match):
        Checkpoints(tmp_path, **options)


def test_arguments_that_are_none(tmp_path):
    checkpoints = Checkpoints(tmp_path, best="max")
    with pytest.raises(ValueError, match="needs a score"):
        checkpoints.save(1, 1)
    for step in (-1, 1.5, True, None):
        with pytest.raises(ValueError, match="step must be"):
            checkpoints.save(1, step, 0.5)
    with pytest.raises(TypeError, match=r"state\['f'\]"):
        checkpoints.save({"f": print}, 1, 0.5)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be made"):
        Checkpoints(tmp_path / "file" / "folder")
    assert os.listdir(tmp_path) == ["file"]
    checkpoints.save(1, np.int64(3), np.float32(0.5))
    assert steps(checkpoints) == [3]


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    names = ["notes.txt", "00000001-step-1.safetensors", "model.safetensors", "00000001-step-1-abcdefgh.safetensors"]
    for name in names:
        (tmp_path / name).write_text("mine")
    checkpoints = Checkpoints(tmp_path, keep=1)
    for step in range(3):
        checkpoints.save(step, step)
    assert sorted(os.listdir(tmp_path)) == sorted([*names, os.path.basename(checkpoints.latest().path)])


def test_a_failed_save_removes_nothing(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(1, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(5, "no")))
        with pytest.raises(FileError, match="cannot be written"):
            checkpoints.save(2, 2)
    assert checkpoints.load() == 1
    assert len(os.listdir(tmp_path)) == 1


WRITER = """
import sys
from glassgrad.saving import Checkpoints
import numpy as np
mine = Checkpoints(sys.argv[1], keep=3)
for step in range(30):
    mine.save({"who": sys.argv[2], "step": step, "w": np.full(5000, step)}, step)
print("saved", flush=True)
sys.stdin.readline()
"""


def test_processes_in_one_folder_leave_each_others_files_alone(tmp_path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in "ab"
    ]
    assert [writer.stdout.readline() for writer in writers] == ["saved\n"] * 2
    checkpoints = Checkpoints(tmp_path, keep=3)
    found = [gg.load(one.path) for one in checkpoints.all()]
    assert sorted((state["who"], state["step"]) for state in found) == [(who, n) for who in "ab" for n in (27, 28, 29)]
    assert all((state["w"] == state["step"]).all() for state in found)
    checkpoints.save({"step": 0}, 0)  # they live: nothing of theirs is removed
    assert len(os.listdir(tmp_path)) == 7
    for writer in writers:
        writer.communicate("\n")
        assert writer.returncode == 0
    checkpoints.save({"step": 1}, 1)  # they have ended: what they left counts like one's own
    assert len(checkpoints.all()) == 3
    assert steps(checkpoints)[1:] == [0, 1]


def test_a_forked_process_is_another_run(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save("parent", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads beside the fork
        pid = os.fork()
    if pid == 0:
        try:
            checkpoints.save("child", 2)
            checkpoints.save("child", 3)
            os._exit(0 if steps(checkpoints) == [1, 3] else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert steps(checkpoints) == [1, 3]
    checkpoints.save("parent", 4)
    assert steps(checkpoints) == [4]


def test_locks_are_let_go_with_the_object(tmp_path):
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("descriptors are not to be counted here")
    before = len(os.listdir("/proc/self/fd"))
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in range(6):
        checkpoints.save(step, step)
    assert len(os.listdir("/proc/self/fd")) == before + 2
    del checkpoints
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_where_nobody_can_tell_who_lives_only_ones_own_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("glassgrad.saving.disk.locked", lambda handle: None)
    for run in range(2):
        checkpoints = Checkpoints(tmp_path, keep=1)
        for step in range(3):
            checkpoints.save((run, step), step)
        del checkpoints
    assert steps(Checkpoints(tmp_path)) == [2, 2]
    assert Checkpoints(tmp_path).load() == (1, 2)
