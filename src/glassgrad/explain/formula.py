"""Formulas as small trees, written as LaTeX, as plain text, and with their numbers, and computed.

An `Expr` comes from nodes alone (see `entries`): how an op is written stands in its declaration (`latex`, `prec`), and
the text form is made from that. Nothing here is typed for an op by hand.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..op import ATOM, POWER, PRODUCT, REGISTRY, SUM, Op

Style = str
LATEX, TEXT, NUMBERS = "latex", "text", "numbers"
SHOWN = 6
"""Terms of a sum that are written out; of a longer one the first and the last."""


class Expr:
    """A formula for one number."""

    prec = ATOM

    def write(self, style: Style) -> str:
        raise NotImplementedError

    def compute(self) -> float:
        raise NotImplementedError

    def __str__(self) -> str:
        return self.write(TEXT)


@dataclass(frozen=True)
class Ref(Expr):
    """A number that has a name: an entry of a recorded value."""

    text: str
    latex: str
    number: float

    def write(self, style: Style) -> str:
        return self.text if style == TEXT else self.latex if style == LATEX else written(self.number)

    def compute(self) -> float:
        return self.number

    @property
    def prec(self) -> int:  # type: ignore[override]
        return ATOM


@dataclass(frozen=True)
class Setting(Ref):
    """A number that the user chose, such as a rate: it stands before what was computed."""


@dataclass(frozen=True)
class Num(Expr):
    """A number that is written in the code."""

    number: float

    def write(self, style: Style) -> str:
        text = written(self.number)
        return text if style != LATEX else _latex_number(text)

    def compute(self) -> float:
        return self.number

    @property
    def prec(self) -> int:  # type: ignore[override]
        return SUM if self.number < 0 else ATOM


@dataclass(frozen=True)
class Call(Expr):
    """An op over formulas."""

    op: Op
    args: tuple[Expr, ...]
    params: tuple[tuple[str, Any], ...] = ()

    @property
    def prec(self) -> int:  # type: ignore[override]
        return self.op.prec

    def write(self, style: Style) -> str:
        wanted = NUMBERS if style == NUMBERS else style
        return compose(self.op, [_Operand.of(a, wanted) for a in self.args], dict(self.params), style)

    def compute(self) -> float:
        values = [np.float64(a.compute()) for a in self.args]
        with np.errstate(all="ignore"):
            if self.op.kind == "elementwise":
                values = [v.astype(bool) if _boolean(self.op, k) else v for k, v in enumerate(values)]
                return float(self.op.value(np, *map(np.asarray, values), **dict(self.params)))
        return float(values[0])


class Terms(Sequence[Expr]):
    """Terms that are made when they are looked at: of a long sum only the first and the last are written."""

    def __init__(self, size: int, make: Callable[[int], Expr]) -> None:
        self.size, self.make = size, make
        self.held: dict[int, Expr] = {}

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[k] for k in range(*place.indices(self.size))]
        at = range(self.size)[place]
        if at not in self.held:
            self.held[at] = self.make(at)
        return self.held[at]

    def each(self, change: Callable[[Expr], Expr]) -> Terms:
        """The same terms, changed when they are looked at."""
        return Terms(self.size, lambda at: change(self[at]))


@dataclass(frozen=True)
class Total(Expr):
    """A sum of any number of terms."""

    terms: tuple[Expr, ...] | Terms
    prec = SUM

    def write(self, style: Style) -> str:
        terms = self.terms
        if len(terms) > SHOWN:
            left = len(terms) - 3
            dots = rf"\cdots\,({left}\text{{ more}})" if style == LATEX else f"… ({left} more)"
            words = [_term(t, style) for t in terms[:2]] + [dots, _term(terms[-1], style)]
        else:
            words = [_term(t, style) for t in terms]
        if not words:
            return "0"
        made = words[0]
        for word in words[1:]:
            minus = word.startswith(("−", "-")) and " " not in word[:2]
            made += f" − {word[1:]}" if minus and style != LATEX else f" - {word[1:]}" if minus else f" + {word}"
        return made

    def compute(self) -> float:
        return float(np.sum([t.compute() for t in self.terms])) if self.terms else 0.0


@dataclass(frozen=True)
class Product(Expr):
    """A product of any number of factors."""

    factors: tuple[Expr, ...]
    prec = PRODUCT

    def write(self, style: Style) -> str:
        dot = r" \cdot " if style == LATEX else " · "
        words = [_inside(f, PRODUCT, style, place > 0) for place, f in enumerate(self.factors)]
        words = [
            f"({w})" if _holds_together(f) and not _closed(w) else w for w, f in zip(words, self.factors, strict=True)
        ]
        return dot.join(words) or "1"

    def compute(self) -> float:
        made = 1.0
        for factor in self.factors:
            made *= factor.compute()
        return made


@dataclass(frozen=True)
class Whole(Expr):
    """An entry of what an op makes of whole arrays, such as a softmax: the op over their names."""

    op: Op
    names: tuple[tuple[str, str], ...]
    params: tuple[tuple[str, Any], ...]
    index: tuple[int, ...]
    number: float

    def write(self, style: Style) -> str:
        if style == NUMBERS:
            return written(self.number)
        operands = [_Operand(latex if style == LATEX else text, ATOM) for text, latex in self.names]
        made = compose(self.op, operands, dict(self.params), style)
        if not self.index:
            return made
        made = made if self.op.prec >= ATOM else f"({made})"
        return made + (
            f"_{{{','.join(map(str, self.index))}}}" if style == LATEX else f"[{','.join(map(str, self.index))}]"
        )

    def compute(self) -> float:
        return self.number


def _term(term: Expr, style: Style) -> str:
    return _inside(term, SUM, style, later=False)


def _inside(expr: Expr, prec: int, style: Style, later: bool) -> str:
    """A formula as an operand: in parentheses where it binds less tightly, or is a negative number behind a sign."""
    text = expr.write(style)
    negative = text.startswith(("-", "−"))
    weak = expr.prec < prec or ((negative and (later or prec > SUM)) and not _closed(text))
    return f"({text})" if weak else text


def _holds_together(expr: Expr) -> bool:
    """Whether a factor, such as a remainder, is another number with the factor before it in its first operand."""
    return isinstance(expr, Call) and expr.prec == PRODUCT and expr.op.name in _NOT_SCALED


def _closed(text: str) -> bool:
    return text.startswith("(") and text.endswith(")")


# -- an op with its operands in place --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Operand:
    text: str
    prec: int

    @staticmethod
    def of(expr: Expr, style: Style) -> _Operand:
        text = expr.write(style)
        return _Operand(text, SUM if text.startswith(("-", "−")) else expr.prec)


def compose(op: Op, operands: Sequence[_Operand], params: dict[str, Any], style: Style) -> str:
    """The op's own way of being written, with these operands; of very many, the first and the last."""
    if len(operands) > SHOWN:
        operands = [*operands[:2], _Operand(r"\cdots" if style == LATEX else "…", ATOM), operands[-1]]
    marks = [f"\x00{place}\x01" for place in range(len(operands))]
    template = _template(op, len(operands), tuple(sorted((k, _frozen(v)) for k, v in params.items())), style == LATEX)
    made = template
    for place, (mark, operand) in enumerate(zip(marks, operands, strict=True)):
        while mark in made:
            at = made.index(mark)
            before, after = made[:at], made[at + len(mark) :]
            enclosed = before.rstrip().endswith(
                ("{", "(", "|", "⌊", r"\lfloor", ",", "\x02")
            ) and after.lstrip().startswith(("}", ")", "|", "⌋", r"\rfloor", r"\right", ",", "\x03"))
            strict = op.prec == POWER or len(operands) == 1 or (place > 0 and op.name in _NOT_ASSOCIATIVE)
            weak = operand.prec < op.prec or (operand.prec == op.prec and strict)
            text = f"({operand.text})" if weak and not enclosed and op.prec < ATOM else operand.text
            if op.prec >= ATOM and not enclosed and operand.prec < ATOM and len(template) > len(mark):
                text = f"({operand.text})"
            if style == LATEX and after[:1] in ("_", "^") and (after[0] in text or "'" in text):
                text = f"{{{text}}}"  # no letter has two indices
            made = before + text + after
    made = _tidy(made.replace("\x02", "").replace("\x03", "")).replace("+ −", "− ").replace("+ -", "- ")
    return made if style == LATEX else re.sub(r"\^([0-9])(?![0-9.])", lambda m: RAISED[int(m[1])], made)


