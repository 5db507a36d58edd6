"""How a step is put together: what gets no gradient, what the optimizer does not hold, what is never cleared."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np

from ...errors import GradError
from ...explain.missing import Missing, why_none
from ...findings import FAULT, NOTE, Place, count
from ...nn import Module
from ...spec import numel
from ...tensor import Tensor
from ..layers import layers_of
from ..patient import Patient, drawing
from ..probe import Probe, Weight
from ..rule import Remedy, Suspicion, rule
from .asking import line_of
from .flatness import flattened

LEARNS = ("too low a rate", "no overfitting of one batch", "flat place")
"""What follows where parameters do not learn."""
NEARLY_ALL = 0.9
"""Which share of an activation has no slope at all where it is what makes a gradient 0."""
FURTHER, FEW = 1.5, 16
"""So much further from 0 than fresh weights are those that were trained, and fewer of them tell nothing."""


@rule("parameters outside of the optimizer", explains=(*LEARNS, "unused parameters"))
def outside(probe: Probe) -> Iterator[Suspicion]:
    """The model has parameters that want a gradient and that no group of the optimizer holds."""
    held = {id(p) for p in probe.patient.parameters}
    loop = probe.patient.loop
    moving = {n for moment in loop.moments.values() for n, each in moment.items() if each.moved} if loop else set()
    probe.tape  # noqa: B018 - takes the step
    used = {name for name, p in strays_of(probe.once.model).items() if p.grad is not None}
    strays = {name: p for name, p in strays_of(probe.patient.model).items() if name in used}
    own = [*probe.patient.model.named_parameters(), *strays.items()]
    outside = [n for n, p in own if p.requires_grad and id(p) not in held]
    names = [name for name in outside if name not in moving]  # another optimizer may hold what moves
    if not names:
        return

    def add(patient: Patient) -> None:
        inside = {id(p) for p in patient.parameters}
        every = [*patient.model.parameters(), *strays_of(patient.model).values()]
        missing = [p for p in every if p.requires_grad and id(p) not in inside]
        patient.optimizer.add_param_group({"params": missing})

    total, hidden = sum(1 for _, p in own if p.requires_grad), all(name in strays for name in names)
    yield Suspicion(
        f"{len(names)} of {count(total, 'parameter')} of the model {'is' if len(names) == 1 else 'are'} never updated",
        Place(module=names[0]),
        {"parameters outside": float(len(names))},
        "layers in a plain list, and tensors that are no nn.Parameter, are not among model.parameters()"
        if hidden
        else "the optimizer has other parameters than the model: it was made before layers were replaced, or of a part",
        (
            Remedy("put them into an nn.ModuleList, or make them an nn.Parameter", add)
            if hidden
            else Remedy("make the optimizer anew with model.parameters(), after the last change of the model", add),
        ),
        weight=NOTE if _is_head(probe.patient, held) else FAULT,
        also=tuple(Place(module=name) for name in names[1:]),
    )


def strays_of(model: Module) -> dict[str, Tensor]:
    """What a model has in plain lists, dictionaries and attributes, where `parameters` does not find it, by path."""
    known, found = {id(p) for p in model.parameters()}, dict[str, Tensor]()

    def look(value: Any, path: str) -> None:
        if isinstance(value, Module):
            look({name: p for name, p in value.named_parameters()}, path)
        elif isinstance(value, Tensor):
            if value.requires_grad and value.is_leaf and id(value) not in known:
                found.setdefault(path, value)
        elif isinstance(value, dict | list | tuple):
            for key, each in value.items() if isinstance(value, dict) else enumerate(value):
                look(each, f"{path}.{key}")

    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if not name.startswith("_"):
                look(value, f"{path}.{name}".lstrip("."))
    return found


def _is_head(patient: Patient, held: set[int]) -> bool:
    """Whether the optimizer holds exactly the last modules of a net whose others were trained before: a head on a body
    that is to stay as it is."""
    learns = [
        (module, [id(p) in held for p in module.parameters(recurse=False) if p.requires_grad])
        for module in patient.model.modules()
    ]
    inside = [each for _, each in learns if each]
    whole = [all(each) for each in inside if all(each) or not any(each)]
    if len(whole) < len(inside) or not any(whole) or whole != sorted(whole):
        return False
    return any(_was_trained(module, patient) for module, each in learns if each and not all(each))


def _was_trained(module: Module, patient: Patient) -> bool:
    """Whether weights are not such as the module draws when it is made: some are further away from 0."""
    if not hasattr(module, "reset_parameters"):
        return False
    fresh = deepcopy(module)
    with drawing(patient.seed):
        fresh.reset_parameters()
    pairs = zip(module.parameters(recurse=False), fresh.parameters(recurse=False), strict=True)
    return any(_most(old) > FURTHER * _most(new) for old, new in pairs if old.numel() >= FEW)


def _most(p: Tensor) -> float:
    return float(np.abs(p.detach().numpy()).max())


@rule("no gradient", explains=LEARNS, whatever=True)
def without(probe: Probe) -> Iterator[Suspicion]:
    """Parameters that the step uses, whose gradient is cut before it arrives."""
    if probe.failed and not _cut_everywhere(probe):
        if isinstance(probe.error, GradError) and not probe.tape.roots and "no graph" in str(probe.error):
            yield _made_anew(probe)
        return
    yield from _missing(probe, ("cut", "not reached"), "gets no gradient", "")


def _made_anew(probe: Probe) -> Suspicion:
    """A loss that hangs on nothing."""
    count = sum(1 for w in probe.weights if w.cell.requires_grad)
    return Suspicion(
        "the loss has no graph: no parameter gets a gradient",
        Place("", "", line_of(probe.patient, probe.error)),
        {"parameters": float(count)},
        "it was made of plain or whole numbers, by .item(), .numpy(), tensor(...) or argmax, which do not know where "
        "they come from, and requires_grad_() makes a new beginning: call backward() of the loss of the predictions",
    )


@rule("zero gradient", explains=(*LEARNS, "saturated activations"))
def zero(probe: Probe) -> Iterator[Suspicion]:
    """Parameters whose gradient is 0 in every entry, and the operation that made it so."""
    if _given_nothing(probe) or _saturated(probe):
        return
    yield from _missing(probe, ("zero",), "has a gradient of zeros", "")


@rule("unused parameters")
def unused(probe: Probe) -> Iterator[Suspicion]:
    """Parameters that the step never looks at."""
    yield from _missing(probe, ("unused",), "is never used", NOTE)


@rule("frozen parameters", explains=LEARNS)
def frozen(probe: Probe) -> Iterator[Suspicion]:
    """Parameters that the optimizer holds and that do not want a gradient."""
    held = zip(probe.rates, probe.patient.parameters, strict=True)
    names = [name for name, p in held if not p.requires_grad]

    def thaw(patient: Patient) -> None:
        for p in patient.parameters:
            p.requires_grad_(True)

    if names:
        yield Suspicion(
            f"{count(len(names), 'parameter')} {'is' if len(names) == 1 else 'are'} frozen, though the optimizer holds "
            + ("it" if len(names) == 1 else "them"),
            Place(module=names[0]),
            {"frozen parameters": float(len(names))},
            "requires_grad is False, so that no gradient arrives and the optimizer leaves them as they are",
            (Remedy("if that is not meant: parameter.requires_grad_(True) before training", thaw),),
            weight=NOTE,
            also=tuple(Place(module=name) for name in names[1:]),
        )


def _saturated(probe: Probe) -> bool:
    """Whether an activation that squashes is flat at all of its entries: that is what makes the zeros."""
    site, slopes = flattened(probe, False)
    return site is not None and bool(np.mean(slopes == 0) > NEARLY_ALL)


def _given_nothing(probe: Probe) -> bool:
    """Whether the first layer is given nothing but zeros, of inputs that are others: it is they that get lost, and not
    the gradient."""
    layers = layers_of(probe)
    operands = probe.tape.inputs(layers[0].site.node) if layers else []
    given = [probe.tape.value(each) for each in operands if not each.requires_grad]
    first = probe.patient.batches[0][0]
    told = isinstance(first, Tensor) and bool(np.any(first.detach().numpy()))
    return told and any(each.ndim > 1 and not np.any(each) for each in given)


def _cut_everywhere(probe: Probe) -> bool:
    """Whether backward failed because the loss has no graph; then it is noted as what backward began from."""
    tape = probe.tape
    made = [node for node in tape.records if not tape.is_leaf(node)]
    if not isinstance(probe.error, GradError) or tape.roots or not made or numel(made[-1].shape) != 1:
        return False
    tape.roots.append(made[-1])
    return not made[-1].requires_grad


def _missing(probe: Probe, reasons: tuple[str, ...], said: str, weight: str) -> Iterator[Suspicion]:
    found: list[tuple[Weight, Missing]] = []
    late = probe.patient if probe.failed else probe.late
    later = {name: p.detach().numpy() for name, p in late.model.named_parameters()}
    decays = any(group.get("weight_decay") for group in late.optimizer.param_groups)
    now = Probe(late).weights if decays and late is not probe.patient else []
    learning = {each.name for each in now if each.gradient is not None and np.any(each.gradient)}
    for weighed in probe.weights:
        if not weighed.cell.requires_grad or (weighed.gradient is not None and np.any(weighed.gradient)):
            continue
        moved = weighed.name in later and not np.array_equal(later[weighed.name], weighed.before)
        if moved and (not decays or weighed.name in learning):
            continue  # it learns after the first step
        why = why_none(probe.tape, weighed.cell)
        if why.reason in reasons:
            found.append((weighed, why))
    if not found:
        return
    first, missing = found[0]
    yield Suspicion(
        f"{first.name} {said}" + (f", like {count(len(found) - 1, 'other')}" if len(found) > 1 else ""),
        Place(missing.op, first.name, missing.line),
        {"parameters": float(len(found))},
        missing.text,
        weight=weight or FAULT,
        also=tuple(each.place for each, _ in found[1:]),
    )
