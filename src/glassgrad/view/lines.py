"""Lines of text for terminals: names that cannot harm, formulas that are folded and never cut, signs that can be shown.

Names of modules, variables and files are whatever somebody chose. They are put into rich's `Text`, which knows no
markup, and their control characters are spelled out: a terminal must not act on them.
"""

from __future__ import annotations

import difflib
import itertools
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rich.cells import cell_len
from rich.text import Text

Part = str | tuple[str, str]
"""Words, or words and their style."""
PLAIN = {
    "∂": "d", "·": "*", "−": "-", "′": "'", "∗": "(*)", "⋆": "(x)", "Σ": "sum", "Π": "prod", "√": "sqrt",
    "∞": "inf", "ᵀ": "^T", "…": "...", "≤": "<=", "≥": ">=", "≠": "!=", "σ": "sigma", "γ": "gamma", "β": "beta",
    "μ": "mu", "°": "o", "π": "pi", "θ": "theta", "α": "alpha", "λ": "lambda", "ε": "eps", "→": "->", "←": "<-",
    "↤": "<-", "×": "x", "±": "+-", "▶": ">", "▸": ">", "●": "*", "○": "o", "∇": "V", "‼": "!!", "—": "-",
    "–": "-", "“": '"', "”": '"', "’": "'", "½": "1/2", "■": "#", "∘": "o", "∈": "in", "⊙": "*", "⌊": "floor(",
    "⌋": ")", "⌈": "ceil(", "⌉": ")", "│": "|",
}  # fmt: skip
"""How signs are spelled where only ASCII can be shown."""
WIDEST = 120
"""Longer lines are hard to read, however wide the terminal is."""
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾ⁿ", "0123456789-+()n", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₋₊₍₎", "0123456789-+()", strict=True))
SIGNS = re.compile(r"[=+−·/∗⋆×≤≥<>]|->|→|if|else|\[[\d,]*\]")
"""Words that a line begins with rather than ends: signs, and the index in front of a number."""


DEEPER = {"(": 1, ")": -1}


def number(value: float, digits: int = 4) -> str:
    """A number to so many digits."""
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "∞" if value > 0 else "−∞"
    text = str(int(value)) if value == int(value) and abs(value) < 1e6 else f"{value:.{digits}g}"
    return text.replace("-", "−")


def share(part: float) -> str:
    """A share from 0 to 1 in percent; never 0 % or 100 % of what is not quite that."""
    percent = 100 * part
    if percent in (0, 100) or 1 <= percent <= 99:
        return f"{percent:.0f} %"
    return f"{percent:.2g} %" if percent < 1 else f"{min(percent, 99.99):.4g} %"


def index(of: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, of))}]" if of else ""


def shape(of: tuple[int, ...]) -> str:
    return "×".join(map(str, of)) if of else "one number"


def nearest(name: str, known: Iterable[str]) -> str:
    """The names that are like one that is not there; the first ones if none is."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"like it are {', '.join(near)}" if len(near) > 1 else f"the nearest is {near[0]}"
    return f"there are {', '.join(names[:8])}{', …' if len(names) > 8 else ''}" if names else "there are none"


def clean(text: str) -> str:
    """A text in one line without anything that a terminal would act on."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _spelled(c) for c in text)


def _spelled(sign: str) -> str:
    if unicodedata.category(sign) == "Zs":
        return " "
    code = ord(sign)
    return {"\n": r"\n", "\t": r"\t", "\r": r"\r"}.get(sign) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def ascii_of(text: str) -> str:
    """A text in ASCII alone, so that it can still be read."""
    if text.isascii():
        return text
    made = []
    for place, sign in enumerate(text):
        if sign.isascii():
            made.append(sign)
        elif sign in RAISED or sign in LOWERED:
            table, mark = (RAISED, "^") if sign in RAISED else (LOWERED, "_")
            made.append(table[sign] if place and text[place - 1] in table else mark + table[sign])
        else:
            made.append(PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode())
    return "".join(made)


