"""The calls that a user's code makes: of models, of losses; told by an observer, or read from the stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from .. import nn
from ..autograd.backward import backward
from ..dispatch import leaf
from ..engine.trace import flatten
from ..errors import is_users
from ..nn import Module
from ..tensor import Tensor, wrap
from .patient import Batch


@dataclass
class Call:
    """A call that a user's own code made: of a module or of one of the functions."""

    of: Callable[..., Any]
    args: tuple[Any, ...]
    named: dict[str, Any]
    result: Any = None

    def by_key(self) -> dict[Any, Any]:
        """What it was given, by place or by name."""
        return {**dict(enumerate(self.args)), **self.named}

    def takes(self, what: Any) -> bool:
        return any(value is what for value in self.by_key().values())

    def batch(self, targets: Any) -> Batch:
        """Copies of what it was given, which the user may change in place later, and of targets."""
        made = Batch((*map(own, self.args), targets))
        made.named = {name: own(value) for name, value in self.named.items()}
        return made


def has_parameters(module: Module) -> bool:
    return any(True for _ in module.parameters())


def own(given: Any) -> Any:
    """The same data in memory of its own."""
    if isinstance(given, Tensor):
        return wrap(leaf(np.array(given.detach().numpy()), False))
    if isinstance(given, np.ndarray):
        return given.copy()
    if isinstance(given, (list, tuple)) and type(given) in (list, tuple):
        return type(given)(map(own, given))
    if type(given) is dict:
        return {key: own(value) for key, value in given.items()}
    return given


def backward_of(error: BaseException) -> Tensor | None:
    """The tensor whose backward pass raised an error."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is backward.__code__:
            found = flatten(trace.tb_frame.f_locals["tensors"])
            return found[0] if len(found) == 1 else None
        trace = trace.tb_next
    return None


FUNCTIONS: dict[Any, Any] = {}
"""The functions of `nn.functional` by their code."""


def called_function(frame: FrameType | None) -> Call | None:
    """The call of one of the functions that a user's code made, in or under this frame."""
    if not FUNCTIONS:
        for made in vars(nn.functional).values():
            inner = getattr(made, "__wrapped__", made)
            if hasattr(inner, "__code__"):
                FUNCTIONS[inner.__code__] = made
    inside: FrameType | None = None
    while frame is not None and not is_users(frame.f_code.co_filename):
        inside, frame = frame, frame.f_back
    if inside is None or inside.f_code not in FUNCTIONS:
        return None
    code = inside.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return Call(FUNCTIONS[code], (), {name: inside.f_locals[name] for name in names if name in inside.f_locals})
