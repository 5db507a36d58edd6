"""Reads printed formulas back, as plain text and as LaTeX, and computes them: nothing here knows how they were made.

Names are looked up among the numbers of the formula's leaves; everything else is read from the signs that were printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import special

from glassgrad.explain.formula import LATEX, TEXT, Call, Expr, Num, Product, Ref, Total, Whole

SIGNS = {
    "·": "*", "−": "-", "≠": "!=", "≤": "<=", "≥": ">=", "∧": "&", "∨": "|", "⊕": "^", "¬": "~", "√": "sqrt",
    "σ": "sigmoid", "⌊": "floor(", "⌋": ")", "mod": "%", "//": "//",
}  # fmt: skip
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
MEANING: dict[str, Any] = {
    "e": np.float64(np.e), "sqrt": np.sqrt, "ln": np.log, "sigmoid": special.expit, "erf": special.erf,
    "sign": np.sign, "relu": lambda x: np.maximum(x, 0.0), "round": np.rint, "floor": np.floor, "abs": np.abs,
    "max": np.maximum, "min": np.minimum, "int64": np.trunc, "int32": np.trunc, "bool": np.bool_,
    "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan,
    **{name: getattr(np, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
}  # fmt: skip
BEFORE, AFTER = r"(?<![a-zA-Z0-9_.\\])", "(?![a-zA-Z0-9_.′'[])"
"""What a name does not stand between: it would be a part of another."""
FUNCTIONS = "|".join(sorted((f for f in MEANING if f != "e"), key=len, reverse=True))


def leaves(expr: Expr) -> Iterator[Ref | Num | Whole]:
    if isinstance(expr, (Ref, Num, Whole)):
        yield expr
    parts = {Call: "args", Total: "terms", Product: "factors"}.get(type(expr))
    for part in getattr(expr, parts) if parts else ():
        yield from leaves(part)


class Reader:
    """A printed formula with its names replaced by marks."""

    def __init__(self, expr: Expr, style: str) -> None:
        known = {leaf.write(style): leaf.compute() for leaf in leaves(expr)}
        names = sorted(known, key=len, reverse=True)
        self.numbers = [np.float64(known[name]) for name in names]
        places = {name: place for place, name in enumerate(names)}
        text = expr.write(style)
        if names:
            words = [f"{BEFORE}{re.escape(n)}{AFTER}" if n[0].isalnum() else re.escape(n) for n in names]
            either = "|".join(words)
            text = re.sub(either, lambda found: f"@{places[found[0]]}@", text)
        self.text = text

    def compute(self, source: str, boolean: bool) -> float:
        if boolean:
            self.numbers = [np.bool_(n) if n in (0, 1) else n for n in self.numbers]
        elif re.search(r"[&|^~]", source) or "//" in source:
            self.numbers = [np.int64(n) if np.isfinite(n) and n == np.rint(n) else n for n in self.numbers]
        source = re.sub(r"@(\d+)@", r"_[\1]", source)
        with np.errstate(all="ignore"):
            try:  # of Python's truth values sums are counted, and of NumPy's the opposite is the other one
                assert "~" not in source or not boolean
                return float(eval(source, dict(MEANING), {"_": [n.item() for n in self.numbers]}))
            except (
                AssertionError,
                ZeroDivisionError,
                OverflowError,
                TypeError,
            ):  # floats refuse
                return float(eval(source, dict(MEANING), {"_": self.numbers}))
            except NameError as error:
                raise AssertionError(f"{error}: {source} of {self.text}") from None


def of_text(expr: Expr, boolean: bool = False) -> float:
    """What the formula in plain text comes to; `boolean` says that its 0 and 1 are false and true."""
    reader = Reader(expr, TEXT)
    return reader.compute(plain(reader.text), boolean)


def plain(text: str) -> str:
    text = text.replace("⊕", "\x01")
    text = re.sub(r"\^", "**", text)
    text = re.sub("([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda found: "**" + found[1].translate(RAISED), text)
    text = re.sub(r"(?<![=!<>])=", "==", sizes(text))
    for sign, code in SIGNS.items():
        text = text.replace(sign, code)
    return text.replace("\x01", "^")


def sizes(text: str) -> str:
    """Bars as absolute values: a bar opens behind a space, a parenthesis or a bar that opens."""
    made = ""
    for at, sign in enumerate(text):
        opens = not at or text[at - 1] in " (-" or (text[at - 1] == "|" and made.endswith("abs("))
        made += sign if sign != "|" else "abs(" if opens else ")"
    return made


def of_latex(expr: Expr, boolean: bool = False) -> float:
    """What the formula in LaTeX comes to."""
    reader = Reader(expr, LATEX)
    return reader.compute(from_latex(reader.text), boolean)


def from_latex(text: str) -> str:
    """LaTeX as Python, outermost command first."""
    text = text.replace(r"\left", "").replace(r"\right", "").replace(r"\,", " ").replace(r"\;", " ")
    while found := re.search(r"\\begin\{cases\}", text):
        start, end = found.start(), _closing(text, found.start())
        inside = text[found.end() : end]
        above, below = _split(inside, r"\\")
        value, condition = _split(above, "&")
        other = _split(below, "&")[0]
        after = text[end:].removeprefix(r"\end{cases}")
        text = f"{text[:start]}(({value}) if ({condition}) else ({other})){after}"
    while found := re.search(r"\\frac\{", text):
        top, at = _group(text, found.end() - 1)
        bottom, end = _group(text, at)
        text = f"{text[: found.start()]}(({top})/({bottom})){text[end:]}"
    while found := re.search(r"\\sqrt\{", text):
        inside, end = _group(text, found.end() - 1)
        text = f"{text[: found.start()]}sqrt({inside}){text[end:]}"
    while found := re.search(r"\\operatorname\{", text):
        inside, end = _group(text, found.end() - 1)
        text = f"{text[: found.start()]}{inside}{text[end:]}"
    while found := re.search(r"\^\{", text):
        inside, end = _group(text, found.end() - 1)
        text = f"{text[: found.start()]}**({inside}){text[end:]}"
    words = {
        r"\cdot": "*", r"\sigma": "sigmoid", r"\neq": "!=", r"\le": "<=", r"\ge": ">=", r"\land": "&", r"\lor": "\x02",
        r"\oplus": "^", r"\lnot": "~", r"\lfloor": "floor(", r"\rfloor": ")", r"\bmod": "%", r"\ln": "ln",
    }  # fmt: skip
    for word, code in words.items():
        text = re.sub(re.escape(word) + r"(?![a-zA-Z])", code, text)
    text = re.sub(r"\\(" + FUNCTIONS + ")(?![a-z])", r"\1", text)
    text = re.sub(r"(?<!\*)\b(" + FUNCTIONS + r")\s*(@\d+@)", r"\1(\2)", text)
    return re.sub(r"(?<![=!<>])=(?!=)", "==", sizes(text).replace("\x02", "|")).replace("{", "(").replace("}", ")")


def _closing(text: str, start: int) -> int:
    depth = 0
    for found in re.finditer(r"\\(begin|end)\{cases\}", text[start:]):
        depth += 1 if found[1] == "begin" else -1
        if not depth:
            return start + found.start()
    raise AssertionError(f"cases without end: {text}")


def _split(text: str, mark: str) -> list[str]:
    """At the mark outside of all inner cases."""
    depth, parts, last = 0, [], 0
    for found in re.finditer(r"\\begin\{cases\}|\\end\{cases\}|" + re.escape(mark), text):
        depth += {"\\b": 1, "\\e": -1}.get(found[0][:2], 0)
        if found[0] == mark and not depth:
            parts.append(text[last : found.start()])
            last = found.end()
    return [*parts, text[last:]]


def _group(text: str, start: int) -> tuple[str, int]:
    """What stands in the braces that open at `start`, and where they end."""
    assert text[start] == "{", text
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return text[start + 1 : at], at + 1
    raise AssertionError(f"braces without end: {text}")
