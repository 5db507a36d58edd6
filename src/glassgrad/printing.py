"""A value as text, in PyTorch's form: one width for all entries, long tensors summarised."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .errors import ArgumentError
from .graph import Node
from .spec import bool_, default_dtype, int64, is_float

Array = Any


@dataclass(frozen=True)
class Options:
    """How tensors are printed; see `set_printoptions`."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


PROFILES = {"default": Options(), "short": Options(precision=2, edgeitems=2), "full": Options(threshold=math.inf)}
_held = [Options()]


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors are printed.

    Args:
        precision: digits behind the point.
        threshold: how many entries are printed in full; longer tensors are summarised.
        edgeitems: how many entries a summary shows at both ends of each dimension.
        linewidth: characters in a line.
        profile: "default", "short" or "full", to start from.
        sci_mode: whether numbers are written as 1.0000e+00; by their size if None.
    """
    if profile is not None:
        if profile not in PROFILES:
            raise ArgumentError("a profile is one of " + ", ".join(PROFILES), got=repr(profile))
        _held[0] = PROFILES[profile]
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    _held[0] = replace(_held[0], **{name: x for name, x in given.items() if x is not None}, sci_mode=sci_mode)  # type: ignore[arg-type]


class Style:
    """How the entries of one tensor are written: all in one width."""

    def __init__(self, shown: Array, options: Options) -> None:
        self.precision, self.floats, self.whole, self.scientific = options.precision, is_float(shown.dtype), True, False
        self.width = 1
        if not self.floats:
            self.width = max((len(str(x)) for x in shown.ravel().tolist()), default=1)
            return
        values = shown[np.isfinite(shown) & (shown != 0)].astype(np.float64)
        if not values.size:
            return
        smallest, largest = float(np.abs(values).min()), float(np.abs(values).max())
        self.whole = bool((values == np.ceil(values)).all())
        with np.errstate(over="ignore"):
            wide = bool(np.float64(largest) / smallest > 1e3) or largest > 1e8 or smallest < 1e-4
        self.scientific = wide if options.sci_mode is None else options.sci_mode
        self.width = max(len(self._written(x)) for x in values.tolist())

    def _written(self, x: Any) -> str:
        if not self.floats:
            return str(x)
        if self.scientific:
            return f"{x:.{self.precision}e}"
        if self.whole:
            return f"{x:.0f}" + ("." if math.isfinite(x) else "")
        return f"{x:.{self.precision}f}"

    def __call__(self, x: Any) -> str:
        return self._written(x).rjust(self.width)


def _ends(value: Array, edge: int) -> Array:
    """What a summary shows: ``edge`` entries at both ends of each dimension."""
    for axis, size in enumerate(value.shape):
        if size > 2 * edge:
            value = np.take(value, [*range(edge), *range(size - edge, size)], axis)
    return value


def _nested(value: Array, indent: int, cut: bool, style: Style, options: Options) -> str:
    if value.ndim == 0:
        return style(np.asarray(value).item())
    edge = options.edgeitems
    short = cut and len(value) > 2 * edge
    if value.ndim == 1:
        if short:
            entries = [*map(style, value[:edge].tolist()), " ...", *map(style, value[len(value) - edge :].tolist())]
        else:
            entries = [*map(style, value.tolist())]
        count = max(1, (options.linewidth - indent) // (style.width + 2))
        lines = [", ".join(entries[start : start + count]) for start in range(0, len(entries), count)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = [*value[:edge], None, *value[len(value) - edge :]] if short else list(value)
    parts: list[str] = ["..." if row is None else _nested(row, indent + 1, cut, style, options) for row in rows]
    between: str = "," + "\n" * (value.ndim - 1) + " " * (indent + 1)
    return "[" + between.join(parts) + "]"


def describe(node: Node, name: str = "tensor") -> str:
    """The tensor that shows ``node``, as ``tensor([1., 2.], requires_grad=True)``."""
    options, value, indent = _held[0], np.asarray(node.value), len(name) + 1
    notes = []
    if value.size:
        cut = value.size > options.threshold
        style = Style(_ends(value, options.edgeitems) if cut else value, options)
        text = f"{name}({_nested(value, indent, cut, style, options)}"
        usual = [default_dtype(), int64, bool_]
    else:
        text, usual = f"{name}([]", [default_dtype()]
        if value.ndim != 1:
            notes.append(f"size={value.shape}")
    if value.dtype not in usual:
        notes.append(f"dtype=glassgrad.{value.dtype}")
    if node.requires_grad:
        notes.append("requires_grad=True" if node.op is None else f"grad_fn=<{node.op.name}>")
    at = len(text) - text.rfind("\n") + 1
    for note in notes:
        if at + len(note) + 2 > options.linewidth:
            text, at = f"{text},\n{' ' * indent}{note}", indent + len(note)
        else:
            text, at = f"{text}, {note}", at + len(note) + 2
    return text + ")"
