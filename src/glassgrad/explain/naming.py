"""Names for what was recorded: parameters by their modules, values by the variables they were put into, and short
symbols as a textbook has them, W1 and b1, for formulas."""

from __future__ import annotations

import dis
import functools
import linecache
import re
from types import CodeType, FrameType
from typing import Any

from ..errors import Where
from ..graph import Node
from ..nn import Module
from ..tensor import Tensor

SPELLED = {
    "alpha": r"\alpha", "beta": r"\beta", "gamma": r"\gamma", "delta": r"\delta", "eps": r"\varepsilon", "eta": r"\eta",
    "lambda": r"\lambda", "mu": r"\mu", "rho": r"\rho", "sigma": r"\sigma", "tau": r"\tau", "theta": r"\theta",
}  # fmt: skip
GREEK = SPELLED | {
    "γ": r"\gamma", "β": r"\beta", "σ": r"\sigma", "μ": r"\mu", "θ": r"\theta", "α": r"\alpha", "λ": r"\lambda",
}  # fmt: skip
ESCAPED = {sign: f"\\{sign}" for sign in "_{}$&#%"} | {
    "\\": r"\backslash ", "^": r"\hat{}", "~": r"\sim ", "′": "'",
}  # fmt: skip
"""Names are the user's: they may hold anything."""
FRAMES = 12
"""How many of the user's frames are looked through for a tensor's variable."""


class Modules:
    """The paths of the modules that ran, and whose parameter a leaf is."""

    def __init__(self) -> None:
        self.roots: dict[int, Any] = {}
        self.paths: dict[tuple[int, ...], str] = {}
        self.names: dict[Node, tuple[str, Tensor]] = {}

    def path(self, scope: Any) -> str:
        """The path of the innermost module that runs, within the outermost: "layers.0"; "" outside of all."""
        if scope is None:
            return ""
        chain = []
        while scope is not None:
            chain.append(scope[0])
            scope = scope[1]
        key = tuple(map(id, chain))
        held = self.paths.get(key)
        if held is None:
            held = self.paths[key] = self._path(chain)
        return held

    def _path(self, chain: list[Any]) -> str:
        root, inner = chain[-1], chain[0]
        self.roots[id(root)] = root
        if isinstance(root, Module):
            for name, module in root.named_modules():
                if module is inner:
                    return name or type(root).__name__
        return type(inner).__name__

    def parameter(self, leaf: Node) -> tuple[str, Tensor] | None:
        """The name of the parameter or buffer that this leaf is, and its cell."""
        if leaf not in self.names:
            several = len(self.roots) > 1
            for root in self.roots.values():
                if not isinstance(root, Module):
                    continue
                front = f"{type(root).__name__}." if several else ""
                for name, cell in [*root.named_parameters(), *root.named_buffers()]:
                    self.names.setdefault(cell.node, (front + name, cell))
        return self.names.get(leaf)


def held_in_frames(leaf: Node, frame: FrameType | None) -> tuple[str, Tensor] | None:
    """The variable of the user's that holds this leaf, innermost frame first: "w1", or "weights[0]" within a list."""
    for _ in range(FRAMES):
        if frame is None:
            return None
        for space in (frame.f_locals, frame.f_globals):
            for name, held in list(space.items()):
                if name.startswith("__"):
                    continue
                if isinstance(held, Tensor):
                    if held._node is leaf:
                        return name, held
                elif isinstance(held, (list, tuple)) and len(held) < 100:
                    for place, each in enumerate(held):
                        if isinstance(each, Tensor) and each._node is leaf:
                            return f"{name}[{place}]", each
                elif isinstance(held, dict) and len(held) < 100 and space is frame.f_locals:
                    for key, each in list(held.items()):
                        if isinstance(each, Tensor) and each._node is leaf and isinstance(key, str):
                            return (key if key.isidentifier() else f"{name}[{key!r}]"), each
        frame = frame.f_back
    return None


def position(where: Where | None) -> tuple[int | None, int | None, int | None, int | None] | None:
    """Which characters of the source made a node: line, end line, column, end column."""
    if where is None:
        return None
    code, offset = where
    return _positions(code)[offset // 2]


@functools.lru_cache(maxsize=512)
def _positions(code: CodeType) -> list[tuple[int | None, int | None, int | None, int | None]]:
    return list(code.co_positions())


def assigned_name(where: Where | None) -> str:
    """The variable that the expression at this place is put into; "" if it is only a part of one, or none.

    The instruction that follows says so; the source may be a notebook's cell, or not be there at all.
    """
    if where is None:
        return ""
    code, offset = where
    return _stores(code).get(offset, "")


@functools.lru_cache(maxsize=512)
def _stores(code: CodeType) -> dict[int, str]:
    """By the place of an instruction whose result goes straight into a variable, that variable."""
    found = {}
    steps = list(dis.get_instructions(code))
    for place, step in enumerate(steps[1:], start=1):
        if step.opname.startswith("STORE_FAST_"):  # two instructions in one
            name = step.argval[0]
        elif step.opname in ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"):
            name = step.argval
        else:
            continue
        kept = steps[place - 1].opname == "COPY"  # (y := x * 2) goes on as a value, too
        for offset in range(steps[place - 1 - kept].offset, step.offset, 2):  # a call may be at any part of it
            found[offset] = name
    return found


def source_line(where: Where | None) -> str:
    """The text of the user's line."""
    at = position(where)
    if at is None or at[0] is None or where is None:
        return ""
    return linecache.getline(where[0].co_filename, at[0]).strip()


THROUGH = " through "
"""Between a gradient and the one of several uses that a part of it came back from."""


def through(gradient: tuple[str, str], use: tuple[str, str], place: int = 0) -> tuple[str, str]:
    """The part of a gradient that came back from one use; `place` counts the places of one op that uses it twice."""
    text, latex = (f" ({place})", rf"\,({place})") if place else ("", "")
    return f"{gradient[0]}{THROUGH}{use[0]}{text}", rf"{gradient[1]}\big|_{{{use[1]}{latex}}}"


def at_entry(name: tuple[str, str], index: tuple[int, ...]) -> tuple[str, str]:
    """The name of one entry: z1[0,2]."""
    if not index:
        return name
    inside = ",".join(map(str, index))
    text, mark, use = name[0].partition(THROUGH)
    latex, bar, below = name[1].partition(r"\big|")
    return f"{text}[{inside}]{mark}{use}", f"{latex}[{inside}]{bar}{below}"


def superscript(number: int) -> str:
    return "⁽" + str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")) + "⁾"


def latex_of(name: str) -> str:
    """An identifier as LaTeX: w1 is w with index 1, words stand upright."""
    match = re.fullmatch(rf"([A-Za-zγβσμθαλ]|{'|'.join(SPELLED)})_?(\d*)((?:′)*)", name)
    if match:
        letter, number, primes = match.groups()
        return GREEK.get(letter, letter) + (f"_{{{number}}}" if number else "") + "'" * len(primes)
    return r"\mathrm{" + "".join(ESCAPED.get(sign, sign) for sign in name) + "}"
