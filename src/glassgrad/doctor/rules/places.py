"""Where a training stands when its loss does not fall: on a saddle, in a minimum, on a flat."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...findings import Place
from ..curvature import hessian_of, spectrum
from ..probe import Probe, norm
from ..remedies import rate, wider_start
from ..rule import Suspicion, rule

STILL = 0.02
"""A loss that has fallen by less than this share stands still."""


@rule("flat place", explains=("too low a rate",))
def flat(probe: Probe) -> Iterator[Suspicion]:
    """The loss stands still though it could be lower; the eigenvalues of the Hessian say what it stands on."""
    losses = probe.losses
    if len(losses) <= probe.steps or not all(map(math.isfinite, losses)):
        return
    start, end = losses[0], losses[-1]
    if start - end > STILL * abs(start) or end <= 1e-6:
        return
    times, gradient = hessian_of(probe.late)
    values, _ = spectrum(times, len(gradient), steps=60)
    low, high = float(values[0]), float(values[-1])
    if norm(gradient) > 0.05 * max(abs(end), 1e-12):
        return  # it is on its way
    current = float(probe.patient.optimizer.param_groups[0]["lr"])
    saddle = low < -1e-6 * max(high, 1e-12)
    kind = "a saddle" if saddle else "a minimum" if low > 1e-9 * high else "a flat"
    leaving = math.log(10) / (current * -low) if saddle and current else math.inf
    why = (
        f"the curvature is negative in one direction ({low:.2g}): it is no local optimum, and there is a way down, but "
        f"at this rate a deviation along it grows tenfold in {leaving:,.0f} steps"
        if saddle
        else "no direction has negative curvature: nothing near is lower"
    )
    factors = (10.0, 50.0, 100.0, 1000.0)
    yield Suspicion(
        f"the loss stands still at {end:.4g}: {kind}",
        Place(),
        {
            "loss at the start": start,
            "loss after the trial": end,
            "size of the gradient": norm(gradient),
            "least curvature": low,
            "largest curvature": high,
            "rate": current,
        },
        why,
        (
            *(rate(f, f"a higher rate: {current * f:.3g} instead of {current:.3g}") for f in factors),
            wider_start(),
        ),
        sure=saddle,
    )
