"""What it saves and costs to compute a step's values again rather than to keep them, tried where its modules begin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import partial

from .measure import Measured, best, peak
from .recorded import Forward
from .report import Recomputation, Trial

DEEPEST = 4
"""How deep modules are looked into for places to cut."""
ALIKE = 1.02
"""Peaks that differ by less are the same; then it is the work that counts."""


def recomputation(run: Measured, compiles: bool) -> Recomputation | None:
    """Try all ways to cut; measure the one that needs the least memory."""
    trials = []
    for name, parts in ways(run.pass_):
        work = sum(run.pass_.steps[number].operations for part in parts for number in part)
        trials.append((Trial(name, len(parts), work, peak(partial(run.gradient, parts))), parts))
    if not trials:
        return None
    least = min(trial.peak for trial, _ in trials)
    chosen, parts = min((t for t in trials if t[0].peak <= ALIKE * least), key=lambda t: t[0].operations)

    def gradient() -> object:
        return run.gradient(parts)

    made = run.compiled(gradient) if compiles else None
    seconds = best(gradient, *([made] if made is not None else []))
    arena = made.report().arena if made is not None else None
    found = tuple(trial for trial, _ in trials)
    return Recomputation(found, chosen, seconds[0], seconds[1] if made is not None else None, arena)


def ways(forward: Forward) -> Iterator[tuple[str, list[range]]]:
    """The cuts worth a try: each module at some depth a part, or about as many of them as there are parts. Where no
    module ran, about sqrt(n) parts of equal length."""
    seen: set[tuple[range, ...]] = set()
    deepest = max(len(step.path.split(".")) for step in forward.steps)
    for depth in range(1, min(deepest, DEEPEST) + 1):
        runs = list(stretches(forward, depth))
        several = math.isqrt(len(runs))
        for together in dict.fromkeys((1, several)):
            groups = [runs[at : at + together] for at in range(0, len(runs), together)]
            parts = [range(group[0].start, group[-1].stop) for group in groups[:-1]]
            if parts and tuple(parts) not in seen:
                seen.add(tuple(parts))
                yield _name(forward, parts, depth, together), parts
    if not seen:
        count = len(forward.steps)
        size = math.isqrt(count)
        parts = [range(at, min(at + size, count)) for at in range(0, count, size)][:-1] if size > 1 else []
        if parts:
            yield f"every {size} operations", parts


def stretches(forward: Forward, depth: int) -> Iterator[range]:
    """The steps that a module at this depth does in one go."""
    start = 0
    for _, group in itertools.groupby(forward.steps, key=lambda step: step.path.split(".")[:depth]):
        count = len(list(group))
        yield range(start, start + count)
        start += count


def _name(forward: Forward, parts: Sequence[range], depth: int, together: int) -> str:
    first, last = (".".join(forward.steps[part.start].path.split(".")[:depth]) for part in (parts[0], parts[-1]))
    each = f"{first} … {last}" if first != last else first
    return f"{each or 'outside of modules'}" + (f", {together} together" if together > 1 else "")
