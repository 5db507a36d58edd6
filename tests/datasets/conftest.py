"""Nothing here sees the user's data, or a network other than 127.0.0.1, unless --real-data asks for it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.datasets.files import Mirror, served, small


@pytest.fixture(autouse=True)
def own_places(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path | None:
    """A cache of the test's own, no folder of the user's, no npm, and no names but numbers on the network."""
    if "real_data" in request.fixturenames:
        return None
    cache = tmp_path / "cache"
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("GLASSGRAD_DATA", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    resolve = socket.getaddrinfo

    def only_here(host: str, *more: object, **named: object) -> object:
        if host != "127.0.0.1":
            raise socket.gaierror(-2, "Name or service not known")
        return resolve(host, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", only_here)
    return cache / "glassgrad" / "data"


@pytest.fixture
def real_data(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--real-data"):
        pytest.skip("reads and, if need be, downloads real data: --real-data")


@pytest.fixture
def files() -> dict[str, bytes]:
    return small()


@pytest.fixture
def mirror(files: dict[str, bytes]) -> Mirror:
    with served(files) as mirror:
        yield mirror
