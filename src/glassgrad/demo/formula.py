"""Formulas that print themselves in symbols and in numbers, and compute their value, all from one text.

A formula is written in Python's notation: ``dL_dz2 * a1``. Names with an underscore, such as ``dL_dz2``, print as
``dL/dz2``.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping

SIGNS: dict[type[ast.operator], tuple[str, int]] = {
    ast.Add: (" + ", 1),
    ast.Sub: (" - ", 1),
    ast.Mult: (" · ", 2),
    ast.Pow: ("", 3),
}
POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + math.exp(-x))


def evaluate(text: str, values: Mapping[str, float]) -> float:
    """The value of a formula whose names have these values."""
    code = compile(ast.parse(text, mode="eval"), "<formula>", "eval")
    return float(eval(code, {"__builtins__": {}, "sigmoid": sigmoid}, dict(values)))


def symbol(name: str) -> str:
    """A name as it is printed: ``dL_dw2`` as dL/dw2."""
    return name.replace("_", "/")


def number(value: float) -> str:
    """A number in at most four significant digits."""
    return f"{value:.4g}"


def write(text: str, values: Mapping[str, float] | None = None) -> str:
    """A formula in symbols or, with values, in numbers.

    >>> write("2 * (y - t) ** 2"), write("2 * (y - t) ** 2", {"y": 0.5, "t": -1.0})
    ('2 · (y - t)²', '2 · (0.5 - (-1))²')
    """
    return _written(ast.parse(text, mode="eval").body, values, 0)


def _written(node: ast.expr, values: Mapping[str, float] | None, around: int) -> str:
    match node:
        case ast.Constant(value=value):
            return str(value)
        case ast.Name(id=name):
            if values is None:
                return symbol(name)
            held = number(values[name])
            return f"({held})" if held.startswith("-") and around > 1 else held
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return f"{name}({_written(argument, values, 0)})"
        case ast.BinOp(left=left, op=op, right=right):
            sign, rank = SIGNS[type(op)]
            if isinstance(op, ast.Pow):
                return _written(left, values, rank + 1) + ast.unparse(right).translate(POWERS)
            # A negative number needs parentheses behind a sign, not at the beginning of a formula.
            first = rank if around or isinstance(left, ast.BinOp) else 1
            whole = _written(left, values, first) + sign + _written(right, values, rank + 1)
            return f"({whole})" if rank < around else whole
    raise TypeError(f"a formula cannot hold {ast.unparse(node)}")
