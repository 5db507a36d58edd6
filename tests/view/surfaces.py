"""Surfaces whose numbers are known, for the tests of what is drawn and told of them."""

import math

import numpy as np
from tests.view.nets import HOSTILE

from glassgrad.surface import Plane, Spectrum, Stop, Surface


def circles(x: float, y: float) -> float:
    """Heights whose lines are circles."""
    return (x * x + y * y) / 2 + 0.01


def plane(height, places=21, up=None, directions="path"):  # type: ignore[no-untyped-def]
    across = tuple(float(each) for each in np.linspace(-1, 1, places))
    up = across if up is None else up
    return Plane(directions, across, up, tuple(tuple(height(x, y) for x in across) for y in up), (0.9, 0.08))


def stops(height, count=6):  # type: ignore[no-untyped-def]
    places = [(0.8 * (1 - k / (count - 1)), 0.6 * (1 - k / (count - 1)) ** 2) for k in range(count)]
    return tuple(Stop(10 * k, height(x, y), x, y, 0.01 * (count - 1 - k)) for k, (x, y) in enumerate(places))


def spectrum(values, exact=True, outliers=(), zero=1e-6):  # type: ignore[no-untyped-def]
    share = (1 / len(values),) * len(values)
    return Spectrum(len(values), exact, tuple(values), share, tuple(outliers), values[0], values[-1], zero)


def surface(height=circles, **changes):  # type: ignore[no-untyped-def]
    made = {
        "title": "A bowl", "parameters": 12, "batches": 1, "path": stops(height), "plane": plane(height),
        "spectrum": spectrum((-0.5, 0.0, 0.1, 0.2, 3.0), outliers=(3.0,)), "slope": 0.25, "ground": "saddle",
        "why": "along the direction of the least curvature, -0.5, it falls from 0.5 to 0.25",
    }  # fmt: skip
    return Surface(**{**made, **changes})


def half(x: float, y: float) -> float:
    """Finite in one half alone, at whose edge it is infinite."""
    return math.nan if x > 0.5 else math.inf if x == 0.5 else circles(x, y)


def alone(x: float, y: float) -> float:
    return (1 + x) ** 2


LINE = {"plane": plane(alone, 41, (0.0,)), "path": tuple(Stop(k, alone(1 - k, 0), 1 - k, 0.0, 0.0) for k in (0, 1))}
ALL = {
    "bowl": surface(),
    "half": surface(half, path=stops(circles), notes=("At 110 of 441 points of the plane the loss is not finite.",)),
    "level": surface(lambda x, y: 0.5, spectrum=spectrum((0.0, 0.0)), ground="flat"),
    "negative": surface(lambda x, y: -1 - x, ground="slope"),
    "line": surface(alone, **LINE),
    "broken line": surface(lambda x, y: math.log(x) if x > 0 else math.nan, **{
        **LINE, "plane": plane(lambda x, y: math.log(x) if x > 0 else math.nan, 41, (0.0,)),
    }),
    "random": surface(plane=plane(circles, directions="random")),
    "nothing": surface(plane=None, spectrum=None, notes=("The loss is not finite anywhere.",), why=""),
    "one": surface(path=stops(circles)[-1:], plane=plane(circles, directions="random")),
    "large": surface(spectrum=spectrum(tuple(np.linspace(-3e7, 4e9, 400).tolist()), exact=False)),
    "names": surface(title=HOSTILE, notes=(f"It ended with {HOSTILE}",)),
}  # fmt: skip
