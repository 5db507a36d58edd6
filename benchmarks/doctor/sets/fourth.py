"""The fourth set: other nets, and the faults in them."""

from edits import Broken, Healthy

NETS: dict[str, str] = {}
"""The healthy programs of this set, and what kind of net each one trains."""
LEARNED: dict[str, float] = {}
"""Losses below which something is learned, where they are not the usual one."""
BROKEN: list[Broken] = []
HEALTHY: list[Healthy] = []
