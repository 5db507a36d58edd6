"""Functions of tensors, with PyTorch's names and argument order; most are Tensor methods too."""

from ..dispatch import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from ..printing import set_printoptions
from ..spec import bool_ as bool
from ..spec import default_dtype as get_default_dtype
from ..spec import float32, float64, int32, int64, promote_types, set_default_dtype
from ..tensor import Tensor
from . import (  # noqa: F401  (they declare)
    arranging,
    create,
    facts,
    indexing,
    logic,
    numeric,
    picking,
    pointwise,
    products,
    python,
    rand,
    reduction,
    shaping,
    statistics,
)  # fmt: skip
from .facts import cuda, finfo, iinfo, linalg
from .rand import Generator, default_generator
from .register import FUNCTIONS

globals().update(FUNCTIONS)

__all__ = [
    "Generator", "Tensor", "bool", "cuda", "default_generator", "enable_grad", "finfo", "float32", "float64",
    "get_default_dtype", "iinfo", "inference_mode", "int32", "int64", "is_grad_enabled", "linalg", "no_grad",
    "promote_types", "set_default_dtype", "set_grad_enabled", "set_printoptions",
]  # fmt: skip
__all__ += list(FUNCTIONS)
