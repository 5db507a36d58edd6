"""What pictures of numbers are made of: round numbers along axes, places on the picture, SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .lines import number

FACTORS = (
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
    (1, 1.5, 2, 3, 5, 7),
    (1, 2, 5),
    (1, 3),
    (1,),
)
"""Round numbers within a power of ten, about equal factors apart."""


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers from low to high: at most so many."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def decades(low: float, high: float, most: int = 14) -> list[float]:
    """Round numbers from low to high by about equal factors, such as 1, 2, 5, 10, 20, 50: as many of them as may be."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found: list[float] = []
    for factors, every in (*((each, 1) for each in FACTORS), ((1.0,), 2), ((1.0,), 5), ((1.0,), 20)):
        places = [factor * 10.0**power for power in range(first, last + 1, every) for factor in factors]
        found = [float(f"{place:.6g}") for place in places if low <= place <= high]
        if len(found) <= most:
            break
    return found


@dataclass(frozen=True)
class Axis:
    """Numbers as places on a picture."""

    low: float
    high: float
    begin: float
    """Where the lowest number is."""
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log10(max(value, 1e-300)), math.log10(low), math.log10(high)
        part = (value - low) / ((high - low) or 1.0)
        return self.begin + min(max(part, -9.0), 9.0) * (self.end - self.begin)


def tag(name: str, *inner: str, **attributes: object) -> str:
    """An element; `_` stands for a hyphen in the names of attributes, and one at the end is left out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_said(value), quote=True)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{said}>{''.join(inner)}</{name}>"


def _said(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def line(points: Iterable[tuple[float, float]], closed: bool = False) -> str:
    """A path through some places, in SVG's words."""
    told, last = [], ""
    for x, y in points:
        place = f"{_said(float(x))} {_said(float(y))}"
        if place != last:
            told.append(place)
        last = place
    return f"M{'L'.join(told)}{'Z' if closed else ''}" if told else ""


def words(text: str, x: float, y: float, **attributes: object) -> str:
    return tag("text", html.escape(text), x=float(x), y=float(y), **attributes)


def along(axis: Axis, at: float, places: Sequence[float]) -> list[str]:
    """The numbers of a horizontal axis, below it."""
    made = []
    for place in places:
        x = axis(place)
        made.append(tag("line", x1=x, x2=x, y1=at, y2=at + 5.0, class_="tick"))
        made.append(words(number(place, 3), x, at + 18, text_anchor="middle"))
    return made


def upright(axis: Axis, at: float, places: Sequence[float]) -> list[str]:
    """The numbers of a vertical axis, left of it."""
    made = []
    for place in places:
        y = axis(place)
        made.append(tag("line", x1=at - 5.0, x2=at, y1=y, y2=y, class_="tick"))
        made.append(words(number(place, 3), at - 8, y + 4, text_anchor="end"))
    return made
