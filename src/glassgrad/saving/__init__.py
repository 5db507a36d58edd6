"""Saving and loading without loss: `save`, `load`, and `Checkpoints`, a folder that keeps the last few."""

from __future__ import annotations

from .checkpoints import Checkpoint, Checkpoints, DamagedCheckpoint
from .errors import DamagedFile, FileError, MissingFile
from .files import load, save
from .torch_file import TorchNeeded

__all__ = [
    "Checkpoint", "Checkpoints", "DamagedCheckpoint", "DamagedFile", "FileError", "MissingFile", "TorchNeeded", "load",
    "save",
]  # fmt: skip
