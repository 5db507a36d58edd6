"""Elementwise functions as straight-line code for vectors: sine, cosine, tangent and their inverses.

Arguments of ordinary size lose their multiples of pi/2 by Cody and Waite's method. Where a lane has a larger one, the
vector takes a detour: Payne and Hanek's method ("Radian reduction for trigonometric functions", SIGNUM 1983) in whole
numbers, right for every finite argument.
"""

from __future__ import annotations

import itertools
import math

from . import math_tables as tables
from .ir import Function
from .math_parts import Num, fast_two_sum, madd, of, poly, quotient, two_product, two_sum
from .values import Value

TWO_OVER_PI = 2 / math.pi
# Up to here n = x · 2/pi is small enough for the first parts of pi/2.
ORDINARY = {"float": 2.0**15, "double": 2.0**16}
LEAD = {False: 10, True: 38}
"""So many zeros stand before the bits of 2/pi, for float32 and for float64, that the first window begins at 0."""


# -- reduction --------------------------------------------------------------------------------------------------------


def _reduce(x: Num) -> tuple[Num, Num, Num]:
    """x = n pi/2 + r + rest, |r| not above pi/4 but for rounding: (an integer that ends in n's last two
    bits, r, rest)."""
    ordinary = {"float": _ordinary_narrow if x.f.module.has_fma else _ordinary_in_double, "double": _ordinary_wide}
    q, r, rest = ordinary[x.kind](x)
    huge = Num(x.f, x.f.any(x.abs().is_("oge", ORDINARY[x.kind]).v))
    with x.f.rarely(huge.v, q.v, r.v, rest.v) as detour:
        # Lanes whose argument is small enough keep what they have: the detour cannot do them.
        mine = x.abs().is_("oge", ORDINARY[x.kind])
        found = (_huge_narrow if x.kind == "float" else _huge_wide)(x)
        detour.instead(*(mine.where(a, b).v for a, b in zip(found, (q, r, rest), strict=True)))
    q, r, rest = (Num(x.f, v) for v in detour.results)
    return q, r, rest


def _ordinary_narrow(x: Num) -> tuple[Num, Num, Num]:
    """With fma: x - n P1 is exact, for both are multiples of P1's last bit and nearly cancel."""
    first, second, third = tables.HALF_PI["float"]
    t = madd(x, TWO_OVER_PI, x.format.magic)
    n = t - x.format.magic
    near = madd(n, -first, x)
    product = n * second
    r = near - product
    lost = ((near - r) - product) - madd(n, second, -product)  # exact: near is a multiple of product's last bit
    return t.bits(), r, madd(n, -third, lost)


def _ordinary_in_double(x: Num) -> tuple[Num, Num, Num]:
    """float32 without fma: in float64, where n P1 is exact."""
    first, second, _ = tables.HALF_PI["double"]
    wide = x.to("fpext", "double")
    t = wide * TWO_OVER_PI + wide.format.magic
    n = t - wide.format.magic
    return _narrowed(t.bits(), (wide - n * first) - n * second)


def _narrowed(q: Num, exact: Num) -> tuple[Num, Num, Num]:
    r = exact.to("fptrunc", "float")
    return q.to("trunc", "i32"), r, (exact - r.to("fpext", "double")).to("fptrunc", "float")


def _ordinary_wide(x: Num) -> tuple[Num, Num, Num]:
    """n times the first two parts of 37 bits is exact, and so is x - n P1; where the second difference cancels it is
    exact too. What n P3 and the missing bits of pi/2 get wrong is below 2^-110, no float64 below 2^16 nearer to a
    multiple than 2^-60.5 (by continued fractions; the tests try the nearest ones)."""
    first, second, third = tables.HALF_PI["double"]
    t = madd(x, TWO_OVER_PI, x.format.magic)
    n = t - x.format.magic
    near, lost = two_sum(madd(n, -first, x), n * -second)
    lost = madd(n, -third, lost)
    r, rest = fast_two_sum(near, lost)
    return t.bits(), r, rest


