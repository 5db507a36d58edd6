"""What a module holds, as a whole: turned into another dtype, saved, loaded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import numpy as np

from .. import functions as fn
from ..dispatch import no_grad
from ..errors import NotCovered, StateError, TypeMismatch
from ..tensor import Tensor
from .parameter import Parameter

T = TypeVar("T")
PARAMETERS, BUFFERS, MODULES = "_parameter_names", "_buffer_names", "_module_names"


class LoadResult(NamedTuple):
    """What `Module.load_state_dict` found amiss and let pass (``strict=False``)."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if self.missing_keys or self.unexpected_keys:
            return f"LoadResult(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"
        return "<All keys matched successfully>"


class View(MutableMapping[str, T]):
    """The attributes of one kind as a dict: the names of a table, the values of the instance's ``__dict__``."""

    __slots__ = ("home", "names")

    def __init__(self, home: dict[str, Any], names: dict[str, bool]) -> None:
        self.home, self.names = home, names

    def __getitem__(self, name: str) -> T:
        if name not in self.names:
            raise KeyError(name)
        value: T = self.home[name]
        return value

    def __setitem__(self, name: str, value: T) -> None:
        self.names.setdefault(name, True)
        self.home[name] = value

    def __delitem__(self, name: str) -> None:
        del self.names[name]
        del self.home[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return repr(dict(self))


class Stateful:
    """The half of `Module` that deals with all its parameters and buffers at once."""

    if TYPE_CHECKING:

        def modules(self) -> Iterator[Stateful]: ...

    def _cast(self, dtype: Any) -> Self:
        if dtype not in (fn.float32, fn.float64):
            raise TypeMismatch("A module's numbers are floating-point", got=f"dtype {dtype}", fix="float32 or float64")
        with no_grad():
            for module in self.modules():
                own = module.__dict__
                for name in own[PARAMETERS]:
                    parameter = own[name]
                    if parameter is None or parameter.dtype == dtype:
                        continue
                    grad, parameter.grad = parameter.grad, None
                    parameter.data = parameter.detach().to(dtype)  # the cell stays: optimizers hold on to it
                    parameter.grad = None if grad is None else grad.to(dtype)
                for name in own[BUFFERS]:
                    buffer = own[name]
                    if buffer is not None and buffer.dtype in (fn.float32, fn.float64):
                        own[name] = buffer.to(dtype)
        return self

    def to(self, *args: Any, device: object = None, dtype: Any = None, non_blocking: bool = False) -> Self:
        """Turns all floating-point parameters and buffers, in place, into another dtype; the device is the CPU.

        ``to(dtype)``, ``to(device)``, ``to(device, dtype)`` or ``to(tensor)``, whose dtype is taken.
        Raises NotCovered for another device, TypeMismatch for an integer dtype.

        >>> nn.Linear(2, 2).to(gg.float64).weight.dtype == gg.float64
        True
        """
        for arg in args:
            if isinstance(arg, Tensor):
                dtype = arg.dtype
            elif isinstance(arg, str) or hasattr(arg, "index"):  # "cpu", or an object that stands for a device
                device = arg
            elif not isinstance(arg, bool) and arg is not None:
                dtype = arg
        if device is not None and not str(device).startswith("cpu"):
            raise NotCovered(f"There is only one device, the CPU, not {device!s}", fix='leave it out, or say "cpu"')
        return self if dtype is None else self._cast(dtype)

    def type(self, dst_type: Any) -> Self:
        """Turns all floating-point parameters and buffers, in place, into another dtype."""
        return self._cast(dst_type)

    def float(self) -> Self:
        """Turns all floating-point parameters and buffers, in place, into float32."""
        return self._cast(fn.float32)

    def double(self) -> Self:
        """Turns all floating-point parameters and buffers, in place, into float64."""
        return self._cast(fn.float64)

    def cpu(self) -> Self:
        """This module: it is on the CPU already."""
        return self

    def cuda(self, device: object = None) -> Self:
        """Not covered: there is only the CPU."""
        raise NotCovered("There is only one device, the CPU", fix="leave .cuda() out")

    # ----------------------------------------------------------------- state

    def _entries(self, prefix: str = "") -> Iterator[tuple[str, Stateful, str, Tensor]]:
        """All that is saved: key, owner, name in the owner, tensor. A shared module comes under each of its paths."""
        own = self.__dict__
        for name in (*own[PARAMETERS], *(name for name, persistent in own[BUFFERS].items() if persistent)):
            if own[name] is not None:
                yield prefix + name, self, name, own[name]
        for name in own[MODULES]:
            if own[name] is not None:
                yield from own[name]._entries(f"{prefix}{name}.")

    def state_dict(
        self, destination: Any = None, *, prefix: str = "", keep_vars: bool = False
    ) -> OrderedDict[str, Tensor]:
        """All parameters and persistent buffers by their dotted paths, detached unless ``keep_vars``.

        >>> list(nn.Sequential(nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2, affine=False)).state_dict())
        ['0.weight', '1.running_mean', '1.running_var', '1.num_batches_tracked']
        """
        state: OrderedDict[str, Tensor] = OrderedDict() if destination is None else destination
        for key, _, _, tensor in self._entries(prefix):
            state[key] = tensor if keep_vars else tensor.detach()
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> LoadResult:
        """Copies saved values into this module's parameters and buffers, or with ``assign`` puts them in their place.

        The values may be Tensors or arrays. Returns the missing and the unexpected keys, which ``strict`` does not
        allow. Raises one StateError that names them and every shape that differs; nothing is changed then.

        >>> net = nn.Linear(2, 2)
        >>> net.load_state_dict(nn.Linear(2, 2).state_dict())
        <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise TypeMismatch("A state is a dict from keys to tensors", got=type(state_dict).__name__)
        entries = list(self._entries())
        keys = {key for key, *_ in entries}
        result = LoadResult(
            [key for key, *_ in entries if key not in state_dict], [key for key in state_dict if key not in keys]
        )
        found = [(entry, _as_tensor(entry[0], state_dict[entry[0]])) for entry in entries if entry[0] in state_dict]
        problems = [
            f"shape of {key}: {tuple(value.shape)} in the state, {tuple(mine.shape)} in the module"
            for (key, _, _, mine), value in found
            if tuple(value.shape) != tuple(mine.shape)
        ]
        if strict and result.missing_keys:
            problems.append("missing in the state: " + ", ".join(result.missing_keys))
        if strict and result.unexpected_keys:
            problems.append("not in the module: " + ", ".join(result.unexpected_keys))
        if problems:
            raise StateError(
                f"The state does not fit {type(self).__name__}",
                got="; ".join(problems),
                fix="build the module as it was when it was saved; strict=False lets keys differ",
            )
        with no_grad():
            for (_, owner, name, mine), value in found:
                if not assign:
                    mine.copy_(value)
                elif isinstance(mine, Parameter):
                    setattr(owner, name, Parameter(value.detach(), mine.requires_grad))
                else:
                    setattr(owner, name, value)
        return result


def _as_tensor(key: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if not hasattr(value, "__array__"):
        raise TypeMismatch("The values of a state are tensors or arrays", got=f"{key}: {type(value).__name__}")
    return fn.tensor(np.asarray(value))
