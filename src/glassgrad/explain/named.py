"""Numbers that know what they are called: a rate of 0.01 is `lr` in the formula of an update, and 1 - 0.9 is 1 - beta1.

They are Python's floats in every respect, to the last bit; only what is computed from them is noted as well.
"""

from __future__ import annotations

from typing import Any

from ..op import REGISTRY, Op
from .formula import Call, Expr, Num, Setting


class Named(float):
    """A float with the formula that it comes from."""

    expr: Expr

    def __new__(cls, number: float, expr: Expr) -> Named:
        made = super().__new__(cls, number)
        made.expr = expr
        return made

    __hash__ = object.__hash__  # constants are kept by their hash, and no other number stands for this one

    def __reduce__(self) -> Any:
        return float, (float(self),)


def named(number: float, text: str, latex: str) -> Named:
    return Named(number, Setting(text, latex, number))


def _noted(operator: str, op: Op) -> None:
    """Have an operator of floats note its formula."""
    plain, reflected = getattr(float, f"__{operator}__"), getattr(float, f"__r{operator}__", None)

    def made(self: Named, *others: Any) -> Any:
        return _result(plain(self, *others), op, (self, *others))

    def turned(self: Named, other: Any) -> Any:
        assert reflected is not None
        return _result(reflected(self, other), op, (other, self))

    setattr(Named, f"__{operator}__", made)
    if reflected is not None:
        setattr(Named, f"__r{operator}__", turned)


def _result(number: Any, op: Op, operands: tuple[Any, ...]) -> Any:
    if type(number) is not float:  # NotImplemented, a truth value, a complex root
        return number
    return Named(number, Call(op, tuple(x.expr if isinstance(x, Named) else Num(float(x)) for x in operands)))


for _op in REGISTRY.values():
    if _op.operator and hasattr(float, f"__{_op.operator}__"):
        _noted(_op.operator, _op)
