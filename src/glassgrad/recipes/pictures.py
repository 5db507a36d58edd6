"""Pictures that several recipes draw: rows of images, matrices, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..view import needed


def canvas(width: float, height: float) -> Any:
    """An empty figure of matplotlib, in inches."""
    return needed("matplotlib.figure", "a recipe's page").Figure(figsize=(width, height), layout="constrained")


def tiles(
    images: np.ndarray, titles: Sequence[str] = (), *, columns: int = 8, signed: bool = False, size: float = 1.1
) -> Any:
    """Images side by side: grey ones of shape (n, height, width), or (n, height, width, 3) with their colours.

    Args:
        images: each grey one is drawn over its own range.
        titles: one for each image, or none.
        columns: images in a row.
        signed: zero in the middle of a scale from blue to red, for weights.
        size: how wide an image is, in inches.
    """
    rows = max(1, -(-len(images) // columns))
    tall = size * images.shape[1] / images.shape[2]
    figure = canvas(size * columns, (tall + 0.3 * bool(titles)) * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.axis("off")
    for place, (panel, image) in enumerate(zip(panels, images, strict=False)):
        most = float(np.abs(image).max()) or 1.0
        scale = {"cmap": "RdBu_r", "vmin": -most, "vmax": most} if signed else {"cmap": "gray_r"}
        panel.imshow(image, **scale)
        if titles:
            panel.set_title(titles[place], fontsize=8)
    return figure


def matrix(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    below: str = "",
    left: str = "",
    form: str = "{:g}",
    size: float = 5.5,
) -> Any:
    """A matrix as a heat map with its numbers, if it has no more than 144: confusions, attention."""
    figure = canvas(size, size * max(0.3, min(1.2, len(rows) / max(len(columns), 1))))
    panel = figure.subplots()
    panel.imshow(values, cmap="Blues", aspect="auto")
    panel.set_xticks(range(len(columns)), columns, fontsize=8)
    panel.set_yticks(range(len(rows)), rows, fontsize=8)
    panel.set_xlabel(below)
    panel.set_ylabel(left)
    if values.size <= 144:
        dark = values.max() / 2
        for (row, column), value in np.ndenumerate(values):
            colour = "white" if value > dark else "black"
            panel.text(column, row, form.format(value), ha="center", va="center", color=colour, fontsize=8)
    return figure


def curves(
    lines: Mapping[str, Any],
    *,
    behind: Sequence[Any] = (),
    style: str = "-",
    size: tuple[float, float] = (6.4, 4.0),
    **axes: Any,
) -> Any:
    """Lines with their names.

    Args:
        lines: by name, each its heights, or its places and its heights.
        behind: others, thin and grey, without names.
        style: of the lines, in matplotlib's signs: "o-" has a dot at each place.
        size: width and height of the figure, in inches.
        axes: what else is set, by matplotlib's names: xlabel, ylim, aspect.
    """
    figure = canvas(*size)
    panel = figure.subplots()
    for line in behind:
        panel.plot(*np.atleast_2d(line), color="silver", linewidth=0.8)
    for name, line in lines.items():
        panel.plot(*np.atleast_2d(line), style, label=name, linewidth=1.5)
    panel.set(**axes)
    panel.legend()
    return figure


def confusion(said: np.ndarray, true: np.ndarray, classes: Sequence[str]) -> Any:
    """How often each class was taken for which."""
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (true, said), 1)
    return matrix(counts, classes, classes, below="what the net says", left="what it is")


BLANK, DARK, LIGHT = list(".+-_"), list("xX@b"), list("oOw")
"""Characters for an empty square of a board, and for the stones of the two players."""


def boards(marks: np.ndarray, shares: np.ndarray, titles: Sequence[str], *, columns: int = 4) -> Any:
    """Boards side by side; of shape (n, rows, columns).

    Args:
        marks: a character for each square; players' stones where there are no others than theirs.
        shares: how green each square is, from 0 to 1.
        titles: one for each board.
        columns: boards in a row.
    """
    count, rows = marks.shape[2], -(-len(marks) // columns)
    stones = set(marks.ravel().tolist()) <= {*BLANK, *DARK, *LIGHT}  # in chess, b is a bishop
    figure = canvas(9, (9 / columns * marks.shape[1] / count + 0.3) * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(marks) :]:
        panel.axis("off")
    for panel, board, share, title in zip(panels, marks, shares, titles, strict=False):
        panel.imshow(share, cmap="Greens", vmin=0, vmax=1)
        panel.set_title(title, fontsize=8)
        panel.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
        panel.set(xticks=np.arange(0.5, count - 1), yticks=np.arange(0.5, marks.shape[1] - 1))
        panel.grid(color="silver", linewidth=0.5)
        for (row, column), mark in np.ndenumerate(board):
            if stones and mark not in BLANK:
                colour = "black" if mark in DARK else "white"
                panel.plot(column, row, "o", color=colour, markeredgecolor="black", markersize=340 / columns / count)
            elif mark not in BLANK:
                panel.text(column, row, mark, ha="center", va="center", fontsize=260 / columns / count)
    return figure
