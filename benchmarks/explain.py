"""What recording and explaining cost: beside the plain step, and for the largest paths of one weight.

    python benchmarks/explain.py

- record: an eager step of the GPT (see works/gpt.py) with and without recording, alternating; the peak of what Python
  and NumPy have allocated during each, by tracemalloc.
- why: the ten largest paths of one weight's entry, of an MLP 784-512-512-10 and of the GPT, first call and second; the
  most memory that the process held, less what it held before.
- report: seconds and bytes of the GPT's page.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np

import glassgrad as gg
from peers import torch_names
from works import WORKS


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak(work: Callable[[], Any]) -> int:
    """The most bytes that were allocated at once."""
    gc.collect()
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def held() -> float:
    """The most memory that the process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Recorded:
    """A step, and the tape of its last recording."""

    def __init__(self, name: str) -> None:
        self.step = torch_names("glassgrad")(WORKS[name])
        self.tape: Any = None

    def __call__(self) -> None:
        self.tape = None
        with gg.record() as self.tape:
            self.step()

    def largest(self, parameter: str) -> tuple[Any, tuple[int, ...]]:
        """The entry of a parameter with the largest gradient."""
        (node,) = [n for n, r in self.tape.records.items() if r.name == parameter]
        gradient = self.tape.value(self.tape.cotangents[node])
        return node, tuple(int(i) for i in np.unravel_index(np.abs(gradient).argmax(), gradient.shape))


def record(rounds: int) -> None:
    made = Recorded("gpt")
    for _ in range(2):
        made.step()
        made()
    times = [(seconds(made.step), seconds(made)) for _ in range(rounds)]
    plain, recorded = (float(np.median(column)) for column in zip(*times, strict=True))
    made.tape = None
    memory = peak(made.step), peak(made)
    print("recording a step of the GPT        plain   recorded   ratio")
    print(f"  ms, median of {rounds:3}            {plain * 1e3:9.1f}  {recorded * 1e3:9.1f}   {recorded / plain:.2f}")
    most, less = memory[1] / 1e6, memory[0] / 1e6
    print(f"  MB at most                    {less:9.1f}  {most:9.1f}   {most / less:.2f}")


def why(name: str, parameters: list[str]) -> None:
    made = Recorded(name)
    made.step()
    made()
    before = held()
    for parameter in parameters:
        node, index = made.largest(parameter)
        first, second = (seconds(lambda n=node, i=index: made.tape.why(n, i)) for _ in range(2))
        found = made.tape.why(node, index)
        print(f"{name:9} {parameter:22} {index!s:12} of {found.count:9.3g} paths the {len(found.paths)} largest: "
              f"{first:6.2f} s, again {second:.3f} s, {held() - before:5.0f} MB more than before")  # fmt: skip


def report() -> None:
    made = Recorded("gpt")
    made()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gpt.html"
        took = seconds(lambda: made.tape.html(path))
        print(f"the GPT's page: {took:.1f} s, {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="timed steps of each kind")
    options = parser.parse_args()
    why("mlp-adam", ["0.weight", "2.weight"])
    record(options.rounds)
    why("gpt", ["tokens.weight", "blocks.0.qkv.weight", "blocks.3.up.weight", "head.weight"])
    report()


if __name__ == "__main__":
    main()
