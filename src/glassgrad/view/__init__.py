"""The views of a report: text, HTML, notebook and JSON of the same plain data.

What a view needs beyond the core is imported when it is first used.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

from ..errors import GlassgradError

EXTRAS = {
    "contourpy": "html",
    "gymnasium": "recipes",
    "highway_env": "recipes",
    "igraph": "html",
    "latex2mathml": "html",
    "matplotlib": "plots",
    "pyspiel": "recipes",
    "sklearn": "data",
    "tensorboardX": "tensorboard",
    "textual": "tui",
}
"""The extra that brings a package."""


class MissingExtra(GlassgradError, ImportError):
    """Something was asked for whose packages are not installed."""


def needed(module: str, what: str) -> Any:
    """A module of an extra; where it is not installed, an error that names the way out."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtra(
            f"{what} needs {package}, which is not installed",
            fix=f"pip install 'glassgrad[{EXTRAS[package]}]'",
        ) from error


def written(value: float) -> str:
    """A number to four digits, as formulas have it: 0.1417, 3, 1.2e−05."""
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "∞" if value > 0 else "−∞"
    text = str(int(value)) if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"
    return text.replace("-", "−")


def install(kind: Any, render: Callable[[Any], str]) -> None:
    """Give a class of a room that knows nothing of this one its notebook form."""

    def _repr_html_(self: Any) -> str:
        return render(self)

    kind._repr_html_ = _repr_html_
