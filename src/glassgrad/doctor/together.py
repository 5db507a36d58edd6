"""Several optimizers as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..optim import Optimizer


class Together(Optimizer):
    """Several optimizers as one: what a loop does that has one for each part of its model."""

    def __init__(self, parts: Sequence[Optimizer]) -> None:
        self.parts = list(parts)
        self.__setstate__({"defaults": {}, "state": {}, "param_groups": [g for p in parts for g in p.param_groups]})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """All take a step."""
        found = [part.step(closure) for part in self.parts]
        return found[0]

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "parts": self.parts}