def _window(at: Num, count: int, lead: int) -> list[Num]:
    """`count` words of 32 bits of 2/pi, `lead` zeros before it, from bit number `at` on, in lanes of 64 bits.

    A shift by 16 words, 8, 4, ... where that bit of the lane's number is set, as a barrel shifter does, then one by
    bits: no table in memory, and no lane looks up an address of its own.
    """
    levels = (16, 8, 4, 2, 1) if count > 3 else (2, 1)
    index = at >> 5
    whole = sum(word << 32 * i for i, word in enumerate(reversed(tables.TWO_OVER_PI)))
    places = range(32 * (len(tables.TWO_OVER_PI) - 1) + lead, -1, -32)
    words: list[Num] = [at.const((whole >> place) & 0xFFFFFFFF) for place in places]
    for step in levels:
        chosen = (index & step).is_("ne", 0)
        keep = count + step
        words = [chosen.where(words[i + step], words[i]) for i in range(keep)]
    words = words[: count + 1]
    left = at & 31
    joined = [(a << 32) | b for a, b in itertools.pairwise(words)]
    return [((pair << left) >> 32) & 0xFFFFFFFF for pair in joined]


def _parts_of(x: Num, lead: int) -> tuple[Num, Num]:
    """|x| = M · 2^e with a whole M: (M, e - 2 + lead) as i64, the second where in 2/pi, with `lead` zeros before it,
    the bits begin that decide: those before multiply M to multiples of 4."""
    form = x.format
    bits = x.abs().bits()
    if bits.kind != "i64":
        bits = bits.to("zext", "i64")
    mantissa = bits & ((1 << form.mantissa) - 1) | (1 << form.mantissa)
    exponent = bits >> form.mantissa
    return mantissa, exponent + (lead - 2 - form.bias - form.mantissa)


def _signed_as(x: Num, q: Num, *parts: Num) -> list[Num]:
    """n and r for |x| turned into those for x; nan for infinity."""
    sign = x.sign_bit()
    error = x - x
    negative = sign.is_("ne", 0)
    return [negative.where(0 - q, q), *((p + error).signed(sign) for p in parts)]


def _huge_narrow(x: Num) -> tuple[Num, Num, Num]:
    """x · 2/pi modulo 4 in 64 bits, of which 2 are before the point."""
    m, at = _parts_of(x, LEAD[False])
    a, b, c = _window(at, 3, LEAD[False])
    turns = (((m * a) << 32) + m * b) + ((m * c) >> 32)
    q = (turns + (1 << 61)) >> 62
    left = turns - (q << 62)  # signed
    r = left.to("sitofp", "double") * (math.pi / 2 * 2.0**-62)
    q32, near, rest = _narrowed(q, r)
    q32, near, rest = _signed_as(x, q32, near, rest)
    return q32, near, rest


def _huge_wide(x: Num) -> tuple[Num, Num, Num]:
    """The same in 128 bits, as four words."""
    m, at = _parts_of(x, LEAD[True])
    low, high = m & 0xFFFFFFFF, m >> 32
    words = _window(at, 6, LEAD[True])
    # The product's words, the last first; carries go up in the upper halves.
    carry = at.const(0)
    found: list[Num] = []
    for i in reversed(range(6)):
        one = low * words[i]
        two = high * words[i + 1] if i < 5 else at.const(0)
        # Added in halves, so that no sum goes beyond 64 bits.
        total = (one & 0xFFFFFFFF) + (two & 0xFFFFFFFF) + (carry & 0xFFFFFFFF)
        carry = (one >> 32) + (two >> 32) + (carry >> 32) + (total >> 32)
        found.append(total & 0xFFFFFFFF)
    top = found[::-1][:4]
    q = ((top[0] >> 29) + 1) >> 1
    first = (top[0] - (q << 30)) & 0xFFFFFFFF  # a signed word now
    # Words as numbers, exactly: as the last bits of 2^52; the first with its sign turned into an offset.
    exponent = (1023 + 52) << 52
    numbers = [((first ^ 0x80000000) | exponent).real() - (2.0**52 + 2.0**31)]
    numbers += [(word | exponent).real() - 2.0**52 for word in top[1:]]
    scaled = [number * 2.0 ** (2 - 32 * (i + 1)) for i, number in enumerate(numbers)]
    upper, upper_rest = fast_two_sum(scaled[0], scaled[1])
    lower, lower_rest = fast_two_sum(scaled[2], scaled[3])
    upper, carry_over = two_sum(upper, lower)
    upper, rest = fast_two_sum(upper, carry_over + (upper_rest + lower_rest))
    half_pi, half_pi_rest = math.pi / 2, 6.123233995736766e-17
    product, lost = two_product(upper, upper.const(half_pi))
    lost = lost + madd(upper, half_pi_rest, rest * half_pi)
    near, left = fast_two_sum(product, lost)
    q, near, left = _signed_as(x, q, near, left)
    return q, near, left