def _not_associative() -> frozenset[str]:
    """Ops of a sum's or a product's tightness where a different order of the same op gives a different number: found by
    trying."""
    found = set()
    for name, op in REGISTRY.items():
        if op.kind == "elementwise" and op.prec in (SUM, PRODUCT) and len(op.operands) == 2 and op.only != "integral":
            a, b, c = (np.asarray(x, np.int64 if op.only == "integer" else np.float64) for x in (7, 5, 3))
            if op.value(np, op.value(np, a, b), c) != op.value(np, a, op.value(np, b, c)):
                found.add(name)
    return frozenset(found)


def _not_scaled() -> frozenset[str]:
    """Ops of a product's tightness for which x · op(a, b) is not op(x · a, b): found by trying."""
    found = set()
    for name, op in REGISTRY.items():
        if op.kind == "elementwise" and op.prec == PRODUCT and len(op.operands) == 2 and op.only != "integral":
            x, a, b = (np.asarray(n, np.int64 if op.only == "integer" else np.float64) for n in (4, 7, 3))
            if not np.isclose(x * op.value(np, a, b), op.value(np, x * a, b)):
                found.add(name)
    return frozenset(found)


_NOT_ASSOCIATIVE, _NOT_SCALED = _not_associative(), _not_scaled()


def _frozen(value: Any) -> Any:
    return value if not isinstance(value, (list, dict)) else repr(value)


