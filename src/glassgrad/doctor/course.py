"""What only the course of a training shows: a loss that runs away late, numbers that stop being finite in some step,
layers that are thrown about when the others have settled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..findings import Place
from .check import Diagnosis
from .courses import over_batches
from .loop import Loop, Moment
from .patient import Patient
from .probe import Probe
from .remedies import clipping, own_rate, rate
from .rule import RULES, Suspicion

EARLY, PARTS = 40, 20
"""A course of fewer steps is seen by the trials, too; a longer one is looked at in so many parts."""
RUNS, FAR = 3.0, 6.0
"""A loss that ends above so many times its start, and so many deviations above it, has run away."""
WILDLY, APART = 0.1, 10.0
"""An update as large as this share of the weights, and as many times as large as in the first half."""
LAST = 5
"""Steps that make the end."""
STUCK, LOOKS = 0.9, 4
"""A loss above this share of that in the middle does not fall any more; fewer looks in each half tell nothing."""
LOWER = (0.1, 0.01)


def later(made: Diagnosis) -> Iterator[tuple[str, Suspicion]]:
    """What the course of a training shows beside what was found of its first steps."""
    loop, found = made.patient.loop, {each.fault for each in made.findings}
    found |= {each for fault in found for each in RULES[fault].explains}
    if loop is None or len(loop.losses) < EARLY:
        return
    first = next((n for n, loss in enumerate(loop.losses) if not math.isfinite(loss)), None)
    if first is not None:
        if first and "numbers that are not finite" not in found:
            yield "numbers that are not finite", _ended(loop, first)
        return
    levels = [float(np.median(part)) for part in np.array_split(np.asarray(loop.losses), PARTS)]
    if not found & {"diverging loss", "too high a rate"}:
        yield from (each for each in _ran_away(loop.losses, levels) if _lost(made.patient))
    if "weights that move wildly" not in found and levels[-1] > STUCK * levels[PARTS // 2]:
        yield from _thrown(loop, made)


def _ended(loop: Loop, first: int) -> Suspicion:
    """From one step on there are no numbers any more."""
    before = {step: held for step, held in loop.moments.items() if step <= first and _finite(held.values())}
    after = next((held for step, held in loop.moments.items() if step > first and not _finite(held.values())), {})
    name = next((name for name, each in after.items() if not _finite([each])), "")
    evidence = {"step": first + 1.0, "loss before": loop.losses[first - 1], "loss at the start": loop.losses[0]}
    why = "the numbers were calm until then: look at the batch of that step"
    if before:
        steps = sorted(before)
        start, end = before[steps[0]], before[steps[-1]]
        most = max(end, key=lambda each: end[each].gradient / max(_of(start, each).gradient, 1e-30))
        evidence |= {
            f"gradient of {most} in step {steps[0]}": _of(start, most).gradient,
            f"gradient of {most} in step {steps[-1]}": end[most].gradient,
        }
        grew = end[most].gradient > APART * _of(start, most).gradient
        if grew or abs(loop.losses[first - 1]) > RUNS * abs(loop.losses[0]):
            why = f"the training ran away before: the gradient of {most} grew, and so did the steps along it"
    return Suspicion(f"from step {first + 1} on the loss is {loop.losses[first]}", Place(module=name), evidence, why)


def _ran_away(losses: Sequence[float], levels: Sequence[float]) -> Iterator[tuple[str, Suspicion]]:
    """The loss fell, and ends far above where it began."""
    parts = np.array_split(np.asarray(losses), PARTS)
    lowest = int(np.argmin(levels))
    noise = float(np.median([np.std(part) for part in parts[: lowest + 1]]))
    start, end = levels[0], float(np.median(losses[-LAST:]))
    if end < start + (RUNS - 1) * abs(start) + FAR * noise:
        return
    turned = sum(map(len, parts[: lowest + 1]))
    yield (
        "diverging loss",
        Suspicion(
            f"the loss falls to {levels[lowest]:.4g} until step {turned}, and is {end:.4g} in the end",
            Place(),
            {"loss at the start": start, "lowest loss": levels[lowest], "loss at the end": end, "steps": len(losses)},
            "what the first steps bear is too much for later ones, where the loss is steeper",
            (*(rate(f, f"a rate that falls: {f:g} of what it is, from step {turned} on") for f in LOWER), clipping()),
            sure=False,
        ),
    )


def _lost(patient: Patient) -> bool:
    """Whether the net does worse than before on what it has seen first: else what it is asked has changed."""
    return patient.after is None or not over_batches(patient.after) <= over_batches(patient)


def _thrown(loop: Loop, made: Diagnosis) -> Iterator[tuple[str, Suspicion]]:
    """A layer that is thrown about in the second half, and was not in the first."""
    steps = sorted(loop.moments)
    half = len(steps) // 2
    if half < LOOKS:
        return
    wide = {name for name, p in made.patient.model.named_parameters() if p.ndim > 1}
    for name in (n for n in loop.moments[steps[-1]] if n in wide):
        moved = [loop.moments[step][name].moved for step in steps if name in loop.moments[step]]
        early, late = float(np.median(moved[:half] or [0.0])), float(np.median(moved[half:] or [0.0]))
        if late > WILDLY and late > APART * early > 0:
            probe = Probe(made.patient.after or made.patient)
            yield (
                "weights that move wildly",
                Suspicion(
                    f"{name} moves by {late:.2g} of its size in a step, at first by {early:.2g}",
                    Place(module=name),
                    {"update against weights at first": early, "update against weights later": late},
                    "its gradient has grown against its weights in the course of the training",
                    (own_rate(probe, {name: early / late}), clipping()),
                ),
            )
            return


def _of(moment: dict[str, Moment], name: str) -> Moment:
    return moment.get(name, Moment(0.0, 0.0, 0.0))


def _finite(moments: Iterable[Moment]) -> bool:
    return all(math.isfinite(each.weight) and math.isfinite(each.gradient) for each in moments)
