"""Gradient clipping. No branch depends on a gradient's value, so that a training step with it can be traced."""

from __future__ import annotations

import math
import types
import warnings
from collections.abc import Iterable

from ... import functions as fn
from ...dispatch import Quiet, no_grad
from ...errors import ArgumentError, GradError, NotCovered, TypeMismatch
from ...tensor import Tensor

Tensors = Tensor | Iterable[Tensor]


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _not_foreach(foreach: bool | None) -> None:
    if foreach:
        raise NotCovered("foreach=True is not covered", fix="leave foreach out: the numbers are the same")


def _grads(parameters: Tensors) -> list[Tensor]:
    """The gradients, each writable in place: one that came with create_graph is cut off from that graph."""
    grads = []
    for p in _listed(parameters):
        if p.grad is not None:
            if p.grad.requires_grad:
                p.grad = p.grad.detach().clone()
            grads.append(p.grad)
    return grads


def _norm(x: Tensor, order: float) -> Tensor:
    """The vector norm of all entries of ``x``: a 0-d tensor."""
    size = x.abs()
    total: Tensor
    if order == math.inf:
        total = size.amax()
    elif order == -math.inf:
        total = size.amin()
    elif order == 0.0:
        total = size.ne(0).to(x.dtype).sum()
    elif order == 1.0:
        total = size.sum()
    else:
        total = (size**order).sum() ** (1.0 / order)
    return total


@no_grad()
def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of the norms of several tensors: for most orders that of all their entries in one vector.

    Args:
        tensors: one tensor or several.
        norm_type: the order of the norm; may be ``inf``.
        error_if_nonfinite: raise if the result is NaN or infinite (this reads it).

    Returns:
        A 0-d tensor.

    Raises:
        GradError: a result that is not finite, if that was asked for.

    Example:
        >>> import glassgrad
        >>> from glassgrad.nn.utils import get_total_norm
        >>> get_total_norm([glassgrad.tensor([3.0]), glassgrad.tensor([4.0])]).item()
        5.0
    """
    _not_foreach(foreach)
    given, order = _listed(tensors), float(norm_type)
    total: Tensor
    with Quiet():
        if not given:
            total = fn.tensor(0.0)
        elif order == 2.0:  # the squares of norms would be roots taken back at once
            total = fn.stack([(t * t).sum() for t in given]).sum().sqrt()
        else:
            total = _norm(fn.stack([_norm(t, order) for t in given]), order)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise GradError(
            f"the total norm of order {order:g} of the gradients is not finite, so clipping cannot mend them",
            got=f"norm {total.item()}",
            fix="find what made them so, or pass error_if_nonfinite=False",
        )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients in place by max_norm / (total_norm + 1e-6), if that is below 1.

    Args:
        parameters: the tensors whose ``.grad`` is scaled.
        max_norm: what the norm should be at most.
        total_norm: the norm that they have, as from `get_total_norm`.

    Example:
        >>> import glassgrad
        >>> from glassgrad.nn.utils import clip_grads_with_norm_
        >>> w = glassgrad.tensor([0.0], requires_grad=True)
        >>> w.grad = glassgrad.tensor([8.0])
        >>> clip_grads_with_norm_(w, max_norm=1.0, total_norm=glassgrad.tensor(8.0))
        >>> round(w.grad.item(), 4)
        1.0
    """
    _not_foreach(foreach)
    if not isinstance(total_norm, Tensor):
        raise TypeMismatch("total_norm must be a tensor, as get_total_norm gives it", got=repr(total_norm))
    with Quiet():
        factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        for grad in _grads(parameters):
            grad.mul_(factor)


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients in place by one factor, so that their total norm is at most max_norm.

    Args:
        parameters: the tensors whose ``.grad`` is scaled; those without are left out.
        max_norm: what the norm should be at most.
        norm_type: the order of the norm; may be ``inf``.
        error_if_nonfinite: raise if the norm is NaN or infinite instead of scaling by it.

    Returns:
        The total norm before clipping, a 0-d tensor.

    Raises:
        GradError: a norm that is not finite, if that was asked for.

    Pascanu, Mikolov, Bengio: On the difficulty of training recurrent neural networks (ICML 2013), algorithm 1.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([0.0, 0.0], requires_grad=True)
        >>> w.grad = glassgrad.tensor([3.0, 4.0])
        >>> glassgrad.nn.utils.clip_grad_norm_([w], max_norm=2.5).item()
        5.0
        >>> [round(g, 4) for g in w.grad.tolist()]
        [1.5, 2.0]
    """
    listed = _listed(parameters)
    if not listed and isinstance(parameters, types.GeneratorType):
        warnings.warn("clip_grad_norm_ got an empty generator: nothing is clipped", stacklevel=2)
    grads = [p.grad for p in listed if p.grad is not None]
    total = get_total_norm(grads, norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(listed, max_norm, total, foreach)
    return total


@no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Bring every entry of the gradients into [-clip_value, clip_value], in place.

    Args:
        parameters: the tensors whose ``.grad`` is clipped; those without are left out.
        clip_value: 0 or more.

    Raises:
        ArgumentError: a negative or NaN clip_value.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([0.0, 0.0], requires_grad=True)
        >>> w.grad = glassgrad.tensor([3.0, -0.5])
        >>> glassgrad.nn.utils.clip_grad_value_([w], 1.0)
        >>> w.grad.tolist()
        [1.0, -0.5]
    """
    _not_foreach(foreach)
    bound = float(clip_value)
    if not bound >= 0.0:
        raise ArgumentError("clip_value must be 0 or more", got=f"clip_value={clip_value!r}")
    with Quiet():
        for grad in _grads(parameters):
            grad.clamp_(min=-bound, max=bound)
