"""Imports go downward through the rooms of ARCHITECTURE.md, the core stands on NumPy alone, files stay readable.

The rooms are declared once, in ARCHITECTURE.md, under the heading `## Rooms, from the bottom up`: the first fenced
block after it, one room on each line,

    N. name — meaning

from 1 upwards. `name/` is a folder of src/glassgrad, `name` a file without its `.py`. Lines with the same N are
siblings, which may not import one another; inside a room everything may import everything. A dotted name
(`nn.init`) is not a room: it belongs to its folder. `__init__` is the package's own face: whoever writes
`import glassgrad` imports that room. The core is every room up to and including `__init__`.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "glassgrad"
PICTURE = ROOT / "ARCHITECTURE.md"
HEADING = "## Rooms, from the bottom up"
FACE = "__init__"
NOT_AT_IMPORT = (
    "sklearn", "scipy", "llvmlite", "rich", "typer", "textual", "igraph", "latex2mathml", "torch", "jax", "safetensors",
)  # fmt: skip
BEYOND = {"costs": {"rich"}, "engine": {"llvmlite"}, "saving": {"torch"}, "view": {"rich", "textual"}}
"""What rooms of the core import beyond NumPy, when they are used."""
LONGEST = 400

FILES = sorted(PACKAGE.rglob("*.py"))
files = pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())


@dataclass(frozen=True)
class Room:
    level: int
    name: str
    folder: bool


def parse_rooms(document: str) -> dict[str, Room]:
    """The rooms of a document, by name."""
    match = re.search(rf"^{re.escape(HEADING)}\s*$(.*?)(?=^## |\Z)", document, re.MULTILINE | re.DOTALL)
    assert match, f"ARCHITECTURE.md has no heading '{HEADING}'"
    block = re.search(r"^```\w*\n(.*?)^```", match[1], re.MULTILINE | re.DOTALL)
    assert block, f"ARCHITECTURE.md has no fenced block under '{HEADING}'"
    rooms: dict[str, Room] = {}
    last = 0
    for line in filter(str.strip, block[1].splitlines()):
        room = re.fullmatch(r"(\d+)\. (\w+)(/?) — \S.*", line)
        assert room, f"not of the form 'N. name — meaning': {line!r}"
        level, name = int(room[1]), room[2]
        assert level in (last, last + 1) and level > 0, f"numbers must go up by one or repeat: {line!r}"
        assert name not in rooms, f"two rooms have the name {name}"
        rooms[name] = Room(level, name, folder=bool(room[3]))
        last = level
    assert FACE in rooms, f"no room {FACE}: where does the core end?"
    return rooms


@pytest.fixture(scope="module")
def rooms() -> dict[str, Room]:
    assert PICTURE.exists(), "ARCHITECTURE.md, which declares the rooms, is missing"
    return parse_rooms(PICTURE.read_text())


def room_name(file: Path, package: Path = PACKAGE) -> str:
    return file.relative_to(package).with_suffix("").parts[0]


def imports(file: Path, package: Path = PACKAGE) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything a file imports, wherever in the file the import stands."""
    here = [package.name, *file.relative_to(package).parent.parts]
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [] if node.level == 0 else here[: len(here) - node.level + 1]
            base += node.module.split(".") if node.module else []
            # `from glassgrad import nn` imports the room nn; `from glassgrad import Tensor` imports the face.
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def room_imported(dotted: str, rooms: dict[str, Room], package: Path = PACKAGE) -> str | None:
    """The room that a dotted name leads to; None outside the package."""
    parts = dotted.split(".")
    if parts[0] != package.name:
        return None
    if len(parts) > 1 and (package / f"{parts[1]}.pyi").exists():
        return None  # a generated stub: only type checkers see it
    if len(parts) > 1 and (parts[1] in rooms or (package / parts[1]).is_dir() or (package / f"{parts[1]}.py").exists()):
        return parts[1]
    return FACE