def breaks(text: str, first: int, rest: int) -> Iterator[int]:
    """Where to fold a text so that its first line fits into `first` cells and the others into `rest`.

    A sign such as = or + goes to the next line with what follows it. Only a word wider than a line is taken apart.
    """
    room, start = first, 0
    narrow = cell_len(text) == len(text)
    depths: list[int] = []
    while True:
        end = min(start + room, len(text)) if narrow else _reach(text, start, room)
        if end >= len(text):
            return
        depths = depths or list(itertools.accumulate(text, lambda depth, sign: depth + DEEPER.get(sign, 0), initial=0))
        found = _gap(text, start, end, depths)
        start = found if found > start else max(end, start + 1)
        yield start
        room = rest


def _reach(text: str, start: int, room: int) -> int:
    """How far a line of `room` cells goes, where some letters take two."""
    used = 0
    for place in range(start, len(text)):
        used += cell_len(text[place])
        if used > room:
            return place
    return len(text)


def _gap(text: str, start: int, end: int, depths: list[int]) -> int:
    """The best place up to `end` where a line may end; `start` if there is none.

    Before an equals sign or, outside of parentheses, a plus is better than before a product, unless much room is lost.
    """
    found, best = start, 3
    gap = text.rfind(" ", start, end + 1)
    while gap > start:
        if found != start and gap - start <= (end - start) * 0.55:
            break
        rank = _rank(text, start, gap, depths[gap])
        if rank < best:
            found, best = gap + 1, rank
        gap = text.rfind(" ", start, gap)
    return found


def _rank(text: str, start: int, gap: int, depth: int) -> int:
    """How bad it is to end a line here: 0 before an equals sign, 1 between terms, 2 elsewhere, 3 not at all."""
    before = text[text.rfind(" ", start, gap) + 1 : gap]
    if SIGNS.fullmatch(before) and gap - len(before) > start:
        return 3
    after = text[gap + 1 : gap + 3]
    if after == "= ":
        return 0
    return 1 if not depth and after in ("+ ", "− ", "- ") else 2


def folded(text: Text, width: int, first: str = "", rest: str | None = None) -> list[Text]:
    """A text in lines of at most `width` cells, the first behind `first`, the others behind `rest`."""
    rest = " " * cell_len(first) if rest is None else rest
    least = min(width, 12)
    if width - cell_len(rest) < least:
        rest = " " * max(0, width - least)
    if width - cell_len(first) < least:
        first = first[: max(0, width - least)]
    places = list(breaks(text.plain, width - cell_len(first), width - cell_len(rest)))
    made = []
    for place, part in enumerate(text.divide(places)):
        part.rstrip()
        made.append(Text.assemble(first if not place else rest, part))
    return made


class Page:
    """Writes lines that are never wider than they may be.

    Args:
        width: the widest a line may be.
        plain: whether only ASCII can be shown.
        write: is given the lines.
    """

    def __init__(self, width: int, plain: bool, write: Callable[[Text], object]) -> None:
        self.width, self.plain, self.write = max(1, min(width, WIDEST)), plain, write

    def say(self, text: str) -> str:
        """A text as it can be shown."""
        text = clean(text)
        return ascii_of(text) if self.plain else text

    def text(self, *parts: Part) -> Text:
        """Text of parts, each with its style or without."""
        made = Text()
        for part in parts:
            words, style = part if isinstance(part, tuple) else (part, "")
            made.append(self.say(words), style=style)
        return made

    def put(self, *parts: Part, first: str = "", rest: str | None = None, style: str = "") -> None:
        """A paragraph: folded, behind an indentation."""
        for line in folded(self.text(*parts), self.width, self.say(first), rest):
            if style:
                line.stylize_before(style)
            self.write(line)

    def blank(self) -> None:
        self.write(Text())

    def rule(self, *parts: Part, style: str = "") -> None:
        """A heading with a line under it."""
        self.put(*parts, style="bold")
        self.write(Text(("-" if self.plain else "─") * self.width, style=style))


def page_on(console: Any) -> Page:
    """A page on a rich console."""

    def write(line: Text) -> None:
        console.print(line, no_wrap=True, overflow="ignore", crop=False, highlight=False, soft_wrap=True)

    return Page(console.width, console.options.ascii_only, write)
