"""What the steps of a whole training have in common: how its rate goes, and the mode that it has lapsed into."""

from __future__ import annotations

from collections.abc import Sequence

from ..nn import Module
from ..optim import Optimizer
from .loop import Loop

LONGEST = 1000
"""Of how many steps the rate is kept, where a schedule changes it."""


def lapsed(loop: Loop, model: Module) -> tuple[int, Sequence[str]]:
    """Which modules are in evaluation mode from which step on, though not in the first."""
    inside = dict(model.named_modules())
    late = {n: s for n, s in loop.evaluating.items() if n in inside and s.first > 1 and loop.lasting(s)}
    return min((seen.first - 1 for seen in late.values()), default=0), list(late)


def schedule(rates: Sequence[float], optimizer: Optimizer) -> list[float]:
    """The rate of each step against the highest, which the optimizer is given; nothing if it is always the same."""
    peak = max(rates, default=0.0)
    if not peak or min(rates) == peak:
        return []
    first = rates[0]
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * peak / first if first else group.get("initial_lr", peak)
    return [rate / peak for rate in rates[:LONGEST]]
