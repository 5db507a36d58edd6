"""Are the faults real? Runs every broken program and its healthy twin, without the doctor, and compares them.

    python benchmarks/doctor/real.py [--set NAME ...] [--only NAME ...] [--fault NAME] [--jobs 2]

A broken program must do what its marks say that it shows: end "worse" than its twin on held-out rows or in "training",
raise an "error", get "nan", stand "still", or let its loss swing. A healthy one must have learned.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import math
import multiprocessing
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from programs import Program, programs
from sets import LEARNED, SETS

from glassgrad import _Tensor as Tensor
from glassgrad import optim

LOW = 0.6
"""What losses are below once something is learned."""
WORSE, SWINGS, HIGHER = 1.25, 3.0, 0.01
"""By which factor, and by how much, a loss has to be above its twin's; by which factor its course has to be rougher."""


@dataclass
class Ran:
    """How a program went."""

    held_out: float
    losses: list[float]
    moved: float
    """By how much the weights changed, against their size."""
    error: str


def run(text: str) -> Ran:
    """A program, with its losses and weights looked at; in a process that does nothing else."""
    losses: list[float] = []
    begun: dict[int, tuple[Any, Any]] = {}
    backward, made = Tensor.backward, optim.Optimizer.__init__

    def watched(self: Any, *args: Any, **options: Any) -> None:
        with contextlib.suppress(Exception):  # inside of a compiled step there is no number yet
            losses.append(self.item())
        backward(self, *args, **options)

    def begins(self: Any, *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        for group in self.param_groups:
            begun.update({id(p): (p, p.detach().numpy().copy()) for p in group["params"]})

    Tensor.backward, optim.Optimizer.__init__ = watched, begins
    words, error = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(words):
            exec(compile(text, "program.py", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        error = f"exit {end.code}" if end.code else ""
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}".splitlines()[0]
    said = [line for line in words.getvalue().splitlines() if line.startswith("held out:")]
    held_out = float(said[-1].split(":")[1]) if said else math.nan
    moves = [np.linalg.norm(p.detach().numpy() - old) / max(np.linalg.norm(old), 1e-12) for p, old in begun.values()]
    return Ran(held_out, losses, float(max(moves, default=0.0)), error)


def rough(losses: list[float]) -> float:
    """How far apart neighbouring losses are in the second half."""
    late = losses[len(losses) // 2 :]
    return sum(abs(a - b) for a, b in itertools.pairwise(late)) / max(1, len(late) - 1)


def complaint(one: Program, ran: Ran, twin: Ran) -> str:
    """What is not as the marks say; empty if all is."""
    shows = one.marks["shows"]
    if shows == "error":
        return "" if ran.error else "no error"
    if ran.error:
        return f"raises {ran.error}"
    if shows == "nan":
        return "" if not all(map(math.isfinite, (*ran.losses, ran.moved, ran.held_out))) else "all numbers are finite"
    if shows == "still":
        return "" if ran.moved < 1e-6 else f"moves by {ran.moved:.2g}"
    numbers = f"{ran.held_out:.4g} held out, {twin.held_out:.4g} its twin"
    if shows == "swings":
        ratio = rough(ran.losses) / max(rough(twin.losses), 1e-12)
        return "" if ratio > SWINGS else f"swings only {ratio:.2g} times as far; {numbers}"
    if shows == "training":
        ends = [sum(losses[-5:]) / 5 for losses in (ran.losses, twin.losses)]
        return "" if ends[0] > WORSE * ends[1] else f"trained as well: {ends[0]:.4g}, {ends[1]:.4g} its twin"
    below = ran.held_out < -1  # where no such loss can be
    if shows == "worse" and not below and ran.held_out <= max(WORSE * twin.held_out, twin.held_out + HIGHER):
        return f"not worse: {numbers}"
    return ""


def judged(one: Program, ran: Ran, twin: Ran) -> str:
    """What is not right with a program."""
    if one.marks["net"] == "recipe":
        return ran.error
    if twin.error or not twin.held_out < LEARNED.get(one.marks["of"], LOW):
        return f"is not learned without the fault: {twin.error or twin.held_out}"
    return "" if one.marks["fault"] is None else complaint(one, ran, twin)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs="+", choices=SETS, default=list(SETS), help="all by default")
    parser.add_argument("--only", nargs="*", help="names of programs")
    parser.add_argument("--fault", help="programs with this fault; healthy for those without")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    found = [one for one in programs() if one.marks["set"] in given.set]
    found = [one for one in found if not given.only or one.name in given.only]
    found = [one for one in found if given.fault in (None, one.marks["fault"] or "healthy")]
    found.sort(key=lambda one: one.marks["fault"] or "")
    complaints = 0
    with multiprocessing.get_context("fork").Pool(given.jobs, maxtasksperchild=1) as pool:
        texts = dict.fromkeys(text for one in found for text in (one.twin, one.text) if text)
        runs = {text: pool.apply_async(run, (text,)) for text in texts}
        for one in found:
            ran = runs[one.text].get()
            twin = runs[one.twin].get() if one.twin else ran
            wrong = judged(one, ran, twin)
            complaints += bool(wrong)
            said = f"{ran.held_out:.4g} ({twin.held_out:.4g}), moved {ran.moved:.2g}  {wrong and '!! ' + wrong}"
            print(f"{one.name}  {one.marks['fault'] or 'healthy':36} {one.marks['of']:16} {said}", flush=True)
    print(f"{complaints} of {len(found)} are not as marked")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
