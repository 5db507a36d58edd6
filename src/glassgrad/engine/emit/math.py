"""Elementwise functions as straight-line code for vectors: the exponential, the logarithm and what is made of them.

Every function is written once for float32 and float64, for a scalar and for any number of lanes, and computes the same
bits whatever the number of lanes. docs/accuracy.md has the largest error of each. Methods: Muller, "Elementary
Functions", 3rd edition; Cody and Waite, "Software Manual for the Elementary Functions"; coefficients:
tools/polynomials.py.
"""

from __future__ import annotations

import math

from . import math_tables as tables
from .ir import Function
from .math_parts import Num, fast_two_sum, madd, of, poly, scaled, scaled_normal, split, two_product, two_sum
from .math_trig import acos, asin, atan, cos, sin, tan
from .values import Value

__all__ = ["acos", "asin", "atan", "cos", "cosh", "erf", "exp", "expm1", "log", "log1p", "pow", "sigmoid", "sin",
           "sinh", "softplus", "tan", "tanh"]  # fmt: skip

LOG2E = math.log2(math.e)
# Beyond these exp is 0 or infinite, and so it stays for the arguments these stand in for.
EXP_RANGE = {"float": (-104.0, 89.0), "double": (-746.0, 710.0)}


# -- the exponential --------------------------------------------------------------------------------------------------


def _reduce(x: Num) -> tuple[Num, Num, Num]:
    """x = n ln 2 + r + rest with |r| <= ln(2)/2: (magic + n, r, rest). By Cody and Waite: n times the first part of
    ln 2 is exact, and so is its difference from x."""
    high, low = tables.LN2[x.kind]
    t = madd(x, LOG2E, x.format.magic)
    n = t - x.format.magic
    near = madd(n, -high, x)
    r = madd(n, -low, near)
    return t, r, madd(n, -low, near - r)


def _exp_scaled(x: Num) -> tuple[Num, Num]:
    """exp(x) as p · 2^n: (p, magic + n), p from sqrt(1/2) to sqrt(2)."""
    t, r, _ = _reduce(x)
    return madd(r * r, poly(r, tables.EXP), r) + 1.0, t


def _exp_closer(x: Num) -> tuple[Num, Num]:
    """The same, a quarter of a unit more exact for two more instructions: for where other errors come on top."""
    t, r, _ = _reduce(x)
    high, low = fast_two_sum(x.const(1.0), r)
    return high + madd(r * r, poly(r, tables.EXP), low), t


def exp(f: Function, x: Value) -> Value:
    a = of(f, x)
    low, high = EXP_RANGE[a.kind]
    return scaled(*_exp_scaled(a.at_least(low).at_most(high))).v


def _expm1(x: Num) -> tuple[Num, Num]:
    """exp(x) - 1 as a sum of two numbers, for x where 2^n and its inverse are normal."""
    t, r, rest = _reduce(x)
    power = scaled_normal(x.const(1.0), t)
    # 2^n - 1 and 2^n r are exact, and so is their sum in two parts; the rest is small beside it.
    high, low = fast_two_sum(power - 1.0, power * r)
    return high, madd(power, madd(r * r, poly(r, tables.EXP), rest), low)


def expm1(f: Function, x: Value) -> Value:
    a = of(f, x)
    # exp(x) - 1 and exp(x) round to the same number long before the first is too large for the parts.
    wide = a.is_("ogt", 60.0)
    high, low = _expm1(a.at_least(-60.0).at_most(60.0))
    large = Num(f, exp(f, wide.where(a, 0.0).v))
    result = wide.where(large, high + low)
    return a.abs().is_("olt", 2.0 ** -(a.format.mantissa + 2)).where(a, result).v  # keeps -0 and subnormals


def sigmoid(f: Function, x: Value) -> Value:
    """1 / (1 + exp(-x)), for x < 0 as exp(x) / (1 + exp(x)): nothing overflows and small results keep their digits."""
    a = of(f, x)
    e = scaled(*_exp_scaled((-a.abs()).at_least(EXP_RANGE[a.kind][0])))
    # As m - m q, which forgives the errors of 1 + e and of the quotient where they would count.
    m = a.is_("olt", 0.0).where(e, 1.0)
    return madd(-m, e / (e + 1.0), m).v


def softplus(f: Function, x: Value) -> Value:
    """log(1 + exp(x)) = max(x, 0) + log(1 + t) for t = exp(-|x|); with s = t / (2 + t), log(1 + t) = 2 atanh(s)."""
    a = of(f, x)
    t = scaled(*_exp_closer((-a.abs()).at_least(EXP_RANGE[a.kind][0])))
    s = t / (t + 2.0)
    z = s * s
    series = madd(s, z * poly(z, tables.ATANH_WIDE) - t, t)  # 2s = t - s t
    return (series + a.is_("olt", 0.0).where(0.0, a)).v


