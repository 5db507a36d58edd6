"""The demonstration: every number of a small backpropagation, then a net that learns to read handwritten digits."""

from __future__ import annotations

from ..recipes.worked import show as show_article
from .digits import show as show_digits

__all__ = ["show_article", "show_digits"]
