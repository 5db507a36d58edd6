"""What a training has reached, epoch by epoch: as rows, as a table, as CSV, as a picture."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import IndexRangeError
from ..view import needed

Row = dict[str, Any]


class History:
    """One row for each epoch.

    >>> from glassgrad.train import History
    >>> history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "accuracy": 0.875}])
    >>> history["loss"], history.last["accuracy"]
    ([0.5, 0.25], 0.875)
    >>> print(history.table())
    epoch  loss  accuracy
        1   0.5
        2  0.25     0.875
    """

    def __init__(self, rows: list[Row] | None = None) -> None:
        self.rows: list[Row] = [] if rows is None else rows
        self.stopped = ""
        """Why the training ended before all its epochs: "Ctrl-C", or what the one who stopped it said."""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @property
    def columns(self) -> list[str]:
        """The names of all columns, in order."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    @property
    def last(self) -> Row:
        """The last epoch's row, empty before there is one."""
        return self.rows[-1] if self.rows else {}

    def __getitem__(self, name: str) -> list[Any]:
        """A column, as a list; None where a row lacks it. Raises IndexRangeError for an unknown name."""
        if name not in self.columns:
            raise IndexRangeError(f"the history has no column {name!r}", got=f"columns {', '.join(self.columns)}")
        return [row.get(name) for row in self.rows]

    def table(self) -> str:
        """All rows as text, in columns."""
        lines = [self.columns, *([_written(row.get(name)) for name in self.columns] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(map(str.rjust, line, widths)).rstrip() for line in lines)

    __str__ = table

    def __repr__(self) -> str:
        return f"History({len(self.rows)} epochs: {', '.join(self.columns)})"

    def csv(self, path: str | Path) -> Path:
        """Write all rows as CSV; an older file of the name stays whole until the new one is complete."""
        made = io.StringIO()
        writer = csv.DictWriter(made, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return replace_file(Path(path), made.getvalue().encode())

    def plot(self, path: str | Path) -> Path:
        """Draw losses, metrics and the rate over the epochs; the name's ending says as what (png, svg, pdf).

        Raises MissingExtra where matplotlib, the extra ``plots``, is not installed.
        """
        return save_figure(self.figure(), Path(path))

    def figure(self) -> Any:
        """What `plot` draws, as a figure of matplotlib."""
        figure = needed("matplotlib.figure", "a plot").Figure
        names = [n for n in self.columns if n not in ("epoch", "step", "seconds", "samples_per_second")]
        plain = list(dict.fromkeys(name.removeprefix("valid_") for name in names))
        made = figure(figsize=(6.4, 2.4 * max(len(plain), 1)), layout="constrained")
        panels = made.subplots(max(len(plain), 1), 1, sharex=True, squeeze=False)[:, 0]
        epochs = [row["epoch"] for row in self.rows]
        for panel, name in zip(panels, plain, strict=False):
            for each, label in ((name, "train"), (f"valid_{name}", "valid")):
                if each in names:
                    panel.plot(epochs, [_number(v) for v in self[each]], marker=".", label=label)
            panel.set_ylabel(name)
            panel.grid(alpha=0.3)
            if f"valid_{name}" in names:
                panel.legend()
        panels[-1].set_xlabel("epoch")
        return made


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _written(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def save_figure(figure: Any, path: Path) -> Path:
    """Write a figure of matplotlib; the older file stays until the new one is complete."""
    made = io.BytesIO()
    figure.savefig(made, format=path.suffix.lstrip(".") or "png", dpi=120)
    return replace_file(path, made.getvalue())


def replace_file(path: Path, content: bytes) -> Path:
    """Write a file by way of a temporary one beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
