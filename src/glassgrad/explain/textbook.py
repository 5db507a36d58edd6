"""Formulas as a textbook writes them: nothing that does nothing, signs in front, settings before letters, x · x as x².

What an op does with a number is found by trying its value rule, so nothing is known here of any op but its declaration.
"""

from __future__ import annotations

import functools

import numpy as np

from ..errors import GlassgradError
from ..op import PRODUCT, REGISTRY, SUM, Op
from .formula import Call, Expr, Num, Product, Setting, Terms, Total


def tidy(expr: Expr) -> Expr:
    """The formula without factors of 1, terms of 0 and double signs, in a textbook's order."""
    if isinstance(expr, Call):
        return _shorter(Call(expr.op, tuple(tidy(a) for a in expr.args), expr.params))
    if isinstance(expr, Total) and isinstance(expr.terms, Terms):
        return Total(expr.terms.each(tidy))
    if isinstance(expr, Total):
        kept = tuple(t for t in map(tidy, expr.terms) if not _is(t, 0))
        if not kept:
            return Num(0.0)
        return kept[0] if len(kept) == 1 else Total(kept)
    if isinstance(expr, Product):
        return _product([tidy(f) for f in expr.factors])
    return expr


def _is(expr: Expr, number: float) -> bool:
    return isinstance(expr, Num) and expr.number == number


def _shorter(made: Call) -> Expr:
    """Without what does nothing; which op does nothing with which number is found by trying."""
    op, args = made.op, made.args
    if op is _NEGATION:
        return _negated(args[0])
    if len(args) != 2 or op.kind != "elementwise" or made.params:
        return made
    a, b = args
    if a == b and not _is_number(a) and _doubles(op):
        return _product([Num(2.0), a])
    if op is _PRODUCT:
        return _product([a, b])
    for here, other, place in ((a, b, 1), (b, a, 0)):
        if isinstance(other, Num):
            what = _with(op, place, other.number)
            if what == "same":
                return here
            if what == "nothing":
                return Num(0.0)
            if what == "negated":
                return _negated(here)
            if what:
                return Call(REGISTRY[what], (here,))
    if op.prec == PRODUCT and (less := _without_sign(a)) is not None and _is_odd(op):
        return _negated(Call(op, (less, b)))
    if op.prec == SUM and _commutes(op):
        return _ordered(made)
    return made


def _product(factors: list[Expr]) -> Expr:
    """One product of all factors: its sign in front, numbers and settings first, equal factors as a square."""
    flat: list[Expr] = []
    negative = False
    for factor in factors:
        less = _without_sign(factor)
        negative ^= less is not None
        bare = factor if less is None else less
        flat += bare.factors if isinstance(bare, Product) else (bare,)
    if any(_is(f, 0) for f in flat):
        return Num(0.0)
    kept = sorted((f for f in flat if not _is(f, 1)), key=lambda f: not isinstance(f, Num))
    kept = sorted(kept, key=lambda f: not _is_number(f))
    joined: list[Expr] = []
    for factor in kept:
        if factor in joined and not _is_number(factor):
            joined[joined.index(factor)] = Call(_POWER, (factor, Num(2.0)))
        else:
            joined.append(factor)
    made = Num(1.0) if not joined else joined[0] if len(joined) == 1 else Product(tuple(joined))
    return _negated(made) if negative else made


def _is_number(expr: Expr) -> bool:
    """Whether nothing in a formula was computed by the net: numbers of the code and settings."""
    if isinstance(expr, Call):
        return all(map(_is_number, expr.args))
    if isinstance(expr, Product):
        return all(map(_is_number, expr.factors))
    return isinstance(expr, (Num, Setting))


def _negated(expr: Expr) -> Expr:
    less = _without_sign(expr)
    if less is not None:
        return less
    return Num(-expr.number) if isinstance(expr, Num) else Call(_NEGATION, (expr,))


_NEGATION, _POWER, _DIFFERENCE, _PRODUCT = (REGISTRY[name] for name in ("neg", "pow", "sub", "mul"))
_TRIED = np.array([0.37, 2.9, -1.7])


def _ordered(made: Call) -> Expr:
    """What is taken away stands behind what it is taken from."""
    a, b = made.args
    for first, second in ((a, b), (b, a)):
        less = _without_sign(second)
        if less is not None and _without_sign(first) is None:
            return Call(_DIFFERENCE, (first, less))
    return made


def _without_sign(expr: Expr) -> Expr | None:
    """The formula times -1 where that takes a sign away; else None."""
    if isinstance(expr, Call) and expr.op is _NEGATION:
        return expr.args[0]
    return Num(-expr.number) if isinstance(expr, Num) and expr.number < 0 else None


def _tried(op: Op, *given: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    """What an op makes of floats; None where it takes none."""
    try:
        with np.errstate(all="ignore"):
            found = op.value(np, *given)
    except (TypeError, ValueError, GlassgradError):
        return None
    return found if isinstance(found, np.ndarray) and found.dtype.kind == "f" else None


@functools.lru_cache(maxsize=4096)
def _with(op: Op, place: int, number: float) -> str:
    """What an op of two does to its other operand when operand `place` is this number; else an op of one alike."""
    found = _tried(op, *((_TRIED, np.float64(number)) if place else (np.float64(number), _TRIED)))
    if found is None:
        return ""
    if not found.any():
        return "nothing"
    if np.array_equal(found, _TRIED):
        return "same"
    if np.array_equal(found, -_TRIED):
        return "negated"
    return _root(op, place, number)


def _root(op: Op, place: int, number: float) -> str:
    """The op of one that is the same as a power, such as the square root."""
    if op is not _POWER or not place or number != number % 1:
        return ""
    positive = np.abs(_TRIED)
    found = _tried(op, positive, np.float64(number))
    for name, other in REGISTRY.items():
        if other.kind == "elementwise" and len(other.operands) == 1:
            made = _tried(other, positive)
            if found is not None and made is not None and np.allclose(found, made, 1e-15, 0):
                return name
    return ""


@functools.cache
def _commutes(op: Op) -> bool:
    """Whether two operands may change places."""
    one, other = _tried(op, _TRIED, _TRIED[::-1]), _tried(op, _TRIED[::-1], _TRIED)
    return one is not None and other is not None and np.array_equal(one, other)


@functools.cache
def _is_odd(op: Op) -> bool:
    """Whether a sign of the first operand may stand in front of the whole."""
    one, other = _tried(op, -_TRIED, _TRIED[::-1]), _tried(op, _TRIED, _TRIED[::-1])
    return one is not None and other is not None and np.array_equal(one, -other)


@functools.cache
def _doubles(op: Op) -> bool:
    found = _tried(op, _TRIED, _TRIED)
    return found is not None and np.array_equal(found, 2 * _TRIED)