# -- sine, cosine, tangent --------------------------------------------------------------------------------------------


def _both(r: Num, rest: Num) -> tuple[tuple[Num, Num], tuple[Num, Num]]:
    """sin(r + rest) and cos(r + rest), |r| <= pi/4, each with what its rounding lost."""
    z = r * r
    half = z * 0.5
    rising = 1.0 - half
    sine = fast_two_sum(r, madd(r * z, poly(z, tables.SIN), rest * rising))
    lost = (1.0 - rising) - half
    cosine = fast_two_sum(rising, madd(z * z, poly(z, tables.COS), madd(-r, rest, lost)))
    return sine, cosine


def _turned(value: Num, q: Num) -> Num:
    """With the sign of the second last bit of q."""
    return value.signed((q << (value.v.type.bits - 2)) & value.format.sign)


def sin(f: Function, x: Value) -> Value:
    a = of(f, x)
    q, r, rest = _reduce(a)
    (sine, _), (cosine, _) = _both(r, rest)
    result = _turned((q & 1).is_("ne", 0).where(cosine, sine), q)
    return a.is_("oeq", 0.0).where(a, result).v


def cos(f: Function, x: Value) -> Value:
    q, r, rest = _reduce(of(f, x))
    (sine, _), (cosine, _) = _both(r, rest)
    return _turned((q & 1).is_("ne", 0).where(sine, cosine), q + 1).v


def tan(f: Function, x: Value) -> Value:
    a = of(f, x)
    q, r, rest = _reduce(a)
    sine, cosine = _both(r, rest)
    odd = (q & 1).is_("ne", 0)
    top, bottom = ([odd.where(b, a) for a, b in zip(*pair, strict=True)] for pair in ((sine, cosine), (cosine, sine)))
    result = quotient(*top, *bottom).signed((q << (a.v.type.bits - 1)) & a.format.sign)
    return a.is_("oeq", 0.0).where(a, result).v


# -- inverses ---------------------------------------------------------------------------------------------------------

HALF_PI_REST = {"float": -4.371139000186241e-08, "double": 6.123233995736766e-17}
HALF_PI = {"float": 1.5707963705062866, "double": math.pi / 2}


def asin(f: Function, x: Value) -> Value:
    """Up to 1/2 a polynomial; beyond, pi/2 - 2 asin(sqrt((1 - |x|) / 2))."""
    a = of(f, x)
    size = a.abs()
    large = size.is_("ogt", 0.5)
    z, s = _folded(size, large)
    p = z * poly(z, tables.ASIN)
    near = madd(s, p, s)
    # pi/2 - 2 (s + s p), the small parts first
    far = HALF_PI[a.kind] - ((s + s) + madd(s + s, p, -HALF_PI_REST[a.kind]))
    return large.where(far, near).signed(a.sign_bit()).v


def acos(f: Function, x: Value) -> Value:
    """Up to 1/2, pi/2 - asin(x); beyond, twice an arcsine, from pi for negative x."""
    a = of(f, x)
    size = a.abs()
    large = size.is_("ogt", 0.5)
    z, s = _folded(size, large)
    p = z * poly(z, tables.ASIN)
    middle = HALF_PI[a.kind] - (a - (HALF_PI_REST[a.kind] - a * p))
    twice = s + s
    positive = madd(twice, p, twice)
    negative = 2 * HALF_PI[a.kind] - (twice + madd(twice, p, -2 * HALF_PI_REST[a.kind]))
    return large.where(a.is_("olt", 0.0).where(negative, positive), middle).v


def _folded(size: Num, large: Num) -> tuple[Num, Num]:
    """(s², s) for the s whose arcsine is wanted: size, or for large ones sqrt((1 - size) / 2)."""
    half = 0.5 - size * 0.5
    return large.where(half, size * size), large.where(half.sqrt(), size)


def atan(f: Function, x: Value) -> Value:
    """Up to 1 a polynomial; beyond, pi/2 - atan(1/|x|)."""
    a = of(f, x)
    size = a.abs()
    large = size.is_("ogt", 1.0)
    t = large.where(1.0 / size, size)
    z = t * t
    p = t * z * poly(z, tables.ATAN)
    far = HALF_PI[a.kind] - (t + (p - HALF_PI_REST[a.kind]))
    return large.where(far, t + p).signed(a.sign_bit()).v
