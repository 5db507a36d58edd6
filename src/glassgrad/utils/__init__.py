"""Helpers around training; see `glassgrad.utils.data` and `glassgrad.utils.checkpoint`."""

from __future__ import annotations

from . import checkpoint, data

__all__ = ["checkpoint", "data"]