@functools.lru_cache(maxsize=4096)
def _template(op: Op, count: int, params: tuple[tuple[str, Any], ...], latex: bool) -> str:
    marks = [f"\x00{place}\x01" for place in range(count)]
    if callable(op.latex):
        made = op.latex(*marks, **dict(params))
    else:
        names = op.operands
        made = op.latex.format(**dict(zip(names, marks, strict=False))) if len(names) == count else _any(op, marks)
    return made if latex else as_text(made)


def _any(op: Op, marks: list[str]) -> str:
    return rf"\operatorname{{{op.name}}}(" + ", ".join(marks) + ")"


RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
WORDS = {
    r"\cdot": "·", r"\sigma": "σ", r"\top": "ᵀ", r"\ast": "∗", r"\star": "⋆", r"\gets": "←", r"\neq": "≠", r"\le": "≤",
    r"\ge": "≥", r"\land": "∧", r"\lor": "∨", r"\oplus": "⊕", r"\lnot": "¬", r"\sum": "Σ", r"\bmod": "mod", r"\,": "",
    r"\;": " ", r"\left": "", r"\right": "", r"\lfloor": "⌊", r"\rfloor": "⌋", r"\partial": "∂", r"\quad": " ",
    r"\odot": "⊙", r"\cdots": "…", r"\times": "×", r"\infty": "∞", r"\nabla": "∇",
}  # fmt: skip
FUNCTION = r"\\(tanh|sinh|cosh|sin|cos|tan|arcsin|arccos|arctan|ln|max|min|arg)(?![a-z])"


def _choice(found: re.Match[str]) -> str:
    a, condition, b = (found[k].strip() for k in (1, 2, 3))
    return f"(\x02{a}\x03 if \x02{condition}\x03 else \x02{b}\x03)"


def as_text(latex: str) -> str:
    """LaTeX as the ops' declarations have it, as plain text with signs of Unicode."""
    made = latex.replace("{", "{").replace(r"\begin{cases}", "\x04").replace(r"\end{cases}", "\x05")
    made = re.sub("\x04" + r"(.*?)&(.*?)\\\\(.*?)&\s*\\text\{else\}\s*" + "\x05", _choice, made, flags=re.S)
    before = ""
    while before != made:
        before = made
        made = re.sub(r"\\operatorname\{([^{}]*)\}", r"\1", made)
        made = re.sub(r"\\text\{([^{}]*)\}", r"\1", made)
        made = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"\1 / \2", made)
        made = re.sub(r"\\sqrt\{([^{}]*)\}", lambda m: "√(\x02" + m[1] + "\x03)", made)
        made = re.sub(r"\\overleftarrow\{([^{}]*)\}", r"reversed(\1)", made)
        made = re.sub(r"\^\{([^{}]*)\}", lambda m: "^" + m[1], made)
        made = re.sub(r"_\{([^{}]*)\}", r"[\1]", made)
        made = re.sub(r"\\mathrm\{([^{}]*)\}", r"\1", made)
    made = re.sub(r"\^\\top", "ᵀ", made)
    made = re.sub(FUNCTION + r"\s*(\x00\d+\x01)", r"\1(\2)", made)
    made = re.sub(FUNCTION, r"\1", made)
    made = re.sub(r"\\[a-zA-Z]+|\\[,;]", lambda m: WORDS.get(m[0], m[0].lstrip("\\")), made)
    made = made.replace("{", "").replace("}", "").replace("-", "−")
    return re.sub(r"\s+", " ", made).strip()


def _tidy(text: str) -> str:
    """Without parentheses around what stands in parentheses already."""
    opened: list[int] = []
    pairs: dict[int, int] = {}
    for place, sign in enumerate(text):
        if sign == "(":
            opened.append(place)
        elif sign == ")" and opened:
            pairs[opened.pop()] = place
    double = {at for start, end in pairs.items() if pairs.get(start + 1) == end - 1 for at in (start, end)}
    return "".join(sign for place, sign in enumerate(text) if place not in double)


def written(value: float) -> str:
    """A number to four digits: 0.1417, 3, 1.2e−05."""
    if not np.isfinite(value):
        return "nan" if np.isnan(value) else "∞" if value > 0 else "−∞"
    text = str(int(value)) if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"
    return text.replace("-", "−")


def _latex_number(text: str) -> str:
    text = text.replace("−", "-").replace("∞", r"\infty")
    if "e" in text:
        mantissa, power = text.split("e")
        return rf"{mantissa} \cdot 10^{{{int(power)}}}"
    return text


def _boolean(op: Op, place: int) -> bool:
    return bool(op.cases) and len(op.cases[0].dtypes) > place and op.cases[0].dtypes[place] == "bool"
