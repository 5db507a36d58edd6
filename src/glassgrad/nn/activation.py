"""Elementwise activations as layers, with the arguments of `nn.functional`'s."""

from __future__ import annotations

import warnings
from typing import Any

from .. import functions as fn
from ..errors import ArgumentError
from ..tensor import Tensor
from . import functional as F
from . import init as fill
from .module import Module
from .parameter import Parameter

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


class _Inplace(Module):
    """With ``inplace`` the result is written into the input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def _with_inplace(self, *parts: str) -> str:
        return ", ".join([*parts, "inplace=True"] if self.inplace else parts)

    def extra_repr(self) -> str:
        return self._with_inplace()


class ReLU(_Inplace):
    """max(x, 0); slope 0 at 0. Any shape (Nair & Hinton 2010).

    >>> nn.ReLU()(gg.tensor([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 2.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)


class Hardtanh(_Inplace):
    """x cut to [min_val, max_val]; slope 0 at both ends. Any shape. Raises ArgumentError unless min_val < max_val.

    ``min_value`` and ``max_value`` are old names of the same, and warn.

    >>> nn.Hardtanh()(gg.tensor([-3.0, 0.5, 3.0])).tolist()
    [-1.0, 0.5, 1.0]
    """

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__(inplace)
        for old, value in (("min_value", min_value), ("max_value", max_value)):
            if value is not None:
                warnings.warn(f"Hardtanh's {old} is now {old[:-2]}", FutureWarning, stacklevel=2)
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        if self.min_val >= self.max_val:
            raise ArgumentError(
                "Hardtanh cuts to [min_val, max_val]", got=f"min_val={self.min_val}, max_val={self.max_val}"
            )

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return self._with_inplace(f"min_val={self.min_val}, max_val={self.max_val}")


class ReLU6(Hardtanh):
    """min(max(x, 0), 6); slope 0 at both ends. Any shape.

    >>> nn.ReLU6()(gg.tensor([-1.0, 2.0, 9.0])).tolist()
    [0.0, 2.0, 6.0]
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return self._with_inplace()


class Threshold(_Inplace):
    """x where x > threshold, else ``value``. Any shape.

    >>> nn.Threshold(2.0, -7.0)(gg.tensor([1.0, 3.0])).tolist()
    [-7.0, 3.0]
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold, self.value = threshold, value

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        return self._with_inplace(f"threshold={self.threshold}, value={self.value}")


class LeakyReLU(_Inplace):
    """x where x > 0, else negative_slope * x. Any shape (Maas et al. 2013).

    >>> nn.LeakyReLU(0.5)(gg.tensor([-2.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return self._with_inplace(f"negative_slope={self.negative_slope}")


class PReLU(Module):
    """x where x > 0, else weight * x, the weight learned: one, or one for each channel (dimension 1) (He et al. 2015,
    arXiv:1502.01852).

    Raises ShapeError when there is another number of channels.

    >>> nn.PReLU()(gg.tensor([-2.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    weight: Tensor

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(fn.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets the weight back to ``init``."""
        fill.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class _Alpha(_Inplace):
    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def extra_repr(self) -> str:
        return self._with_inplace(f"alpha={self.alpha}")


class ELU(_Alpha):
    """x where x > 0, else alpha * (exp(x) - 1). Any shape (Clevert et al. 2016, arXiv:1511.07289).

    >>> nn.ELU()(gg.tensor([0.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)


class CELU(_Alpha):
    """x where x > 0, else alpha * (exp(x / alpha) - 1). Any shape (Barron 2017, arXiv:1704.07483).

    >>> nn.CELU(3.0)(gg.tensor([0.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)


class SELU(_Inplace):
    """ELU scaled so that mean 0 and variance 1 go through deep nets (Klambauer et al. 2017, arXiv:1706.02515).

    >>> round(float(nn.SELU()(gg.tensor([1.0]))), 4)
    1.0507
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


class GELU(Module):
    """x times the normal distribution's probability of being under x (Hendrycks & Gimpel 2016, arXiv:1606.08415).

    ``approximate="tanh"`` takes the tanh formula. Any shape.

    >>> round(float(nn.GELU()(gg.tensor([1.0]))), 4)
    0.8413
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Sigmoid(Module):
    """1 / (1 + exp(-x)). Any shape.

    >>> nn.Sigmoid()(gg.tensor([0.0])).tolist()
    [0.5]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent. Any shape.

    >>> nn.Tanh()(gg.tensor([0.0])).tolist()
    [0.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class LogSigmoid(Module):
    """log(sigmoid(x)), without overflow. Any shape.

    >>> nn.LogSigmoid()(gg.tensor([-500.0])).tolist()
    [-500.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class SiLU(_Inplace):
    """x * sigmoid(x), also called swish. Any shape (Elfwing et al. 2017, arXiv:1702.03118).

    >>> nn.SiLU()(gg.tensor([0.0])).tolist()
    [0.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)


class Mish(_Inplace):
    """x * tanh(softplus(x)). Any shape (Misra 2019, arXiv:1908.08681).

    >>> nn.Mish()(gg.tensor([0.0])).tolist()
    [0.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)


class Hardsigmoid(_Inplace):
    """relu6(x + 3) / 6, a sigmoid of straight lines. Any shape.

    >>> nn.Hardsigmoid()(gg.tensor([-4.0, 0.0, 4.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        return ""


class Hardswish(_Inplace):
    """x * hardsigmoid(x). Any shape (Howard et al. 2019, arXiv:1905.02244).

    >>> nn.Hardswish()(gg.tensor([-1.5, 0.0, 4.0])).tolist()
    [-0.375, 0.0, 4.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        return ""


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold. Any shape.

    >>> round(float(nn.Softplus()(gg.tensor([0.0]))), 4)
    0.6931
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Softsign(Module):
    """x / (1 + |x|). Any shape.

    >>> nn.Softsign()(gg.tensor([-1.0, 3.0])).tolist()
    [-0.5, 0.75]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Tanhshrink(Module):
    """x - tanh(x). Any shape.

    >>> nn.Tanhshrink()(gg.tensor([0.0])).tolist()
    [0.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class _Lambda(Module):
    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softshrink(_Lambda):
    """x moved towards 0 by lambd, and 0 within [-lambd, lambd]. Any shape.

    >>> nn.Softshrink()(gg.tensor([-2.0, 0.25, 2.0])).tolist()
    [-1.5, 0.0, 1.5]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)


class Hardshrink(_Lambda):
    """x, but 0 within [-lambd, lambd]. Any shape.

    >>> nn.Hardshrink()(gg.tensor([-2.0, 0.25, 2.0])).tolist()
    [-2.0, 0.0, 2.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)
