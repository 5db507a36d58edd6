"""The reference engine: every op's NumPy rule, one after another. What it computes is what the others must."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import Symbol
from .traced import Trace


class Interpreter:
    """Runs a trace on arrays."""

    name = "interpret"

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.inputs = [
            *(s for _, s in trace.arguments),
            *(s for _, s in trace.cells),
            *(o.symbol for o in trace.options),
        ]
        self.outputs = [*trace.values, *(v for _, v in trace.updates), *(v for _, v in trace.argument_updates)]

    def run(self, arrays: Sequence[Any]) -> list[Any]:
        """The values of `outputs`, given those of `inputs`."""
        held: dict[int, Any] = {id(key): array for key, array in zip(self.inputs, arrays, strict=True)}
        with np.errstate(all="ignore"):
            for step in self.trace.steps:
                held[id(step.out)] = step.op.value(np, *[held.get(id(v), v) for v in step.inputs], **step.params)
        return [np.asarray(held[id(v)] if isinstance(v, Symbol) else held.get(id(v), v)) for v in self.outputs]
