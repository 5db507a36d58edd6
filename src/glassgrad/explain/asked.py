"""What a user names on the command line: "model.0.weight[0,1]", a variable of the script, a way into it, an entry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..graph import Node
from ..nn import Module
from ..tensor import Tensor
from ..view.lines import nearest
from .missing import why_none
from .recording import as_index
from .script import Run

PART = re.compile(r"\.(\w+)|\[([^\[\]]*)\]")
NOTHING = object()


class NotThere(ArgumentError):
    """A name or an entry that is not there."""


def entry(run: Run, text: str) -> tuple[Node, tuple[int, ...]]:
    """The recorded value that ``text`` names, and the entry of it; where none is given, that of largest gradient.

    Raises:
        NotThere: no such name, with the names that are like it; no such entry, with the shape; no gradient, and why.
    """
    what, given = find(run, text)
    tape = run.tape
    tape.loss  # noqa: B018 - says what is missing
    try:
        node = tape.node_of(what)
    except ArgumentError as error:
        raise NotThere(f"{text} has no gradient: {error.asked}", fix="name what the loss was computed from") from None
    gradient = tape.cotangents.get(node)
    if gradient is None:
        missing = why_none(tape, what)
        raise NotThere(f"{text} has no gradient: {missing.text}", fix=missing.fix)
    if given is None and node.shape:
        size = np.abs(np.asarray(tape.value(gradient), np.float64))
        place = int(np.argmax(np.where(np.isfinite(size), size, np.inf))) if size.size else 0
        return node, tuple(int(i) for i in np.unravel_index(place, node.shape))
    try:
        return node, as_index(given, node.shape)
    except IndexError:
        sizes = " × ".join(map(str, node.shape)) if node.shape else "a single number"
        fix = f"each index must be below the size of its axis: {sizes}" if node.shape else "leave the index out"
        raise NotThere(f"no entry {list(given or ())} in {text.partition('[')[0]}, which is {sizes}", fix=fix) from None


def find(run: Run, text: str) -> tuple[Any, tuple[int, ...] | None]:
    """The tensor (or the recorded node) that ``text`` names, and the index behind it."""
    head = re.match(r"\w+", text)
    parts = list(PART.finditer(text, head.end())) if head else []
    if head is None or "".join(p[0] for p in parts) != text[head.end() :]:
        raise NotThere(f"{text!r} is not a name with an index", fix='write it as "w1" or "model.0.weight[0,1]"')
    found, name = _first(run, head[0]), head[0]
    for place, part in enumerate(parts):
        if isinstance(found, (Tensor, Node)):
            if part[2] is None or place + 1 < len(parts):
                raise NotThere(f"{name} is a tensor and has no part {part[0]!r}", fix=f"give an entry: {name}[0]")
            return found, _index(part[2], text)
        found = _part(found, name, part)
        name += part[0]
    if not isinstance(found, (Tensor, Node)):
        inside = [f"{name}.{each}" for each in _names(found)]
        fix = f"name a tensor, such as {', '.join(inside[:3])}" if inside else "name a tensor"
        raise NotThere(f"{name} is a {type(found).__name__}, not a tensor", fix=fix)
    return found, None


def _first(run: Run, name: str) -> Any:
    for scope in run.scopes:
        if name in scope:
            return scope[name]
    symbols = {run.tape.symbols.text(node): node for node in run.tape.records}
    if name in symbols:
        return symbols[name]
    known = {
        n for scope in run.scopes for n, held in scope.items() if isinstance(held, (Tensor, Module)) and n[0] != "_"
    }
    known |= {symbol for symbol in symbols if symbol.isidentifier()}
    raise NotThere(f"the script has no variable {name!r}", fix=nearest(name, known))


def _part(holder: Any, name: str, part: re.Match[str]) -> Any:
    """An attribute, a numbered module, or an item."""
    key = part[1] if part[2] is None else part[2].strip().strip("'\"")
    number = int(key) if re.fullmatch(r"-?\d+", key) else None
    if isinstance(holder, Mapping):
        for each in (key, number):
            if each in holder:
                return holder[each]
    elif number is not None and hasattr(holder, "__getitem__"):
        try:
            return holder[number]
        except (IndexError, KeyError, TypeError):
            pass
    elif part[2] is None:
        held = getattr(holder, key, NOTHING)
        if held is not NOTHING:
            return held
    raise NotThere(f"{name} has no part {key!r}", fix=nearest(key, _names(holder)))


def _names(holder: Any) -> list[str]:
    """What can stand behind a name."""
    if isinstance(holder, Module):
        own = [name for name, _ in holder.named_parameters(recurse=False)]
        return own + [name for name, _ in holder.named_children()]
    if isinstance(holder, Mapping):
        return [str(key) for key in holder]
    if isinstance(holder, (list, tuple)):
        return [str(place) for place in range(len(holder))]
    return [name for name in getattr(holder, "__dict__", {}) if not name.startswith("_")]


def _index(text: str, whole: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(",") if each.strip())
    except ValueError:
        raise NotThere(f"[{text}] in {whole} is no index", fix="give whole numbers, such as [0,1]") from None
