"""The command line: ``glassgrad demo``, ``explain``, ``step``, ``cost``, ``doctor``, ``landscape``, ``recipe``."""

from . import demos, explaining, examining  # noqa: F401, I001 - they declare the commands, in this order
from .base import app

__all__ = ["app"]
