"""A value as text, in PyTorch's form."""

from __future__ import annotations

import numpy as np

from .graph import Node
from .spec import bool_, default_dtype, int64


def describe(node: Node) -> str:
    """The tensor that shows ``node``, as ``tensor([1., 2.], requires_grad=True)``."""
    value = np.asarray(node.value)
    text = np.array2string(value, precision=4, separator=", ", prefix="tensor(", threshold=1000, edgeitems=3)
    notes = [text]
    if not value.size and value.ndim > 1:
        notes.append(f"size={list(value.shape)}")
    if value.dtype not in (default_dtype(), int64, bool_):
        notes.append(f"dtype=glassgrad.{value.dtype}")
    if node.requires_grad:
        notes.append("requires_grad=True" if node.op is None else f"grad_fn=<{node.op.name}>")
    return f"tensor({', '.join(notes)})"
