"""The recorded forward pass run again with other numbers: the graph is there, so nothing of the user's is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..graph import Node
from .recording import Recording


def replay(tape: Recording, changed: Mapping[Node, Any], wide: bool = False) -> float:
    """The loss with other values of some leaves; random draws stay what they were. `wide` computes in float64."""
    values: dict[Node, Any] = {}
    widened: dict[Node, Any] = {}

    def value(node: Node) -> Any:
        found = values.get(node)
        if found is not None:
            return found
        held = tape.value(node)
        if not wide or held.dtype.kind != "f":
            return held
        if node not in widened:
            widened[node] = held.astype(np.float64)
        return widened[node]

    for node, new in changed.items():
        values[node] = new.astype(np.float64) if wide else new
    with np.errstate(all="ignore"):
        for node, held in tape.records.items():
            if tape.is_leaf(node) or node in values or node.id > tape.loss.id:
                continue
            if any(x in values for x in held.inputs):
                assert node.op is not None
                params = node.params
                if wide and "dtype" in params and np.dtype(params["dtype"]).kind == "f":
                    params = {**params, "dtype": np.dtype(np.float64)}
                values[node] = node.op.value(np, *[value(x) for x in held.inputs], **params)
    return float(np.sum(value(tape.loss)))