def tanh(f: Function, x: Value) -> Value:
    """For float64 E / (E + 2) with E = exp(2|x|) - 1.

    For float32 up to artanh(1/2) a polynomial, then 1 - 2 / (exp(2|x|) + 1): the same work, and more exact.
    """
    a = of(f, x)
    size = a.abs()
    twice = (size + size).at_most(40.0)
    if a.kind == "float":
        p, t = _exp_scaled(twice)
        large = 1.0 - 2.0 / (scaled_normal(p, t) + 1.0)
        z = size * size
        small = madd(size * z, poly(z, tables.TANH), size)
        return size.is_("oge", 0.54931).where(large, small).signed(a.sign_bit()).v
    high, low = _expm1(twice)
    e = high + low
    result = (e / (e + 2.0)).signed(a.sign_bit())
    return size.is_("olt", 2.0 ** -(a.format.mantissa // 2 + 2)).where(a, result).v


def sinh(f: Function, x: Value) -> Value:
    """Up to 1 a polynomial, then (exp(|x|) - exp(-|x|)) / 2."""
    a = of(f, x)
    size = a.abs()
    half = _half_exp(size)
    large = half - 0.25 / half
    z = size * size
    small = madd(size * z, poly(z, tables.SINH), size)
    return size.is_("olt", 1.0).where(small, large).signed(a.sign_bit()).v


def cosh(f: Function, x: Value) -> Value:
    half = _half_exp(of(f, x).abs())
    return (half + 0.25 / half).v


def _half_exp(size: Num) -> Num:
    """exp(size) / 2, which is finite a little longer than exp(size) is."""
    p, t = _exp_closer(size.at_most(EXP_RANGE[size.kind][1] + 1.0))
    return scaled(p, t - 1.0)


# -- the logarithm ----------------------------------------------------------------------------------------------------


def _log_of(g: Num, rest: Num | None, k: Num) -> Num:
    """log((1 + g + rest) · 2^k) for 1 + g from sqrt(1/2) to sqrt(2) and a rest below g's last bit."""
    high, low = tables.LN2[g.kind]
    square = g * g
    half = square * 0.5
    if g.kind == "float":
        tail = madd(square * g, poly(g, tables.LOG), k * low)
    else:
        # 2 atanh(s) = 2s + s³P = g - s (g - s²P), and s (g - ...) = g²/2 - s (g²/2 + s²P) as s = g / (2 + g).
        s = g / (g + 2.0)
        z = s * s
        tail = madd(s, half + z * poly(z, tables.ATANH), k * low)
    if rest is not None:
        tail = tail + madd(-rest, g, rest)
    if g.kind == "float":
        return madd(k, high, g - (half - tail))
    return k * high - ((half - tail) - g)


def _special_log(x: Num, result: Num, pole: float) -> Num:
    """The logarithm's values where it has none of its own: at its pole, below, and at infinity; nan stays."""
    outside = x.is_("oeq", pole).where(-math.inf, x.const(math.nan))
    return x.is_("ole", pole).where(outside, x.is_("olt", math.inf).where(result, x))


def log(f: Function, x: Value) -> Value:
    a = of(f, x)
    tiny = a.is_("olt", a.format.least_normal)
    lift = a.format.mantissa + 2
    m, k = split(tiny.where(a * 2.0**lift, a))
    result = _log_of(m - 1.0, None, k - tiny.where(float(lift), a.const(0.0)))
    return _special_log(a, result, 0.0).v


def log1p(f: Function, x: Value) -> Value:
    """log(u + c) for 1 + x = u + c exactly."""
    a = of(f, x)
    u, c = two_sum(a.const(1.0), a)
    m, k = split(u)
    # c in the scale of m; where k is large c no longer counts, and 2^-k need not be right.
    c = c * scaled_normal(a.const(1.0), a.format.magic - k.at_most(100.0))
    g, rest = two_sum(m - 1.0, c)
    result = _log_of(g, rest, k)
    result = a.abs().is_("olt", 2.0 ** -(a.format.mantissa + 2)).where(a, result)
    return _special_log(a, result, -1.0).v


# -- the error function -----------------------------------------------------------------------------------------------


def erf(f: Function, x: Value) -> Value:
    """Up to 1 a polynomial in x², then 1 - 2^-v, v a polynomial in x: -log2(erfc(x)) is nearly a parabola."""
    a = of(f, x)
    size = a.abs()
    z = size * size
    small = madd(a, poly(z, tables.ERF), a)
    narrow = a.kind == "float"
    v = poly(size.at_most(4.0 if narrow else 5.95) - 1.0, tables.ERFC if narrow else tables.ERFC_WIDE)
    t = a.format.magic - v
    r = (a.format.magic - t) - v
    erfc = scaled_normal(madd(r, poly(r, tables.EXP2), 1.0), t)
    large = (1.0 - erfc).signed(a.sign_bit())
    return size.is_("oge", 1.0).where(large, small).v


# -- powers -----------------------------------------------------------------------------------------------------------


def pow(f: Function, x: Value, y: Value) -> Value:
    """exp(y log|x|) with the logarithm in twice the precision; in float64 for float32."""
    a, b = of(f, x), of(f, y)
    size = (_pow_narrow if a.kind == "float" else _pow_wide)(a.abs(), b)
    whole, odd = _whole(b)
    size = a.abs().is_("oeq", 1.0).where(1.0, size)
    signed = size.signed(odd.where(a, 0.0).sign_bit())
    # A negative number to a power that is not whole; -infinity to one is not an error.
    wrong = a.is_("olt", 0.0) & a.is_("ogt", -math.inf) & (whole ^ 1)
    result = (wrong | a.is_("uno", b)).where(math.nan, signed)
    return (a.is_("oeq", 1.0) | b.is_("oeq", 0.0)).where(1.0, result).v


def _whole(y: Num) -> tuple[Num, Num]:
    """Masks: y is a whole number; y is an odd one. From 2^mantissa on all are whole, from twice that all are even."""
    unit = 2.0**y.format.mantissa
    size = y.abs()
    half = size * 0.5
    whole = size.is_("oge", unit).where(size, (size + unit) - unit)
    even = half.is_("oge", unit).where(half, (half + unit) - unit)
    is_whole = whole.is_("oeq", size)
    return is_whole, is_whole & even.is_("one", half)


def _pow_narrow(size: Num, y: Num) -> Num:
    """In float64, where y log(size) in one number is exact enough, and with the polynomials of float32."""
    wide = size.to("fpext", "double")
    m, k = split(wide)
    g = m - 1.0
    s = g / (g + 2.0)
    z = s * s
    log_m = madd(s * z, poly(z, {"double": tables.ATANH["float"]}), s + s)
    logarithm = _ends(wide, madd(k, math.log(2), log_m))
    product = (logarithm * y.to("fpext", "double")).at_least(-150.0).at_most(150.0)
    t, r, _ = _reduce(product)
    p = madd(r * r, poly(r, {"double": tables.EXP["float"]}), r) + 1.0
    return scaled_normal(p, t).to("fptrunc", "float")


def _ends(size: Num, logarithm: Num) -> Num:
    """The logarithm with its values at 0 and infinity."""
    return size.is_("oeq", 0.0).where(-math.inf, size.is_("oeq", math.inf).where(size, logarithm))


def _pow_wide(size: Num, y: Num) -> Num:
    high, low = _log_in_two(size)
    product, rest = two_product(y, _ends(size, high))
    rest = madd(y, low, rest)
    usual = product.abs().is_("olt", 800.0)
    t, r, tail = _reduce(product.at_least(-800.0).at_most(800.0))
    # The rest may be hundreds of units in r's last place.
    r, tail = fast_two_sum(r, tail + usual.where(rest, 0.0))
    return scaled(madd(r * r, poly(r, tables.EXP), madd(r, tail, tail)) + r + 1.0, t)


def _log_in_two(x: Num) -> tuple[Num, Num]:
    """log(x) of positive x as a sum of two numbers, right to about 2^-68 of itself."""
    tiny = x.is_("olt", x.format.least_normal)
    m, k = split(tiny.where(x * 2.0**54, x))
    k = k - tiny.where(54.0, x.const(0.0))
    # s = (m - 1) / (m + 1) = s + s_low
    g = m - 1.0
    bottom, bottom_low = fast_two_sum(x.const(2.0), g)
    inverse = 1.0 / bottom
    s = g * inverse
    back, back_low = two_product(s, bottom)
    s_low = (((g - back) - back_low) - s * bottom_low) * inverse
    # s³ = cube + cube_low
    z, z_low = two_product(s, s)
    z_low = madd(s + s, s_low, z_low)
    cube, cube_low = two_product(z, s)
    cube_low = cube_low + madd(z, s_low, z_low * s)
    # 2/3 + z (2/5 + ...) = p + p_low
    two_thirds = 2 / 3
    p, p_low = fast_two_sum(x.const(two_thirds), z * poly(z, tables.ATANH_TAIL))
    p_low = p_low + 3.700743415417188e-17  # 2/3 - two_thirds
    term, term_low = two_product(cube, p)
    term_low = term_low + madd(cube, p_low, cube_low * p)
    log_m, log_m_low = fast_two_sum(s + s, term)
    log_m_low = log_m_low + madd(s_low, 2.0, term_low)
    ln2, ln2_low = tables.LN2["double"]
    high, low = fast_two_sum(k * ln2, log_m)
    low = low + madd(k, ln2_low, log_m_low)
    return fast_two_sum(high, low)
