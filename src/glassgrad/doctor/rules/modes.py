"""Modules in the wrong mode."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...findings import Place
from ...nn import Module
from ...tensor import Tensor
from ..patient import Patient, drawing
from ..probe import Probe
from ..rule import Remedy, Suspicion, rule
from .losses import said


def differs(probe: Probe, module: str) -> bool:
    """Whether a module does something else in training than in evaluation."""
    one, other = probe.patient.copy(), probe.patient.copy()
    inner = other.model.get_submodule(module)
    inner.training = not inner.training
    with drawing(one.seed):
        a = said(one)[0]
    with drawing(one.seed):
        b = said(other)[0]
    return not np.array_equal(np.asarray(a.detach()), np.asarray(b.detach()), equal_nan=True)


@rule("evaluation mode")
def evaluating(probe: Probe) -> Iterator[Suspicion]:
    """Modules that are trained in evaluation mode, where they do something else than in training."""
    off = [n for n, m in probe.patient.model.named_modules() if not m.training and _innermost(m)]
    if not off or not isinstance(said(probe.patient.copy())[0], Tensor):
        return
    wrong = [name for name in off if differs(probe, name)]
    if not wrong:
        return

    def train(patient: Patient) -> None:
        patient.model.train()

    yield Suspicion(
        f"{len(wrong)} modules are trained in evaluation mode",
        Place(module=wrong[0]),
        {"modules": float(len(wrong))},
        "model.eval() was called and not undone: dropout drops nothing, and batch norm uses old statistics",
        (Remedy("call model.train() before the training steps", train),),
        also=tuple(Place(module=name) for name in wrong[1:]),
    )


def _innermost(module: Module) -> bool:
    return not list(module.children())
