"""Where files of data are looked for and kept, and what makes them count: their length and their SHA-256.

A file in the cache appears whole or not at all, so processes need not wait for each other; whatever is damaged on the
disk later is found when it is read, and is as if it were not there.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from ..engine.cache import platform_folder
from ..errors import GlassgradError
from ..saving import disk

VARIABLE = "GLASSGRAD_DATA"
"""The environment variable that names the folder which is looked into first."""
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
    base = platform_folder()
    return None if base is None else base / "data"


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


def read_expected(stream: IO[bytes], file: Expected, where: str) -> memoryview:
    """The content of a stream if it is exactly the file that is expected, in memory that may be written to.

    Raises:
        CorruptData: it is not; the message says where it is and how it differs.
    """
    room = np.empty(file.size + 1, np.uint8).data  # NumPy asks for large pages, which are quicker to come by
    filled = 0
    while filled < len(room):
        count = stream.readinto(room[filled : filled + _CHUNK])  # type: ignore[attr-defined]  # all files have it
        if not count:
            break
        filled += count
    raw = room[:filled]
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


def find(file: Expected, folders: list[Path], faults: list[str]) -> memoryview | None:
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


def keep(file: Expected, raw: memoryview, folder: Path) -> None:
    """Put a file into the cache, under its name only when all of it is on the disk; a warning if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        disk.release(disk.write(disk.target(folder / file.name), [raw]))
    except OSError as error:
        reason = error.asked if isinstance(error, GlassgradError) else f"{folder}: {error.strerror or error}"
        warnings.warn(
            f"{file.name} was downloaded but cannot be kept, and has to be downloaded again: {reason}", stacklevel=2
        )
