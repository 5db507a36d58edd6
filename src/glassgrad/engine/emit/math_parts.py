"""What the elementwise functions are built of: numbers with operators that write IR, and the tricks of the trade.

Rounding to whole numbers is done by adding and subtracting 1.5·2^p, and powers of 2 are made in the exponent's bits:
both are the same few cheap instructions on every target, where conversions between float64 and int64 need AVX-512 and
`floor` needs SSE 4.1. See Muller, "Elementary Functions", 3rd edition, chapters 4 and 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .ir import Function
from .values import Value


class Format(NamedTuple):
    """A floating-point format."""

    integer: str
    """The kind of integer of the same size."""
    mantissa: int
    """Bits after the leading 1."""
    bias: int
    magic: float
    """1.5·2^mantissa: adding it leaves a whole number in the last bits."""
    sign: int

    @property
    def magic_bits(self) -> int:
        return ((self.bias + self.mantissa) << self.mantissa) | 1 << (self.mantissa - 1)

    @property
    def least_normal(self) -> float:
        return 2.0 ** (1 - self.bias)


FORMATS = {
    "float": Format("i32", 23, 127, 1.5 * 2.0**23, 1 << 31),
    "double": Format("i64", 52, 1023, 1.5 * 2.0**52, 1 << 63),
}


@dataclass(frozen=True, eq=False)
class Num:
    """A value whose operators write the instructions. Python numbers become constants of the same type."""

    f: Function
    v: Value

    @property
    def kind(self) -> str:
        return self.v.type.kind

    @property
    def format(self) -> Format:
        return FORMATS[self.kind]

    def const(self, number: float | int) -> Num:
        """A constant of this type; integers may be given as unsigned."""
        if not self.v.type.floating:
            bits = self.v.type.bits
            number = (int(number) + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))
        return Num(self.f, self.f.const(number, self.v.type))

    def of(self, other: Num | float | int) -> Num:
        return other if isinstance(other, Num) else self.const(other)

    def __add__(self, other: Num | float) -> Num:
        return Num(self.f, self.f.add(self.v, self.of(other).v))

    def __radd__(self, other: float) -> Num:
        return self.of(other) + self

    def __sub__(self, other: Num | float) -> Num:
        return Num(self.f, self.f.sub(self.v, self.of(other).v))

    def __rsub__(self, other: float) -> Num:
        return self.of(other) - self

    def __mul__(self, other: Num | float) -> Num:
        return Num(self.f, self.f.mul(self.v, self.of(other).v))

    def __rmul__(self, other: float) -> Num:
        return self * other

    def __truediv__(self, other: Num | float) -> Num:
        return Num(self.f, self.f.div(self.v, self.of(other).v))

    def __rtruediv__(self, other: float) -> Num:
        return self.of(other) / self

    def __neg__(self) -> Num:
        return Num(self.f, self.f.neg(self.v))

    def __and__(self, other: Num | int) -> Num:
        return Num(self.f, self.f.bit_and(self.v, self.of(other).v))

    def __or__(self, other: Num | int) -> Num:
        return Num(self.f, self.f.bit_or(self.v, self.of(other).v))

    def __xor__(self, other: Num | int) -> Num:
        return Num(self.f, self.f.bit_xor(self.v, self.of(other).v))

    def __lshift__(self, other: Num | int) -> Num:
        return Num(self.f, self.f.shl(self.v, self.of(other).v))

    def __rshift__(self, other: Num | int) -> Num:
        """Zeros come in from the left."""
        return Num(self.f, self.f.lshr(self.v, self.of(other).v))

    def is_(self, how: str, other: Num | float) -> Num:
        """A mask: `how` as in `Function.compare`."""
        return Num(self.f, self.f.compare(how, self.v, self.of(other).v))

    def where(self, yes: Num | float, no: Num | float) -> Num:
        """A choice by this mask."""
        like = yes if isinstance(yes, Num) else no
        assert isinstance(like, Num)
        return Num(self.f, self.f.select(self.v, like.of(yes).v, like.of(no).v))

    def abs(self) -> Num:
        return Num(self.f, self.f.abs(self.v))

    def sqrt(self) -> Num:
        return Num(self.f, self.f.sqrt(self.v))

    def bits(self) -> Num:
        """The same bits as an integer."""
        return Num(self.f, self.f.convert("bitcast", self.v, self.format.integer))

    def real(self) -> Num:
        """An integer's bits as a floating-point number."""
        return Num(self.f, self.f.convert("bitcast", self.v, {"i32": "float", "i64": "double"}[self.kind]))

    def to(self, how: str, kind: str) -> Num:
        """Converted: `how` as in `Function.convert`."""
        return Num(self.f, self.f.convert(how, self.v, kind))

    def sign_bit(self) -> Num:
        """The bits of ±0."""
        return self.bits() & self.format.sign

    def signed(self, sign: Num) -> Num:
        """With the sign turned where `sign`, bits of ±0, has one."""
        return (self.bits() ^ sign).real()

    def at_least(self, low: float) -> Num:
        """The larger; nan stays nan. One instruction where this way round."""
        return self.const(low).is_("ogt", self).where(low, self)

    def at_most(self, high: float) -> Num:
        return self.const(high).is_("olt", self).where(high, self)


