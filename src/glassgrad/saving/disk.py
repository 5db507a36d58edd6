"""Files that appear whole or not at all, whatever happens while they are written.

A file is written under a temporary name in the same folder, brought to the disk, and then renamed. While it is written
its writer holds a lock on it, which the system takes away when the process dies: an unfinished file that nobody holds
is what a killed process left.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, BinaryIO

from ..errors import ArgumentError, TypeMismatch
from .errors import FileError, MissingFile, refused

LOCKS: Any
try:
    import fcntl as LOCKS
except ImportError:  # Windows: a file that somebody has open cannot be removed, which does for a lock
    LOCKS = None

UNFINISHED = ".glassgrad-part"
PIECE = 16 << 20
"""Bytes written at a time: Ctrl-C need not wait for a whole file."""
ABANDONED = 600.0
"""Where there are no locks: seconds after which an unfinished file is taken for what a killed process left."""
NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM)
"""What file systems that cannot sync a folder answer."""


def named(path: Any) -> str:
    """A path as text; TypeMismatch for anything else, ArgumentError for text that cannot be one."""
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise TypeMismatch("a file is named by a string or a path", got=type(path).__name__) from None
    if not text or "\0" in text:
        raise ArgumentError("this cannot be the name of a file", got=repr(text))
    return text


def opened(path: Any) -> BinaryIO:
    """A regular file, open for reading. Never waits, as opening a pipe would. Raises MissingFile and FileError."""
    text = named(path)
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(text, flags)
    except OSError as error:
        raise refused(f"{text} cannot be read", error, "check the name and the rights") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileError(f"{text} cannot be read: it is not a file", fix="name a file that glassgrad.save wrote")
    return os.fdopen(handle, "rb", buffering=0)


def target(path: Any) -> str:
    """Where a file of this name is to be written: links are followed, so that they stay links.

    Raises MissingFile for a folder that is not there, FileError for what is in the way.
    """
    text = os.path.realpath(named(path))
    folder = os.path.dirname(text)
    if not os.path.isdir(folder):
        raise MissingFile(f"{text} cannot be written: there is no folder {folder}", fix="make the folder first")
    if os.path.lexists(text) and not os.path.isfile(text):
        raise FileError(f"{text} cannot be written: something that is not a file is in its place", fix="name another")
    return text


def write(path: str, parts: Iterable[memoryview]) -> int | None:
    """Write a file, a `target`; an older one of the name stays as it was until the new one is on the disk.

    Returns a descriptor that holds the file's lock, to be given to `release`; None on systems without such locks.
    Raises FileError when the system refuses; the older file is then as it was, and nothing is left behind.
    """
    folder = os.path.dirname(path)
    clean(folder)
    unfinished, handle, renamed = None, None, False
    try:
        handle, unfinished = _begun(folder)
        with suppress(OSError):  # a file system may have no rights to set
            os.chmod(unfinished, stat.S_IMODE(os.stat(path).st_mode))
        for part in parts:
            for begin in range(0, len(part), PIECE):
                _put(handle, part[begin : begin + PIECE])
        os.fsync(handle)
        if LOCKS is None:  # Windows renames no file that is open
            os.close(handle)
            handle = None
        os.replace(unfinished, path)
        renamed = True
        _sync(folder)
        kept, handle = handle, None
        return kept
    except OSError as error:
        if renamed:
            raise refused(f"{path} is written, but may not be on the disk yet", error, "save it again") from error
        older = "; the older file is as it was" if os.path.exists(path) else ""
        fix = "make room, or name another place"
        raise refused(f"{path} cannot be written{older}", error, fix) from error
    finally:
        release(handle)
        if unfinished is not None and not renamed:
            with suppress(OSError):
                os.unlink(unfinished)


def _begun(folder: str) -> tuple[int, str]:
    """A new unfinished file, locked."""
    while True:
        name = os.path.join(folder, f".{secrets.token_hex(8)}{UNFINISHED}")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        handle, mine = os.open(name, flags, 0o666), False
        try:
            mine = locked(handle) is not False and (LOCKS is None or os.fstat(handle).st_nlink > 0)
            if mine:
                return handle, name
        finally:
            if not mine:  # another process took it for an orphan before it was locked: it is gone, or will be
                release(handle)
                with suppress(OSError):
                    os.unlink(name)


def _put(handle: int, data: memoryview) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _sync(folder: str) -> None:
    """Have a folder's entries on the disk, so that a rename survives a power cut."""
    if LOCKS is None:
        return
    handle = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def release(handle: int | None) -> None:
    """Close what `write` returned, and with it the lock. What is written is on the disk by then: errors say nothing."""
    if handle is not None:
        with suppress(OSError):
            os.close(handle)


def locked(handle: int) -> bool | None:
    """Lock an open file; False if another holds it, None if nobody can tell."""
    if LOCKS is None:
        return None
    try:
        LOCKS.flock(handle, LOCKS.LOCK_EX | LOCKS.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


def remove_if_free(path: str, *, tell: bool | None = None) -> None:
    """Remove a file unless a process holds its lock. ``tell`` is the answer where there are no locks."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            free = locked(handle)
            if free is None:
                free = tell
            if free and LOCKS is not None:
                os.unlink(path)
        finally:
            os.close(handle)
        if free and LOCKS is None:
            os.unlink(path)


def clean(folder: str) -> None:
    """Remove the unfinished files that killed processes left in a folder, never those of a process that lives."""
    with suppress(OSError), os.scandir(folder) as found:
        for item in found:
            if item.name.endswith(UNFINISHED) and item.is_file(follow_symlinks=False):
                old = time.time() - item.stat(follow_symlinks=False).st_mtime > ABANDONED
                remove_if_free(item.path, tell=old)
