"""Formulas for the page: LaTeX to MathML by latex2mathml, written in a short form of which the page makes elements.

The short form is a tenth of MathML's length and holds nothing that could be run: a letter for each of the elements
below, `x…;` for a token and `(x…)` for an element with children. A formula that is not LaTeX stands as its text.
"""

from __future__ import annotations

import functools
import html
import re
from typing import Any

from . import needed

TOKENS = {"mi": "i", "mn": "n", "mo": "o", "mtext": "t"}
PARENTS = {
    "mrow": "r", "msub": "b", "msup": "p", "msubsup": "B", "mfrac": "f", "msqrt": "q", "mroot": "Q", "mover": "v",
    "munder": "u", "munderover": "U", "mtable": "T", "mtr": "R", "mtd": "D",
}  # fmt: skip
GROWS = "O"
"""An operator as high as what it encloses."""
SPACE = "s"
LETTERS = {short: name for name, short in (TOKENS | PARENTS).items()} | {GROWS: "mo", SPACE: "mspace"}

FIRST = 0xE000
"""Characters for private use stand for names and numbers while latex2mathml reads a formula, as one letter each."""
NAME = re.compile(r"\\(?:mathrm|operatorname)\{((?:[^{}\\]|\\[_%&#$ ])*)\}|\d+(?:\.\d+)?")
STAND_IN = re.compile("[\ue000-\uefff]")
TWICE = re.compile(r"((?:\\[a-zA-Z]+|[^\W\d_]|[\uE000-\uEFFF])(?:([_^])\{[^{}]*\}))(?=\2)")


def short(latex: str, text: str = "") -> str:
    """A formula in the short form; what cannot be read as LaTeX as plain text."""
    if not latex:
        return ""
    words: list[str] = []

    def stand_in(found: re.Match[str]) -> str:
        words.append(_token("n", found[0]) if found[1] is None else _token("i", re.sub(r"\\(.)", r"\1", found[1])))
        return chr(FIRST + len(words) - 1)

    made = _form(NAME.sub(stand_in, latex)) if len(latex) < FIRST else None
    if made is None:
        return _token("t", text or latex)
    return STAND_IN.sub(lambda found: words[ord(found[0]) - FIRST], made)


@functools.lru_cache(maxsize=20_000)
def _form(latex: str) -> str | None:
    """The short form of a formula with stand-ins, which many formulas share."""
    convert = needed("latex2mathml.converter", "a formula in HTML").Converter
    try:
        return _short(convert().convert_to_element(TWICE.sub(r"{\1}", latex)))
    except Exception:  # latex2mathml raises what it likes, IndexError among others, on what is not LaTeX
        return None


def _short(element: Any) -> str:
    tag = element.tag.rpartition("}")[2]
    if tag in TOKENS:
        return _leaf(element, TOKENS[tag], html.unescape(element.text or ""))
    if tag == "mspace":
        return f"({SPACE})"
    inner = [_short(child) for child in element]
    if tag in ("math", "mrow", "mstyle", "mpadded"):
        return inner[0] if len(inner) == 1 else "(r" + "".join(inner) + ")"
    return f"({PARENTS[tag]}" + "".join(inner) + ")"  # any other element is no formula


def _leaf(element: Any, letter: str, text: str) -> str:
    if STAND_IN.fullmatch(text):
        return text
    if letter == "o" and element.get("stretchy") == "true":
        letter = GROWS
    if letter == "i" and element.get("mathvariant") == "normal":
        letter = "t"
    return _token(letter, text.removeprefix("\\"))  # an unknown command stands as its word


def _token(letter: str, text: str) -> str:
    return letter + text.replace("\\", "\\\\").replace(";", "\\;") + ";"
