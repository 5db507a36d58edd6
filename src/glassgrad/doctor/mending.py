"""More of what can be done about a fault: changes of data, biases, activations and of what holds a net back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import functions as fn
from .. import nn
from ..dispatch import no_grad
from ..tensor import Tensor
from .patient import Batch, Patient
from .rule import Remedy
from .whole import Recorded

LARGE = 30.0
"""Inputs as large as this are not scaled."""


def scaled_inputs(places: Sequence[int] = ()) -> Remedy:
    """A mean of 0 and a deviation of 1 for every column of a table, every channel of images, every entry of what a
    sequence has at each place; of the inputs at these places, or of all."""

    def apply(patient: Patient) -> None:
        chosen = {place: whole for place, whole in features(patient).items() if not places or place in places}
        for place, whole in chosen.items():
            _scale(patient, place, whole.astype(np.float64))

    return Remedy("standardise the inputs by mean and deviation of the training data", apply)


def _scale(patient: Patient, place: int, whole: Any) -> None:
    """Standardise one of the inputs."""
    kept = {2: 1, 3: 2}.get(whole.ndim, 1)
    axes = tuple(axis for axis in range(whole.ndim) if axis != kept)
    mean, deviation = whole.mean(axes, keepdims=True), whole.std(axes, keepdims=True)
    by = np.where(deviation > 1e-12 * max(float(np.abs(whole).max()), 1e-300), deviation, 1.0)

    def scaled(x: Tensor) -> Tensor:
        return fn.tensor(((x.detach().numpy() - mean) / by).astype(x.numpy().dtype))

    patient.batches = [
        Batch.like(batch, (scaled(each) if n == place else each for n, each in enumerate(batch)))
        for batch in patient.batches
    ]


def inputs(patient: Patient) -> Any:
    """What the model is given first, of all batches, one row after another; None if those are no numbers."""
    return tables(patient).get(0)


def tables(patient: Patient) -> dict[int, Any]:
    """All that the model is given that has rows of numbers, by its place among the inputs, of all batches: one row
    after another."""
    found = {}
    for place in range(min(map(len, patient.batches)) - 1):
        rows = [batch[place].detach().numpy() for batch in patient.batches if isinstance(batch[place], Tensor)]
        if len(rows) < len(patient.batches) or len({x.shape[1:] for x in rows}) != 1 or rows[0].ndim < 2:
            continue
        x = np.concatenate(rows)
        if x.dtype.kind == "f" and len(x) > 1 and np.all(np.isfinite(x)):
            found[place] = x
    return found


def features(patient: Patient) -> dict[int, Any]:
    """Those of the inputs that say something of the rows: not masks, and no states that begin at the same number."""
    made = tables(patient)
    return {place: x for place, x in made.items() if not place or (not np.isin(x, (0, 1)).all() and np.ptp(x, 0).any())}


def leaky(paths: Sequence[str]) -> Remedy:
    """Rectifiers with a slope on both sides, at the modules of these paths (Maas, Hannun and Ng, 2013)."""

    def apply(patient: Patient) -> None:
        for path in paths:
            owner, _, name = path.rpartition(".")
            module = patient.model.get_submodule(path)
            if path and not list(module.children()) and not list(module.parameters()):
                setattr(patient.model.get_submodule(owner), name, nn.LeakyReLU(0.1))

    return Remedy("use nn.LeakyReLU(0.1), whose slope is never 0", apply)


def zero_biases() -> Remedy:
    """Biases that begin at 0."""

    def apply(patient: Patient) -> None:
        with no_grad():
            for name, p in patient.model.named_parameters():
                own = isinstance(patient.model, Recorded)  # where names tell nothing
                if name.rpartition(".")[2].startswith("bias") or (own and p.ndim == 1):
                    p.zero_()

    return Remedy("begin with biases of 0: nn.init.zeros_(layer.bias)", apply)


def without_decay() -> Remedy:
    """No weight decay."""

    def apply(patient: Patient) -> None:
        for group in patient.optimizer.param_groups:
            group["weight_decay"] = 0.0

    return Remedy("leave out the weight decay: weight_decay=0", apply)


def without_dropout() -> Remedy:
    """Dropout that drops nothing."""

    def apply(patient: Patient) -> None:
        for module in patient.model.modules():
            if isinstance(getattr(module, "p", None), float) and not list(module.parameters(recurse=False)):
                module.p = 0.0

    return Remedy("drop less: dropout of 0 until the net fits its training data", apply)


def unclipped() -> Remedy:
    """Gradients as they are."""

    def apply(patient: Patient) -> None:
        patient.clip_norm = None

    return Remedy("clip the gradients at a larger norm", apply)


def thawed() -> Remedy:
    """All parameters of the model learn."""

    def apply(patient: Patient) -> None:
        for p in patient.model.parameters():
            p.requires_grad_()
        held = {id(p) for p in patient.parameters}
        missing = [p for p in patient.model.parameters() if id(p) not in held]
        if missing:
            patient.optimizer.add_param_group({"params": missing})

    return Remedy("let all layers learn: requires_grad_(True), and give all of them to the optimizer", apply)
