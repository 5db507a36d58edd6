"""What a kernel's code depends on, as text: groups with the same text are computed by the same code.

So a kernel is written once for all groups that are alike, and a step whose groups are all known is not written at all:
its code is on disk. Everything that an emitter can see of a group has to be in its text; under test each kernel that
is shared, and each step from the disk, is written nevertheless and compared.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np

from ..op import REGISTRY
from .access import Buffer, access, is_view
from .groups import Group
from .program import CONST, OWN, Val

PACKAGE = __name__.split(".", maxsplit=1)[0]


class Unlike(Exception):
    """Something whose text would not say all about it."""


@functools.cache
def version() -> str:
    """A hash of the sources that turn groups into IR. Raises OSError where they cannot be read."""
    made = hashlib.sha256()

    def read(place: Any) -> None:
        for item in sorted(place.iterdir(), key=lambda found: str(found.name)):
            if item.is_dir():
                read(item)
            elif item.name.endswith(".py"):
                made.update(item.name.encode() + b"\n" + item.read_bytes())

    root = resources.files(PACKAGE)
    for name in ("engine", "ops"):
        read(root / name)
    made.update((root / "op.py").read_bytes() + (root / "spec.py").read_bytes())
    return made.hexdigest()


def likeness(group: Group, buffer_of: Callable[..., Buffer]) -> tuple[str, list[Buffer]]:
    """The text of a group, in which every value goes by the order in which it comes up, and every view by its strides;
    and the buffers in that order. Raises Unlike."""
    names: dict[Val, str] = {val: f"v{place}" for place, val in enumerate(group.vals)}
    buffers: dict[Buffer, int] = {}
    lines = [f"{group.kind} {_plain(group.shape)} {_plain(group.reduced)}"]

    def buffer(val: Val, start: int = 0) -> str:
        return f"m{buffers.setdefault(buffer_of(val, start), len(buffers))}"

    def name(val: Val) -> str:
        if val in names:
            return names[val]
        found = access(val)
        assert found is not None
        base, start, strides = found
        if is_view(val) and base in group.level:
            where = f"view of {names[base]} {start}"
        else:
            held = f"const {_content(base.data)}" if base.op == CONST else "other"
            where = f"{held} {base.shape} {buffer(base, start)}"
        names[val] = f"o{len(names)}"
        lines.append(f"{names[val]} {where} {val.dtype.str} {val.shape} {strides}")
        return names[val]

    for val in group.vals:
        _known(val.op)
        ins = [name(source) for source in val.ins]
        lines.append(f"{names[val]} {val.op} {_params(val)} {val.dtype.str} {val.shape} {group.level[val]} {ins}")
    lines.append(f"stored {[(names[val], buffer(val)) for val in group.stored]}")
    return "\n".join(lines), list(buffers)


def _known(op: str) -> None:
    """Refuse an op that was declared elsewhere: how it is emitted is not in `version`."""
    if op not in OWN and not REGISTRY[op].value.__module__.startswith((f"{PACKAGE}.ops.", f"{PACKAGE}.engine.")):
        raise Unlike(op)


def _params(val: Val) -> str:
    return " ".join(f"{key}={_plain(value)}" for key, value in val.params.items())


def _content(data: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest() if data.size > 1 else repr(data.tobytes())


def _plain(value: Any) -> str:
    """A parameter whose `repr` says all about it."""
    if value is None or isinstance(value, (bool, int, float, complex, str, np.generic)):
        return f"{type(value).__name__}:{value!r}"
    if isinstance(value, np.dtype):
        return value.str
    if isinstance(value, (tuple, list)):
        return f"({','.join(map(_plain, value))})"
    if isinstance(value, slice):
        return f"slice{_plain((value.start, value.stop, value.step))}"
    raise Unlike(type(value).__name__)
