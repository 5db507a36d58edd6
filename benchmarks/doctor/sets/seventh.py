"""The seventh set."""

from edits import Broken, Healthy

NETS: dict[str, str] = {}
LEARNED: dict[str, float] = {}
HEALTHY: list[Healthy] = []
BROKEN: list[Broken] = []
