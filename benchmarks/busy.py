"""Times the GPT step alone, and beside two other processes that keep both cores busy.

    python benchmarks/busy.py
    python benchmarks/busy.py --peers glassgrad-compiled torch --work mlp

Each peer and thread setting has a process of its own. The neighbours are started and ended here.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

from peers import PEERS, Threads, openmp, spinning
from worker import Worker
from works import WORKS

SETTINGS: dict[str, tuple[Threads, ...]] = {
    "glassgrad-compiled": (openmp(2),), "glassgrad": (openmp(2),), "torch": (spinning(2), openmp(2), openmp(1)),
}  # fmt: skip


def timed(worker: Worker, seconds: float) -> tuple[float, float]:
    """Median and mean of a step, in seconds."""
    times = worker.ask("measure", seconds=seconds)
    return statistics.median(times), statistics.fmean(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", choices=WORKS, default="gpt", metavar="NAME", help=", ".join(WORKS))
    parser.add_argument("--peers", nargs="+", choices=SETTINGS, default=["glassgrad-compiled", "torch"])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--neighbours", type=int, default=os.cpu_count() or 2)
    options = parser.parse_args()
    print(f"{WORKS[options.work].title}; ms of a step alone, and beside {options.neighbours} busy processes")
    print(f"{'':30}{'median':>9}{'mean':>9}{'median':>11}{'mean':>9}   ratio of medians, of means")
    for peer in options.peers:
        for threads in SETTINGS[peer]:
            worker = Worker(peer, threads)
            worker.load(options.work)
            alone = timed(worker, options.seconds)
            busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.neighbours)]
            try:
                time.sleep(0.5)
                beside = timed(worker, options.seconds)
            finally:
                for process in busy:
                    process.kill()
                    process.wait()
                worker.close()
            cells = "".join(
                f"{1e3 * value:{width}.1f}" for value, width in zip((*alone, *beside), (9, 9, 11, 9), strict=True)
            )
            ratios = f"{beside[0] / alone[0]:.2f}, {beside[1] / alone[1]:.2f}"
            print(f"{peer + ' (' + threads.name + ')':30}{cells}   {ratios}", flush=True)
    assert set(SETTINGS) <= set(PEERS)


if __name__ == "__main__":
    main()
