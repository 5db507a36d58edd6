"""Times the generated matrix product beside OpenBLAS (NumPy's), float32, in turns within one process.

    python benchmarks/products.py                    the whole grid: 64 to 2048, all transposes, on one thread
    python benchmarks/products.py --small            one direction under 16, and matrix times vector
    python benchmarks/products.py --threads 2        glassgrad's two threads beside its one
    python benchmarks/products.py --sizes 100x300x77 768x128x384

Sizes are rows x summed x columns. What is timed is the machine code of `x @ y` as a compiled step runs it, packing
included, and `np.matmul` into an array that is there; a call by ctypes (0.5 µs) is in the one, a call by NumPy in the
other. Each number is the best of many runs, as the sizes are many and the machine is shared.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import time
from collections.abc import Callable

LARGE = [
    (64, 64, 64), (128, 128, 128), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048),
    (64, 784, 128), (128, 784, 512), (128, 512, 512), (768, 128, 384), (768, 384, 128), (768, 512, 128),
    (2048, 64, 64), (64, 2048, 64), (64, 64, 2048), (2048, 64, 2048), (64, 2048, 2048), (2048, 2048, 64),
    (1024, 2048, 1024), (100, 300, 77), (1000, 1000, 1000), (333, 1111, 555),
]  # fmt: skip
SMALL = [
    (4, 2, 4), (4, 4, 1), (64, 784, 10), (64, 10, 784), (784, 64, 10), (128, 8, 128), (512, 8, 512), (1000, 3, 1000),
    (3, 1000, 3), (1000, 1000, 7), (7, 1000, 1000), (1000, 15, 15), (15, 15, 1000), (15, 1000, 15), (2048, 4, 8),
    (1, 512, 512), (512, 512, 1), (1, 2048, 2048), (2048, 2048, 1), (2048, 1, 2048), (2048, 2048, 8), (8, 2048, 2048),
]  # fmt: skip
SECONDS = 0.15
FORMS = list(itertools.product((False, True), repeat=2))


def best(*calls: Callable[[], object]) -> list[float]:
    """Seconds of each call at its best, in turns."""
    found = [math.inf] * len(calls)
    for _ in range(4):
        for place, call in enumerate(calls):
            call()
            end = time.perf_counter() + SECONDS / 4
            while (start := time.perf_counter()) < end:
                call()
                found[place] = min(found[place], time.perf_counter() - start)
    return found


def compiled(ta: bool, tb: bool, x: object, y: object, threads: int) -> Callable[[], object]:
    """The native code of one product, ready to be run on these two arrays."""
    import glassgrad as gg

    go = gg.compile(lambda x, y: (x.mT if ta else x) @ (y.mT if tb else y), threads=threads)
    given = gg.tensor(x), gg.tensor(y)
    go(*given)
    go(*given)
    run: Callable[[], object] = go.latest.engine.execute
    run.held = go, given  # type: ignore[attr-defined]
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", metavar="MxKxN", help="these sizes alone")
    parser.add_argument("--small", action="store_true", help="sizes with one direction under 16")
    parser.add_argument("--threads", type=int, default=1, help="2: glassgrad on two threads beside one")
    options = parser.parse_args()
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    import numpy as np

    sizes = [tuple(map(int, size.split("x"))) for size in options.sizes or ()]
    other = "OpenBLAS" if options.threads == 1 else "1 thread"
    print(f"GFLOP/s: glassgrad on {options.threads} thread(s), {other}, ratio; for each of nn, nt, tn, tt")
    rng = np.random.default_rng(0)
    ratios = []
    for m, k, n in sizes or (SMALL if options.small else LARGE):
        cells = []
        for ta, tb in FORMS:
            x, y = (
                rng.normal(size=size).astype(np.float32)
                for size in ((k, m) if ta else (m, k), (n, k) if tb else (k, n))
            )
            a, b, out = x.T if ta else x, y.T if tb else y, np.empty((m, n), np.float32)
            peer = lambda a=a, b=b, out=out: np.matmul(a, b, out=out)  # noqa: E731
            if options.threads > 1:
                peer = compiled(ta, tb, x, y, 1)
            ours, theirs = best(compiled(ta, tb, x, y, options.threads), peer)
            work = 2 * m * k * n / 1e9
            ratios.append(theirs / ours)
            cells.append(f"{work / ours:6.1f} {work / theirs:6.1f} {theirs / ours:5.2f}")
        print(f"{m:5}{k:5}{n:5}  {'  |  '.join(cells)}", flush=True)
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    good = sum(ratio >= 0.9 for ratio in ratios)
    print(f"least {min(ratios):.2f}, geometric mean {mean:.2f}, {good} of {len(ratios)} at 0.9 or more")


if __name__ == "__main__":
    main()
