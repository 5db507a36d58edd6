"""Gradient clipping and parameters as one vector, with the names of ``torch.nn.utils``."""

from __future__ import annotations

from typing import Any

from ...errors import NotCovered
from .clip_grad import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from .convert_parameters import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "vector_to_parameters",
]

_NEAREST = {
    "clip_grad_norm": "clip_grad_norm_, its new name",
    "spectral_norm": "clip_grad_norm_ bounds the step, not the weights",
    "weight_norm": "functional.normalize in the module's forward",
    "parametrize": "compute the weight in the module's forward",
    "parametrizations": "compute the weight in the module's forward",
    "skip_init": "make the module and overwrite its parameters",
}


def __getattr__(name: str) -> Any:
    if name in _NEAREST:
        raise NotCovered(f"nn.utils.{name} is not covered", fix=f"the nearest there is: {_NEAREST[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
