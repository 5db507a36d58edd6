"""What comes out of a compiled step besides numbers: results that gradients cannot go back through, gradients that
stayed inside, indices to be looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..dispatch import leaf
from ..errors import GlassgradError, GradError
from ..graph import Node
from ..op import ATOM, Op
from ..spec import Spec
from ..tensor import Tensor, wrap
from .traced import Slot

CLAMP = "keep it in range within the step, e.g. with clamp"


def _cut_rule(g: Node, y: Node, x: Node) -> Node:
    raise GradError(
        "backward through the result of a compiled function: its graph is inside the compiled code",
        fix="compile the whole step, with its backward, or call the plain function",
    )


RESULT = Op("compiled", lambda xp, x: x, lambda x: x, "{x}", ATOM, "The result of a compiled function.", (), "compiled")
RESULT.vjp(_cut_rule)
_MARK = Node(None, (), {}, np.zeros(()), True, None)


def watch(value: Any, check: Callable[[Any], object]) -> None:
    """Check an index, a divisor or an exponent that a step has computed, when it has been used."""
    try:
        check(np.asarray(value))
    except GlassgradError as error:
        raise type(error)(
            f"{error.asked}; a compiled step computed it, and has run: do not trust what it returned and changed",
            got=error.got, fix=error.fix or CLAMP,
        ) from None  # fmt: skip


def cut(slots: Any, results: list[Tensor]) -> None:
    """Marks the results whose gradient would go back into the step, so that backward from them is an error."""
    for slot in all_slots(slots):
        if slot.cut:
            held = results[slot.number]
            node = Node(RESULT, (_MARK,), {}, held.value, True, None)
            results[slot.number] = wrap(node)


def all_slots(given: Any) -> list[Slot]:
    if isinstance(given, Slot):
        return [given]
    if isinstance(given, dict):
        return [slot for value in given.values() for slot in all_slots(value)]
    if isinstance(given, (list, tuple)):
        return [slot for value in given for slot in all_slots(value)]
    return []


def gradient_inside(cell: Tensor) -> Tensor:
    """What stands in ``.grad`` after a compiled step: it says, to whoever reads it, where the gradient is to be had."""
    node = cell._node
    return wrap(leaf(_Inside(Spec(node.shape, node.dtype))))


class _Inside:
    """The value of a gradient that was not kept."""

    def __init__(self, spec: Spec) -> None:
        self.shape, self.dtype = spec.shape, spec.dtype

    def read(self, *_: object, **__: object) -> Any:
        raise GradError(
            "the gradients of a compiled step stay inside it: they are computed, used and overwritten there",
            fix="return p.grad from the step to have it, or call the plain function",
        )

    __array__ = __array_ufunc__ = __array_function__ = __getattr__ = __getitem__ = __len__ = __iter__ = read
