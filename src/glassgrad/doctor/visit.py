"""A step as it was watched, and copies of what a training began with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..explain.tape import Tape
from ..graph import Node
from ..optim import Optimizer
from ..tensor import Tensor
from .calls import Call
from .copies import Copies


@dataclass
class Visit:
    """One step as it was watched."""

    tape: Tape
    root: Node
    """What backward began from."""
    calls: list[Call]
    """Of modules, gradients on, in order; and of functions on what those gave."""
    optimizer: Optimizer | None = None
    """The one that took its step."""


@dataclass
class Start:
    """Copies of what a training began with. They share what their originals share."""

    memo: dict[int, Any] = field(default_factory=dict)
    optimizer: Optimizer | None = None
    seed: Tensor | None = None

    def of(self, what: Any) -> Any:
        """The copy of a module, an optimizer or a parameter: made now, if there is none yet."""
        return Copies(self.memo).of(what)

    def put(self, what: Any, made: Tensor) -> Tensor:
        """Have something for the copy; what it is one of has to stay, so that nothing else gets its identity."""
        self.memo[id(what)] = made
        self.memo.setdefault(id(self.memo), []).append(what)
        return made

    def has(self, what: Any) -> bool:
        return id(what) in self.memo

    def forget(self) -> None:
        """Begin anew: what was copied was changed before a step was taken."""
        self.memo.clear()
