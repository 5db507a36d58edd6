"""The operations and bytes of a recorded step: by phase, by kind of op, by module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..explain import Tape
from ..graph import Node, Overwritten
from .recorded import operations
from .report import Row, Work

PHASES = {"forward": "forward", "loss": "forward", "backward": "backward", "update": "update"}
Name = tuple[str, str]
Table = dict[Name, dict[str, Work]]
"""By name and class, then by phase."""


def counted(tape: Tape) -> tuple[dict[str, Work], tuple[Row, ...], tuple[Row, ...]]:
    """The work of each phase, and the rows for kinds of op and for modules."""
    phases: dict[str, Work] = dict.fromkeys(("forward", "backward", "update"), Work())
    kinds: Table = {}
    modules: Table = {}
    for node, record in tape.records.items():
        phase = PHASES.get(tape.phase(node))
        if node.op is None or phase is None or node in tape.outside:
            continue
        read, written = moved(node, record.value, [tape.records[x].value for x in record.inputs if x in tape.records])
        work = Work(operations(node, record.inputs), read, written)
        phases[phase] += work
        _add(kinds, (node.op.name, ""), phase, work)
        if phase != "update":
            _add(modules, (record.path, _class(node)), phase, work)
    rows = sorted(_rows(kinds), key=lambda row: -row.work.operations)
    return phases, tuple(rows), tuple(_rows(modules))


def _class(node: Node) -> str:
    """The class of the innermost module that a node was made in."""
    scope = node.origin.scope if node.origin is not None else None
    return type(scope[0]).__name__ if scope is not None else ""


def moved(node: Node, value: Any, inputs: list[Any]) -> tuple[int, int]:
    """Bytes that an op reads and writes: none if its result is but another look at what it is made of."""
    if isinstance(value, Overwritten) or any(isinstance(each, Overwritten) for each in inputs):
        value, inputs = np.empty(node.shape, node.dtype), []
    if any(np.may_share_memory(value, each) for each in inputs):
        return 0, 0
    return sum(map(_held, inputs)), _held(value)


def _held(array: Any) -> int:
    """Bytes of an array's own entries, each once however often it is repeated."""
    size = int(array.itemsize)
    for count, stride in zip(array.shape, array.strides, strict=True):
        size *= count if stride or not count else 1
    return size


def _add(table: Table, name: Name, phase: str, work: Work) -> None:
    held = table.setdefault(name, {})
    held[phase] = held.get(phase, Work()) + work


def _rows(table: Mapping[Name, Mapping[str, Work]]) -> list[Row]:
    none = Work()
    return [
        Row(*name, held.get("forward", none), held.get("backward", none), held.get("update", none))
        for name, held in table.items()
    ]
