"""Machine code on disk, so that a second process need not compile what a first one has.

An entry is a file named by the hash of everything that its code depends on. To load machine code is to run it, so an
entry counts only if it belongs to the user, nobody else could write it, and its checksum and key are right; anything
else is as if it were not there, and is written anew. Nothing here raises: without a folder there is no cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

VARIABLE = "GLASSGRAD_CACHE"
"""The environment variable that names the folder; "off", or nothing, switches the cache off."""
MAGIC = b"glassgrad code 1"
LIMIT = 256 << 20
"""Bytes that all entries together may take; those not used for longest go first."""
ABANDONED = 600.0
"""Seconds after which a file that is still being written is taken for what a killed process left."""
ENDING, UNFINISHED = ".code", ".part"


def folder() -> Path | None:
    """Where entries are kept; None if nowhere."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named).absolute() if named not in ("", "off") else None
    return platform_folder()


def platform_folder() -> Path | None:
    """Glassgrad's folder where the platform keeps what can be got again; None where this user has none."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        base = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
    return Path(base) / "glassgrad" if os.path.isabs(base) else None


def key_of(*parts: str) -> str:
    """The key of what depends on exactly these texts."""
    made = hashlib.sha256()
    for part in parts:
        data = part.encode()
        made.update(b"%d:" % len(data))
        made.update(data)
    return made.hexdigest()


def fetch(key: str) -> tuple[Any, bytes] | None:
    """The note and the code that were kept under a key; None if there are none to be trusted."""
    place = folder()
    if place is None or not _private(place, stat.S_ISDIR):
        return None
    path = place / (key + ENDING)
    try:
        # Not to wait for whoever writes, should it be a pipe that stands in the entry's place.
        handle = os.open(path, os.O_RDONLY | _flags("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY", "O_NONBLOCK"))
        with os.fdopen(handle, "rb") as file:
            if not _private(handle, stat.S_ISREG):
                return None
            data = file.read()
    except OSError:
        return None
    found = _opened(key, data)
    if found is not None:
        with suppress(OSError):
            os.utime(path)  # so that what is used stays
    return found


def _opened(key: str, data: bytes) -> tuple[Any, bytes] | None:
    """What an entry holds, if it is whole and of this key."""
    begin = len(MAGIC) + 32
    body = memoryview(data)[begin:]
    if data[: len(MAGIC)] != MAGIC or data[len(MAGIC) : begin] != hashlib.sha256(body).digest():
        return None
    head, _, code = data[begin:].partition(b"\n")
    try:
        held, note = json.loads(head)
    except ValueError:
        return None
    return (note, code) if held == key else None


def keep(key: str, note: Any, code: bytes) -> None:
    """Keep code under a key, with a note that JSON can hold. It appears whole or not at all."""
    place = folder()
    body = json.dumps([key, note]).encode() + b"\n" + code
    if place is None or len(body) > LIMIT:
        return
    unfinished = None
    try:
        os.makedirs(place, mode=0o700, exist_ok=True)
        if not _private(place, stat.S_ISDIR):
            return
        handle, unfinished = tempfile.mkstemp(UNFINISHED, key[:16], place)
        with os.fdopen(handle, "wb") as file:
            file.write(MAGIC + hashlib.sha256(body).digest() + body)
            file.flush()
            os.fsync(handle)
        path = place / (key + ENDING)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        os.replace(unfinished, path)
        unfinished = None
        _tidy(place, path)
    except OSError:
        pass
    finally:
        if unfinished is not None:
            with suppress(OSError):
                os.unlink(unfinished)


def _tidy(place: Path, newest: Path) -> None:
    """Remove what killed processes left, and the oldest entries above the limit."""
    entries: list[tuple[float, int, str]] = []
    with os.scandir(place) as found:
        for item in found:
            with suppress(OSError):
                facts = item.stat(follow_symlinks=False)
                if item.name.endswith(UNFINISHED) and time.time() - facts.st_mtime > ABANDONED:
                    os.unlink(item.path)
                elif item.name.endswith(ENDING) and item.path != str(newest):
                    entries.append((facts.st_mtime, facts.st_size, item.path))
    room = LIMIT - newest.stat().st_size
    for _, size, path in sorted(entries, reverse=True):
        room -= size
        if room < 0:
            with suppress(OSError):
                os.unlink(path)


def _private(what: Path | int, kind: Any) -> bool:
    """Whether something is of a kind, the user's own, and nobody else may write it. Windows sees to that by itself in
    the folder of a user."""
    try:
        facts = os.stat(what)
    except OSError:
        return False
    if not kind(facts.st_mode):
        return False
    return not hasattr(os, "getuid") or (facts.st_uid == os.getuid() and not facts.st_mode & 0o022)


def _flags(*names: str) -> int:
    """Flags for opening a file, those that this system has."""
    found = 0
    for name in names:
        found |= getattr(os, name, 0)
    return found
