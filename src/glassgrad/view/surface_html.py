"""The loss around a training as one self-contained page: pictures, words, and the numbers of the pictures as tables."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..surface import Spectrum, Surface
from .html import asset, inert
from .json import replace, to_dict
from .lines import clean, number
from .surface_map import LEFT, SIDE, TOP, course, density, line_map, plane_map, shades
from .surface_text import about, of_path, of_spectrum

LIGHT = ("#fdfcf9", "#e3ebf4", "#b4cbe5", "#6f9bce", "#2f63a6", "#183a69")
DARK = ("#17181b", "#1c2a3d", "#22466e", "#2f6aa6", "#5e9ada", "#b3d4fb")
"""The map's shades, from low to high: in both colours the path ends on the page's own."""
COARSE = 11
"""Rows and columns of the plane's table, at most."""
PLANE = (
    "The plane goes through the weights at the end, its origin. Distances are measured in the sizes of the filters at "
    "the end (rows of matrices, output channels of kernels), so that a net which computes the same with other scales "
    "of its layers gives the same picture (Li et al. 2018)."
)
PATH = "Its directions are the principal components of the path in this measure."
RANDOM = (
    "Its directions are random: every filter of a direction is as large as the weights' filter, biases and norms don't "
    "move. Of the path the nearest points of the plane are drawn."
)
WHOLE = "All eigenvalues of the Hessian, each drawn a little blurred."
SAMPLED = (
    "The density that random vectors see, by Lanczos (Ghorbani et al. 2019). The ends are known best; single small "
    "eigenvalues are not."
)


def write(surface: Surface, path: str | Path) -> Path:
    """Write the page to a file."""
    return replace(path, page(surface))


def page(surface: Surface) -> str:
    """The page as text."""
    script = "'use strict';\n" + asset("surface.js")
    title = surface.title or "The loss around a training"
    sections, count = _sections(surface)
    parts = {
        "TITLE": _safe(title),
        "HASH": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "STYLE": "\n".join([asset("report.css"), asset("surface.css"), _colours(count)]),
        "HEADING": _safe(title),
        "LEDE": _safe(about(surface)),
        "MAIN": "\n".join(sections),
        "FOOT": _safe("Nothing is loaded from anywhere. The numbers of the pictures stand in the tables below them."),
        "DATA": inert(json.dumps(_data(surface), allow_nan=False, separators=(",", ":"))),
        "SCRIPT": script,
    }
    made, pieces = asset("surface.html"), []
    for name, text in parts.items():
        before, _, made = made.partition(f"<!--{name}-->")
        pieces += [before, text]
    return "".join([*pieces, made])


def _sections(surface: Surface) -> tuple[list[str], int]:
    """The parts of the page, and how many shades the map takes."""
    made, count = [f'<p class="warning">{_safe(note)}</p>' for note in surface.notes], 0
    plane = surface.plane
    said = of_path(surface)
    if plane is None:
        made.append(_section("The path", "", "", said, _path_table(surface)))
    else:
        if len(plane.up) > 1:
            drawn, count = plane_map(surface)
        else:
            drawn = line_map(surface)
        how = RANDOM if plane.directions == "random" else PATH
        tables = _path_table(surface) + _plane_table(surface)
        made.append(_section("The loss around the path", drawn, f"{PLANE} {how}", [*said, _sliders(surface)], tables))
    seen = surface.spectrum
    if seen is not None:
        caption = (WHOLE if seen.exact else SAMPLED) + " Upwards by equal factors; a mark stands at each outlier."
        made.append(
            _section("The curvature at the end", density(seen), caption, of_spectrum(surface), _spectrum_table(seen))
        )
    return made, count


def _section(title: str, drawn: str, caption: str, said: Iterable[str], tables: str) -> str:
    told = "".join(each if each.startswith("<") else f"<p>{_safe(each)}</p>" for each in said)
    figure = f"<figure><div>{drawn}</div><figcaption>{_safe(caption)}</figcaption></figure>" if drawn else ""
    return f'<section><h2>{_safe(title)}</h2><div class="told">{figure}<div>{told}{tables}</div></div></section>'


def _sliders(surface: Surface) -> str:
    plane = surface.plane
    assert plane is not None
    made = (
        f"<fieldset><legend>Along the training</legend>{_slider('step', 'Snapshot', len(surface.path) - 1, None)}"
        '<output id="at-step" for="step"></output></fieldset>'
    )
    if len(plane.up) > 1:
        made += (
            "<fieldset><legend>Anywhere in the plane (or click into it)</legend>"
            f"{_slider('across', 'Across', len(plane.across) - 1, (len(plane.across) - 1) // 2)}"
            f"{_slider('up', 'Up', len(plane.up) - 1, (len(plane.up) - 1) // 2)}"
            '<output id="at-point" for="across up"></output></fieldset>'
        )
    return made


