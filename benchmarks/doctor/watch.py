"""Times compiled training steps with `glassgrad.doctor.watch` around them beside the same steps without it.

    python benchmarks/doctor/watch.py
    python benchmarks/doctor/watch.py --work gpt --seconds 20
    python benchmarks/doctor/watch.py --busy             beside other processes: one thread, and the processor's time

Two trainings of each work, from the same weights, take turns in short slices; one of them is watched. All that a watch
does is in its time, also the looks at the sizes of all numbers, but not what it does once: the step that is recorded,
and the two traces, whose seconds are printed beside those of the step's own.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import glassgrad as gg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the works are
from works import WORKS, Work, mlp_adam
from works.rules import Adam

SLICE = 0.02
WIDE = mlp_adam.WORK
TIMED: dict[str, Work] = {
    "xor": WORKS["xor"],
    "mlp-32": replace(WIDE, title=WIDE.title.replace("128", "32"), batch=lambda rng: _rows(WIDE.batch(rng), 32)),
    "mlp-128": WIDE,
    "gpt": WORKS["gpt"],
}


def _rows(batch: tuple[Any, Any], count: int) -> tuple[Any, Any]:
    return batch[0][:count], batch[1][:count]


class Training:
    """One of the two."""

    def __init__(self, work: Work, busy: bool) -> None:
        rng = np.random.default_rng(0)
        self.net = work.net(gg)
        self.net.load_state_dict({name: gg.tensor(value) for name, value in work.weights(rng).items()})
        self.batch = tuple(map(gg.tensor, work.batch(rng)))
        rule = gg.optim.AdamW if isinstance(work.rule, Adam) else gg.optim.SGD
        self.opt = rule(self.net.parameters(), lr=work.rule.lr)
        self.step: Callable[..., Any] = gg.compile(self.plain, threads=1 if busy else None)
        self.clock = time.thread_time if busy else time.perf_counter
        self.work = work
        self.times: list[float] = []

    def plain(self, x: Any, y: Any) -> Any:
        self.opt.zero_grad()
        loss = self.work.loss(gg, self.net, x, y)
        loss.backward()
        self.opt.step()
        return loss

    def run(self, steps: int) -> float:
        """Seconds for each of some steps."""
        step, batch = self.step, self.batch
        began = self.clock()
        for _ in range(steps):
            step(*batch)
        return (self.clock() - began) / steps


def measure(work: Work, seconds: float, busy: bool) -> str:
    """One work's row."""
    alone, watched = Training(work, busy), Training(work, busy)
    with ExitStack() as stack:
        d = stack.enter_context(gg.doctor.watch(watched.net, watched.opt))
        began = time.perf_counter()
        alone.run(3)
        once = time.perf_counter() - began
        began = time.perf_counter()
        while len(d.monitor.loop.moments) < 3:
            watched.run(16)
        first, steps = time.perf_counter() - began, d.monitor.steps
        alone.run(max(1, steps - 3))
        each = alone.run(10)
        count = max(1, round(SLICE / each))
        end = time.perf_counter() + 2 * seconds
        while time.perf_counter() < end:
            for training in (alone, watched):
                training.times.append(training.run(count))
        looks = len(d.monitor.loop.moments)
    return told(work.title, alone.times, watched.times) + (
        f"\n  {looks} looks at all sizes; {once:.1f} s until the step is compiled, "
        f"{first:.1f} s until {steps} watched steps are taken"
    )


def told(title: str, alone: list[float], watched: list[float]) -> str:
    """The times of the slices, and their ratios."""
    ratio = statistics.median(b / a for a, b in zip(alone, watched, strict=True))
    a, b = (1e6 * statistics.median(times) for times in (alone, watched))
    whole, best = sum(watched) / sum(alone), min(watched) / min(alone)
    return (
        f"{title}\n  a step takes {a:,.1f} µs alone and {b:,.1f} µs watched; "
        f"median of {len(alone)} ratios {ratio:.3f}, ratio of all time {whole:.3f}, of the best {best:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", nargs="+", choices=TIMED, default=list(TIMED), metavar="NAME", help=", ".join(TIMED))
    parser.add_argument("--seconds", type=float, default=5.0, help="for each of the two")
    parser.add_argument("--busy", action="store_true", help="one thread, and the processor's time for the clock's")
    options = parser.parse_args()
    for name in options.work:
        print(measure(TIMED[name], options.seconds, options.busy), flush=True)


if __name__ == "__main__":
    main()