def upward(file: Path, rooms: dict[str, Room], package: Path = PACKAGE) -> list[str]:
    """Every import of a file that does not go downward, as `file:line: complaint`."""
    own = rooms.get(room_name(file, package))
    if own is None:
        return [f"{file.relative_to(package.parent)} is in no room: add a line to ARCHITECTURE.md"]
    complaints = []
    for line, dotted in imports(file, package):
        name = room_imported(dotted, rooms, package)
        if name is None or name == own.name:
            continue
        place = f"{file.relative_to(package.parent)}:{line}: {dotted}"
        if name not in rooms:
            complaints.append(f"{place} is in no room")
        elif rooms[name].level >= own.level:
            relation = "the sibling" if rooms[name].level == own.level else "the higher room"
            complaints.append(f"{place} is in {relation} {name} ({rooms[name].level}, seen from {own.level})")
    return complaints


def foreign(file: Path, package: Path = PACKAGE) -> list[str]:
    """Every import of a file from outside the package, the standard library, NumPy and what its room may use beyond."""
    allowed = {package.name, "numpy"} | sys.stdlib_module_names | BEYOND.get(room_name(file, package), set())
    return [
        f"{file.name}:{line}: {dotted}"
        for line, dotted in imports(file, package)
        if dotted.split(".")[0] not in allowed
    ]


def test_every_file_is_in_a_room(rooms: dict[str, Room]) -> None:
    assert FILES, "no source files found"
    assert not {room_name(file) for file in FILES} - rooms.keys(), "add the room to ARCHITECTURE.md"


def test_every_room_has_a_file(rooms: dict[str, Room]) -> None:
    paths = {name: PACKAGE / name if room.folder else PACKAGE / f"{name}.py" for name, room in rooms.items()}
    assert [name for name, path in paths.items() if not path.exists()] == [], (
        "ARCHITECTURE.md draws rooms that are not there"
    )


@files
def test_imports_go_downward(file: Path, rooms: dict[str, Room]) -> None:
    assert upward(file, rooms) == []


@files
def test_the_core_imports_only_numpy(file: Path, rooms: dict[str, Room]) -> None:
    room = rooms.get(room_name(file))
    if room is None or room.level <= rooms[FACE].level:
        assert foreign(file) == []


@files
def test_no_file_is_too_long(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    assert lines <= LONGEST, f"{lines} lines: take it apart"


def test_import_loads_nothing_optional() -> None:
    code = f"import sys, glassgrad; print(*sorted(set({NOT_AT_IMPORT!r}) & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


# The test of the test, on a made-up package.

MADE_UP = f"""# Anything

{HEADING}

Words.

```text
1. low — the bottom
2. left/ — one side
2. right — the other side
3. {FACE} — the face
```

## More

```text
not a room
```
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "madeup"
    (package / "left").mkdir(parents=True)
    for name in ("low", "left/__init__", "left/one", "left/two", "right", FACE):
        (package / f"{name}.py").write_text("")
    return package


@pytest.mark.parametrize(
    ("name", "line", "complaints"),
    [
        ("left/one", "from ..low import x", 0),
        ("left/one", "from . import two", 0),
        ("left/one", "from madeup.left.two import x", 0),
        ("left/__init__", "from .one import x", 0),
        (FACE, "from . import low, left, right", 0),
        (FACE, "from .left import one", 0),
        ("right", "import numpy, os.path, collections.abc", 0),
        ("left/one", "from ..right import x", 1),
        ("left/one", "from .. import right, low", 1),
        ("right", "import madeup.left.one", 1),
        ("low", "def f():\n    from .right import x", 1),
        ("low", "import madeup", 1),
        ("low", "from . import nothing", 1),
        ("low", "from madeup import left, right", 2),
    ],
)
def test_upward_imports_are_found(package: Path, name: str, line: str, complaints: int) -> None:
    file = package / f"{name}.py"
    file.write_text(line)
    assert len(upward(file, parse_rooms(MADE_UP), package)) == complaints


def test_foreign_imports_are_found(package: Path) -> None:
    file = package / "low.py"
    file.write_text("import os, numpy.linalg\nfrom . import left\ndef f():\n    from torch.nn import Linear")
    assert foreign(file, package) == ["low.py:4: torch.nn.Linear"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (HEADING, "## Elsewhere"),
        ("```text\n1.", "1."),
        ("1. low — the bottom", "1. low: the bottom"),
        ("3. ", "4. "),
        ("right —", "low —"),
        (f"3. {FACE} — the face\n", ""),
    ],
)
def test_a_broken_picture_is_refused(old: str, new: str) -> None:
    assert parse_rooms(MADE_UP)
    with pytest.raises(AssertionError):
        parse_rooms(MADE_UP.replace(old, new))
