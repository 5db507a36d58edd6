"""Modules in the wrong mode: trained as in evaluation, or asked as in training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...dispatch import STATE
from ...engine.trace import flatten
from ...explain.tape import Tape, record
from ...findings import FAULT, NOTE, Place, count
from ...graph import Node
from ...nn import Module
from ..courses import over_batches
from ..loop import Loop, Seen
from ..patient import Patient, drawing
from ..probe import Probe, rms
from ..rule import Remedy, Suspicion, rule
from .asking import said

DRAWS = 4
"""How often each batch is looked at where dropout draws."""


@rule("evaluation mode", explains=("gradient noise",))
def evaluating(probe: Probe) -> Iterator[Suspicion]:
    """Modules that are trained in evaluation mode, where they do something else than in training."""
    model, loop = probe.patient.model, probe.patient.loop
    off = [name for name, module in model.named_modules() if not module.training and not _frozen(model, name)]
    wrong = [name for name in off if differs(probe, name)] if off and differs(probe, *off) else []
    if wrong:
        yield _trained(wrong, _seen(loop, wrong[0]), (_training(),), NOTE if model.training else FAULT)
    elif loop is not None:
        later = [name for name, seen in loop.evaluating.items() if loop.lasting(seen) and _acts(probe, name)]
        later = [name for name in later if not _frozen(model, name)]
        if later:
            alone = any(not m._modules and name not in loop.evaluating for name, m in model.named_modules())
            yield _trained(
                later, loop.evaluating[later[0]], (_training(),), NOTE if alone and model.training else FAULT
            )
    yield from _still(probe)


@rule("training mode in evaluation")
def asked(probe: Probe) -> Iterator[Suspicion]:
    """Modules that are in training mode while predictions are made apart from training."""
    loop = probe.patient.loop
    if loop is None:
        return
    asked = {
        name: seen for name, seen in loop.training.items() if seen.times > 1 or seen.first > 1
    }  # one: a first look
    wrong = [name for name in asked if _acts(probe, name)]
    if not wrong:
        yield from _drops_always(probe, loop)
        return
    seen = asked[wrong[0]]
    meant = loop.evaluated and all(asked[name].first > loop.backwards and asked[name].times > 1 for name in wrong)
    learning, known = probe.patient.copy(), probe.patient.copy()
    learning.model.train()
    known.model.eval()
    answers = _said(learning), _said(known)
    apart = sum(rms(a - b) for a, b in zip(*answers, strict=False) if a.shape == b.shape) / max(
        sum(map(rms, answers[1])), 1e-30
    )
    drawn = [name for name in wrong if _draws(probe.patient.model, name)]
    why = "dropout drops, so that an input gets another answer each time" if drawn else ""
    if len(drawn) < len(wrong):
        why += (
            "; " * bool(why) + "batch norm takes mean and deviation of the rows that it happens to see, and keeps them"
        )
    yield Suspicion(
        f"predictions are made in training mode, in which {count(len(wrong), 'module')} "
        f"{'acts' if len(wrong) == 1 else 'act'} differently",
        Place(module=wrong[0], line=seen.place.line),
        {"predictions": float(seen.times), "first in step": float(seen.first), "change of a prediction": apart},
        f"{why}: call model.eval() before predictions, and model.train() before the next training step",
        (_evaluating(),),
        weight=NOTE if meant else FAULT,  # draws of an answer that has been asked for in evaluation mode, too
        also=tuple(Place(module=name, line=asked[name].place.line) for name in wrong[1:]),
    )


def _drops_always(probe: Probe, loop: Loop) -> Iterator[Suspicion]:
    """Numbers that are dropped at random in evaluation mode, too: by a function that is not told of the mode."""
    if not loop.evaluated and not loop.training:
        return
    one = probe.patient.copy()
    one.model.eval()
    with drawing(one.seed), record() as tape:
        one.predict(one.batches[0])
    drawn = {node for node in tape.records if _is_drawn(tape, node)}
    masks = {node for node in tape.records if node.dtype.kind == "b" and drawn & set(tape.inputs(node))}
    for node, held in tape.records.items():
        if node.op is None or not masks & set(held.inputs):
            continue
        dropped = float(np.mean(next(tape.value(each) for each in held.inputs if each in masks)))
        yield Suspicion(
            f"{node.op.name} drops {dropped:.0%} of its numbers at random in evaluation mode, too",
            Place(node.op.name, held.path, node.where),
            {"share that is dropped": dropped},
            "a function knows nothing of model.eval(): give it the mode, dropout(x, p, training=self.training), or use "
            "nn.Dropout",
        )
        return


def _is_drawn(tape: Tape, node: Node) -> bool:
    """Whether an operation draws random numbers."""
    return not tape.is_leaf(node) and node.op is not None and node.op.kind == "random"


def differs(probe: Probe, *names: str) -> bool:
    """Whether modules do something else in training than in evaluation."""
    one, other = probe.patient.copy(), probe.patient.copy()
    for name in names:
        module = other.model.get_submodule(name)
        module.training = not module.training
    a, b = _said(one), _said(other)
    return len(a) != len(b) or any(not np.array_equal(*each, equal_nan=True) for each in zip(a, b, strict=True))


def _trained(wrong: list[str], seen: Seen | None, remedies: tuple[Remedy, ...], weight: str) -> Suspicion:
    """Modules that are trained so: a note where they were put into it alone, as for norms that are fine-tuned."""
    since = f" from step {seen.first} on" if seen is not None and seen.first > 1 else ""
    evidence = {"modules": float(len(wrong))}
    if seen is not None:
        evidence |= {"first in step": float(seen.first), "steps": float(seen.times)}
    return Suspicion(
        f"{count(len(wrong), 'module')} {'is' if len(wrong) == 1 else 'are'} trained in evaluation mode{since}",
        Place(module=wrong[0], line="" if seen is None else seen.place.line),
        evidence,
        "model.eval() was called and not undone: dropout drops nothing, and batch norm uses old statistics; call "
        "model.train() before the training steps",
        remedies,
        weight=weight,
        also=tuple(Place(module=name) for name in wrong[1:]),
    )


def _training() -> Remedy:
    """The loss that training is to lower is that of training mode."""

    def apply(patient: Patient) -> None:
        patient.model.train()
        patient.lapsed = 0, ()
        if patient.loop is not None:
            patient.loop = replace(patient.loop, evaluating={})

    def loss(patient: Patient) -> float:
        one = patient.copy()
        one.model.train()
        one.batches = [*one.batches] * DRAWS
        return over_batches(one)

    return Remedy("call model.train() before the training steps", apply, loss, "the loss in training mode")


def _evaluating() -> Remedy:
    """Predictions apart from training, which are those without gradients, are made in evaluation mode."""

    def apply(patient: Patient) -> None:
        patient.model.register_forward_pre_hook(lambda model, _: model.train(STATE.grad))
        if patient.loop is not None:
            patient.loop = replace(patient.loop, training={})

    text = "call model.eval() before predictions, and model.train() before the next training step"
    return Remedy(text, apply, over_batches, "the loss of predictions")


def _still(probe: Probe) -> Iterator[Suspicion]:
    """Statistics for evaluation that training never moves."""
    for name, module in probe.patient.model.named_modules():
        if (
            getattr(module, "running_mean", None) is not None
            and getattr(module, "momentum", None) == 0.0
            and module.training
        ):
            yield Suspicion(
                f"the running statistics of {name} never change: its momentum is 0",
                Place(module=name),
                {"momentum": 0.0},
                "in evaluation it uses the mean 0 and the deviation 1 that it began with, whatever training has seen",
                weight=NOTE,
            )
            return


def _seen(loop: Loop | None, name: str) -> Seen | None:
    return None if loop is None else loop.evaluating.get(name)


def _acts(probe: Probe, name: str) -> bool:
    """Whether a module that a loop has seen is one of the patient's, and acts differently in another mode."""
    return name in dict(probe.patient.model.named_modules()) and differs(probe, name)


def _frozen(model: Module, name: str) -> bool:
    """Whether a module is in evaluation mode on purpose: the model is not, and the module is not to learn, or a part
    that it belongs to and that is in this mode, too."""
    parts = name.split(".")
    paths = [".".join(parts[: n + 1]) for n in range(len(parts))]
    around = [module for path in paths if not (module := model.get_submodule(path)).training or path == name]
    held = [list(module.parameters()) for module in around]
    return model.training and any(own and not any(p.requires_grad for p in own) for own in held)


def _draws(model: Module, name: str) -> bool:
    """Whether a module has nothing to learn or to keep: what acts differently then does so at random."""
    module = model.get_submodule(name)
    return not [*module.parameters(), *module.buffers()]


def _said(patient: Patient) -> list[Any]:
    """The predictions for the first batch, as arrays."""
    return [tensor.detach().numpy() for tensor in flatten(said(patient)[0])]
