"""Where files of data are looked for and kept, and what makes them count: their length and their SHA-256.

A file in the cache appears whole or not at all, so processes need not wait for each other; whatever is damaged on the
disk later is found when it is read, and is as if it were not there.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from ..errors import GlassgradError

VARIABLE = "GLASSGRAD_DATA"
"""The environment variable that names the folder which is looked into first."""
UNFINISHED = ".part"
ABANDONED = 3600.0
"""Seconds after which a file that is still being written is taken for what a killed process left."""
_CHUNK = 1 << 20


class DataNotFound(GlassgradError, FileNotFoundError):
    """Data that is not on this machine and could not be got."""


class CorruptData(GlassgradError, ValueError):
    """A file that is not what it should be: damaged, cut off, or another one."""


class Expected(NamedTuple):
    """A file as it is published, unpacked."""

    name: str
    size: int
    sha256: str


def cache_folder() -> Path | None:
    """The folder that downloads are kept in; None where this user has none."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        base = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
    return Path(base) / "glassgrad" / "data" if os.path.isabs(base) else None


def given_folder(data: str | os.PathLike[str] | None) -> Path | None:
    """The folder that the user names, by an argument or else by the environment.

    Raises:
        DataNotFound: there is no such folder.
    """
    named, by = (os.environ.get(VARIABLE) or None, VARIABLE) if data is None else (data, "data")
    if named is None:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataNotFound(
            "the folder that data is to be looked for in is not there",
            got=f"{by}={str(named)!r}",
            fix=f"make the folder, name another one, or leave {by} out: the cache is looked into, then the network",
        )
    return folder


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file to read from, unpacked if it is gzipped; what is wrong with the packing is a `CorruptData`."""
    with path.open("rb") as file:
        packed = file.peek(2)[:2] == b"\x1f\x8b"
        with unpacking(str(path)):
            if packed:
                with gzip.GzipFile(fileobj=file) as stream:
                    yield stream  # type: ignore[misc]  # reads as any file does
            else:
                yield file


@contextmanager
def unpacking(name: str) -> Iterator[None]:
    """Turns what gzip raises for damaged data into a `CorruptData`."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorruptData(f"{name} cannot be unpacked", got=str(error), fix="get the file again") from None


def read_up_to(stream: IO[bytes], limit: int) -> bytearray:
    """What is left in a stream, at most ``limit`` bytes, without believing that there are so many."""
    raw = bytearray()
    while len(raw) < limit:
        chunk = stream.read(min(_CHUNK, limit - len(raw)))
        if not chunk:
            break
        raw += chunk
    return raw


def read_expected(stream: IO[bytes], file: Expected, where: str) -> bytearray:
    """The content of a stream if it is exactly the file that is expected.

    Raises:
        CorruptData: it is not; the message says where it is and how it differs.
    """
    raw = read_up_to(stream, file.size + 1)
    if len(raw) != file.size:
        got = f"{len(raw):,} bytes of {file.size:,}" if len(raw) < file.size else f"more than {file.size:,} bytes"
        raise CorruptData(f"{where} is not the published {file.name}", got=got, fix="get the file again")
    digest = hashlib.sha256(raw).hexdigest()
    if digest != file.sha256:
        raise CorruptData(
            f"{where} is not the published {file.name}",
            got=f"SHA-256 {digest}, expected {file.sha256}",
            fix="get the file again",
        )
    return raw


def find(file: Expected, folders: list[Path], faults: list[str]) -> bytearray | None:
    """A file's content from the first folder that has it, also gzipped; ``faults`` is told what does not count."""
    for folder in folders:
        for name in (file.name, file.name + ".gz"):
            path = folder / name
            if not path.is_file():
                continue
            try:
                with opened(path) as stream:
                    return read_expected(stream, file, str(path))
            except CorruptData as error:
                faults.append(f"{error.asked} ({error.got})")
            except OSError as error:
                faults.append(f"{path} cannot be read ({error.strerror or error})")
    return None


def keep(file: Expected, raw: bytearray, folder: Path) -> None:
    """Put a file into the cache, under its name only when all of it is on the disk; a warning if that fails."""
    unfinished = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
        handle, unfinished = tempfile.mkstemp(UNFINISHED, file.name, folder)
        with os.fdopen(handle, "wb") as out:
            out.write(raw)
            out.flush()
            os.fsync(handle)
        os.replace(unfinished, folder / file.name)
        unfinished = None
        if os.name == "posix":  # elsewhere a folder cannot be opened
            place = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(place)
            finally:
                os.close(place)
    except OSError as error:
        warnings.warn(
            f"{file.name} was downloaded but cannot be kept in {folder} ({error.strerror or error}): "
            "it will have to be downloaded again",
            stacklevel=2,
        )
    finally:
        if unfinished is not None:
            with suppress(OSError):
                os.unlink(unfinished)


def _tidy(folder: Path) -> None:
    """Remove what processes that were killed have left."""
    for path in folder.glob(f"*{UNFINISHED}"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink()
