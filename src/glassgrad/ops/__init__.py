"""The primitives, one declaration each. Everything else is a composition of these."""

from ..op import check_registry
from . import arithmetic, compare, conv, fused, index, linalg, mathematical, pool, random, reduce, shape

__all__ = [
    "arithmetic",
    "compare",
    "conv",
    "fused",
    "index",
    "linalg",
    "mathematical",
    "pool",
    "random",
    "reduce",
    "shape",
]

check_registry()
