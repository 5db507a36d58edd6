"""Pictures that several recipes draw: rows of images, matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..view import needed


def canvas(width: float, height: float) -> Any:
    """An empty figure of matplotlib, in inches."""
    return needed("matplotlib.figure", "a recipe's page").Figure(figsize=(width, height), layout="constrained")


def tiles(
    images: np.ndarray, titles: Sequence[str] = (), *, columns: int = 8, signed: bool = False, size: float = 1.1
) -> Any:
    """Grey images side by side; of shape (n, height, width).

    Args:
        images: each is drawn over its own range.
        titles: one for each image, or none.
        columns: images in a row.
        signed: zero in the middle of a scale from blue to red, for weights.
        size: the side of an image, in inches.
    """
    rows = max(1, -(-len(images) // columns))
    figure = canvas(size * columns, (size + 0.3 * bool(titles)) * rows)
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


def confusion(said: np.ndarray, true: np.ndarray, classes: Sequence[str]) -> Any:
    """How often each class was taken for which."""
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (true, said), 1)
    return matrix(counts, classes, classes, below="what the net says", left="what it is")
