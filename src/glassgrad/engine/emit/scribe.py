"""What an elementwise op may write: one method an instruction or function, over values of any number of lanes.

Ops say in their declarations (`emit`) which of these they are written by. Booleans are i1 here; in memory
they are bytes. The results are NumPy's, nan and inf included.
"""

from __future__ import annotations

from typing import Any

from ...spec import Dtype
from . import math as functions
from . import math_trig as trig
from .ir import Function
from .values import OF_DTYPE, Value

BOOL = "i1"


class Scribe:
    """Writes one function's elementwise ops."""

    def __init__(self, f: Function) -> None:
        self.f = f

    def __getattr__(self, name: str) -> Any:
        made = getattr(functions, name, None) or getattr(trig, name, None)
        if made is None:
            raise AttributeError(name)
        return lambda *operands: made(self.f, *operands)

    def number(self, value: float, like: Value) -> Value:
        """A number, in as many lanes and of the same kind as `like`."""
        return self.f.const(value, like.type)

    # -- arithmetic -------------------------------------------------------------------------------------------------

    def add(self, a: Value, b: Value) -> Value:
        return self.f.bit_or(a, b) if a.type.kind == BOOL else self.f.add(a, b)

    def sub(self, a: Value, b: Value) -> Value:
        return self.f.sub(a, b)

    def mul(self, a: Value, b: Value) -> Value:
        return self.f.bit_and(a, b) if a.type.kind == BOOL else self.f.mul(a, b)

    def div(self, a: Value, b: Value) -> Value:
        return self.f.div(a, b)

    def neg(self, x: Value) -> Value:
        return self.f.neg(x)

    def maximum(self, a: Value, b: Value) -> Value:
        return self.f.bit_or(a, b) if a.type.kind == BOOL else self.f.larger(a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        return self.f.bit_and(a, b) if a.type.kind == BOOL else self.f.smaller(a, b)

    def relu(self, x: Value) -> Value:
        """max(x, 0), nan staying nan."""
        f, zero = self.f, self.f.zero(x.type)
        if not x.type.floating:
            return f.larger(x, zero)
        return f.select(f.compare("olt", x, zero), zero, x)

    def abs(self, x: Value) -> Value:
        return x if x.type.kind == BOOL else self.f.abs(x)

    def sign(self, x: Value) -> Value:
        """1, 0 or -1; 0 for nan."""
        f = self.f
        if x.type.kind == BOOL:
            return x
        zero, one = f.zero(x.type), f.const(1, x.type)
        if not x.type.floating:
            up = f.select(f.compare("sgt", x, zero), one, zero)
            return f.select(f.compare("slt", x, zero), f.const(-1, x.type), up)
        up = f.select(f.compare("ogt", x, zero), one, zero)
        return f.select(f.compare("olt", x, zero), f.const(-1, x.type), up)

    def floor(self, x: Value) -> Value:
        return self.f.floor(x)

    def round(self, x: Value) -> Value:
        return self.f.rint(x)

    def sqrt(self, x: Value) -> Value:
        return self.f.sqrt(x)

    def remainder(self, a: Value, b: Value) -> Value:
        """What is left of a division that rounds down: it has the sign of b."""
        f = self.f
        zero = f.zero(a.type)
        if not a.type.floating:
            # Nothing is left by 1 and -1; the processor stops at the most negative number over -1.
            none = f.bit_or(f.compare("eq", b, zero), f.compare("eq", b, f.const(-1, b.type)))
            safe = f.select(none, f.const(1, b.type), b)
            left = f.rem(a, safe)
            other = f.compare("slt", f.bit_xor(left, safe), zero)
            wrong = f.bit_and(f.compare("ne", left, zero), other)
            return f.select(f.compare("eq", b, zero), zero, f.select(wrong, f.add(left, safe), left))
        left = f.rem(a, b)
        opposite = f.compare("olt", f.mul(left, b), zero)
        signed = f.intrinsic("copysign", zero, b)
        return f.select(f.compare("oeq", left, zero), signed, f.select(opposite, f.add(left, b), left))

    def floordiv(self, a: Value, b: Value) -> Value:
        f = self.f
        if a.type.kind == BOOL:
            return f.bit_and(a, b)
        zero = f.zero(a.type)
        none = f.compare("eq", b, zero)
        # The most negative number over -1 does not fit: the processor would stop there.
        minus = f.compare("eq", b, f.const(-1, b.type))
        safe = f.select(f.bit_or(none, minus), f.const(1, b.type), b)
        whole = f.div(a, safe)
        left = f.sub(a, f.mul(whole, safe))
        other = f.compare("slt", f.bit_xor(left, safe), zero)
        wrong = f.bit_and(f.compare("ne", left, zero), other)
        down = f.select(wrong, f.sub(whole, f.const(1, a.type)), whole)
        return f.select(none, zero, f.select(minus, f.neg(a), down))

    # -- comparison and logic ---------------------------------------------------------------------------------------

    def _compare(self, floating: str, integer: str, a: Value, b: Value) -> Value:
        unsigned = {"slt": "ult", "sle": "ule", "sgt": "ugt", "sge": "uge"}
        how = floating if a.type.floating else unsigned.get(integer, integer) if a.type.kind == BOOL else integer
        return self.f.compare(how, a, b)

    def eq(self, a: Value, b: Value) -> Value:
        return self._compare("oeq", "eq", a, b)

    def ne(self, a: Value, b: Value) -> Value:
        return self._compare("une", "ne", a, b)

    def lt(self, a: Value, b: Value) -> Value:
        return self._compare("olt", "slt", a, b)

    def le(self, a: Value, b: Value) -> Value:
        return self._compare("ole", "sle", a, b)

    def gt(self, a: Value, b: Value) -> Value:
        return self._compare("ogt", "sgt", a, b)

    def ge(self, a: Value, b: Value) -> Value:
        return self._compare("oge", "sge", a, b)

    def bitwise_and(self, a: Value, b: Value) -> Value:
        return self.f.bit_and(a, b)

    def bitwise_or(self, a: Value, b: Value) -> Value:
        return self.f.bit_or(a, b)

    def bitwise_xor(self, a: Value, b: Value) -> Value:
        return self.f.bit_xor(a, b)

    def bitwise_not(self, x: Value) -> Value:
        return self.f.bit_xor(x, self.f.const(1 if x.type.kind == BOOL else -1, x.type))

    def where(self, c: Value, a: Value, b: Value) -> Value:
        return self.f.select(self.truth(c), a, b)

    def pow(self, a: Value, b: Value) -> Value:
        """a to the power b; of whole numbers by squaring, with 0 for what is no whole number."""
        f = self.f
        if a.type.floating:
            return functions.pow(f, a, b)
        one, zero = f.const(1, a.type), f.zero(a.type)
        with f.loop(f.index(0), f.index(a.type.bits - 1), 1, [one, a, b]) as turn:
            made, square, left = turn.carried
            odd = f.compare("ne", f.bit_and(left, one), zero)
            turn.next(f.select(odd, f.mul(made, square), made), f.mul(square, square), f.lshr(left, one))
        return f.select(f.compare("slt", b, zero), zero, turn.results[0])

    def truth(self, x: Value) -> Value:
        """x as a condition."""
        if x.type.kind == BOOL:
            return x
        return self.f.compare("une" if x.type.floating else "ne", x, self.f.zero(x.type))

    # -- dtypes -----------------------------------------------------------------------------------------------------

    def cast(self, x: Value, dtype: Dtype) -> Value:
        """x in another dtype, as NumPy converts."""
        f = self.f
        kind = BOOL if dtype.kind == "b" else OF_DTYPE[dtype.name].kind
        if kind == x.type.kind:
            return x
        if kind == BOOL:
            return self.truth(x)
        to = x.type.with_kind(kind)
        if x.type.kind == BOOL:
            return f.convert("uitofp" if to.floating else "zext", x, kind)
        if x.type.floating and to.floating:
            return f.convert("fpext" if to.bits > x.type.bits else "fptrunc", x, kind)
        if x.type.floating:
            return self._whole(x, kind)
        if to.floating:
            return f.convert("sitofp", x, kind)
        return f.convert("sext" if to.bits > x.type.bits else "trunc", x, kind)

    def _whole(self, x: Value, kind: str) -> Value:
        """A float towards zero; what does not fit becomes the least integer, as the processor has it."""
        f = self.f
        bits = 64 if kind == "i64" else 32
        edge = f.const(2.0 ** (bits - 1), x.type)
        inside = f.bit_and(f.compare("olt", x, edge), f.compare("oge", x, f.const(-(2.0 ** (bits - 1)), x.type)))
        safe = f.select(inside, x, f.zero(x.type))
        made = f.convert("fptosi", safe, kind)
        return f.select(inside, made, f.const(-(2 ** (bits - 1)), made.type))
