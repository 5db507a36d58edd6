"""One plain sentence for a step, from its numbers alone."""

from typing import Any


def sentence(step: Any) -> str:
    return step.node.op.says if step.node.op is not None else ""
