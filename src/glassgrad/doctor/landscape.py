"""The loss around a training: a plane with the training's path in it, and how the loss curves where it ended.

Example:
    >>> import glassgrad as gg
    >>> from glassgrad import nn
    >>> from glassgrad.doctor import Trail, landscape
    >>> from glassgrad.doctor.patient import Patient
    >>> gg.manual_seed(0)  # doctest: +ELLIPSIS
    <...>
    >>> x = gg.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    >>> t = gg.tensor([[0.0], [1], [1], [0]])
    >>> net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> opt = gg.optim.SGD(net.parameters(), lr=0.3)
    >>> patient, trail = Patient(net, nn.MSELoss(), opt, [(x, t)]), Trail()
    >>> for _ in range(300):
    ...     trail.take(patient.parameters)
    ...     _ = patient.step((x, t))
    >>> trail.end(patient.parameters)
    >>> found = landscape(patient, trail.path, trail.steps, resolution=9)
    >>> found.path[-1].step, found.path[0].loss > 100 * found.path[-1].loss, found.plane.share > 0.9
    (300, True, True)
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import functions as fn
from ..dispatch import no_grad
from ..errors import ArgumentError, GlassgradError
from ..surface import Plane, Stop, Surface
from .ground import LOOKS, Bend, bend, stands
from .patient import Patient, drawing
from .plane import Filters, beside, filters, principal_directions, random_direction, shadows
from .probe import norm

COARSEST = 7
"""The lowest resolution that a lack of time leads to."""
PLANES = ("path", "random")


class Landscape(Surface):
    """A `Surface` that can be shown."""

    def show(self, console: Any = None) -> None:
        """Print what it shows in words."""
        from ..view.surface_text import show

        show(self, console)

    def html(self, path: str | Path) -> Path:
        """Write it as one page."""
        from ..view.surface_html import write

        return write(self, path)


class Losses:
    """The loss of a patient at any weights: always on the same batches, with the same random numbers."""

    def __init__(self, patient: Patient) -> None:
        self.one = patient.copy()
        self.batches = list(self.one.batches)
        self._cells = self.one.parameters
        self._ends = np.cumsum([cell.numel() for cell in self._cells])[:-1]

    def __call__(self, weights: Any) -> float:
        with no_grad(), drawing(self.one.seed), np.errstate(all="ignore"):
            self.put(weights)
            return float(np.mean([self.one.value(batch).item() for batch in self.batches]))

    def put(self, weights: Any) -> None:
        """Give the patient these weights."""
        with no_grad():
            for cell, part in zip(self._cells, np.split(weights, self._ends), strict=True):
                cell.copy_(fn.tensor(part.reshape(tuple(cell.shape)), dtype=cell.dtype))


def landscape(
    patient: Patient,
    path: Sequence[Any],
    steps: Sequence[int] | None = None,
    *,
    directions: str = "path",
    resolution: int = 31,
    seconds: float = 20.0,
    title: str = "",
    seed: int = 0,
) -> Landscape:
    """The loss on a plane through the weights at the end of a path, and the spectrum of the Hessian there.

    Distances are measured in the sizes of filters, those at the end: see `plane`. The loss is that of the patient's
    batches, in the mode that its model is in, everywhere with the same random numbers.

    Args:
        patient: whose loss it is. Nothing of it is changed.
        path: snapshots of its parameters, each all their numbers in a row: see `trail`.
        steps: how many steps had been taken at each snapshot; counted from 0 if None.
        directions: "path" for the plane that holds most of the path's movement: its principal components, seen from
            the end. "random" for two directions that have nothing to do with the path, whose filters are each as large
            as the weights' filter, and which leave biases and norms as they are; of the path there is the nearest point
            of the plane.
        resolution: points along each axis.
        seconds: about how long it may take; the resolution and the batches are cut to that.
        title: of the report.
        seed: of random directions and of the random vectors that see the spectrum.
    """
    if directions not in PLANES:
        raise ArgumentError("no such directions", got=repr(directions), fix=f"one of {', '.join(PLANES)}")
    if resolution < 3:
        raise ArgumentError("a picture has at least 3 points along an axis", got=str(resolution), fix="such as 31")
    size = sum(cell.numel() for cell in patient.parameters)
    if not len(path) or any(np.shape(each) != (size,) for each in path):
        got = f"shapes {sorted({np.shape(each) for each in path})}" if len(path) else "none"
        raise ArgumentError(f"each snapshot is a row of the {size} numbers of the parameters", got=got)
    return _Survey(patient, path, steps, directions, resolution, seconds, seed).made(title)


@dataclass
class _Survey:
    """What `landscape` was asked for, and what is known of it so far."""

    patient: Patient
    path: Sequence[Any]
    steps: Sequence[int] | None
    directions: str
    resolution: int
    seconds: float
    seed: int

    def made(self, title: str) -> Landscape:
        self.notes: list[str] = []
        steps, path = self._finite()
        self.end, self.losses = path[-1], Losses(self.patient)
        self._fit(len(path) + LOOKS)
        self.filters = filters(self.patient, self.end)
        moves = ((path - self.end) / self.filters.scale).astype(path.dtype)
        axes = self._axes(moves)
        places, rest = shadows(moves, axes, self.filters.count)
        places = np.pad(places, ((0, 0), (0, 2 - len(axes))))
        along = [self.losses(each) for each in path]
        stops = tuple(
            Stop(int(step), loss, float(place[0]), float(place[1]), float(far))
            for step, loss, place, far in zip(steps, along, places, rest, strict=True)
        )
        plane = self._plane(axes, places, moves)
        found = self._bend(along[-1])
        ground, why = ("", "") if found is None else stands(self.losses, self.end, found, along[0] - along[-1])
        return Landscape(
            title, len(self.end), len(self.losses.batches), stops, plane, None if found is None else found.spectrum,
            0.0 if found is None else norm(found.gradient), ground, why, tuple(self.notes),
        )  # fmt: skip

    def _finite(self) -> tuple[Any, Any]:
        """The path up to where its numbers are not finite any more."""
        steps = np.arange(len(self.path)) if self.steps is None else np.asarray(self.steps)
        held = [bool(np.isfinite(each).all()) for each in self.path]
        count = held.index(False) if False in held else len(held)
        if not count:
            raise ArgumentError(
                "the weights are not finite from the first snapshot on", fix="glassgrad doctor finds why"
            )
        if count < len(held):
            self.notes.append(
                f"After {steps[count]} steps weights are not finite. The path ends at the last ones that are, after "
                f"{steps[count - 1]} steps."
            )
        small = np.size(self.path[0]) * count <= 1e7
        return steps[:count], np.stack(self.path[:count]).astype(np.float64 if small else np.float32)

    def _fit(self, stops: int) -> None:
        """Cut batches and resolution to the time that there is."""
        losses, asked, batches = self.losses, self.resolution, len(self.losses.batches)
        losses.batches = losses.batches[:1]
        there = 0.6 * self.seconds / self._seconds()  # evaluations of one batch; the rest is for the spectrum
        affordable = int(np.sqrt(max(there - stops, 0)))
        least = min(asked, COARSEST)
        self.resolution = asked if affordable >= asked else max(least, affordable - (affordable % 2 == 0))
        count = int(np.clip(there / (self.resolution**2 + stops), 1, batches))
        losses.batches = list(losses.one.batches)[:count]
        if self.resolution < asked or count < batches:
            self.notes.append(
                f"In {self.seconds:g} s there is time for {count} of {batches} batches, on {self.resolution} × "
                f"{self.resolution} points; more seconds give more."
            )

    def _seconds(self) -> float:
        """How long a loss takes, when nothing else is in the way."""
        taken: list[float] = []
        self.losses(self.end)  # the first one is slow
        while len(taken) < 3 and sum(taken) < 0.1 * self.seconds:
            began = time.perf_counter()
            self.losses(self.end)
            taken.append(max(time.perf_counter() - began, 1e-6))
        return min(taken)

    def _axes(self, moves: Any) -> list[Any]:
        """One or two directions, in the sizes of filters."""
        random, known = np.random.default_rng(self.seed), self.filters
        axes = principal_directions(moves, known.count)
        if not axes:
            self.notes.append("The weights did not move: the directions of the plane are random.")
        if self.directions == "random" or not axes:
            self.directions = "random"
            return [random_direction(known, random) for _ in range(min(2, len(self.end)))]
        if len(axes) == 1 and len(self.end) > 1:
            self.directions = "path and random"
            self.notes.append("The path is straight: the second direction of the plane is a random one.")
            axes.append(beside(axes[0], random_direction(known, random)))
        return axes

    def _plane(self, axes: list[Any], places: Any, moves: Any) -> Plane | None:
        across, up = self._window(places, len(axes))
        scale = self.filters.scale
        steps = [axis * scale for axis in axes]
        losses = [
            [self.losses(self.end + sum(a * step for a, step in zip((x, y), steps, strict=False))) for x in across]
            for y in up
        ]
        missing = int(np.sum(~np.isfinite(losses)))
        if missing:
            self.notes.append(f"At {missing} of {np.size(losses)} points of the plane the loss is not finite.")
        if missing == np.size(losses):
            return None
        shares = _shares(moves, axes, self.filters)
        return Plane(self.directions, tuple(across), tuple(up), tuple(map(tuple, losses)), shares)

    def _window(self, places: Any, axes: int) -> tuple[list[float], list[float]]:
        """The places of the columns and rows: a square around the path, with the end in its middle if the plane is
        random."""
        low, high = places.min(0), places.max(0)
        if self.directions == "random":
            middle, half = np.zeros(2), max(1.0, 1.15 * float(np.abs(places).max()))
        else:
            middle, half = (low + high) / 2, 0.65 * float((high - low).max())
        rows, columns = (self.resolution, self.resolution) if axes > 1 else (1, 4 * self.resolution + 1)
        across = np.linspace(middle[0] - half, middle[0] + half, columns)
        up = np.linspace(middle[1] - half, middle[1] + half, rows) if axes > 1 else [0.0]
        return list(map(float, across)), list(map(float, up))

    def _bend(self, loss: float) -> Bend | None:
        if not np.isfinite(loss):
            self.notes.append("The loss at the end is not finite, so it has no curvature there.")
            return None
        self.losses.put(self.end)
        try:
            found = bend(self.losses.one, self.losses.batches, 0.3 * self.seconds, self.seed)
        except GlassgradError as error:
            self.notes.append(f"The curvature is not known: {error.asked}.")
            return None
        if found is None:
            self.notes.append("The curvature is not known: the slopes of the loss are not finite, or there are none.")
        return found


def _shares(moves: Any, axes: list[Any], known: Filters) -> tuple[float, float]:
    """Of the sum of the squares of all moves, what lies along the first direction and what the second adds."""
    whole = float(np.sum(np.square(moves, dtype=np.float64))) / known.count
    if not whole:
        return 0.0, 0.0
    inside = [1 - float(np.sum(shadows(moves, axes[:n], known.count)[1] ** 2)) / whole for n in range(1, len(axes) + 1)]
    return inside[0], inside[-1] - inside[0]
