"""Norms over a batch that has nothing to compare a row with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import functions as fn
from ... import nn
from ...dispatch import no_grad
from ...findings import Place
from ...nn import Module
from ...tensor import Tensor
from ..patient import Batch, Ending, Patient, drawing, put_in_place
from ..probe import Probe
from ..rule import Remedy, Suspicion, rule
from .asking import REFUSALS, line_of

ENOUGH = 16
"""So many rows make a batch whose mean and deviation say something."""
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


FOLLOWS = (
    "numbers that are not finite", "too low a rate", "flat place", "zero gradient", "no overfitting of one batch",
    "gradient noise", "weights that barely move",
)  # fmt: skip


@rule("batch norm of one row", explains=FOLLOWS, whatever=True)
def one_row(probe: Probe) -> Iterator[Suspicion]:
    """Batch norm in training that is given a single number for each channel."""
    patient = probe.patient
    sizes = [_rows(batch) for batch in patient.batches]
    for number in dict.fromkeys((0, sizes.index(min(sizes)))):
        alone, error = _alone(patient, number)
        if alone:
            yield _found(probe, alone, number, line_of(patient, error))
            return
    ended = "" if patient.loop is None else patient.loop.ended
    if "batch_norm in training needs more than one number" in ended:
        names = [name for name, module in patient.model.named_modules() if isinstance(module, NORMS)]
        yield _found(probe, names or [""], None, line_of(patient, None))


def _alone(patient: Patient, number: int) -> tuple[list[str], Exception | None]:
    """The norms that are given one number for each channel in a batch, and what they say of it."""
    one, found = patient.copy(), []

    def sees(module: Module, args: Any) -> None:
        x = args[0]
        if module.training and x.ndim > 1 and x.shape[1] and x.numel() == x.shape[1]:
            found.append(names[module])

    names: dict[Module, str] = {m: name for name, m in one.model.named_modules() if isinstance(m, NORMS)}
    for module in names:
        module.register_forward_pre_hook(sees)
    try:
        with no_grad(), drawing(one.seed):
            one.predict(one.batches[number])
    except REFUSALS as error:
        return found, error
    return found, None


def _found(probe: Probe, names: list[str], number: int | None, line: str) -> Suspicion:
    patient = probe.patient
    others = [n for n in range(len(patient.batches)) if n != number and _rows(patient.batches[n]) > 1]
    evidence = {"numbers for each channel": 1.0}
    if number is not None:
        evidence |= {"rows of the batch": float(_rows(patient.batches[number])), "batch": float(number)}
    last = number is None or bool(others)
    return Suspicion(
        f"{names[0]} is given one number for each channel" + (", by the smallest batch" if last else ""),
        Place(module=names[0], line=line),
        evidence,
        "a number less its own mean is 0 whatever it is: one row has no deviation to be divided by",
        tuple(_mends(patient, number, others)) if number is not None else (),
        also=tuple(Place(module=name) for name in names[1:]),
    )


def _mends(patient: Patient, number: int, others: list[int]) -> Iterator[Remedy]:
    def drop(given: Patient) -> None:
        given.batches = [given.batches[n] for n in others]

    def join(given: Patient) -> None:
        given.batches = [_joined(given.batches[n : n + ENOUGH]) for n in range(0, len(given.batches), ENOUGH)]

    def replace(given: Patient) -> None:
        for path, module in list(given.model.named_modules()):
            if isinstance(module, NORMS) and path:
                put_in_place(given, path, nn.GroupNorm(1, module.num_features, module.eps, module.affine))

    if others:
        yield Remedy("leave the last, smaller batch out: DataLoader(..., drop_last=True)", drop)
    elif len(patient.batches) > 1 and all(_plain(batch) for batch in patient.batches):
        yield Remedy(f"larger batches: batch_size={ENOUGH}", join)
    yield Remedy("norm each row by itself: nn.GroupNorm(1, channels), or nn.LayerNorm", replace)


def _rows(batch: Any) -> int:
    """How many rows the inputs of a batch have."""
    first = next((each for each in batch[:-1] if isinstance(each, Tensor) and each.ndim), None)
    return 0 if first is None else len(first)


def _plain(batch: Any) -> bool:
    """Whether batches like this one can be joined: nothing goes in by name, and all has rows."""
    if isinstance(batch, Batch) and batch.named:
        return False
    return all(isinstance(each, Tensor) and not isinstance(each, Ending) and each.ndim for each in batch)


def _joined(batches: Any) -> tuple[Any, ...]:
    return tuple(fn.cat(list(each)) for each in zip(*batches, strict=True))
