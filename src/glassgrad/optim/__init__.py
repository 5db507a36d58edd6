"""Optimizers and learning rate schedules, with the names, options and numbers of ``torch.optim``.

Example:
    >>> import glassgrad
    >>> w = glassgrad.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = glassgrad.optim.SGD([w], lr=0.25, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     loss = (w * w).sum()
    ...     loss.backward()
    ...     optimizer.step()
    >>> w.tolist()
    [0.0, 0.0]
"""

from __future__ import annotations

from typing import Any

from ..errors import NotCovered
from . import lr_scheduler
from .adam import Adam, AdamW
from .adaptive import Adadelta, Adagrad, RMSprop, Rprop
from .lbfgs import LBFGS
from .nadam import Adamax, NAdam, RAdam
from .optimizer import Optimizer
from .sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "lr_scheduler",
]

_NEAREST = {"ASGD": "SGD", "SparseAdam": "Adam", "Adafactor": "AdamW", "Muon": "AdamW"}


def __getattr__(name: str) -> Any:
    if name in _NEAREST:
        raise NotCovered(f"optim.{name} is not covered", fix=f"the nearest rule here is optim.{_NEAREST[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