def _slider(name: str, label: str, most: int, at: int | None) -> str:
    value = most if at is None else at
    return f'<label>{label}<input type="range" id="{name}" min="0" max="{most}" step="1" value="{value}"></label>'


# -- tables ------------------------------------------------------------------------------------------------------------


def _path_table(surface: Surface) -> str:
    rows = [
        [
            f"{stop.step:,}",
            *map(number, (stop.loss,)),
            *(number(each, 3) for each in (stop.across, stop.up, stop.beside)),
        ]
        for stop in surface.path
    ]
    return _table("The path as a table", ["steps", "loss", "across", "up", "beside the plane"], rows)


def _plane_table(surface: Surface) -> str:
    """Some rows and columns, evenly spread, the highest row first as on the map."""
    plane = surface.plane
    assert plane is not None
    columns, lines = _spread(len(plane.across)), _spread(len(plane.up))[::-1]
    rows = [[number(plane.up[i], 3), *(number(plane.losses[i][j], 3) for j in columns)] for i in lines]
    head = ["up \\ across", *(number(plane.across[j], 3) for j in columns)]
    return _table("The loss in the plane as a table", head, rows)


def _spread(count: int) -> list[int]:
    step = max(1, math.ceil((count - 1) / (COARSE - 1)))
    return list(range((count - 1) % step // 2, count, step))


def _spectrum_table(seen: Spectrum) -> str:
    """The outliers, and how the rest is spread over powers of ten."""
    most = max(abs(seen.low), abs(seen.high)) or 1.0
    above = [most * 10.0**-k for k in range(5, 0, -1)]
    edges = [-math.inf, *(-each for each in reversed(above)), *above, math.inf]
    rows = []
    for low, high in reversed(list(itertools.pairwise(edges))):
        part = sum(w for v, w in zip(seen.values, seen.weights, strict=True) if low < v <= high)
        rows.append([f"{number(low, 3)} to {number(high, 3)}", f"{part:.2%}" if part else "0"])
    spread = _table("The spectrum as a table", ["eigenvalues", "share of all"], rows)
    if not seen.outliers:
        return spread
    outliers = [[str(k), number(each)] for k, each in enumerate(seen.outliers, 1)]
    return _table("The outliers as a table", ["", "eigenvalue"], outliers) + spread


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table to be opened; the first cell of a row names it."""
    top = "".join(f'<th scope="col">{_safe(each)}</th>' for each in head)
    body = "".join(
        f'<tr><th scope="row">{_safe(row[0])}</th>' + "".join(f"<td>{_safe(each)}</td>" for each in row[1:]) + "</tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<details><summary>{_safe(title)}</summary><div class="scroll" tabindex="0">{table}</div></details>'


# -- what the script is told -------------------------------------------------------------------------------------------


def _data(surface: Surface) -> dict[str, Any]:
    plane = surface.plane
    if plane is None:
        return {"path": []}
    wide = len(plane.up) > 1
    heights = [None] * len(surface.path) if wide else course(surface)
    path = [
        {**to_dict(stop), **({} if height is None else {"height": height})}
        for stop, height in zip(surface.path, heights, strict=True)
    ]
    right = LEFT + SIDE + (0 if wide else 60)
    x = {"low": plane.across[0], "high": plane.across[-1], "begin": LEFT, "end": right}
    made: dict[str, Any] = {"path": path, "x": x}
    if wide:
        made["y"] = {"low": plane.up[0], "high": plane.up[-1], "begin": TOP + SIDE, "end": TOP}
        made |= {"across": list(plane.across), "up": list(plane.up), "losses": to_dict(plane.losses)}
    return made


def _colours(count: int) -> str:
    """The map's shades as variables, for both colours."""

    def said(stops: tuple[str, ...], contour: str) -> str:
        named = "".join(f"--b{k}:{shade};" for k, shade in enumerate(shades(max(count, 1), stops)))
        return f"{{--contour:{contour};{named}}}"

    dark = said(DARK, "#ffffff1c")
    return (
        f':root{said(LIGHT, "#24221e26")}:root[data-theme="dark"]{dark}'
        f"@media (prefers-color-scheme: dark){{:root:not([data-theme]){dark}}}"
    )


def _safe(text: str) -> str:
    """A text that is nothing but text, and that does not end a line before a percent sign."""
    return html.escape(clean(text)).replace(" %", "\u00a0%")
