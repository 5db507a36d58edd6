"""The loss around a training in words: for the terminal, and beside the pictures of the page."""

from __future__ import annotations

from typing import Any

from ..findings import count
from ..surface import FLAT, MINIMUM, SADDLE, SLOPE, VALLEY, Surface
from .lines import number, page_on, share

STANDS = {
    SLOPE: "It ended on a slope",
    SADDLE: "It ended at a saddle",
    MINIMUM: "It ended in a minimum",
    VALLEY: "It ended on the floor of a valley",
    FLAT: "It ended on a flat",
    "": "What it stands on, the numbers don't show",
}
FEW = 8
"""Outliers that are told."""


def show(surface: Surface, console: Any = None) -> None:
    """Print it on a console of rich."""
    if console is None:
        from rich.console import Console

        console = Console(highlight=False)
    page = page_on(console)
    page.put((surface.title or "The loss around a training", "bold"))
    page.put(about(surface))
    for note in surface.notes:
        page.put(note, first="  ▸ ", rest="    ", style="yellow")
    for title, told in (("The path", of_path(surface)), ("The curvature at the end", of_spectrum(surface))):
        if told:
            page.blank()
            page.rule(title)
        for sentence in told:
            page.put(sentence)


def about(surface: Surface) -> str:
    """What was looked at."""
    batches = "one batch" if surface.batches == 1 else f"{surface.batches} batches"
    snapshots = f"{count(len(surface.path), 'snapshot')} of {count(surface.path[-1].step, 'step')}"
    return f"{count(surface.parameters, 'weight')}, {snapshots}; the loss is that of {batches}"


def of_path(surface: Surface) -> list[str]:
    """The loss at both ends, and how much of the movement is in the picture."""
    first, last = surface.path[0], surface.path[-1]
    told = [f"The loss went from {number(first.loss)} to {number(last.loss)} in {count(last.step, 'step')}."]
    known = [stop for stop in surface.path if stop.loss == stop.loss]
    lowest = min(known, key=lambda stop: stop.loss, default=last)
    if lowest.loss < 0.95 * last.loss:
        told.append(f"The lowest snapshot is that after {count(lowest.step, 'step')}: {number(lowest.loss)}.")
    plane = surface.plane
    if plane is None or not any(plane.shares):
        return told
    where = "line" if len(plane.up) == 1 else "plane"
    said = f"{share(plane.share)} of the path's movement lies in the {where}"
    if where == "plane":
        first_share, second = (max(0.0, each) for each in plane.shares)
        said += f": {share(first_share)} along its first direction, {share(second)} along its second"
    told.append(f"{said}.")
    if plane.directions == "random":
        told.append("The directions are random ones: what is drawn of the path is its shadow.")
    return told


def of_spectrum(surface: Surface) -> list[str]:
    """The ends of the spectrum, its parts, and what stands at the end."""
    seen = surface.spectrum
    if seen is None:
        return []
    how = "all are known" if seen.exact else "as random vectors see them"
    told = [
        f"The Hessian has {count(seen.size, 'eigenvalue')} ({how}), from {number(seen.low, 3)} to "
        f"{number(seen.high, 3)}.",
        f"Negative curvature: {share(seen.negative)} of the directions. Flat, nearer to zero than "
        f"{number(seen.zero, 2)}: {share(seen.flat)}.",
    ]
    if seen.outliers:
        rest = "." if len(seen.outliers) <= FEW else ", …"
        largest = ", ".join(number(each, 3) for each in seen.outliers[:FEW])
        apart = count(len(seen.outliers), "outlier")
        told.append(f"{apart}, more than three times the root mean square of all: {largest}{rest}")
    told.append(f"The gradient has the size {number(surface.slope, 3)}.")
    if surface.why:
        told.append(f"{STANDS[surface.ground]}: {surface.why}.")
    return told
