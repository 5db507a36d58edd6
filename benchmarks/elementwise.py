"""Times the native engine's elementwise functions beside NumPy and torch, on one thread.

    python -m benchmarks.elementwise
    python -m benchmarks.elementwise exp tanh --dtype float64 --rounds 400

Each function runs over 65,536 entries that fit the second-level cache, in turn with its peers, into memory that is
there already. What is shown is the best of all rounds in nanoseconds per entry: the machine has other work, and only
the best is free of it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from tests.engine.elementwise import DTYPES, UNARY, compiled, numpy_rule

COUNT = 65_536
DOMAINS = {"log": (0.01, 100.0), "log1p": (-0.9, 100.0), "asin": (-1.0, 1.0), "acos": (-1.0, 1.0), "pow": (0.1, 10.0)}
NOT_IN_NUMPY = ("erf", "sigmoid", "softplus")
"""NumPy composes them; erf is SciPy's."""


def runs(name: str, dtype: str) -> dict[str, Callable[[], object]]:
    """One call of each peer."""
    rng = np.random.default_rng(0)
    low, high = DOMAINS.get(name, (-8.0, 8.0))
    arrays = [rng.uniform(low, high, COUNT).astype(dtype) for _ in range(2 if name == "pow" else 1)]
    lanes = 64 // np.dtype(dtype).itemsize
    native, out = compiled(name, dtype, lanes), np.empty_like(arrays[0])
    owned, kernel = [*arrays, out], cast(Any, native)
    pointers = [a.ctypes.data for a in owned]

    def call(_memory: object = owned) -> None:  # without the checks that tests make
        kernel.run(*pointers, COUNT)

    found: dict[str, Callable[[], object]] = {"glassgrad": call}
    rule, other = numpy_rule(name), np.empty_like(arrays[0])
    if name in NOT_IN_NUMPY and name != "erf":
        found["numpy"] = lambda: rule(*arrays)
    else:
        found["numpy"] = lambda: rule(*arrays, out=other)
    try:
        import torch
    except ImportError:
        return found
    torch.set_num_threads(1)
    tensors, result = [torch.from_numpy(a) for a in arrays], torch.empty(COUNT, dtype=getattr(torch, dtype))
    if name == "softplus":
        found["torch"] = lambda: torch.nn.functional.softplus(tensors[0])
    else:
        function: Any = getattr(torch, name)
        found["torch"] = lambda: function(*tensors, out=result)
    return found


def best(found: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Nanoseconds per entry of each peer, in turns."""
    shortest = dict.fromkeys(found, float("inf"))
    for _ in range(rounds):
        for peer, run in found.items():
            began = time.perf_counter_ns()
            run()
            shortest[peer] = min(shortest[peer], (time.perf_counter_ns() - began) / COUNT)
    return shortest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("functions", nargs="*", default=[*UNARY, "pow"])
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--rounds", type=int, default=300)
    asked = parser.parse_args()
    print(f"{asked.dtype}, {COUNT:,} entries, ns per entry (times as long as glassgrad)")
    for name in asked.functions:
        shortest = best(runs(name, asked.dtype), asked.rounds)
        own = shortest["glassgrad"]
        columns = [f"{peer} {ns:7.3f} ({ns / own:5.2f})" for peer, ns in shortest.items()]
        print(f"{name:9s} " + "   ".join(columns))


if __name__ == "__main__":
    main()
