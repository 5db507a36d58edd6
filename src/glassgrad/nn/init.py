"""How weights start: every function fills a tensor in place, outside the graph, and returns it."""

from __future__ import annotations

import difflib
import math
import warnings
from typing import NoReturn

import numpy as np

from .. import functions as fn
from ..dispatch import no_grad
from ..errors import ArgumentError, NotCovered
from ..functions import Generator
from ..tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_CONVOLUTIONS = {f"conv{transposed}{n}d" for transposed in ("", "_transpose") for n in (1, 2, 3)}
_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 3.0 / 4.0}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the spread of numbers through a nonlinearity; ``param`` is leaky_relu's slope.

    Raises ArgumentError for a name it does not know.

    >>> nn.init.calculate_gain("tanh"), nn.init.calculate_gain("leaky_relu", 1.0)
    (1.6666666666666667, 1.0)
    """
    if nonlinearity == "leaky_relu":
        if isinstance(param, bool):
            raise ArgumentError("leaky_relu's negative slope is a number", got=repr(param))
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1.0 + slope**2))
    if nonlinearity in _CONVOLUTIONS:
        return 1.0
    if nonlinearity not in _GAINS:
        raise ArgumentError(
            f"There is no gain for {nonlinearity!r}", fix=f"one of {', '.join([*_GAINS, 'leaky_relu', 'conv2d'])}"
        )
    return _GAINS[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Numbers even in [a, b). Any shape.

    >>> w = nn.init.uniform_(gg.empty(3, 5), 2.0, 3.0)
    >>> bool(((w >= 2) & (w < 3)).all())
    True
    """
    with no_grad():
        filled: Tensor = tensor.uniform_(a, b, generator=generator)
    return filled


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers with the given mean and standard deviation. Any shape.

    >>> nn.init.normal_(gg.empty(2), 3.0, 0.0).tolist()
    [3.0, 3.0]
    """
    with no_grad():
        filled: Tensor = tensor.normal_(mean, std, generator=generator)
    return filled


def _below(x: float) -> float:
    """The normal distribution's probability of being under x."""
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers, those outside [a, b] drawn again. Any shape. Warns when [a, b] is far from the mean.

    Raises ArgumentError unless a < b and std > 0.

    >>> w = nn.init.trunc_normal_(gg.empty(100), a=-0.5, b=1.0)
    >>> bool(((w >= -0.5) & (w <= 1.0)).all())
    True
    """
    if not a < b or std <= 0:
        raise ArgumentError("trunc_normal_ takes a < b and a positive std", got=f"a={a}, b={b}, std={std}")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            f"the mean {mean} is more than 2 std from [{a}, {b}]: hardly any number is likely there",
            UserWarning,
            stacklevel=2,
        )
    values = np.empty(tensor.numel())
    wanted = np.arange(values.size)  # which are still to be drawn
    wide = _below((b - mean) / std) - _below((a - mean) / std) > 0.3
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    while wanted.size:
        if wide:  # most normal numbers are inside
            drawn = fn.randn(wanted.size, dtype=fn.float64, generator=generator).numpy() * std + mean
            good = (drawn >= a) & (drawn <= b)
        else:  # hardly any is: even numbers, each kept with its normal probability
            pair = fn.rand(2, wanted.size, dtype=fn.float64, generator=generator).numpy()
            drawn = pair[0] * (b - a) + a
            good = np.log1p(-pair[1]) <= -0.5 * ((drawn - mean) / std) ** 2 - peak
        values[wanted[good]] = drawn[good]
        wanted = wanted[~good]
    return _put(tensor, values.reshape(tensor.shape))


def _put(tensor: Tensor, values: np.ndarray) -> Tensor:
    with no_grad():
        filled: Tensor = tensor.copy_(fn.tensor(values, dtype=tensor.dtype))
    return filled


def constant_(tensor: Tensor, val: float) -> Tensor:
    """The same number everywhere. Any shape.

    >>> nn.init.constant_(gg.empty(2), 0.5).tolist()
    [0.5, 0.5]
    """
    with no_grad():
        filled: Tensor = tensor.fill_(val)
    return filled


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere. Any shape.

    >>> nn.init.ones_(gg.empty(2)).tolist()
    [1.0, 1.0]
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere. Any shape.

    >>> nn.init.zeros_(gg.empty(2)).tolist()
    [0.0, 0.0]
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity: a Linear layer with this weight passes its input on. Raises ArgumentError unless it is (n, m).

    >>> nn.init.eye_(gg.empty(2, 3)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    if tensor.dim() != 2:
        raise ArgumentError("eye_ fills a matrix", got=f"shape {tuple(tensor.shape)}")
    return _put(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The identity for a convolution: a weight (O, C, *kernel) that passes as many channels on as there are.

    With ``groups`` each group does so. Raises ArgumentError unless there are one to three kernel dimensions and the
    groups divide O.

    >>> nn.init.dirac_(gg.empty(2, 2, 3)).tolist()
    [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    shape = tuple(tensor.shape)
    if len(shape) not in (3, 4, 5):
        raise ArgumentError("dirac_ fills (O, C, *kernel) with one to three kernel dimensions", got=f"shape {shape}")
    if shape[0] % groups:
        raise ArgumentError("groups divides dimension 0", got=f"groups={groups}, shape {shape}")
    values = np.zeros(shape)
    each = shape[0] // groups
    middle = tuple(size // 2 for size in shape[2:])
    for group in range(groups):
        for channel in range(min(each, shape[1])):
            values[(group * each + channel, channel, *middle)] = 1.0
    return _put(tensor, values)


def _fans(tensor: Tensor) -> tuple[int, int]:
    """How many numbers go into one output of a layer with this weight, and how many come out of one input."""
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        raise ArgumentError(
            "Fan-in and fan-out are those of a weight (out, in, *kernel)",
            got=f"shape {shape}",
            fix="uniform_ or zeros_",
        )
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Even numbers in [-r, r], r = gain sqrt(6 / (fan_in + fan_out)): (out, in, *kernel) (Glorot & Bengio 2010).

    >>> w = nn.init.xavier_uniform_(gg.empty(2, 4))
    >>> bool((w.abs() <= 1.0).all())
    True
    """
    std = gain * math.sqrt(2.0 / sum(_fans(tensor)))
    return uniform_(tensor, -math.sqrt(3.0) * std, math.sqrt(3.0) * std, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers with std gain sqrt(2 / (fan_in + fan_out)): (out, in, *kernel) (Glorot & Bengio 2010).

    >>> tuple(nn.init.xavier_normal_(gg.empty(2, 4)).shape)
    (2, 4)
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    if tensor.numel() == 0 and 0 in tensor.shape:
        warnings.warn("a tensor without entries has nothing to initialise", UserWarning, stacklevel=3)
        return None
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ArgumentError("mode is 'fan_in' or 'fan_out'", got=repr(mode))
    return calculate_gain(nonlinearity, a) / math.sqrt(_fans(tensor)[mode.lower() == "fan_out"])


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Even numbers in [-r, r], r = gain sqrt(3 / fan): (out, in, *kernel) (He et al. 2015, arXiv:1502.01852).

    ``mode`` says which fan, "fan_in" or "fan_out"; ``a`` is the slope of leaky_relu on the left.

    >>> w = nn.init.kaiming_uniform_(gg.empty(5, 6))
    >>> bool((w.abs() <= 1.0).all())
    True
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else uniform_(tensor, -math.sqrt(3.0) * std, math.sqrt(3.0) * std, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers with std gain / sqrt(fan): (out, in, *kernel) (He et al. 2015, arXiv:1502.01852).

    ``mode`` says which fan, "fan_in" or "fan_out"; ``a`` is the slope of leaky_relu on the left.

    >>> tuple(nn.init.kaiming_normal_(gg.empty(5, 6), nonlinearity="relu").shape)
    (5, 6)
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Rows (or columns, if there are fewer) of length ``gain`` at right angles: (out, *), the rest seen as one
    dimension (Saxe et al. 2013, arXiv:1312.6120).

    >>> w = nn.init.orthogonal_(gg.empty(2, 5, dtype=gg.float64))
    >>> bool(((w @ w.T - gg.eye(2, dtype=gg.float64)).abs() < 1e-12).all())
    True
    """
    if tensor.dim() < 2:
        raise ArgumentError("orthogonal_ fills two dimensions or more", got=f"shape {tuple(tensor.shape)}")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    q, r = np.linalg.qr(fn.randn(max(rows, columns), min(rows, columns), dtype=fn.float64, generator=generator).numpy())
    # QR alone prefers a sign; this makes all orthogonal matrices equally likely (Mezzadri 2006, math-ph/0609050).
    q = q * np.sign(np.diag(r))
    return _put(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal numbers, of which in each column the share ``sparsity``, rounded up, is 0: (n, m) (Martens 2010).

    >>> w = nn.init.sparse_(gg.empty(10, 3), 0.25)
    >>> (w == 0).sum(0).tolist()
    [3, 3, 3]
    """
    if tensor.dim() != 2:
        raise ArgumentError("sparse_ fills a matrix", got=f"shape {tuple(tensor.shape)}")
    rows = tensor.shape[0]
    shape = tuple(tensor.shape)
    values = fn.randn(*shape, dtype=fn.float64, generator=generator).numpy() * std
    order = np.argsort(fn.rand(*shape, dtype=fn.float64, generator=generator).numpy(), axis=0)
    np.put_along_axis(values, order[: math.ceil(sparsity * rows)], 0.0, axis=0)
    return _put(tensor, values)


def __getattr__(name: str) -> NoReturn:
    if name.startswith("__"):
        raise AttributeError(name)
    near = difflib.get_close_matches(name, __all__, n=1)
    raise NotCovered(f"nn.init.{name} is not covered", fix=f"the nearest there is: {near[0]}" if near else "")
