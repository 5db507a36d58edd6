"""A report as JSON, and back. Strict JSON has no nan and no infinity: they are the strings "nan", "inf" and "-inf"."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import tempfile
import types
import typing
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from ..findings import Examination
from ..report import TapeReport

FORMATS = {TapeReport: "glassgrad tape 1", Examination: "glassgrad diagnosis 1"}
"""They change when a reader of older files would misread newer ones."""


def to_dict(report: Any) -> Any:
    """Dataclasses as dicts, tuples as lists, numbers as JSON has them."""
    if dataclasses.is_dataclass(report):
        return {f.name: to_dict(getattr(report, f.name)) for f in dataclasses.fields(report)}
    if isinstance(report, (list, tuple)):
        return [to_dict(each) for each in report]
    if isinstance(report, dict):
        return {key: to_dict(each) for key, each in report.items()}
    if isinstance(report, float) and not math.isfinite(report):
        return str(report)
    return report


def from_dict(data: Any, kind: Any = TapeReport) -> Any:
    """The report that `to_dict` was given."""
    return _as(kind, data)


def write(report: TapeReport | Examination, path: str | Path) -> Path:
    """Write a report to a file."""
    return dump(FORMATS[type(report)], to_dict(report), path)


def dump(form: str, data: dict[str, Any], path: str | Path) -> Path:
    """Write data to a file, behind the name of its format."""
    return replace(path, json.dumps({"format": form, **data}, ensure_ascii=False, allow_nan=False, indent=1))


def read(path: str | Path) -> Any:
    """The report in a file that `write` wrote: of a tape, or of a diagnosis."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    found = data.pop("format", None) if isinstance(data, dict) else None
    kind = next((kind for kind, form in FORMATS.items() if form == found), None)
    if kind is None:
        raise ArgumentError(
            f"{path} holds no report that this version reads",
            got=f"format {found!r}" if found else "no format",
            fix=f"write it anew with .json(path), which writes {' or '.join(map(repr, FORMATS.values()))}",
        )
    return from_dict(data, kind)


def replace(path: str | Path, text: str) -> Path:
    """Write a file under a temporary name first, so that no reader ever finds half of it."""
    path = Path(path)
    if not path.parent.is_dir():
        raise ArgumentError(f"no folder {path.parent} to write {path.name} to", fix="make the folder first")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp's files are for their owner alone
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return path


def _as(kind: Any, data: Any) -> Any:
    """A value of an annotated type from its JSON."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if hasattr(kind, "__dataclass_fields__"):
        return kind(**{name: _as(each, data[name]) for name, each in _fields(kind).items() if name in data})
    if origin is types.UnionType:
        return None if data is None else _as(next(a for a in arguments if a is not type(None)), data)
    if origin is tuple and arguments[-1] is not ...:
        return tuple(_as(each, part) for each, part in zip(arguments, data, strict=True))
    if origin is tuple:
        return tuple(_as(arguments[0], each) for each in data)
    if origin is dict:
        return {key: _as(arguments[1], each) for key, each in data.items()}
    return float(data) if kind is float else data


@functools.cache
def _fields(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
