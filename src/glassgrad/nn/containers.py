"""Modules that hold other modules or parameters: in a row, in a list, in a dict."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from itertools import chain
from typing import Any, Self, overload

from ..errors import ArgumentError, IndexRangeError, TypeMismatch
from ..tensor import Tensor
from .module import Module
from .parameter import Parameter
from .state import MODULES

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


def position(index: Any, length: int) -> int:
    """A possibly negative index as a position; raises IndexRangeError outside."""
    i = operator.index(index)
    if not -length <= i < length:
        raise IndexRangeError(f"Index {i} is out of range", got=f"{length} entries")
    return i % length


class _Row(Module):
    """Children named "0", "1", ...: what Sequential and ModuleList share."""

    def _children(self) -> list[Module]:
        return [self.__dict__[name] for name in self.__dict__[MODULES]]

    def _renumber(self, modules: Iterable[Module]) -> None:
        modules = list(modules)
        for name in list(self._modules):
            del self._modules[name]
        for i, module in enumerate(modules):
            self.add_module(str(i), module)

    def _name(self, index: Any) -> str:
        return list(self._modules)[position(index, len(self))]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._children())

    def __setitem__(self, index: int | slice, module: Any) -> None:
        if isinstance(index, slice):
            for name, new in zip(list(self._modules)[index], module, strict=True):
                setattr(self, name, new)
        else:
            setattr(self, self._name(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._name(index)]
        self._renumber(module for name, module in self._named_all() if name not in names)

    # A shared child comes as often as it stands there, unlike in named_children().
    def _named_all(self) -> list[tuple[str, Module]]:
        return [(name, self.__dict__[name]) for name in self.__dict__[MODULES]]

    def append(self, module: Module) -> Self:
        """Adds a module at the end and returns this container."""
        self.add_module(str(len(self)), module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Puts a module before the one at an index and returns this container."""
        if not isinstance(module, Module):
            raise TypeMismatch("Only a Module can be inserted", got=type(module).__name__)
        children = self._children()
        if not -len(children) <= index <= len(children):
            raise IndexRangeError(f"Index {index} is out of range", got=f"{len(children)} entries")
        children.insert(index, module)
        self._renumber(children)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Adds modules at the end and returns this container."""
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, index: int = -1) -> Module:
        """Takes one module out and returns it."""
        module: Module = self.__dict__[self._name(index)]
        del self[index]
        return module


class Sequential(_Row):
    """Modules in a row, each one's output the next one's input; from arguments or from an OrderedDict of names.

    Indexing gives a module, slicing a Sequential of the same modules.

    >>> net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    >>> tuple(net(gg.ones(7, 3)).shape), len(net[:2]), net[1]
    ((7, 2), 2, Tanh())
    """

    def __init__(self, *args: Module | OrderedDict[str, Module]) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for i, child in enumerate(args):
                self.add_module(str(i), child)  # type: ignore[arg-type]

    def forward(self, input: Any) -> Any:
        own = self.__dict__
        for name in own[MODULES]:
            input = own[name](input)
        return input

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(self._named_all()[index]))
        return self.__dict__[self._name(index)]

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise TypeMismatch("Only another Sequential can be added to one", got=type(other).__name__)
        return Sequential(*self, *other)

    def __mul__(self, times: Any) -> Sequential:
        if not isinstance(times, int) or times < 1:
            raise ArgumentError("A Sequential is repeated a positive number of times", got=repr(times))
        return Sequential(*(module for _ in range(times) for module in self))


class ModuleList(_Row):
    """A list whose modules are known to the module that holds it. It has no forward of its own.

    >>> layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(2))
    >>> len(layers), len(list(layers.parameters()))
    (2, 4)
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> ModuleList: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(self._children()[index])
        return self.__dict__[self._name(index)]

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(chain(self, other))

    def __repr__(self) -> str:
        """Like a module's, with equal neighbours in one line: a stack of twelve blocks is read once."""
        rows: list[tuple[int, int, str]] = []
        for i, module in enumerate(self):
            text = repr(module)
            if rows and rows[-1][2] == text:
                rows[-1] = (rows[-1][0], i, text)
            else:
                rows.append((i, i, text))
        if not rows:
            return f"{self._get_name()}()"
        lines = [f"({a}): {text}" if a == b else f"({a}-{b}): {b - a + 1} x {text}" for a, b, text in rows]
        return f"{self._get_name()}(\n  " + "\n  ".join(line.replace("\n", "\n  ") for line in lines) + "\n)"


class ModuleDict(Module):
    """A dict whose modules are known to the module that holds it. It has no forward of its own.

    >>> heads = nn.ModuleDict({"value": nn.Linear(3, 1), "policy": nn.Linear(3, 5)})
    >>> list(heads), tuple(heads["policy"](gg.ones(2, 3)).shape)
    (['value', 'policy'], (2, 5))
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> ValuesView[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> ItemsView[str, Any]:
        """The names with their modules."""
        return self._modules.items()

    def clear(self) -> None:
        """Takes all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Takes one module out and returns it."""
        return self._modules.pop(key)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Adds modules under their names, or puts them in the place of those there."""
        for key, module in modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules:
            self[key] = module


def _as_parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


class ParameterList(Module):
    """A list whose parameters are known to the module that holds it; plain tensors become parameters.

    >>> weights = nn.ParameterList([gg.zeros(2), gg.zeros(3)])
    >>> len(list(weights.parameters())), tuple(weights[-1].shape)
    (2, (3,))
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> ParameterList: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, str(position(index, self._size)))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, str(position(index, self._size)), _as_parameter(value))

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, str(i)) for i in range(self._size))

    def append(self, value: Any) -> Self:
        """Adds a parameter at the end and returns this list."""
        self._size += 1
        self[-1] = value
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Adds parameters at the end and returns this list."""
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def extra_repr(self) -> str:
        return "\n".join(_line(i, value) for i, value in enumerate(self))


class ParameterDict(Module):
    """A dict whose parameters are known to the module that holds it; plain tensors become parameters.

    >>> weights = nn.ParameterDict({"a": gg.zeros(2)})
    >>> weights["b"] = gg.zeros(3)
    >>> list(weights), len(list(weights.parameters()))
    (['a', 'b'], 2)
    """

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._keys and hasattr(self, key):
            raise KeyError(f"ParameterDict already has an attribute {key!r}")
        self._keys[key] = None
        setattr(self, key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._keys.keys()

    def values(self) -> list[Any]:
        """The parameters."""
        return [self[key] for key in self._keys]

    def items(self) -> list[tuple[str, Any]]:
        """The names with their parameters."""
        return [(key, self[key]) for key in self._keys]

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter of a name, or the default."""
        return self[key] if key in self._keys else default

    def pop(self, key: str) -> Any:
        """Takes one parameter out and returns it."""
        value = self[key]
        del self[key]
        return value

    def update(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Adds parameters under their names, or puts them in the place of those there."""
        for key, value in parameters.items() if isinstance(parameters, (Mapping, ParameterDict)) else parameters:
            self[key] = value

    def extra_repr(self) -> str:
        return "\n".join(_line(key, value) for key, value in self.items())


def _line(key: int | str, value: Any) -> str:
    if isinstance(value, Tensor):
        kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
        return f"  ({key}): {kind} containing: [{value.dtype} of size {'x'.join(map(str, value.shape))}]"
    return f"  ({key}): Object of type: {type(value).__name__}"
