"""Courses of a loss as a line chart: an SVG that needs no style sheet and follows the colours of the text around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from ..findings import count
from .axes import decades, ticks
from .diagnosis import Scale
from .lines import number

WIDTH, HEIGHT = 680, 250
LEFT, RIGHT, TOP, BOTTOM = 58, 150, 12, 40
POINTS = 600
"""A line has about twice as many points at most: of a longer course the least and the largest of each part."""
STYLE = "max-width:100%;min-width:440px;height:auto;font:12px system-ui,sans-serif;font-variant-numeric:tabular-nums"
ALONE = ("stroke:currentColor",)
STYLES = ("stroke:var(--before,#c4573a);stroke-dasharray:6 3", "stroke:var(--after,#2f8f5b)")
"""Of the first line and of the second: they differ in more than colour."""
APART = 15
"""Between two lines of a label."""

Course = tuple[str, Sequence[float]]


def curves(courses: Sequence[Course], words: str) -> str:
    """Up to two courses on one scale; ``words`` say to those who cannot see it what is drawn. Empty without numbers."""
    scale = Scale.of(*(course for _, course in courses))
    if scale is None:
        return ""
    last = max(1, *(len(course) - 1 for _, course in courses))
    styles = STYLES if len(courses) > 1 else ALONE
    parts = [*_axes(scale, last), *_labels(courses, styles, scale, last)]
    for (_, course), style in zip(courses, styles, strict=True):
        parts += _line(course, style, scale, last)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{escape(words)}" '
        f'style="{STYLE}" fill="currentColor">{"".join(parts)}</svg>'
    )


def _x(step: float, last: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * step / last


def _y(value: float, scale: Scale) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * scale(value)


def _axes(scale: Scale, last: int) -> Iterator[str]:
    """Lines behind the courses, with their numbers."""
    for value in marks(scale):
        y = _y(value, scale)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity=".16"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" opacity=".8">{number(value)}</text>'
    for at in filter(float.is_integer, ticks(0, last, 5)):
        yield f'<text x="{_x(at, last):.1f}" y="{HEIGHT - 20}" text-anchor="middle" opacity=".8">{at:,.0f}</text>'
    kind = "steps; logarithmic scale" if scale.log else "steps"
    yield f'<text x="{_x(last / 2, last):.1f}" y="{HEIGHT - 4}" text-anchor="middle" opacity=".8">{kind}</text>'


def marks(scale: Scale) -> list[float]:
    """Round numbers within a scale."""
    return decades(scale.least, scale.most, 6) if scale.log else ticks(scale.least, scale.most, 5)


def _line(course: Sequence[float], style: str, scale: Scale, last: int) -> Iterator[str]:
    """A course, broken where there are no numbers; a cross where it ends without one."""
    run: list[str] = []
    for step, value in [*thinned(course), (len(course), math.nan)]:
        if math.isfinite(value):
            run.append(f"{_x(step, last):.1f},{_y(value, scale):.1f}")
        elif run:
            points = " ".join(run if len(run) > 1 else run * 2)
            yield f'<polyline points="{points}" fill="none" style="{style}" stroke-width="2" stroke-linecap="round"/>'
            run = []
    at = _last(course)
    if at is not None and at < len(course) - 1:
        x, y = _x(at, last), _y(course[at], scale)
        cross = f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10"
        yield f'<path d="{cross}" style="{style};stroke-dasharray:none" stroke-width="2"/>'


def thinned(course: Sequence[float]) -> list[tuple[int, float]]:
    """Steps and numbers; of a long course the least and the largest of each part, and all that is not finite."""
    size = -(-len(course) // POINTS)
    if size == 1:
        return list(enumerate(course))
    kept = []
    for start in range(0, len(course), size):
        part = range(start, min(start + size, len(course)))
        finite = [k for k in part if math.isfinite(course[k])]
        ends = {min(finite, key=course.__getitem__), max(finite, key=course.__getitem__)} if finite else set()
        kept += sorted(ends | {k for k in part if not math.isfinite(course[k])})
    return [(k, course[k]) for k in kept]


def _last(course: Sequence[float]) -> int | None:
    """The last step that has a finite number."""
    return next((k for k in reversed(range(len(course))) if math.isfinite(course[k])), None)


def _labels(courses: Sequence[Course], styles: Sequence[str], scale: Scale, last: int) -> Iterator[str]:
    """The name of each course where it ends, with its last number; none over another."""
    placed = []
    for which, (name, course) in enumerate(courses):
        at = _last(course)
        end = number(course[-1])
        if at != len(course) - 1:
            end += f" after {count(len(course) - 1, 'step')}"
        placed.append((HEIGHT - BOTTOM if at is None else _y(course[at], scale), which, name, end))
    above: float = TOP + 4 - 2 * APART
    x = WIDTH - RIGHT + 10
    for rank, (wanted, which, name, end) in enumerate(sorted(placed)):
        lowest = HEIGHT - BOTTOM - APART - 2 * APART * (len(placed) - 1 - rank)
        above = y = min(max(wanted, above + 2 * APART), lowest)
        line = f'x1="{x}" x2="{x + 18}" y1="{y - 4:.1f}" y2="{y - 4:.1f}"'
        yield f'<line {line} stroke-width="2" style="{styles[which]}"/>'
        yield f'<text x="{x + 24}" y="{y:.1f}">{escape(name)}</text>'
        yield f'<text x="{x + 24}" y="{y + APART:.1f}" opacity=".8">{escape(end)}</text>'
