"""Normalisation: take the mean away, divide by the spread, then scale and shift."""

from __future__ import annotations

from collections.abc import Sequence

from ... import functions as fn
from ...dispatch import no_grad
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"]


def _check_trailing(
    name: str, input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None
) -> tuple[int, ...]:
    shape = tuple(int(s) for s in normalized_shape)
    if not shape or tuple(input.shape[-len(shape) :]) != shape:
        raise ShapeError(
            f"{name} normalises over the last dimensions, which have to be {shape}",
            got=f"input of shape {tuple(input.shape)}",
        )
    if weight is not None and tuple(weight.shape) != shape:
        raise ShapeError(f"{name}'s weight has the shape it normalises over, {shape}", got=f"{tuple(weight.shape)}")
    return tuple(range(-len(shape), 0))


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) over the last dimensions, times weight, plus bias (Ba et al. 2016,
    arXiv:1607.06450).

    Raises ShapeError when they are not ``normalized_shape``.

    >>> nn.functional.layer_norm(gg.tensor([[1.0, 3.0]]), (2,), eps=0.0).tolist()
    [[-1.0, 1.0]]
    """
    dims = _check_trailing("layer_norm", input, normalized_shape, weight)
    centered = input - input.mean(dims, keepdim=True)
    y = centered * ((centered * centered).mean(dims, keepdim=True) + eps).rsqrt()
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / sqrt(mean(x²) + eps) over the last dimensions, times weight (Zhang & Sennrich 2019, arXiv:1910.07467).

    ``eps=None`` takes the smallest step above 1 of x's dtype.

    >>> nn.functional.rms_norm(gg.tensor([[3.0, 3.0]]), (2,)).tolist()
    [[1.0, 1.0]]
    """
    dims = _check_trailing("rms_norm", input, normalized_shape, weight)
    if eps is None:
        eps = 2.0**-52 if input.dtype == fn.float64 else 2.0**-23
    y = input * ((input * input).mean(dims, keepdim=True) + eps).rsqrt()
    return y if weight is None else y * weight


