"""Helpers around training; see `glassgrad.utils.data`."""

from __future__ import annotations

from . import data

__all__ = ["data"]
