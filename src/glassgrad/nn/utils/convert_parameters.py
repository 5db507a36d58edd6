"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ... import functions as fn
from ...dispatch import no_grad
from ...errors import ShapeError, TypeMismatch
from ...tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The entries of all parameters, one after the other, as a tensor of shape ``(total,)``; differentiable.

    Example:
        >>> import glassgrad
        >>> from glassgrad.nn.utils import parameters_to_vector
        >>> parameters_to_vector([glassgrad.ones(2, 2), glassgrad.zeros(1)]).tolist()
        [1.0, 1.0, 1.0, 1.0, 0.0]
    """
    vector: Tensor = fn.cat([p.reshape(-1) for p in parameters])
    return vector


@no_grad()
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write the entries of a vector into the parameters, in place and in order.

    Args:
        vec: shape ``(total,)``.
        parameters: tensors with as many entries together.

    Raises:
        ShapeError: a vector of another length. TypeMismatch: not a tensor.

    Example:
        >>> import glassgrad
        >>> from glassgrad.nn.utils import vector_to_parameters
        >>> w = glassgrad.zeros(2, 1)
        >>> vector_to_parameters(glassgrad.tensor([1.0, 2.0]), [w])
        >>> w.tolist()
        [[1.0], [2.0]]
    """
    if not isinstance(vec, Tensor):
        raise TypeMismatch("vector_to_parameters needs a tensor", got=type(vec).__name__)
    listed = list(parameters)
    total = sum(p.numel() for p in listed)
    if tuple(vec.shape) != (total,):
        raise ShapeError(
            "the vector does not have the length of the parameters", got=f"{tuple(vec.shape)}, {total} entries"
        )
    start = 0
    for p in listed:
        end = start + p.numel()
        p.copy_(vec[start:end].reshape(p.shape))
        start = end
