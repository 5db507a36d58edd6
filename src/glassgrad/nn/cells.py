"""One step of a recurrent net: as a function for the loops over time, and as layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from .. import functions as fn
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]

State = tuple[Tensor, ...]
Step = Callable[[tuple[Tensor, ...], State], State]
"""What the input adds to the gates, and the state before, give the state after; its first part is the output."""


def summed(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """The sum of two biases, if there are any."""
    return a if b is None else b if a is None else a + b


def rnn_step(nonlinearity: str, w_hh: Tensor) -> Step:
    """h' = tanh(input + W h), or relu of it."""
    turned, squash = w_hh.T, F.relu if nonlinearity == "relu" else F.tanh

    def step(given: tuple[Tensor, ...], state: State) -> State:
        return (squash(given[0] + state[0] @ turned),)

    return step


def lstm_step(w_hh: Tensor, w_hr: Tensor | None = None) -> Step:
    """c' = f c + i g, h' = o tanh(c'), with the gates i, f, g, o one after another; ``w_hr`` makes h' smaller."""
    turned, narrow = w_hh.T, None if w_hr is None else w_hr.T

    def step(given: tuple[Tensor, ...], state: State) -> State:
        h, c = state
        i, f, g, o = (given[0] + h @ turned).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (h if narrow is None else h @ narrow), c

    return step


def gru_inputs(x: Tensor, w_ih: Tensor, b_ih: Tensor | None, b_hh: Tensor | None) -> tuple[Tensor, Tensor]:
    """What the input adds to the gates r and z, together, and to the new value n."""
    width = w_ih.shape[0] // 3
    y = F.linear(x, w_ih, b_ih)
    gates, new = y.narrow(-1, 0, 2 * width), y.narrow(-1, 2 * width, width)
    return (gates if b_hh is None else gates + b_hh[: 2 * width]), new


def gru_step(w_hh: Tensor, b_hh: Tensor | None) -> Step:
    """h' = (1 - z) n + z h, with n = tanh(input + r (W h + b)): r chooses from what W makes of h, not from h."""
    turned, width = w_hh.T, w_hh.shape[0] // 3
    b_new = None if b_hh is None else b_hh[2 * width :]

    def step(given: tuple[Tensor, ...], state: State) -> State:
        (h,) = state
        back = h @ turned
        r, z = (given[0] + back.narrow(-1, 0, 2 * width)).sigmoid().chunk(2, -1)
        new = back.narrow(-1, 2 * width, width)
        n = (given[1] + r * (new if b_new is None else new + b_new)).tanh()
        return (n + z * (h - n),)

    return step


class _Cell(Module):
    """Weights and biases of one step, and the checks of input and state."""

    gates: ClassVar[int]
    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool, device: Any, dtype: Any) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(fn.empty(rows, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(fn.empty(rows, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(fn.empty(rows, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all weights and biases anew, even in [-r, r], r = 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0.0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _batch(self, input: Tensor, state: State | None, count: int) -> tuple[Tensor, State, bool]:
        """Input and state as (N, ...), and whether a batch of one had to be made."""
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise ArgumentError(f"{name} takes (N, {self.input_size}) or ({self.input_size})",
                                got=f"input of shape {tuple(input.shape)}")  # fmt: skip
        alone = input.dim() == 1
        x = input.unsqueeze(0) if alone else input
        if x.shape[1] != self.input_size:
            raise ShapeError(f"{name} takes {self.input_size} input features", got=f"shape {tuple(input.shape)}")
        if state is None:
            state = (fn.zeros(x.shape[0], self.hidden_size, dtype=x.dtype),) * count
        elif alone:
            state = tuple(part.unsqueeze(0) for part in state)
        for part in state:
            if tuple(part.shape) != (x.shape[0], self.hidden_size):
                raise ShapeError(f"{name}'s state has {self.hidden_size} features for each of {x.shape[0]} examples",
                                 got=f"{tuple(part.shape)}")  # fmt: skip
        return x, state, alone

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias is True else f", bias={self.bias}")


class RNNCell(_Cell):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh): (N, input_size) and (N, hidden_size) give (N, hidden_size).

    Without N it takes (input_size) and (hidden_size); the state is 0 unless given. ``nonlinearity`` may be "relu".
    Raises ShapeError for other sizes, ArgumentError for another number of dimensions or nonlinearity.

    >>> tuple(nn.RNNCell(3, 5)(gg.ones(2, 3)).shape)
    (2, 5)
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError("nonlinearity is 'tanh' or 'relu'", got=repr(nonlinearity))
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        x, state, alone = self._batch(input, None if hx is None else (hx,), 1)
        given = F.linear(x, self.weight_ih, summed(self.bias_ih, self.bias_hh))
        (h,) = rnn_step(self.nonlinearity, self.weight_hh)((given,), state)
        return h.squeeze(0) if alone else h

    def extra_repr(self) -> str:
        kind = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + kind


class LSTMCell(_Cell):
    """One step of an LSTM (Hochreiter & Schmidhuber 1997): (N, input_size) and two states (N, hidden_size) give (h, c).

    The gates i, f, g, o stand one after another in the weights: c' = f c + i g, h' = o tanh(c'). Without N it takes
    (input_size) and states (hidden_size); the states are 0 unless given.
    Raises ShapeError for other sizes, ArgumentError for another number of dimensions.

    >>> h, c = nn.LSTMCell(3, 5)(gg.ones(2, 3))
    >>> tuple(h.shape), tuple(c.shape)
    ((2, 5), (2, 5))
    """

    gates = 4

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        x, state, alone = self._batch(input, hx, 2)
        given = F.linear(x, self.weight_ih, summed(self.bias_ih, self.bias_hh))
        h, c = lstm_step(self.weight_hh)((given,), state)
        return (h.squeeze(0), c.squeeze(0)) if alone else (h, c)


class GRUCell(_Cell):
    """One step of a GRU (Cho et al. 2014, arXiv:1406.1078): (N, input_size) and (N, hidden_size) give (N, hidden_size).

    The gates r, z and the new value n stand one after another in the weights: h' = (1 - z) n + z h. Without N it
    takes (input_size) and (hidden_size); the state is 0 unless given.
    Raises ShapeError for other sizes, ArgumentError for another number of dimensions.

    >>> tuple(nn.GRUCell(3, 5)(gg.ones(2, 3)).shape)
    (2, 5)
    """

    gates = 3

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        x, state, alone = self._batch(input, None if hx is None else (hx,), 1)
        given = gru_inputs(x, self.weight_ih, self.bias_ih, self.bias_hh)
        (h,) = gru_step(self.weight_hh, self.bias_hh)(given, state)
        return h.squeeze(0) if alone else h
