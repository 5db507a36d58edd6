"""What it saves and costs to compute a step's values again rather than to keep them, tried where its modules begin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import partial

from .measure import Code, Measured, best, peak
from .recorded import Forward
from .report import Recomputation, Trial

DEEPEST = 4
"""How deep modules are looked into for places to cut."""
ALIKE = 1.02
"""Peaks that differ by less are the same; then it is the work that counts."""


def recomputation(run: Measured, code: Code | None) -> Recomputation | None:
    """Try all ways to cut; measure the one that needs the least memory."""
    trials = []
    for depth, together, parts in ways(run.pass_):
        first, last = (".".join(run.pass_.steps[part.start].path.split(".")[:depth]) for part in (parts[0], parts[-1]))
        work = sum(run.pass_.steps[number].operations for part in parts for number in part)
        memory = peak(partial(run.gradient, parts))
        trials.append((Trial(first, last, together, len(parts), work, memory), parts))
    if not trials:
        return None
    least = min(trial.peak for trial, _ in trials)
    chosen, parts = min((t for t in trials if t[0].peak <= ALIKE * least), key=lambda t: t[0].operations)

    def gradient() -> object:
        return run.gradient(parts)

    made = run.compiled(gradient) if code is not None else None
    if code is None or made is None:
        before, after = best(run.gradient, gradient)
        return Recomputation(tuple(trial for trial, _ in trials), chosen, (before, after), None, None)
    before, after, quick_before, quick_after = best(run.gradient, gradient, code.gradient, made)
    return Recomputation(
        tuple(trial for trial, _ in trials), chosen, (before, after), (quick_before, quick_after),
        (code.gradient.report().arena, made.report().arena),
    )  # fmt: skip


def ways(forward: Forward) -> Iterator[tuple[int, int, list[range]]]:
    """The cuts worth a try: each module at some depth a part, or about as many of them as there are parts then; that
    depth, how many, and the parts. Where no module ran, about sqrt(n) parts of equal length."""
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
                yield depth, together, parts
    if not seen:
        count = len(forward.steps)
        size = math.isqrt(count)
        parts = [range(at, min(at + size, count)) for at in range(0, count, size)][:-1] if size > 1 else []
        if parts:
            yield 0, size, parts


def stretches(forward: Forward, depth: int) -> Iterator[range]:
    """The steps that a module at this depth does in one go."""
    start = 0
    for _, group in itertools.groupby(forward.steps, key=lambda step: step.path.split(".")[:depth]):
        count = len(list(group))
        yield range(start, start + count)
        start += count
