"""A traced step as a small graph of values, which the passes rewrite and the emitters read.

A `Val` is one value: an op over other values, an input, or a constant. Vals never change; a pass makes new ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..dispatch import leaf
from ..graph import Origin, Symbol
from ..op import REGISTRY
from ..spec import Dtype, Shape, Spec
from .trace import Tracer, tracing
from .traced import Step, Trace

INPUT, CONST = "input", "const"
OWN = {"iota", "assemble", "contig"}
"""Ops that only the engine has: the numbers along an axis; parts put together into one array; a copy in order."""


class Val:
    """One value of a program."""

    __slots__ = ("data", "dtype", "id", "ins", "op", "origin", "params", "seen", "shape")
    _ids = itertools.count()

    def __init__(
        self, op: str, ins: tuple[Val, ...], params: Mapping[str, Any], shape: Shape, dtype: Dtype, data: Any = None,
        origin: Origin | None = None,
    ) -> None:  # fmt: skip
        self.op, self.ins, self.params, self.shape, self.dtype = op, ins, params, tuple(shape), dtype
        self.data, self.origin = data, origin
        self.id = next(self._ids)
        self.seen: Any = ()
        """Where its entries lie, once somebody has asked (`access.access`); () before."""

    @property
    def size(self) -> int:
        """How many entries it has."""
        count = 1
        for n in self.shape:
            count *= n
        return count

    @property
    def bytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def number(self) -> Any:
        """The number of a 0-d constant; None for anything else."""
        return self.data.item() if self.op == CONST and self.data.size == 1 else None

    def __repr__(self) -> str:
        return f"<{self.op} {self.dtype}{list(self.shape)} #{self.id}>"


class Program:
    """Inputs, outputs, and what lies between them."""

    def __init__(self, inputs: Sequence[Val], outputs: Sequence[Val]) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)

    def order(self) -> list[Val]:
        """All values that the outputs need, each after what it is made of; never recursive."""
        seen: set[Val] = set()
        found: list[Val] = []
        for output in self.outputs:
            stack = [(output, False)]
            while stack:
                val, ready = stack.pop()
                if ready:
                    found.append(val)
                    continue
                if val in seen:
                    continue
                seen.add(val)
                stack.append((val, True))
                stack.extend((source, False) for source in val.ins if source not in seen)
        return sorted(found, key=lambda v: v.id)

    def users(self) -> dict[Val, list[Val]]:
        """Which values are made of each value."""
        found: dict[Val, list[Val]] = {val: [] for val in self.order()}
        for val in found:
            for source in dict.fromkeys(val.ins):
                found[source].append(val)
        return found

    def __str__(self) -> str:
        names = {val: f"i{place}" for place, val in enumerate(self.inputs)}
        lines = [f"# {names[val]}: {val.dtype}{list(val.shape)}" for val in self.inputs]
        count = itertools.count()
        for val in self.order():
            if val.op == INPUT:
                continue
            if val.op == CONST:
                names[val] = repr(val.number) if val.size == 1 else f"constant{list(val.shape)}"
                continue
            names[val] = f"v{next(count)}"
            words = [names[v] for v in val.ins] + [f"{k}={v!r}" for k, v in val.params.items()]
            lines.append(f"{names[val]} = {val.op}({', '.join(words)})  # {val.dtype}{list(val.shape)}")
        lines.append("return " + ", ".join(names[val] for val in self.outputs))
        return "\n".join(lines)


def constant(array: Any) -> Val:
    array = np.asarray(array)
    return Val(CONST, (), {}, array.shape, array.dtype, array)


def of_trace(made: Trace) -> Program:
    """A trace as a program; ops that stand for a composition are taken apart."""
    vals: dict[int, Val] = {}
    inputs: list[Val] = []
    entered = [s for _, s in made.arguments] + [a for _, a in made.cells] + [o.symbol for o in made.options]
    for value in entered:
        val = Val(INPUT, (), {}, value.shape, value.dtype, len(inputs))
        vals[id(value)] = val
        inputs.append(val)

    def of(value: Any) -> Val:
        val = vals.get(id(value))
        if val is None:
            assert not isinstance(value, Symbol), "a symbol that no step makes"
            val = vals[id(value)] = constant(value)
        return val

    for step in made.steps:
        for part in _parts(step):
            ins = tuple(of(value) for value in part.inputs)
            vals[id(part.out)] = Val(part.op.name, ins, part.params, part.out.shape, part.out.dtype, None, step.origin)
    outputs = [*made.values, *(v for _, v in made.updates), *(v for _, v in made.argument_updates)]
    return Program(inputs, [of(value) for value in outputs])


def _parts(step: Step) -> Iterable[Step]:
    if step.op.compose is None:
        return [step]
    inner = Tracer()
    with tracing(inner):
        last = step.op.compose(*[leaf(value) for value in step.inputs], **step.params)
    inner.steps[-1].out = step.out
    assert last.value is not None
    return inner.steps


def made_of(op: str, ins: tuple[Val, ...], params: Mapping[str, Any], origin: Origin | None = None) -> Val:
    """A new Val of a registry op, its shape and dtype by the op's own rule."""
    spec = REGISTRY[op].spec(*[Spec(v.shape, v.dtype) for v in ins], **params)
    return Val(op, ins, params, spec.shape, spec.dtype, None, origin)
