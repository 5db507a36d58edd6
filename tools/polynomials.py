"""Where the coefficients of the elementwise functions come from: best approximations, printed as a Python module.

    python tools/polynomials.py > src/glassgrad/engine/emit/math_tables.py

Each polynomial is the best one in the largest weighted error, found with the second algorithm of Remez on a fine grid
(Muller, "Elementary Functions", 3rd edition, section 3.5) in 60 digits. Coefficients are then rounded one after the
other, the lowest first, and what is left is fitted anew, so that the later ones make up for the rounding of the earlier
(Brisebarre and Chevillard, "Efficient polynomial L-approximations", 2007, do this by lattice reduction; one after the
other is nearly as good where the low coefficients matter most).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp
import numpy as np

mp.mp.dps = 60
Real = Callable[[mp.mpf], mp.mpf]
POINTS = 60
"""Grid points for each coefficient."""


@dataclass(frozen=True)
class Fit:
    """A polynomial to find: of `value(t)` on [low, high], its error counted `weight(t)` times."""

    name: str
    says: str
    value: Real
    weight: Real
    low: float
    high: float
    degrees: tuple[int, int]
    """For float32 and for float64; -1: not needed."""


def best(ts: list[mp.mpf], values: list[mp.mpf], weights: list[mp.mpf], degree: int) -> tuple[list[mp.mpf], mp.mpf]:
    """Coefficients, the lowest first, and the largest weighted error."""
    count = degree + 2
    picks = [round((len(ts) - 1) * (1 - mp.cos(mp.pi * j / (count - 1))) / 2) for j in range(count)]
    for _ in range(40):
        rows = mp.matrix(count, count)
        right = mp.matrix(count, 1)
        for j, at in enumerate(picks):
            power = mp.mpf(1)
            for i in range(degree + 1):
                rows[j, i] = power
                power *= ts[at]
            rows[j, degree + 1] = (-1) ** j / weights[at]
            right[j] = values[at]
        solved = mp.lu_solve(rows, right)
        coefficients = [solved[i] for i in range(degree + 1)]
        level = abs(solved[degree + 1])
        errors = [w * (v - mp.polyval(coefficients[::-1], t)) for t, v, w in zip(ts, values, weights, strict=True)]
        worst = max(abs(e) for e in errors)
        if worst <= level * mp.mpf("1.005"):
            break
        # The largest error of every run of one sign; too many runs lose the smaller end.
        runs: list[int] = []
        for at, error in enumerate(errors):
            if runs and mp.sign(errors[runs[-1]]) == mp.sign(error):
                if abs(error) > abs(errors[runs[-1]]):
                    runs[-1] = at
            else:
                runs.append(at)
        while len(runs) > count:
            runs.pop(0 if abs(errors[runs[0]]) < abs(errors[runs[-1]]) else -1)
        if len(runs) < count:  # the error is at the level of the grid
            break
        picks = runs
    return coefficients, worst


def rounded(number: mp.mpf, dtype: str) -> float:
    return float(np.float32(float(number))) if dtype == "float32" else float(number)


def fit(asked: Fit, degree: int, dtype: str) -> tuple[list[float], float]:
    """Rounded coefficients, and the largest weighted error with them as a power of 2."""
    size = POINTS * (degree + 2)
    half, middle = mp.mpf(asked.high - asked.low) / 2, mp.mpf(asked.high + asked.low) / 2
    ts = [middle - half * mp.cos(mp.pi * (2 * j + 1) / (2 * size)) for j in range(size)]
    ts = [t for t in ts if t != 0]
    values, weights = [asked.value(t) for t in ts], [abs(asked.weight(t)) for t in ts]
    left, scale, done = values, weights, []
    if asked.low < 0:  # without the constant, powers of t on both sides of 0 have no best approximation to exchange for
        done = [rounded(s, dtype) for s in best(ts, left, scale, degree)[0]]
    while len(done) <= degree:
        solved, _ = best(ts, left, scale, degree - len(done))
        done.append(rounded(solved[0], dtype))
        left = [(v - done[-1]) / t for v, t in zip(left, ts, strict=True)]
        scale = [w * abs(t) for w, t in zip(scale, ts, strict=True)]
        if dtype == "float64" and len(done) == 3:  # the others' rounding is far below the result's
            done += [rounded(s, dtype) for s in best(ts, left, scale, degree - len(done))[0]]
    worst = max(w * abs(v - mp.polyval(done[::-1], t)) for t, v, w in zip(ts, values, weights, strict=True))
    return done, float(mp.log(worst, 2))


def _odd(value: Real) -> tuple[Real, Real]:
    """An odd function f as x + x³P(x²): what P is of z, and the weight that makes the error relative to f."""

    def wanted(z: mp.mpf) -> mp.mpf:
        x = mp.sqrt(z)
        return (value(x) - x) / (x * z)

    def weight(z: mp.mpf) -> mp.mpf:
        x = mp.sqrt(z)
        return x * z / value(x)

    return wanted, weight


def _double_atanh(z: mp.mpf) -> mp.mpf:
    return 2 * mp.atanh(mp.sqrt(z))


def _small_erf(z: mp.mpf) -> mp.mpf:
    return mp.erf(mp.sqrt(z)) / mp.sqrt(z)


def _erfc_bits(t: mp.mpf) -> mp.mpf:
    return -mp.log(mp.erfc(t + ERF_CENTRE), 2)


def _erfc_weight(t: mp.mpf) -> mp.mpf:
    return mp.erfc(t + ERF_CENTRE) * mp.log(2) / mp.erf(t + ERF_CENTRE)


ERF_CENTRE = 1.0
ATANH = 0.17158
QUADRANT = 0.7885
FITS = [
    Fit("EXP", "(exp(r) - 1 - r) / r², |r| <= ln(2) / 2", lambda r: (mp.expm1(r) - r) / r**2,
        lambda r: r**2 / mp.expm1(r), -0.3475, 0.3475, (4, 9)),
    Fit("EXP2", "(2^r - 1) / r, |r| <= 1/2", lambda r: (2**r - 1) / r, lambda r: r / 2**r, -0.5, 0.5, (5, 10)),
    Fit("LOG", "(log(1 + f) - f + f²/2) / f³, 1 + f from sqrt(1/2) to sqrt(2)",
        lambda f: (mp.log1p(f) - f + f**2 / 2) / f**3, lambda f: f**3 / mp.log1p(f), -0.29295, 0.41425, (7, -1)),
    Fit("ATANH", "(2 atanh(s) - 2s) / s³ of z = s², |s| <= (sqrt(2) - 1) / (sqrt(2) + 1)",
        lambda z: (_double_atanh(z) - 2 * mp.sqrt(z)) / (z * mp.sqrt(z)),
        lambda z: z * mp.sqrt(z) / _double_atanh(z), 0, ATANH**2, (3, 6)),
    Fit("ATANH_TAIL", "(2 atanh(s) - 2s - 2/3 s³) / s⁵ of z = s², the same s",
        lambda z: (_double_atanh(z) - 2 * mp.sqrt(z) - z * mp.sqrt(z) * 2 / 3) / (z**2 * mp.sqrt(z)),
        lambda z: z**2 * mp.sqrt(z) / _double_atanh(z), 0, ATANH**2, (-1, 8)),
    Fit("ATANH_WIDE", "(2 atanh(s) - 2s) / s³ of z = s², |s| <= 1/3",
        lambda z: (_double_atanh(z) - 2 * mp.sqrt(z)) / (z * mp.sqrt(z)),
        lambda z: z * mp.sqrt(z) / _double_atanh(z), 0, 0.11112, (4, 10)),
    Fit("SINH", "(sinh(x) - x) / x³ of z = x², |x| <= 1", *_odd(mp.sinh), 0, 1.0, (3, 7)),
    Fit("TANH", "(tanh(x) - x) / x³ of z = x², |x| <= artanh(1/2)", *_odd(mp.tanh), 0, 0.302, (4, -1)),
    Fit("ERF", "erf(x) / x - 1 of z = x², |x| <= 1", lambda z: _small_erf(z) - 1, lambda z: 1 / _small_erf(z),
        0, 1.0, (6, 12)),
    Fit("ERFC", f"-log2(erfc(x)) of x - {ERF_CENTRE}, x from 1 to where erf(x) rounds to 1", _erfc_bits, _erfc_weight,
        1.0 - ERF_CENTRE, 4.0 - ERF_CENTRE, (6, -1)),
    Fit("ERFC_WIDE", f"-log2(erfc(x)) of x - {ERF_CENTRE}, the same", _erfc_bits, _erfc_weight,
        1.0 - ERF_CENTRE, 5.95 - ERF_CENTRE, (-1, 17)),
    Fit("SIN", "(sin(r) - r) / r³ of z = r², |r| <= pi/4", *_odd(mp.sin), 0, QUADRANT**2, (2, 5)),
    Fit("COS", "(cos(r) - 1 + r²/2) / r⁴ of z = r², |r| <= pi/4", lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2,
        lambda z: z**2 / mp.cos(mp.sqrt(z)), 0, QUADRANT**2, (2, 5)),
    Fit("ATAN", "(atan(x) - x) / x³ of z = x², |x| <= 1", *_odd(mp.atan), 0, 1.0, (8, 19)),
    Fit("ASIN", "(asin(x) - x) / x³ of z = x², |x| <= 1/2", *_odd(mp.asin), 0, 0.25, (4, 11)),
]  # fmt: skip


def parts(number: mp.mpf, widths: tuple[int, ...], dtype: str) -> list[float]:
    """A number as a sum of floats of so many bits each, the last as exact as it gets (Cody and Waite)."""
    found = []
    for width in widths:
        _, exponent = mp.frexp(number)
        unit = mp.ldexp(1, int(exponent) - width)
        found.append(float(mp.floor(number / unit) * unit))
        number -= mp.mpf(found[-1])
    return [*found, rounded(number, dtype)]


def table(name: str, says: str, columns: dict[str, list[float]], errors: dict[str, float]) -> str:
    lines = [f"{name}: dict[str, tuple[float, ...]] = {{"]
    for kind, numbers in columns.items():
        note = f"  # error 2^{errors[kind]:.1f}" if kind in errors else ""
        lines += [f'    "{kind}": ({note}', *(f"        {number!r}," for number in numbers), "    ),"]
    return "\n".join([*lines, "}", f'"""{says}."""'])


KINDS = {"float32": "float", "float64": "double"}


def main() -> None:
    print('"""Coefficients, the lowest first, by kind of number. Written by tools/polynomials.py, which says how."""\n')
    half_pi, ln2 = mp.pi / 2, mp.log(2)
    print(table("LN2", "ln(2) in parts: n times all but the last is exact for every exponent n",
                {"float": parts(ln2, (15,), "float32"), "double": parts(ln2, (41,), "float64")}, {}))  # fmt: skip
    print(table("HALF_PI", "pi/2 in parts; for double, n times all but the last is exact for |n| <= 2^16",
                {"float": parts(half_pi, (24, 24), "float32"), "double": parts(half_pi, (37, 37), "float64")},
                {}))  # fmt: skip
    print("TWO_OVER_PI = (", *(f"    0x{word:08X}," for word in two_over_pi(38)), ")", sep="\n")
    print('"""The bits of 2/pi behind the point, 32 at a time."""')
    wanted = set(sys.argv[1:])
    for asked in FITS:
        if wanted and asked.name not in wanted:
            continue
        columns, errors = {}, {}
        for dtype, degree in zip(KINDS, asked.degrees, strict=True):
            if degree >= 0:
                columns[KINDS[dtype]], errors[KINDS[dtype]] = fit(asked, degree, dtype)
        print(table(asked.name, asked.says, columns, errors), flush=True)


def two_over_pi(words: int) -> list[int]:
    with mp.workprec(32 * words + 64):
        whole = int(mp.floor(mp.ldexp(2 / mp.pi, 32 * words)))
    return [(whole >> (32 * i)) & 0xFFFFFFFF for i in reversed(range(words))]


if __name__ == "__main__":
    main()
