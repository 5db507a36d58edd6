"""The sets of programs. Rules are written and thresholds chosen with the earlier ones; the last one is kept apart."""

from edits import Broken, Healthy
from faults import BROKEN
from variants import HEALTHY, RECIPES_SHORT

from . import fifth, fourth, second, seventh, sixth, third

NETS = {
    "moons": "MLP", "wave": "MLP", "cancer": "MLP", "residual": "MLP", "squashed": "MLP", "autoencoder": "MLP",
    "xor": "MLP", "stripes": "CNN", "digits": "CNN", "blobs": "CNN", "patches": "CNN", "louder": "LSTM",
    "tides": "LSTM", "spelling": "LSTM", "alarm": "LSTM", "gpt": "transformer", "majority": "transformer",
    "highest": "transformer", "pairs": "transformer",
    **second.NETS, **third.NETS, **fourth.NETS, **fifth.NETS, **sixth.NETS,
    **seventh.NETS,
}  # fmt: skip
"""The healthy programs, and what kind of net each one trains."""
LEARNED = {
    "gpt": 0.75,
    "spelling": 0.75,
    **second.LEARNED,
    **third.LEARNED,
    **fourth.LEARNED,
    **fifth.LEARNED,
    **sixth.LEARNED,
    **seventh.LEARNED,
}
"""Losses below which something is learned, where they are not the usual one."""

SETS: dict[str, tuple[list[Broken], list[Healthy]]] = {
    "first": (BROKEN, [*HEALTHY, *RECIPES_SHORT]),
    **{
        each.__name__.rpartition(".")[2]: (each.BROKEN, each.HEALTHY)
        for each in (second, third, fourth, fifth, sixth, seventh)
    },
}
KEPT = "seventh"
"""The set that nobody looks at while rules are written."""
