"""Explaining: every number of a backward pass answers "why"."""

from .tape import Tape, record

__all__ = ["Tape", "record"]
