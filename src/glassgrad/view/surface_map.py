"""Pictures of the loss around a training, as SVG: the plane with the path in it, or a line; and the spectrum."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..surface import Plane, Spectrum, Surface
from . import needed
from .axes import Axis, along, decades, line, tag, ticks, upright, words
from .lines import number, share

LEFT, TOP, SIDE = 72.0, 12.0, 560.0
"""Where the plane begins on the picture, and how wide and high it is there."""
WIDTH, HEIGHT = 746.0, 622.0
LOW = 290.0
"""The height of a picture of a curve."""
UNIT = "sizes of the filters"
DEEPEST = 1e-4
"""Losses below this share of the highest level are not told apart."""
KINDS = {"negative": "minus", "flat": "flat", "positive": "plus"}
BLUR = 0.012
"""How wide an eigenvalue is drawn, against the range of all."""


def levels(plane: Plane, path: Sequence[float]) -> tuple[list[float], bool]:
    """Where the loss is drawn a shade darker, and whether by equal factors. Nine tenths of the plane and the whole path
    are below the highest."""
    known = np.array([each for row in plane.losses for each in row if math.isfinite(each)])
    top = max([float(np.quantile(known, 0.9)), *(each for each in path if math.isfinite(each))])
    low = float(known.min())
    found, log = ticks(low, top, 12) if top > low else [low], False
    if top > 0 and low > -0.01 * top and top >= 8 * max(low, DEEPEST * top):
        found, log = decades(max(low, DEEPEST * top), top), True
    return [each for each in found if each > low] or found, log


def shades(count: int, stops: Sequence[str]) -> list[str]:
    """Colours from the first stop to the last."""
    parts = np.array([[int(stop[k : k + 2], 16) for k in (1, 3, 5)] for stop in stops])
    places = np.linspace(0, len(stops) - 1, count)
    mixed = [np.interp(places, range(len(stops)), parts[:, k]).round().astype(int) for k in range(3)]
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in zip(*mixed, strict=True)]


def plane_map(surface: Surface) -> tuple[str, int]:
    """The plane as a map, and how many shades it takes: the higher the loss, the more colour. Hatched
    where it isn't finite."""
    plane = surface.plane
    assert plane is not None
    heights, log = levels(plane, [stop.loss for stop in surface.path])
    x = Axis(plane.across[0], plane.across[-1], LEFT, LEFT + SIDE)
    y = Axis(plane.up[0], plane.up[-1], TOP + SIDE, TOP)
    frame: dict[str, object] = {"x": LEFT, "y": TOP, "width": SIDE, "height": SIDE}
    parts = [
        tag("rect", **frame, fill="url(#lost)"),
        *_bands(plane, heights, log, x, y),
        *_path(surface, x, y),
        tag("rect", **frame, class_="frame"),
        *along(x, TOP + SIDE, ticks(x.low, x.high)),
        *upright(y, LEFT, ticks(y.low, y.high)),
        words(f"first direction, in {UNIT}", LEFT + SIDE / 2, HEIGHT - 8, text_anchor="middle", class_="axis"),
        words("second direction", 0, 0, text_anchor="middle", class_="axis",
              transform=f"translate(18 {TOP + SIDE / 2}) rotate(-90)"),
        *_legend(heights),
    ]  # fmt: skip
    cursor = tag("g", tag("path", d=""), id="cross", class_="cross") + tag("circle", id="here", r=7.0, class_="here")
    return _picture("map", WIDTH, HEIGHT, _told(surface), [_hatch(), *parts, cursor]), len(heights) + 1


def _bands(plane: Plane, heights: Sequence[float], log: bool, x: Axis, y: Axis) -> list[str]:
    """For each level all that is higher, one over the other, so that no gap shows between them."""
    contourpy = needed("contourpy", "a map of the loss")
    losses = np.array(plane.losses)
    with np.errstate(all="ignore"):
        drawn = np.log10(np.maximum(losses, heights[0] * 1e-3)) if log else losses
        levels = np.log10(heights) if log else np.array(heights)
    grid = [x(each) for each in plane.across], [y(each) for each in plane.up]
    masked = np.ma.masked_array(drawn, ~np.isfinite(losses))
    made = contourpy.contour_generator(*grid, masked, fill_type=contourpy.FillType.OuterOffset)
    parts = []
    for shade, level in enumerate([-np.inf, *levels]):
        rings = [
            line(points[begin:end], closed=True)
            for points, offsets in zip(*made.filled(level, np.inf), strict=True)
            for begin, end in itertools.pairwise(offsets)
        ]
        if rings:
            parts.append(tag("path", d="".join(rings), class_="band", fill=f"var(--b{shade})", fill_rule="evenodd"))
    return parts


