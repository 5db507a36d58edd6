"""The faults, each as small edits of healthy programs."""

from . import data, flow, losses, modes, numbers, rates, starts, wiring

BROKEN = [
    *flow.BROKEN, *starts.BROKEN, *rates.BROKEN, *wiring.BROKEN,
    *losses.BROKEN, *modes.BROKEN, *data.BROKEN, *numbers.BROKEN,
]  # fmt: skip
