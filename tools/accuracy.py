"""How exact the native engine's elementwise functions are, measured: docs/accuracy.md.

    python -m tools.accuracy > docs/accuracy.md

Takes a few minutes on one core.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.engine import elementwise as e
from tests.engine.test_math import BOUNDS, every, padded, powers, reference

Array = Any
COLUMNS = {"": "AVX-512", "avx512": "AVX2", "avx2": "SSE 4.1, no FMA"}
STRIDE = 61
"""One float32 in so many is tried: 70 million of them."""
HEAD = """# How exact the native engine's functions are

Written by `python -m tools.accuracy > docs/accuracy.md`.

Largest errors found, in units in the last place (ULP; 0.5 is the best a rounded result can do), and where. For
float32, one in {stride} of all 2^32 arguments and dense samples where a function is delicate, against float64. For
float64, random bits and dense samples, against mpmath in 140 bits. Subnormal arguments and results count like all
others. Each column is another kind of target; one target gives the same bits for every vector width.
`tests/engine/test_math.py` fails where a bound is exceeded; with `--exhaustive` it tries every float32.

| function | dtype | {columns} | at | bound |
|---|---|{rules}---|---:|
"""


def worst(errors: Array, *operands: Array) -> tuple[float, str]:
    at = int(np.argmax(errors))
    return float(errors[at]), ", ".join(str(o[at]) for o in operands)


def float32(name: str, without: str) -> tuple[float, str]:
    kernel = e.compiled(name, "float32", 16, without)
    if name == "pow":
        x, y = powers("float32", 1 << 21)
        return worst(e.ulps(kernel(x, y), reference(name, x, y)), x, y)
    found = []
    step = STRIDE << 20
    chunks = [padded(every(STRIDE, start, min(start + step, 1 << 32))) for start in range(0, 1 << 32, step)]
    for x in [*chunks, padded(e.delicate(name, "float32", 1 << 20, np.random.default_rng(11)))]:
        found.append(worst(e.ulps(kernel(x), reference(name, x)), x))
    return max(found)


def float64(name: str) -> dict[str, tuple[float, str]]:
    rng = np.random.default_rng(12)
    if name == "pow":
        operands: list[Array] = list(powers("float64", 20_000))
    else:
        x = np.concatenate([e.of_all_exponents("float64", 20_000, rng), e.delicate(name, "float64", 20_000, rng)])
        operands = [padded(x[e.domain(name, x)])]
    wanted, rest = e.truth(name, *operands)
    kernels = {without: e.compiled(name, "float64", 8, without) for without in COLUMNS}
    return {w: worst(e.ulps(kernel(*operands), wanted, rest), *operands) for w, kernel in kernels.items()}


def main() -> None:
    print(HEAD.format(stride=STRIDE, columns=" | ".join(COLUMNS.values()), rules="---:|" * len(COLUMNS)), end="")
    for name in [*e.UNARY, "pow"]:
        for dtype in e.DTYPES:
            found = {w: float32(name, w) for w in COLUMNS} if dtype == "float32" else float64(name)
            errors = " | ".join(f"{error:.3f}" for error, _ in found.values())
            bound = BOUNDS[name][e.DTYPES.index(dtype)]
            print(f"| {name} | {dtype} | {errors} | {max(found.values())[1]} | {bound} |", flush=True)


if __name__ == "__main__":
    main()