def _path(surface: Surface, x: Axis, y: Axis) -> list[str]:
    """The path of the training with its snapshots."""
    places = [(x(stop.across), y(stop.up)) for stop in surface.path]
    (x0, y0), (x1, y1) = places[0], places[-1]
    dots = [tag("circle", cx=cx, cy=cy, r=2.2, class_="stop") for cx, cy in places[1:-1]]
    ends = [tag("circle", cx=x1, cy=y1, r=5.0, class_="end"), _label("end", x1, y1)]
    if len(places) > 1:
        ends += [
            tag("circle", cx=x0, cy=y0, r=5.0, class_="start"),
            _label("start", x0, y0, below=math.hypot(x1 - x0, y1 - y0) < 40),
        ]
    drawn = line(places)
    return [tag("path", d=drawn, class_="halo"), tag("path", d=drawn, class_="path"), *dots, *ends]


def _label(text: str, x: float, y: float, below: bool = False) -> str:
    right, below = x > LEFT + SIDE - 60, below or y < TOP + 20
    return words(
        text,
        x + (-10 if right else 10),
        y + (20 if below else -8),
        class_="label",
        text_anchor="end" if right else "start",
    )


def _legend(heights: Sequence[float]) -> list[str]:
    """The shades with the levels between them."""
    left, each = LEFT + SIDE + 22, SIDE / (len(heights) + 1)
    made = []
    for shade in range(len(heights) + 1):
        bottom = TOP + SIDE - each * shade
        made.append(tag("rect", x=left, y=bottom - each, width=16.0, height=each, fill=f"var(--b{shade})"))
        if shade:
            made.append(words(number(heights[shade - 1], 3), left + 22, bottom + 4))
    made.append(tag("rect", x=left, y=TOP, width=16.0, height=SIDE, class_="frame"))
    return [*made, words("loss", left + 22, TOP + 12, class_="axis")]


def line_map(surface: Surface) -> str:
    """The loss along a line, with the path on it: for a plane of one direction."""
    plane = surface.plane
    assert plane is not None
    x, y = Axis(plane.across[0], plane.across[-1], LEFT, LEFT + SIDE + 60), _heights(surface)
    runs: list[list[tuple[float, float]]] = [[]]
    for place, loss in zip(plane.across, plane.losses[0], strict=True):
        if math.isfinite(loss):
            runs[-1].append((x(place), y(loss)))
        else:
            runs.append([])
    dots = [
        tag("circle", cx=x(stop.across), cy=height, r=2.6, class_="stop")
        for stop, height in zip(surface.path, course(surface), strict=True)
        if math.isfinite(stop.loss)
    ]
    parts = [
        tag("path", d="".join(map(line, runs)), class_="curve"),
        *dots,
        *along(x, LOW, ticks(x.low, x.high)),
        *upright(y, LEFT, decades(y.low, y.high, 6) if y.log else ticks(y.low, y.high, 5)),
        tag("path", d=line([(LEFT, TOP), (LEFT, LOW), (LEFT + SIDE + 60, LOW)]), class_="frame"),
        words(f"the one direction, in {UNIT}", LEFT + SIDE / 2, LOW + 40, text_anchor="middle", class_="axis"),
        words("loss", LEFT + 8, TOP + 12, class_="axis"),
        *(
            _label(name, x(stop.across), y(stop.loss))
            for name, stop in {"start": surface.path[0], "end": surface.path[-1]}.items()
            if math.isfinite(stop.loss)
        ),
        tag("circle", id="here", r=7.0, class_="here"),
    ]
    return _picture("map", WIDTH, LOW + 50, _told(surface), parts)


def course(surface: Surface) -> list[float]:
    """How high each snapshot stands on the picture of a line."""
    y = _heights(surface)
    return [y(stop.loss) if math.isfinite(stop.loss) else TOP for stop in surface.path]


