"""Recurrent nets: layers of cells, run along the time of a sequence, in one or both directions."""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

from .. import functions as fn
from ..errors import ArgumentError, ShapeError, TypeMismatch
from ..tensor import Tensor
from . import functional as F
from . import init
from .cells import State, Step, gru_inputs, gru_step, lstm_step, rnn_step, summed
from .module import Module
from .parameter import Parameter

__all__ = ["GRU", "LSTM", "RNN"]


def _steps(x: Tensor) -> list[Tensor]:
    """(T, N, F) as T tensors (N, F).

    Quartered again and again rather than cut at once: the gradient of a slice is as large as what it was cut from,
    so T cuts would cost T² and these cost T log T.
    """
    parts = [x]
    while any(part.shape[0] > 1 for part in parts):
        parts = [piece for part in parts for piece in (part.chunk(4, 0) if part.shape[0] > 1 else (part,))]
    return [part.squeeze(0) for part in parts]


class _Recurrent(Module):
    """Weights of all layers, the checks, and the loops over layers, directions and time."""

    gates: ClassVar[int]
    states: ClassVar[int] = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        for what, flag in (("bias", bias), ("batch_first", batch_first)):
            if not isinstance(flag, bool):
                raise TypeMismatch(f"{name}'s {what} is True or False", got=repr(flag))
        for what, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if not isinstance(size, int):
                raise TypeMismatch(f"{name}'s {what} is an integer", got=repr(size))
            if size <= 0:
                raise ArgumentError(f"{name}'s {what} is positive", got=f"{size}")
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ArgumentError(f"{name}'s dropout is a chance between 0 and 1", got=repr(dropout))
        if not 0 <= proj_size < hidden_size:
            raise ArgumentError(
                f"{name}'s proj_size is 0 or smaller than hidden_size", got=f"{proj_size} and {hidden_size}"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(f"{name} drops between its layers, and there is only one", UserWarning, stacklevel=3)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        self.all_weight_names: list[list[str]] = []
        width, rows = proj_size or hidden_size, self.gates * hidden_size
        for layer in range(num_layers):
            into = input_size if layer == 0 else width * self._directions
            for suffix in ("", "_reverse")[: self._directions]:
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, into), "weight_hh": (rows, width)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = [f"{kind}_l{layer}{suffix}" for kind in shapes]
                for key, shape in zip(names, shapes.values(), strict=True):
                    self.register_parameter(key, Parameter(fn.empty(shape, device=device, dtype=dtype)))
                self.all_weight_names.append(names)
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self.all_weight_names]

    def flatten_parameters(self) -> None:
        """Nothing: there is no memory layout to restore. It is here because scripts call it."""

    def reset_parameters(self) -> None:
        """Draws all weights and biases anew, even in [-r, r], r = 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _prepare(self, x: Tensor, weights: dict[str, Tensor]) -> tuple[list[tuple[Tensor, ...]], Step]:
        """What the input adds to the gates at each time, in one product for all of them, and the step to take."""
        raise NotImplementedError

    def _start(self, hx: Any, batch: int, alone: bool, dtype: Any) -> list[Tensor]:
        """The states as (layers * directions, N, width) each, zeros unless given, checked."""
        name, count = type(self).__name__, self.num_layers * self._directions
        shapes = [(count, batch, self.proj_size or self.hidden_size), (count, batch, self.hidden_size)][: self.states]
        if hx is None:
            return [fn.zeros(shape, dtype=dtype) for shape in shapes]
        given = list(hx) if isinstance(hx, (tuple, list)) else [hx]
        if len(given) != self.states or not all(isinstance(part, Tensor) for part in given):
            raise TypeMismatch(f"{name}'s state is {'a tensor' if self.states == 1 else 'a pair of tensors (h, c)'}",
                               got=type(hx).__name__)  # fmt: skip
        if alone:
            given = [part.unsqueeze(1) if part.dim() == 2 else part for part in given]
        for part, shape in zip(given, shapes, strict=True):
            if tuple(part.shape) != shape:
                raise ShapeError(
                    f"{name}'s state is (num_layers * directions, N, width), here {shape}" + (" without N" * alone),
                    got=f"{tuple(part.squeeze(1).shape) if alone else tuple(part.shape)}",
                )
        return given

    def _run(self, input: Tensor, hx: Any) -> tuple[Tensor, list[Tensor]]:
        """The outputs of the last layer at each time, and the last states of all layers and directions."""
        name = type(self).__name__
        if not isinstance(input, Tensor):
            raise TypeMismatch(f"{name} takes a tensor", got=type(input).__name__, fix="pad the sequences")
        if input.dim() not in (2, 3):
            raise ArgumentError(
                f"{name} takes {'(N, T, F)' if self.batch_first else '(T, N, F)'}, or (T, F) without a batch",
                got=f"input of shape {tuple(input.shape)}",
            )
        alone = input.dim() == 2
        x = input.unsqueeze(1) if alone else input.transpose(0, 1) if self.batch_first else input  # (T, N, F)
        if x.shape[2] != self.input_size:
            raise ShapeError(f"{name} takes {self.input_size} input features", got=f"shape {tuple(input.shape)}")
        if x.shape[0] == 0:
            raise ShapeError(f"{name} takes a sequence of one step or more", got=f"shape {tuple(input.shape)}")
        start = self._start(hx, x.shape[1], alone, x.dtype)
        ends: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                x = F.dropout(x, self.dropout, self.training)
            sides = []
            for direction in range(self._directions):
                at = len(ends)
                names = self.all_weight_names[at]
                inputs, step = self._prepare(x, {key.split("_l")[0]: getattr(self, key) for key in names})
                state = tuple(part[at] for part in start)
                outputs = []
                for given in reversed(inputs) if direction else inputs:
                    state = step(given, state)
                    outputs.append(state[0])
                sides.append(fn.stack(outputs[::-1] if direction else outputs, 0))
                ends.append(state)
            x = sides[0] if len(sides) == 1 else fn.cat(sides, -1)
        last = [fn.stack(parts, 0) for parts in zip(*ends, strict=True)]
        if alone:
            return x.squeeze(1), [part.squeeze(1) for part in last]
        return (x.transpose(0, 1) if self.batch_first else x), last

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        if self.proj_size != 0:
            parts.append(f"proj_size={self.proj_size}")
        if self.num_layers != 1:
            parts.append(f"num_layers={self.num_layers}")
        if not self.bias:
            parts.append(f"bias={self.bias}")
        if self.batch_first:
            parts.append(f"batch_first={self.batch_first}")
        if self.dropout != 0:
            parts.append(f"dropout={self.dropout}")
        if self.bidirectional:
            parts.append(f"bidirectional={self.bidirectional}")
        return ", ".join(parts)


class RNN(_Recurrent):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), layer over layer (Elman 1990).

    (T, N, input_size), or (N, T, input_size) with ``batch_first``, or (T, input_size), gives the last layer's h at
    each time, both directions side by side if ``bidirectional``, and the last h of each layer and direction,
    (num_layers * directions, N, hidden_size). The states start at 0 unless ``hx`` is given. ``nonlinearity`` may be
    "relu"; ``dropout`` acts between the layers in training mode. Weights start even in [-r, r],
    r = 1 / sqrt(hidden_size).
    Raises ShapeError for other sizes, ArgumentError for another number of dimensions.

    >>> y, h = nn.RNN(3, 5, num_layers=2)(gg.ones(7, 2, 3))
    >>> tuple(y.shape), tuple(h.shape)
    ((7, 2, 5), (2, 2, 5))
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError("nonlinearity is 'tanh' or 'relu'", got=repr(nonlinearity))
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )
        self.nonlinearity = nonlinearity

    def _prepare(self, x: Tensor, weights: dict[str, Tensor]) -> tuple[list[tuple[Tensor, ...]], Step]:
        y = F.linear(x, weights["weight_ih"], summed(weights.get("bias_ih"), weights.get("bias_hh")))
        return [(part,) for part in _steps(y)], rnn_step(self.nonlinearity, weights["weight_hh"])

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, (h,) = self._run(input, hx)
        return y, h


class LSTM(_Recurrent):
    """Long short-term memory, layer over layer (Hochreiter & Schmidhuber 1997): c' = f c + i g, h' = o tanh(c').

    (T, N, input_size), or (N, T, input_size) with ``batch_first``, or (T, input_size), gives the last layer's h at
    each time, both directions side by side if ``bidirectional``, and the last (h, c), each
    (num_layers * directions, N, hidden_size). The gates i, f, g, o stand one after another in the weights, which
    start even in [-r, r], r = 1 / sqrt(hidden_size). The states start at 0 unless ``hx = (h, c)`` is given.
    ``dropout`` acts between the layers in training mode; ``proj_size`` makes h smaller by a product
    (Sak et al. 2014, arXiv:1402.1128).
    Raises ShapeError for other sizes, ArgumentError for another number of dimensions.

    >>> y, (h, c) = nn.LSTM(3, 5, batch_first=True, bidirectional=True)(gg.ones(2, 7, 3))
    >>> tuple(y.shape), tuple(h.shape)
    ((2, 7, 10), (2, 2, 5))
    """

    gates, states = 4, 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype
        )

    def _prepare(self, x: Tensor, weights: dict[str, Tensor]) -> tuple[list[tuple[Tensor, ...]], Step]:
        y = F.linear(x, weights["weight_ih"], summed(weights.get("bias_ih"), weights.get("bias_hh")))
        return [(part,) for part in _steps(y)], lstm_step(weights["weight_hh"], weights.get("weight_hr"))

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, (h, c) = self._run(input, hx)
        return y, (h, c)


class GRU(_Recurrent):
    """Gated recurrent units, layer over layer (Cho et al. 2014, arXiv:1406.1078): h' = (1 - z) n + z h.

    (T, N, input_size), or (N, T, input_size) with ``batch_first``, or (T, input_size), gives the last layer's h at
    each time, both directions side by side if ``bidirectional``, and the last h of each layer and direction,
    (num_layers * directions, N, hidden_size). The gates r, z and the new value n = tanh(W_in x + b_in +
    r (W_hn h + b_hn)) stand one after another in the weights, which start even in [-r, r], r = 1 / sqrt(hidden_size).
    The states start at 0 unless ``hx`` is given. ``dropout`` acts between the layers in training mode.
    Raises ShapeError for other sizes, ArgumentError for another number of dimensions.

    >>> y, h = nn.GRU(3, 5)(gg.ones(7, 3))
    >>> tuple(y.shape), tuple(h.shape)
    ((7, 5), (1, 5))
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )

    def _prepare(self, x: Tensor, weights: dict[str, Tensor]) -> tuple[list[tuple[Tensor, ...]], Step]:
        b_hh = weights.get("bias_hh")
        gates, new = gru_inputs(x, weights["weight_ih"], weights.get("bias_ih"), b_hh)
        return list(zip(_steps(gates), _steps(new), strict=True)), gru_step(weights["weight_hh"], b_hh)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, (h,) = self._run(input, hx)
        return y, h
