"""What a training loop does in the wrong order: gradients that are never cleared, steps that find none, no steps."""

from __future__ import annotations

from collections.abc import Iterator

from ...findings import Place
from ..patient import Patient
from ..probe import Probe
from ..rule import Remedy, Suspicion, rule

MOST = 0.5
"""Something that happens in at least this share of the steps is a habit of the loop."""
FOLLOWS = (
    "too low a rate", "too high a rate", "oscillating loss", "diverging loss", "no overfitting of one batch",
    "flat place", "weights that move wildly", "weights that barely move", "gradient noise", "no gradient",
    "zero gradient", "dead rectifiers", "no update",
)  # fmt: skip


@rule("gradients never cleared", explains=FOLLOWS, whatever=True)
def never_cleared(probe: Probe) -> Iterator[Suspicion]:
    """Backward adds to gradients that a step has used already."""
    loop = probe.patient.loop
    if loop is None or loop.steps < 2 or loop.added.times < MOST * (loop.steps - 1):
        return

    def clear(patient: Patient) -> None:
        patient.clears = True

    yield Suspicion(
        "every backward pass adds to the gradients of the steps before it",
        loop.added.place,
        {"steps": float(loop.steps), "backward passes that added to used gradients": float(loop.added.times)},
        "backward adds to .grad, so that a step goes along the sum of all gradients since the start: like momentum "
        "that never fades, it rushes past the minimum",
        (Remedy("call optimizer.zero_grad() before loss.backward()", clear),),
    )


@rule("step before backward", explains=FOLLOWS, whatever=True)
def before_backward(probe: Probe) -> Iterator[Suspicion]:
    """Steps where there are no gradients: before the backward pass, or after they were cleared."""
    loop = probe.patient.loop
    if loop is None or not loop.backwards or loop.empty.times < max(1, MOST * loop.steps):
        return

    def turn(patient: Patient) -> None:
        patient.early, patient.clears = False, True

    yield Suspicion(
        f"{loop.empty.times} of {loop.steps} steps of the optimizer found no gradient",
        loop.empty.place,
        {"steps": float(loop.steps), "steps without a gradient": float(loop.empty.times)},
        "a parameter whose .grad is None or 0 is left as it is: the gradient comes after the step, or is cleared "
        "before it",
        (Remedy("in this order: optimizer.zero_grad(), loss.backward(), optimizer.step()", turn),),
    )


@rule("no update", explains=FOLLOWS, whatever=True)
def no_update(probe: Probe) -> Iterator[Suspicion]:
    """Backward passes, and no weight that is changed after any of them."""
    loop = probe.patient.loop
    if loop is None or loop.steps or loop.backwards < 2:
        return
    if loop.moves:
        return

    def step(patient: Patient) -> None:
        patient.still = False

    yield Suspicion(
        f"{loop.backwards} backward passes, and no weight was changed after any of them",
        Place(),
        {"backward passes": float(loop.backwards), "steps of an optimizer": 0.0},
        "backward computes the gradients and leaves the weights as they are: optimizer.step() was never called",
        (Remedy("call optimizer.step() after loss.backward()", step),) if probe.patient.still else (),
    )
