"""Small sets of IDX files, archives of them, and a server on 127.0.0.1 that has them and misbehaves when asked to."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from glassgrad.datasets.fetch import Source
from glassgrad.datasets.store import Expected

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(array: np.ndarray) -> bytes:
    """An array as an IDX file."""
    head = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim])
    dims = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return head + dims + array.astype(array.dtype.newbyteorder(">")).tobytes()


def small(train: int = 30, test: int = 20) -> dict[str, bytes]:
    """Four files as MNIST's, with fewer images."""
    rng = np.random.default_rng(0)
    made: list[bytes] = []
    for count in (train, test):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        images[0, 0, :2] = 0, 255
        made += [idx(images), idx(rng.integers(0, 10, count, dtype=np.uint8))]
    return dict(zip(NAMES, made, strict=True))


def expected(files: dict[str, bytes]) -> tuple[Expected, ...]:
    return tuple(Expected(name, len(raw), hashlib.sha256(raw).hexdigest()) for name, raw in files.items())


def source(files: dict[str, bytes], **more: object) -> Source:
    """A source of these files that no network has, unless ``more`` says where."""
    given: dict[str, object] = {
        "title": "Small", "folders": ("small", "Small/raw"), "files": expected(files), "commands": ("get-small",),
    }  # fmt: skip
    return Source(**(given | more))  # type: ignore[arg-type]


def archive(content: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """A gzipped tar archive: members by name, or as they are."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, raw in content.items():
            if isinstance(raw, tarfile.TarInfo):
                raw.name = name
                tar.addfile(raw)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(raw)
                tar.addfile(info, io.BytesIO(raw))
    return out.getvalue()


def fake_npm(folder: Path, left: bytes | None, code: int = 0, says: str = "", archives: int = 1) -> Path:
    """A program npm in a folder: notes how it was called, leaves an archive where it was called, ends with ``code``."""
    folder.mkdir(exist_ok=True)
    packed = folder / "packed"
    packed.write_bytes(left or b"")
    npm = folder / "npm"
    npm.write_text(
        f"#!{sys.executable} -S\n"
        "import pathlib, sys\n"
        f"note = open({str(folder / 'called')!r}, 'a'); print(*sys.argv[1:], file=note)\n"
        f"raw = pathlib.Path({str(packed)!r}).read_bytes()\n"
        f"for n in range({archives if left is not None else 0}): pathlib.Path(f'package-{{n}}.tgz').write_bytes(raw)\n"
        f"print({says!r}, file=sys.stderr)\n"
        f"sys.exit({code})\n"
    )
    npm.chmod(0o755)
    return folder


class Mirror:
    """What a server has, by path, and what it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.content = {f"/{name}.gz": gzip.compress(raw) for name, raw in files.items()}
        self.short: set[str] = set()
        """Paths whose answer breaks off in the middle."""
        self.unsized: set[str] = set()
        """Paths whose answer does not say how long it is."""
        self.asked: list[str] = []
        self.url = ""


@contextmanager
def served(files: dict[str, bytes]) -> Iterator[Mirror]:
    mirror = Mirror(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            mirror.asked.append(self.path)
            raw = mirror.content.get(self.path)
            if raw is None:
                self.send_error(404)
                return
            self.send_response(200)
            if self.path not in mirror.unsized:
                self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw[: len(raw) // 2] if self.path in mirror.short else raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    mirror.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield mirror
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
