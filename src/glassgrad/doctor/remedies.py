"""What can be done about a fault: changes of a patient, each as a user would make it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import nn
from ..dispatch import no_grad
from ..nn import Module
from ..optim import Optimizer
from .patient import Patient, drawing
from .probe import Probe
from .rule import Remedy


def clipping(size: float = 1.0) -> Remedy:
    """Clip the total norm of the gradients (Pascanu, Mikolov and Bengio, 2013)."""

    def apply(patient: Patient) -> None:
        patient.clip_norm = size

    return Remedy(f"clip the gradients: nn.utils.clip_grad_norm_(model.parameters(), {size:g})", apply)


def fitted_start() -> Remedy:
    """Scale every layer's weights so that its outputs have a deviation of 1 on the batch.

    D. Mishkin and J. Matas, "All you need is a good init" (ICLR 2016).
    """

    def apply(patient: Patient) -> None:
        fit_start(patient)

    return Remedy("begin with orthogonal weights, each layer scaled so that its outputs have a deviation of 1", apply)


LAST = 0.3
"""The deviation of what a net says before it has learned anything: not far from 0."""


def fit_start(patient: Patient) -> None:
    """Do what `fitted_start` says, layer after layer in the order in which they run."""
    model, batch = patient.model, patient.batches[0]
    order: list[Module] = []
    outputs: dict[int, float] = {}

    def seen(module: Module, _: object, output: object) -> None:
        if id(module) not in outputs:
            order.append(module)
        outputs[id(module)] = float(np.std(output.detach().numpy())) if hasattr(output, "detach") else 1.0

    layers = [m for m in model.modules() if getattr(m, "weight", None) is not None and m.weight.ndim > 1]
    hooks = [layer.register_forward_hook(seen) for layer in layers]
    try:
        with no_grad(), drawing(patient.seed):
            patient.predict(batch)
            for layer in list(order):
                if isinstance(layer, nn.Embedding):
                    continue
                nn.init.orthogonal_(layer.weight)
                if getattr(layer, "bias", None) is not None:
                    nn.init.zeros_(layer.bias)
                for _ in range(3):
                    patient.predict(batch)
                    deviation = outputs[id(layer)]
                    if not np.isfinite(deviation) or deviation < 1e-12:
                        break
                    layer.weight.mul_((LAST if layer is order[-1] else 1) / deviation)
    finally:
        for hook in hooks:
            hook.remove()


def rectified(probe: Probe) -> Remedy:
    """Rectifiers instead of other activations, and the start that is made for them (He et al., 2015)."""
    by_path: dict[str, set[str]] = {}
    for site in probe.sites:
        assert site.node.op is not None
        by_path.setdefault(site.place.module, set()).add(site.node.op.kind)

    def apply(patient: Patient) -> None:
        for path, module in list(patient.model.named_modules()):
            alone = path and not list(module.children()) and not list(module.parameters())
            if alone and by_path.get(path) == {"elementwise"} and not isinstance(module, nn.Dropout):
                owner, _, name = path.rpartition(".")
                setattr(patient.model.get_submodule(owner), name, nn.ReLU())
        for module in patient.model.modules():
            weight = getattr(module, "weight", None)
            if weight is not None and weight.ndim > 1 and not isinstance(module, nn.Embedding):
                nn.init.kaiming_normal_(weight, nonlinearity="relu")

    return Remedy("use nn.ReLU as activation, and nn.init.kaiming_normal_ for the weights", apply)


def fresh_start() -> Remedy:
    """Begin with the weights that the modules make themselves."""

    def apply(patient: Patient) -> None:
        with drawing(patient.seed):
            for module in patient.model.modules():
                draw = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
                if draw is not None:
                    draw()

    return Remedy("keep the random start that the layers have: leave out the initialisation of your own", apply)


def rate(factor: float, text: str) -> Remedy:
    """Another rate, of all groups."""

    def apply(patient: Patient) -> None:
        for group in patient.optimizer.param_groups:
            group["lr"] = group["lr"] * factor

    return Remedy(text, apply)


def both(first: Remedy, second: Remedy) -> Remedy:
    """One and then the other."""

    def apply(patient: Patient) -> None:
        first.apply(patient)
        second.apply(patient)

    return Remedy(f"{first.text}; and {second.text}", apply)


def wider_start(factor: float = 10.0) -> Remedy:
    """Larger weights to begin with."""

    def apply(patient: Patient) -> None:
        with no_grad():
            for p in patient.model.parameters():
                if p.ndim > 1:
                    p.mul_(factor)

    return Remedy(f"begin with weights {factor:g} times as large", apply)


def own_rate(probe: Probe, factors: Mapping[str, float]) -> Remedy:
    """Another rate for some parameters, by name: theirs times a factor, or the others' where theirs is 0."""
    rates = probe.rates
    usual = float(np.median([each for each in rates.values() if each > 0] or [0.0]))
    new = {name: rates[name] * factor if rates[name] else usual for name, factor in factors.items()}

    def apply(patient: Patient) -> None:
        named = {id(p): name for name, p in zip(rates, patient.parameters, strict=True)}
        for group in list(patient.optimizer.param_groups):
            ours = [p for p in group["params"] if named[id(p)] in new]
            if not ours:
                continue
            lr = float(np.median([new[named[id(p)]] for p in ours]))
            if all(p.ndim < 2 or named[id(p)] in new for p in group["params"]):
                group["lr"] = lr  # with the biases that go with them
            else:
                _apart(patient.optimizer, group, {id(p) for p in ours}, lr)

    said = ", ".join(f"{lr:.2g} for {name}" for name, lr in list(new.items())[:3])
    more = f" and {len(new) - 3} more" if len(new) > 3 else ""
    return Remedy(f"a group with a rate of its own: {said}{more}", apply)


def _apart(optimizer: Optimizer, group: dict[str, Any], ours: set[int], lr: float) -> None:
    """Some parameters of a group in one of their own; what the optimizer remembers of them stays."""
    keys = [key for key in ("params", "param_names") if key in group]
    inside = [id(p) in ours for p in group["params"]]
    other = {key: value for key, value in group.items() if key not in keys}
    for key in keys:
        other[key] = [each for each, own in zip(group[key], inside, strict=True) if own]
        group[key] = [each for each, own in zip(group[key], inside, strict=True) if not own]
    optimizer.param_groups.append({**other, "lr": lr})