def madd(a: Num, b: Num | float, c: Num | float) -> Num:
    """a * b + c, rounded once where the target has an instruction for it."""
    if a.f.module.has_fma:
        return Num(a.f, a.f.fma(a.v, a.of(b).v, a.of(c).v))
    return a * b + c


def poly(x: Num, table: dict[str, tuple[float, ...]]) -> Num:
    """A polynomial by Horner's rule, the lowest coefficient first."""
    *rest, last = table[x.kind]
    total = x.const(last)
    for coefficient in reversed(rest):
        total = madd(total, x, coefficient)
    return total


def fast_two_sum(a: Num, b: Num) -> tuple[Num, Num]:
    """a + b and what its rounding lost; |a| must not be smaller than |b|, unless a is 0 (Dekker 1971)."""
    total = a + b
    return total, (a - total) + b


def two_sum(a: Num, b: Num) -> tuple[Num, Num]:
    """a + b and what its rounding lost (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a: Num, b: Num) -> tuple[Num, Num]:
    """a * b and what its rounding lost; without fma by splitting each into halves (Veltkamp, Dekker 1971)."""
    product = a * b
    if a.f.module.has_fma:
        return product, madd(a, b, -product)
    factor = 2.0 ** ((a.format.mantissa + 2) // 2) + 1

    def halves(x: Num) -> tuple[Num, Num]:
        scaled = x * factor
        high = scaled - (scaled - x)
        return high, x - high

    (ah, al), (bh, bl) = halves(a), halves(b)
    return product, ((ah * bh - product) + ah * bl + al * bh) + al * bl


def quotient(a: Num, a_low: Num, b: Num, b_low: Num) -> Num:
    """(a + a_low) / (b + b_low), the quotient of the first parts corrected by what is left over."""
    inverse = 1.0 / b
    q = a * inverse
    back, lost = two_product(q, b)
    return madd(((a - back) - lost) + madd(-q, b_low, a_low), inverse, q)


def scaled(p: Num, t: Num) -> Num:
    """p · 2^n for t = magic + n: any n that brings no result beyond infinity or 0 further than the format's width.

    Without an instruction for it in two factors, 2^floor(n/2) and the rest, because 2^n itself may be no normal number
    where the result is one, and so that a subnormal result is rounded once.
    """
    form = p.format
    at_once = p.f.scalef(p.v, (t - form.magic).v)
    if at_once is not None:
        return Num(p.f, at_once)
    biased = t.bits() - (form.magic_bits - 2 * form.bias)  # n + 2 bias > 0
    first = biased >> 1
    second = biased - first
    return p * (first << form.mantissa).real() * (second << form.mantissa).real()


def scaled_normal(p: Num, t: Num) -> Num:
    """p · 2^n for t = magic + n where p and the result are normal: n is added to the exponent's bits.

    The shift drops all of the magic number that lies above n.
    """
    return (p.bits() + (t.bits() << p.format.mantissa)).real()


def split(x: Num) -> tuple[Num, Num]:
    """(m, k) with x = m · 2^k for positive normal x, m from sqrt(1/2) to sqrt(2), k as a floating-point number."""
    form = x.format
    one = form.bias << form.mantissa
    half_root = 0x3F3504F3 if x.kind == "float" else 0x3FE6A09E667F3BCD
    bits = x.bits()
    exponent = (bits - (half_root - one)) >> form.mantissa  # k + bias
    m = (bits - ((exponent << form.mantissa) - one)).real()
    # k + bias becomes the last bits of 2^mantissa, which takes no conversion instruction.
    k = (exponent | ((form.bias + form.mantissa) << form.mantissa)).real() - (2.0**form.mantissa + form.bias)
    return m, k


def of(f: Function, x: Value) -> Num:
    assert x.type.floating, f"an elementwise function of {x}"
    return Num(f, x)
