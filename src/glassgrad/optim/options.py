"""What the rules share besides the base class: options and their checks, errors, hooks, arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np

from .. import functions as fn
from ..dispatch import CHANGES, STATE, pop_scope, push_scope
from ..errors import ArgumentError, NotCovered, StateError, TypeMismatch
from ..tensor import Tensor

Group = dict[str, Any]
Scalar = float | Tensor
Value = Any
"""What `Optimizer.values` gives: a Tensor, or the array in it."""
Params = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[Group]


class _Required:
    """The mark of an option that every group has to give a value for."""

    def __repr__(self) -> str:
        return "<required parameter>"


required: Any = _Required()


class MissingKey(StateError, KeyError):
    """A parameter group or a saved state without an entry that it needs."""

    __str__ = Exception.__str__  # KeyError's would print the message in quotes


class OtherGroups(StateError, ValueError):
    """A saved state whose parameter groups are not those of the optimizer."""


def is_on(value: Scalar) -> bool:
    """Whether a factor such as momentum takes part. A tensor always does: its value must not decide a branch."""
    return isinstance(value, Tensor) or value != 0


def add_scaled_(target: Tensor, direction: Tensor, scale: Scalar) -> None:
    """target += scale * direction, for a number or a 0-d Tensor."""
    if isinstance(scale, Tensor):
        target.addcmul_(direction, scale)
    else:
        target.add_(direction, alpha=scale)


def add_ratio_(target: Tensor, top: Tensor, bottom: Tensor, scale: Scalar) -> None:
    """target += scale * top / bottom, for a number or a 0-d Tensor."""
    if isinstance(scale, Tensor):
        target.addcmul_(top / bottom, scale)
    else:
        target.addcdiv_(top, bottom, value=scale)


def sqrt(x: Value) -> Value:
    """The square root of a tensor or of an array."""
    return x.sqrt() if isinstance(x, Tensor) else np.sqrt(x)


def maximum(a: Value, b: Value) -> Value:
    """The larger one, entry by entry, of two tensors or of two arrays."""
    return fn.maximum(a, b) if isinstance(a, Tensor) else np.maximum(a, b)


def not_negative(**values: Scalar) -> None:
    """Refuse negative numbers and NaN among the named arguments, and rate tensors of more than one entry."""
    for name, value in values.items():
        if isinstance(value, Tensor) and value.numel() != 1:
            raise ArgumentError(f"{name} as a tensor must have one entry", got=f"{name} of shape {tuple(value.shape)}")
        if not value >= 0.0:
            raise ArgumentError(f"{name} must be 0 or more", got=f"{name}={value!r}", fix=f"give a {name} >= 0")


def in_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a value outside low <= value < high."""
    if not low <= value < high:
        raise ArgumentError(f"{name} must be in [{low:g}, {high:g})", got=f"{name}={value!r}")


def check_betas(betas: tuple[float, float]) -> None:
    """Refuse decay rates outside [0, 1)."""
    for index, beta in enumerate(betas):
        in_range(f"betas[{index}]", beta, 0.0, 1.0)


def not_covered(**flags: bool | None) -> None:
    """Refuse those of torch's switches that are turned on: they choose a kernel, not a rule."""
    for name, value in flags.items():
        if value:
            raise NotCovered(
                f"{name}={value} is not covered", fix=f"leave {name} out: the rule and its numbers are the same"
            )


class Handle:
    """What registering a hook returns; ``remove()`` takes the hook away again."""

    keys: ClassVar[Iterator[int]] = itertools.count()

    def __init__(self, hooks: dict[int, Any], hook: Callable[..., Any]) -> None:
        self.hooks, self.key = hooks, next(self.keys)
        hooks[self.key] = hook
        CHANGES.count += 1

    def remove(self) -> None:
        """Take the hook away."""
        self.hooks.pop(self.key, None)
        CHANGES.count += 1


def named(params: Any) -> tuple[list[str], list[Any]]:
    """Split what a group was given into names (none, or one for each) and tensors."""
    if isinstance(params, Tensor):
        return [], [params]
    if isinstance(params, (set, frozenset)):
        raise TypeMismatch(
            "parameters must come in a fixed order", got="a set, whose order changes between runs", fix="use a list"
        )
    given = list(params)
    names = [item[0] for item in given if isinstance(item, tuple)]
    if names and len(names) != len(given):
        raise ArgumentError("either all parameters of a group come with names or none does")
    return names, [item[1] for item in given] if names else given


@contextmanager
def within(rule: object) -> Iterator[None]:
    """What a rule computes belongs to it, as what a module computes belongs to that; only an observer asks."""
    if STATE.observer is None:
        yield
        return
    outer = push_scope(rule)
    try:
        yield
    finally:
        pop_scope(outer)


def observed(group: Group) -> Group:
    """A group for a step that is observed: its numbers are the same, and know what they are called."""
    observer = STATE.observer
    assert observer is not None
    made = dict(group)
    for key, value in group.items():
        if type(value) is float:
            made[key] = observer.named(value, key)
        elif type(value) is tuple:
            made[key] = tuple(
                observer.named(each, f"{key.removesuffix('s')}{place + 1}") if type(each) is float else each
                for place, each in enumerate(value)
            )
    return made


def copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else deepcopy(value)
