"""Where the first NaN or infinity comes from, forward, backward or in the update; what is too large or too small."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...findings import Place
from ...graph import Node
from ...tensor import Tensor
from ..layers import LARGE, layers_of
from ..mending import scaled_inputs
from ..probe import Probe
from ..remedies import fitted_start, rate
from ..rule import Suspicion, rule
from ..tiny import lost_rows, pale
from ..trouble import GIVEN, MASKED, OVERFLOW, UNDEFINED, UNDERFLOW, Trouble
from .flatness import flattened

FOLLOWS = (
    "exploding gradients", "vanishing gradients", "saturated activations", "dead rectifiers", "too high a rate",
    "flat place", "zero gradient", "no gradient", "too low a rate", "unscaled inputs", "too large a start",
    "too small a start", "diverging loss", "oscillating loss", "no overfitting of one batch", "gradient noise",
    "softmax before a loss that has one", "sigmoid before a loss that has one", "weights that barely move",
    "weights that move wildly", "step before backward", "no update", "shuffled labels", "leaking label",
)  # fmt: skip
HUGE = 1e6
"""An operand above this overflows for what was before rather than for what is done with it."""


@rule("underflow", explains=FOLLOWS, whatever=True)
def underflow(probe: Probe) -> Iterator[Suspicion]:
    """A number too small for its dtype becomes 0, and its logarithm or its inverse is none."""
    found = probe.trouble
    if found is None and not probe.failed:
        yield from _silent(probe)
    if found is None or found.kind != UNDERFLOW:
        return
    assert found.led_to is not None
    yield Suspicion(
        f"{_name(found)} is too small for {found.node.dtype} and becomes {_rest(found)}{_when(found)}",
        place_of(found),
        {"entries that were lost": float(found.bad), **_given(found)},
        f"the least {found.node.dtype} with all its digits is {np.finfo(found.node.dtype).tiny:.2g}; of what is left "
        f"of a smaller number {_label(found, found.led_to)} makes {_worst(found.tape.value(found.led_to))}: "
        "compute in logarithms, with log_softmax, logsumexp, logsigmoid or a loss that takes logits, or a sum of "
        "logarithms for a product",
        (fitted_start(), scaled_inputs()),
    )


def _silent(probe: Probe) -> Iterator[Suspicion]:
    """Numbers that are lost without making others that are none: what is left is 0."""
    rows, faint = lost_rows(probe), pale(probe)
    if rows is not None:
        site, share = rows
        yield Suspicion(
            f"{site.name} is too small for {site.node.dtype} and becomes 0, so that no gradient gets past it",
            site.place,
            {"share of rows that were lost": share, "largest operand": _largest(probe, site.node)},
            f"{np.finfo(site.node.dtype).smallest_subnormal:.2g} is the least above 0: what {site.name} is given makes "
            "less, and a slope that is a multiple of it is 0, too: compute in logarithms, or scale what goes in",
            (scaled_inputs(), fitted_start()),
        )
    elif faint is not None and flattened(probe, False)[0] is None:
        yield Suspicion(
            f"half of all gradients are below {faint.median:.2g}: their squares are lost",
            faint.place,
            {"median size of a gradient": faint.median, "size of the gradient of the outputs": faint.outputs},
            "the gradient is small from the loss on: what optimizers and norms make of it, its square, is below the "
            f"least number above 0, {np.finfo(np.float32).smallest_subnormal:.2g} in float32",
            (faint.remedy(probe),),
        )


def _largest(probe: Probe, node: Node) -> float:
    given = [probe.tape.value(each) for each in probe.tape.inputs(node)]
    return float(max(np.max(np.abs(each), initial=0) for each in given))


@rule("overflow", explains=FOLLOWS, whatever=True)
def overflow(probe: Probe) -> Iterator[Suspicion]:
    """A result too large for its dtype, of operands that are not."""
    found = probe.trouble
    if found is None or found.kind != OVERFLOW or _grew_over_layers(probe, found):
        return
    yield Suspicion(
        f"{_name(found)} is too large for {found.node.dtype}{_when(found)}",
        place_of(found),
        {"entries that are not finite": float(found.bad), **_given(found)},
        f"the largest {found.node.dtype} is {np.finfo(found.node.dtype).max:.3g}: take the largest part out first, as "
        "softmax, log_softmax, logsumexp and the losses that take logits do, or keep small what goes in",
        (scaled_inputs(), fitted_start()) + ((rate(0.1, "a tenth of the rate"),) if found.after else ()),
    )


@rule("numbers that are not finite", explains=FOLLOWS, whatever=True)
def not_finite(probe: Probe) -> Iterator[Suspicion]:
    """The first operation whose operands are finite and whose result, or what it sends back, is not."""
    found = probe.trouble
    if found is None or found.kind not in (GIVEN, MASKED, UNDEFINED):
        return
    value = found.tape.value(found.node)
    evidence = {"entries that are not finite": float(found.bad), **_given(found)}
    if found.kind == GIVEN:
        name = found.tape.symbols.text(found.node)
        yield Suspicion(
            f"{name} holds {value[found.entry]:.4g} before anything is computed{_when(found)}",
            Place("", _given_as(probe, found.node) or name, "", found.entry),
            evidence,
            "what the step is given is not finite, so that nothing after it can be",
        )
        return
    name = _name(found)
    if found.kind == MASKED:
        cause = f"{name} is given nothing but infinities that were put there on purpose: a mask leaves nothing over"
    else:
        operands = ", ".join(f"{entry_of(each, found.entry, value.shape):.4g}" for each in found.operands if each.size)
        back = found.node.origin is not None and found.node.origin.of is not None
        cause = (
            f"{found.node.op.name if found.node.op else name} of {operands}: finite numbers go in, and none comes out"
        )
        if back:
            cause += f"; {name[len('the derivative of ') :]} has no finite slope there, though its value is finite"
        cause += ". Keep the operand off that point: add a small eps inside, or clamp it"
    yield Suspicion(f"{name} is {value[found.entry]:.4g}{_when(found)}", place_of(found), evidence, cause)


def _grew_over_layers(probe: Probe, found: Trouble) -> bool:
    """Whether it is given numbers that layers of too large weights have made large, one after another."""
    largest = _given(found).get("largest operand", 0.0)
    return largest > HUGE and sum(each.gain > LARGE for each in layers_of(probe)) > 1


def place_of(found: Trouble) -> Place:
    """The forward operation that is to blame, also where it is its derivative."""
    of = None if found.node.origin is None else found.node.origin.of
    node = found.node if of is None else of
    held = found.tape.records.get(node)
    entry = found.entry if of is None or of.shape == found.node.shape else None
    return Place(node.op.name if node.op else "", held.path if held else "", node.where, entry)


def _given_as(probe: Probe, node: Node) -> str:
    """What a leaf is to a step: inputs or targets of a batch; nothing if it is a parameter."""
    for batch in probe.patient.batches:
        for number, each in enumerate(batch):
            if isinstance(each, Tensor) and (each.node is node or each.node.value is node.value):
                return "the targets" if number and number == len(batch) - 1 else "the inputs"
    return ""


def _label(found: Trouble, node: Any) -> str:
    of = None if node.origin is None else node.origin.of
    if of is not None:
        return f"the derivative of {of.op.name}"
    name: str = node.op.name
    return f"{name} of the update" if found.tape.in_rule(node) else name


def _name(found: Trouble) -> str:
    return _label(found, found.node)


def _when(found: Trouble) -> str:
    return f" in step {found.after + 1}" if found.after else ""


def _given(found: Trouble) -> dict[str, float]:
    sizes = [np.max(np.abs(each[np.isfinite(each)]), initial=0) for each in found.operands if each.dtype.kind == "f"]
    made = {"largest operand": float(max(sizes))} if sizes else {}
    return made | ({"steps before": float(found.after)} if found.after else {})


def _rest(found: Trouble) -> str:
    return f"{float(np.abs(found.tape.value(found.node)[found.entry])):.2g}"


def _worst(array: Any) -> str:
    bad = array[~np.isfinite(array)]
    return f"{bad.ravel()[0]:.4g}" if bad.size else "nothing"


def entry_of(array: Any, at: tuple[int, ...], shape: tuple[int, ...]) -> float:
    """The entry of an operand that belongs to an entry of the result, if its shape is the same; else its largest."""
    found = array[at] if array.shape == shape else np.max(np.abs(array), initial=0)
    return float(found) + 0.0  # no -0
