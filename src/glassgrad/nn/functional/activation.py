"""Activations: elementwise functions, and the softmax family.

Where a function has a kink, its slope there is torch's. A branch that is not taken never sees a value that could
overflow: a gradient of 0 times infinity would be NaN.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from ... import functions as fn
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
]


def _put(x: Tensor, y: Tensor, inplace: bool) -> Tensor:
    """``y``, or with ``inplace`` the cell ``x`` with y's value."""
    return x.copy_(y) if inplace else y


def _held(x: Tensor, inplace: bool) -> Tensor:
    """``x``, or with ``inplace`` a tensor of its own with x's value: the gradient needs it when x is written over."""
    held: Tensor = x.reshape(x.shape) if inplace else x
    return held


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0); slope 0 at 0. Any shape (Nair & Hinton 2010).

    >>> nn.functional.relu(gg.tensor([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 2.0]
    """
    return input.relu_() if inplace else input.relu()


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else ``value``. Any shape.

    >>> nn.functional.threshold(gg.tensor([1.0, 3.0]), 2.0, -7.0).tolist()
    [-7.0, 3.0]
    """
    return _put(input, input.masked_fill(input <= threshold, value), inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x cut to [min_val, max_val]; slope 0 at both ends. Any shape. Raises ArgumentError when min_val > max_val.

    >>> nn.functional.hardtanh(gg.tensor([-3.0, 0.5, 3.0])).tolist()
    [-1.0, 0.5, 1.0]
    """
    if min_val > max_val:
        raise ArgumentError("hardtanh cuts to [min_val, max_val]", got=f"min_val={min_val}, max_val={max_val}")
    # Not clamp, whose slope at the ends is 1.
    y = input.masked_fill(input <= min_val, min_val).masked_fill(input >= max_val, max_val)
    return _put(input, y, inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6); slope 0 at both ends. Any shape.

    >>> nn.functional.relu6(gg.tensor([-1.0, 2.0, 9.0])).tolist()
    [0.0, 2.0, 6.0]
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope * x. Any shape (Maas et al. 2013).

    >>> nn.functional.leaky_relu(gg.tensor([-2.0, 2.0]), 0.5).tolist()
    [-1.0, 2.0]
    """
    return _put(input, fn.where(input > 0, input, input * negative_slope), inplace)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else weight * x, with one weight or one for each channel (dimension 1) (He et al. 2015).

    >>> nn.functional.prelu(gg.tensor([-2.0, 2.0]), gg.tensor([0.25])).tolist()
    [-0.5, 2.0]
    """
    if weight.numel() > 1:
        channels = input.shape[1] if input.dim() > 1 else 1
        if weight.numel() != channels:
            raise ShapeError(
                "prelu takes one weight, or one for each channel of dimension 1",
                got=f"{weight.numel()} weights, input of shape {tuple(input.shape)}",
            )
        weight = weight.reshape(-1, *(1,) * (input.dim() - 2))
    elif input.dim() == 0:
        weight = weight.reshape(())
    return fn.where(input > 0, input, weight * input)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (exp(x) - 1). Any shape (Clevert et al. 2016, arXiv:1511.07289).

    >>> nn.functional.elu(gg.tensor([0.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return _put(input, fn.where(input > 0, input, input.clamp(max=0.0).expm1() * alpha), inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (exp(x / alpha) - 1). Any shape (Barron 2017, arXiv:1704.07483).

    >>> nn.functional.celu(gg.tensor([0.0, 2.0]), 3.0).tolist()
    [0.0, 2.0]
    """
    if alpha == 0:
        raise ArgumentError("celu divides by alpha, so it cannot be 0")
    return _put(input, fn.where(input > 0, input, (input.clamp(max=0.0) * (1.0 / alpha)).expm1() * alpha), inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """ELU scaled so that mean 0 and variance 1 go through deep nets (Klambauer et al. 2017, arXiv:1706.02515).

    >>> round(float(nn.functional.selu(gg.tensor([1.0]))), 4)
    1.0507
    """
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return _put(input, elu(input, alpha) * scale, inplace)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the normal distribution's probability of being under x (Hendrycks & Gimpel 2016, arXiv:1606.08415).

    ``approximate="tanh"`` takes the tanh formula. Any shape.

    >>> nn.functional.gelu(gg.tensor([1.0])).mul(1e4).round().tolist()
    [8413.0]
    >>> nn.functional.gelu(gg.tensor([1.0]), approximate="tanh").mul(1e4).round().tolist()
    [8412.0]
    """
    if approximate == "none":
        return input * 0.5 * ((input * math.sqrt(0.5)).erf() + 1.0)
    if approximate == "tanh":
        inner = (input * input * 0.044715 + 1.0) * input * math.sqrt(2.0 / math.pi)
        return input * 0.5 * (inner.tanh() + 1.0)
    raise ArgumentError("approximate is 'none' or 'tanh'", got=repr(approximate))


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x)). Any shape.

    >>> nn.functional.sigmoid(gg.tensor([0.0])).tolist()
    [0.5]
    """
    return input.sigmoid()


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent. Any shape.

    >>> nn.functional.tanh(gg.tensor([0.0])).tolist()
    [0.0]
    """
    return input.tanh()


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)), without overflow. Any shape.

    >>> nn.functional.logsigmoid(gg.tensor([-500.0])).tolist()
    [-500.0]
    """
    return -fn.softplus(-input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x), also called swish. Any shape (Elfwing et al. 2017, arXiv:1702.03118).

    >>> nn.functional.silu(gg.tensor([0.0])).tolist()
    [0.0]
    """
    x = _held(input, inplace)
    return _put(input, x * x.sigmoid(), inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)). Any shape (Misra 2019, arXiv:1908.08681).

    >>> nn.functional.mish(gg.tensor([0.0])).tolist()
    [0.0]
    """
    x = _held(input, inplace)
    return _put(input, x * fn.softplus(x).tanh(), inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold. Any shape.

    >>> round(float(nn.functional.softplus(gg.tensor([0.0]))), 4)
    0.6931
    """
    z = input if beta == 1 else input * beta
    y = fn.softplus(z)
    return fn.where(z > threshold, input, y if beta == 1 else y / beta)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|). Any shape.

    >>> nn.functional.softsign(gg.tensor([-1.0, 3.0])).tolist()
    [-0.5, 0.75]
    """
    return input / (input.abs() + 1.0)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x). Any shape.

    >>> nn.functional.tanhshrink(gg.tensor([0.0])).tolist()
    [0.0]
    """
    return input - input.tanh()


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd, and 0 within [-lambd, lambd]. Any shape.

    >>> nn.functional.softshrink(gg.tensor([-2.0, 0.25, 2.0])).tolist()
    [-1.5, 0.0, 1.5]
    """
    if lambd < 0:
        raise ArgumentError("softshrink moves by a lambd that is not negative", got=f"lambd={lambd}")
    return input - input.clamp(-lambd, lambd)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x, but 0 within [-lambd, lambd]. Any shape.

    >>> nn.functional.hardshrink(gg.tensor([-2.0, 0.25, 2.0])).tolist()
    [-2.0, 0.0, 2.0]
    """
    return input.masked_fill(input.abs() <= lambd, 0.0)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(x + 3) / 6, a sigmoid of straight lines. Any shape.

    >>> nn.functional.hardsigmoid(gg.tensor([-4.0, 0.0, 4.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return _put(input, hardtanh(input + 3.0, 0.0, 6.0) / 6.0, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x). Any shape (Howard et al. 2019, arXiv:1905.02244).

    >>> nn.functional.hardswish(gg.tensor([-1.5, 0.0, 4.0])).tolist()
    [-0.375, 0.0, 4.0]
    """
    x = _held(input, inplace)
    return _put(input, x * hardsigmoid(x), inplace)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a * sigmoid(b) for the two halves of ``dim`` (Dauphin et al. 2016, arXiv:1612.08083). Halves that dimension.

    Raises ShapeError when it is odd.

    >>> nn.functional.glu(gg.tensor([4.0, 0.0])).tolist()
    [2.0]
    """
    if input.dim() == 0 or input.shape[dim] % 2:
        raise ShapeError(f"glu halves dimension {dim}, so its size must be even", got=f"shape {tuple(input.shape)}")
    a, b = input.chunk(2, dim)
    return a * b.sigmoid()


def _implicit_dim(name: str, ndim: int) -> int:
    warnings.warn(f"{name} without dim guesses the dimension: write dim=...", UserWarning, stacklevel=3)
    return 0 if ndim in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) over ``dim``. Any shape; ``dtype`` is what x is turned into first.

    >>> nn.functional.softmax(gg.tensor([[0.0, 0.0]]), dim=1).tolist()
    [[0.5, 0.5]]
    """
    dim = _implicit_dim("softmax", input.dim()) if dim is None else dim
    return (input if dtype is None else input.to(dtype)).softmax(dim)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax(-x) over ``dim``.

    >>> nn.functional.softmin(gg.tensor([0.0, 0.0]), dim=0).tolist()
    [0.5, 0.5]
    """
    dim = _implicit_dim("softmin", input.dim()) if dim is None else dim
    return softmax(-input, dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """log(softmax(x)) over ``dim``, without overflow.

    >>> nn.functional.log_softmax(gg.tensor([1000.0, 0.0]), dim=0).tolist()
    [0.0, -1000.0]
    """
    dim = _implicit_dim("log_softmax", input.dim()) if dim is None else dim
    return (input if dtype is None else input.to(dtype)).log_softmax(dim)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample from the categorical distribution of ``logits``, made differentiable (Jang et al. 2016,
    arXiv:1611.01144).

    With ``hard`` it is one-hot going forward and soft going back.

    >>> float(nn.functional.gumbel_softmax(gg.zeros(3), hard=True).detach().sum())
    1.0
    """
    # 1 - u is in (0, 1], so the inner logarithm is finite; the tiny number keeps the outer one so.
    noise = -((-(1.0 - fn.rand(logits.shape, dtype=logits.dtype)).log()) + 1e-30).log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.detach().argmax(dim, keepdim=True)
    one_hot = fn.zeros_like(soft).scatter(dim, index, 1.0)
    return one_hot - soft.detach() + soft
