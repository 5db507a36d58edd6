"""Central differences, extrapolated: the derivative that the tests of ops hold against the rules."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = Any
STEP = 2e-3
RTOL = 1e-6


def slope(function: Callable[[float], Any]) -> Any:
    """d/dt of ``function(t)`` at 0: L. Richardson's extrapolation of central differences over three steps.

    The error is of order STEP^6, below 1e-14 for the functions here, and rounding costs about 1e-13.
    """
    first = [(function(h) - function(-h)) / (2 * h) for h in (STEP, STEP / 2, STEP / 4)]
    second = [(4 * b - a) / 3 for a, b in itertools.pairwise(first)]
    return (16 * second[1] - second[0]) / 15


def gradient(function: Callable[[Sequence[Array]], float], at: Sequence[Array], by: int) -> Array:
    """All derivatives of a number by the entries of ``at[by]``."""
    base = np.array(at[by])
    found = np.empty(base.size)

    def moved(entry: int, t: float) -> float:
        shifted = base.copy().reshape(-1)
        shifted[entry] += t
        return function([*at[:by], shifted.reshape(base.shape), *at[by + 1 :]])

    for entry in range(base.size):
        found[entry] = slope(lambda t, entry=entry: moved(entry, t))
    return found.reshape(base.shape)


def assert_close(analytic: Array, numeric: Array, what: str) -> None:
    """Within 1e-6 of the largest entry: a single entry may be the difference of larger ones."""
    analytic, numeric = np.asarray(analytic), np.asarray(numeric)
    assert analytic.shape == numeric.shape, what
    if not numeric.size:
        return
    scale = np.maximum(np.abs(numeric), 1e-3 * max(1.0, float(np.abs(numeric).max())))
    wrong = np.abs(analytic - numeric) / scale
    worst = np.unravel_index(int(np.nan_to_num(wrong, nan=np.inf).argmax()), wrong.shape)
    assert (wrong <= RTOL).all(), f"{what}: at {worst} analytic {analytic[worst]!r}, numeric {numeric[worst]!r}"
