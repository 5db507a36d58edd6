"""The views of a report: text, HTML, notebook and JSON of the same plain data.

What a view needs beyond the core is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import GlassgradError

EXTRAS = {"igraph": "html", "latex2mathml.converter": "html", "textual": "tui"}
"""The extra of the package that brings a module."""


class MissingExtra(GlassgradError, ImportError):
    """A view was asked for whose packages are not installed."""


def needed(module: str, what: str) -> Any:
    """A module of an extra; where it is not installed, an error that names the way out."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        extra = EXTRAS[module]
        raise MissingExtra(
            f"{what} needs {module.partition('.')[0]}, which is not installed",
            fix=f"pip install 'glassgrad[{extra}]'",
        ) from error