def _track(running: Tensor, batch: Tensor, momentum: float | Tensor) -> None:
    with no_grad():
        running.mul_(1.0 - momentum).add_(batch.detach() * momentum)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) for each channel of (N, C, *), times weight, plus bias (Ioffe & Szegedy 2015,
    arXiv:1502.03167).

    When ``training`` mean and variance are the batch's, and the running ones move towards them, by ``momentum``;
    otherwise they are the running ones. Raises ArgumentError for a batch with one number for each channel.

    >>> nn.functional.batch_norm(gg.tensor([[1.0], [3.0]]), None, None, training=True, eps=0.0).tolist()
    [[-1.0], [1.0]]
    """
    if input.dim() < 2:
        raise ShapeError("batch_norm takes (N, C, *)", got=f"shape {tuple(input.shape)}")
    channels = input.shape[1]
    for name, each in (
        ("weight", weight),
        ("bias", bias),
        ("running_mean", running_mean),
        ("running_var", running_var),
    ):
        if each is not None and each.numel() != channels:
            raise ShapeError(
                f"batch_norm's {name} has one number for each channel",
                got=f"{each.numel()} for input {tuple(input.shape)}",
            )
    wide = (-1, *(1,) * (input.dim() - 2)) if input.dim() > 2 else ()
    if training:
        dims = (0, *range(2, input.dim()))
        count = input.numel() // channels if channels else 0
        if count == 1:
            raise ArgumentError(
                "batch_norm in training needs more than one number for each channel",
                got=f"input of shape {tuple(input.shape)}",
                fix="a larger batch, or eval()",
            )
        mean = input.mean(dims, keepdim=True)
        centered = input - mean
        var = (centered * centered).mean(dims, keepdim=True)
        if running_mean is not None:
            _track(running_mean, mean.detach().reshape(-1), momentum)
        if running_var is not None:
            # The unbiased one is tracked, the biased one divides: so the paper has it.
            _track(running_var, var.detach().reshape(-1) * (count / max(count - 1, 1)), momentum)
        scale = (var + eps).rsqrt()
    else:
        if running_mean is None or running_var is None:
            raise ArgumentError("batch_norm outside training needs running_mean and running_var")
        centered = input - (running_mean.reshape(wide) if wide else running_mean)
        scale = (running_var + eps).rsqrt()
        scale = scale.reshape(wide) if wide else scale
    if weight is not None:
        scale = scale * (weight.reshape(wide) if wide else weight)  # C numbers: cheaper than scaling the result
    y = centered * scale
    if bias is None:
        return y
    return y + (bias.reshape(wide) if wide else bias)


def _affine(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    wide = (-1, *(1,) * (y.dim() - 2))
    if weight is not None:
        y = y * weight.reshape(wide)
    return y if bias is None else y + bias.reshape(wide)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """(x - mean) / sqrt(var + eps) within each group of channels of each example of (N, C, *) (Wu & He 2018,
    arXiv:1803.08494).

    Raises ShapeError when the channels do not divide into ``num_groups``.

    >>> nn.functional.group_norm(gg.tensor([[1.0, 3.0]]), 1, eps=0.0).tolist()
    [[-1.0, 1.0]]
    """
    shape = tuple(input.shape)
    if len(shape) < 2 or num_groups < 1 or shape[1] % num_groups:
        raise ShapeError(f"group_norm takes (N, C, *) with C a multiple of num_groups={num_groups}", got=f"{shape}")
    within = 1
    for size in (shape[1] // num_groups, *shape[2:]):
        within *= size
    x = input.reshape((shape[0], num_groups, within))  # (N, G, C / G * spatial)
    centered = x - x.mean(-1, keepdim=True)
    y = centered * ((centered * centered).mean(-1, keepdim=True) + eps).rsqrt()
    return _affine(y.reshape(shape), weight, bias)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) for each channel of each example of (N, C, *) (Ulyanov et al. 2016,
    arXiv:1607.08022).

    Raises ArgumentError when a channel has one number only.

    >>> nn.functional.instance_norm(gg.tensor([[[1.0, 3.0]]]), eps=0.0).tolist()
    [[[-1.0, 1.0]]]
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.dim() < 3:
        raise ShapeError("instance_norm takes (N, C, *)", got=f"shape {tuple(input.shape)}")
    dims = tuple(range(2, input.dim()))
    count = 1
    for size in input.shape[2:]:
        count *= size
    if count == 1:
        raise ArgumentError(
            "instance_norm needs more than one number for each channel of an example",
            got=f"input of shape {tuple(input.shape)}",
        )
    mean = input.mean(dims, keepdim=True)
    centered = input - mean
    var = (centered * centered).mean(dims, keepdim=True)
    if running_mean is not None:
        _track(running_mean, mean.detach().flatten(1).mean(0), momentum)
    if running_var is not None:
        _track(running_var, var.detach().flatten(1).mean(0) * (count / max(count - 1, 1)), momentum)
    return _affine(centered * (var + eps).rsqrt(), weight, bias)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha * mean of x² over ``size`` neighbouring channels) ** beta (Krizhevsky et al. 2012).

    >>> tuple(nn.functional.local_response_norm(gg.ones(1, 5, 3), 2).shape)
    (1, 5, 3)
    """
    if input.dim() < 3:
        raise ShapeError("local_response_norm takes (N, C, *)", got=f"shape {tuple(input.shape)}")
    if input.numel() == 0:
        return input
    channels = input.shape[1]
    square = input * input
    total = None
    for offset in range(-(size // 2), (size - 1) // 2 + 1):
        # The channel that lies `offset` further on; beyond the ends there is nothing.
        kept = square[:, max(offset, 0) : channels + min(offset, 0)]
        gap = fn.zeros((input.shape[0], min(abs(offset), channels), *input.shape[2:]), dtype=input.dtype)
        moved = kept if offset == 0 else fn.cat([kept, gap] if offset > 0 else [gap, kept], 1)
        total = moved if total is None else total + moved
    if total is None:
        raise ArgumentError("local_response_norm looks at one channel or more", got=f"size={size}")
    return input / (total * (alpha / size) + k).pow(beta)
