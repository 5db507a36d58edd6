"""Which objects were made since a moment: while a step is traced, what it makes itself is told from what was there.

Python's collector keeps new objects apart, in its youngest generation, until it runs. So it is switched off meanwhile,
and asked for that generation: how many other objects a process has does not matter.
"""

from __future__ import annotations

import gc
from typing import Any

from ..graph import Symbol
from ..tensor import Tensor


class Newborn:
    """While it is on, no rubbish is collected, unless the step itself does so."""

    def __enter__(self) -> Newborn:
        self.enabled = gc.isenabled()
        gc.disable()
        self.frozen = gc.get_freeze_count() > 0
        if self.frozen:  # the collector would not find the cells of a step among frozen objects
            gc.unfreeze()
        gc.collect(0)
        self.runs = _runs()
        return self

    def __exit__(self, *_: object) -> None:
        if self.frozen:
            gc.freeze()
        if self.enabled:
            gc.enable()

    def ids(self) -> set[int]:
        """Of all that was made and is there."""
        return set(map(id, gc.get_objects(generation=0)))

    def holding_symbols(self) -> list[Tensor]:
        """Tensors that hold a symbol, which no one should after a trace."""
        if _runs() == self.runs:
            if not _cells(gc.get_objects(generation=0)):
                return []
            gc.collect(0)
        if not _cells(gc.get_objects()):
            return []
        gc.collect()
        return _cells(gc.get_objects())


def _cells(objects: list[Any]) -> list[Tensor]:
    return [each for each in objects if is_cell(each) and isinstance(each._node.value, Symbol)]


def is_cell(thing: Any) -> bool:
    """isinstance would read `__class__` of foreign objects, and some of them answer with a warning."""
    return issubclass(type(thing), Tensor)


def _runs() -> int:
    """How often rubbish has been collected."""
    return sum(generation["collections"] for generation in gc.get_stats())
