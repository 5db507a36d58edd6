"""Numbers that are none: where the first NaN or infinity comes from, forward or backward."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...findings import Place
from ..probe import Probe
from ..rule import Suspicion, rule

FOLLOWS = ("exploding gradients", "vanishing gradients", "saturated activations", "too high a rate", "flat place")


@rule("numbers that are not finite", explains=FOLLOWS, whatever=True)
def not_finite(probe: Probe) -> Iterator[Suspicion]:
    """The first operation whose operands are finite and whose result, or what it sends back, is not."""
    tape = probe.tape
    for site in probe.sites:
        at = first_bad(site.value)
        if at is None:
            continue
        operands = [tape.value(each) for each in tape.inputs(site.node)]
        place = replace(site.place, entry=at)
        bad = next((each for each in operands if first_bad(each) is not None), None)
        if bad is None:
            shape = site.value.shape
            given = ", ".join(f"{entry_of(each, at, shape):.4g}" for each in operands if each.dtype.kind in "fiub")
            yield Suspicion(
                f"{site.name} gives {site.value[at]:.4g}",
                place,
                {"entries that are not finite": float(np.sum(~np.isfinite(site.value)))},
                f"{site.name} of {given}: finite numbers go in, and none comes out",
            )
        else:
            which = next(each for each in tape.inputs(site.node) if tape.value(each) is bad)
            name = tape.symbols.text(which)
            yield Suspicion(
                f"{name} holds {bad[first_bad(bad)]:.4g} before anything is computed",
                Place("", name, "", first_bad(bad)),
                {"entries that are not finite": float(np.sum(~np.isfinite(bad)))},
                "what the step is given is not finite, so that nothing after it can be",
            )
        return
    for edge in tape.edges:
        arrived, sent = tape.value(tape.cotangents[edge.node]), tape.value(edge.part)
        at = first_bad(sent)
        if at is None or first_bad(arrived) is not None:
            continue
        op = edge.node.op
        assert op is not None
        held = tape.records[edge.node]
        operand = tape.value(tape.inputs(edge.node)[edge.index])
        given = f"{operand[at]:.4g}" if operand.shape == sent.shape else "its operand"
        yield Suspicion(
            f"the derivative of {op.name} is {sent[at]:.4g}",
            Place(op.name, held.path, edge.node.where, at),
            {"entries that are not finite": float(np.sum(~np.isfinite(sent)))},
            f"{op.name} has no finite slope at {given}, though its value is finite there",
        )
        return


def first_bad(array: Any) -> tuple[int, ...] | None:
    """The first entry that is not finite."""
    if array.dtype.kind != "f":
        return None
    places = np.flatnonzero(~np.isfinite(array))
    return tuple(int(i) for i in np.unravel_index(places[0], array.shape)) if len(places) else None


def entry_of(array: Any, at: tuple[int, ...], shape: tuple[int, ...]) -> float:
    """The entry of an operand that belongs to an entry of the result, if its shape is the same; else its largest."""
    return float(array[at]) if array.shape == shape else float(np.max(np.abs(array), initial=0))