def _heights(surface: Surface) -> Axis:
    """The axis of the losses on a line."""
    assert surface.plane is not None
    every = [*surface.plane.losses[0], *(stop.loss for stop in surface.path)]
    known = [each for each in every if math.isfinite(each)]
    low, high = min(known), max(known)
    return Axis(low, high, LOW, TOP, log=low > 0 and high > 100 * low)


def density(seen: Spectrum, points: int = 481) -> str:
    """The density of the spectrum, by equal factors upwards, and a mark at each outlier."""
    wide = (seen.high - seen.low) or abs(seen.high) or 1.0
    blur, low, high = BLUR * wide, seen.low - 0.06 * wide, seen.high + 0.06 * wide
    places = np.linspace(low, high, points)
    values, weights = np.array(seen.values), np.array(seen.weights)
    bells = weights * np.exp(-0.5 * ((places[:, None] - values) / blur) ** 2) / (blur * math.sqrt(2 * math.pi))
    floor = 0.1 / seen.size / (blur * math.sqrt(2 * math.pi))
    top = float(bells.sum(1).max()) * 1.6
    x, y = Axis(low, high, LEFT, LEFT + SIDE + 60), Axis(floor, top, LOW, TOP + 24, log=True)
    parts = []
    for kind, those in (
        ("flat", np.abs(values) <= seen.zero),
        ("plus", values > seen.zero),
        ("minus", values < -seen.zero),
    ):
        heights = bells[:, those].sum(1)
        if heights.max() > floor:
            curve = [(x(a), min(LOW, y(h))) for a, h in zip(places, heights, strict=True)]
            around = [(x(low), LOW), *curve, (x(high), LOW)]
            parts.append(tag("path", d=line(around, closed=True), class_=f"area {kind}"))
    marks = [tag("line", x1=x(each), x2=x(each), y1=LOW - 12, y2=LOW, class_="outlier") for each in seen.outliers]
    parts += [
        *marks,
        *along(x, LOW, ticks(low, high)),
        *upright(y, LEFT, decades(y.low, y.high, 6)),
        tag("path", d=line([(LEFT, TOP), (LEFT, LOW), (LEFT + SIDE + 60, LOW)]), class_="frame"),
        words("eigenvalue of the Hessian", LEFT + SIDE / 2, LOW + 40, text_anchor="middle", class_="axis"),
        words("density", LEFT + 8, TOP + 11, class_="axis"),
        *_key(x.end, seen),
    ]
    told = f"Density of {seen.size} eigenvalues from {number(seen.low, 3)} to {number(seen.high, 3)}."
    return _picture("density", WIDTH, LOW + 50, told, parts)


def _key(right: float, seen: Spectrum) -> list[str]:
    """What the colours of the density say, in a row above it."""
    made, positive = [], max(0.0, 1 - seen.negative - seen.flat)
    for place, (kind, part) in enumerate((("negative", seen.negative), ("flat", seen.flat), ("positive", positive))):
        x = right - 450 + 158 * place
        made.append(tag("rect", x=x, y=TOP, width=13.0, height=13.0, class_=f"area {KINDS[kind]}"))
        made.append(words(f"{kind}: {share(part)}", x + 19, TOP + 11))
    return made


def _told(surface: Surface) -> str:
    """What a screen reader says of the picture."""
    first, last, plane = surface.path[0], surface.path[-1], surface.plane
    assert plane is not None
    known: list[Any] = [each for row in plane.losses for each in row if math.isfinite(each)]
    return (
        f"The loss around the training, from {number(min(known))} to {number(max(known))}. The path begins at "
        f"{number(first.across, 3)}, {number(first.up, 3)} with a loss of {number(first.loss)} and ends at the origin "
        f"with {number(last.loss)}."
    )


def _hatch() -> str:
    stripes = tag("path", d="M0 8L8 0", class_="hatch")
    return tag("defs", tag("pattern", stripes, id="lost", width=8, height=8, patternUnits="userSpaceOnUse"))


def _picture(name: str, width: float, height: float, told: str, parts: Sequence[str]) -> str:
    return tag("svg", *parts, id=name, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=told)
