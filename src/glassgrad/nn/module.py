"""Module: a function with parameters, and the tree that modules form.

Parameters, buffers and children live in the instance's own ``__dict__``, like any other attribute, so reading one
costs what reading an attribute costs. Beside it stand three small tables of names that say which of them is what;
``_parameters``, ``_buffers`` and ``_modules`` are live views through these tables, never second copies.
"""

from __future__ import annotations

import difflib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from .. import functions as fn
from ..dispatch import no_grad, pop_scope, push_scope
from ..errors import ArgumentError, NotCovered, StateError, TypeMismatch
from ..tensor import Tensor
from .hooks import Handle, call_with_hooks
from .parameter import Parameter

__all__ = ["Module"]

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


class Module:
    """The base of everything that has parameters: write `__init__` and `forward`, and call the instance.

    Assigning a `Parameter` or a Module to an attribute registers it; `register_buffer` adds a tensor that is saved
    and moved along but not learned. Calling the module runs `forward` inside this module's scope, so that errors,
    explanations and the doctor can name it.

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = nn.Linear(3, 2)
    ...     def forward(self, x):
    ...         return self.layer(x).relu()
    >>> net = Net()
    >>> tuple(net(gg.ones(5, 3)).shape), [name for name, _ in net.named_parameters()]
    ((5, 2), ['layer.weight', 'layer.bias'])
    """

    training: bool

    def __init__(self) -> None:
        # Straight into __dict__: __setattr__ below needs these tables to decide where a value goes.
        self.__dict__.update(
            training=True,
            _parameter_names={},
            _buffer_names={},
            _module_names={},
            _forward_hooks={},
            _forward_pre_hooks={},
        )

    # ---------------------------------------------------------------- calling

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(): define what the module computes there")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        token = push_scope(self)
        try:
            if self._forward_hooks or self._forward_pre_hooks:
                return call_with_hooks(self, self._forward_pre_hooks, self._forward_hooks, args, kwargs)
            return self.forward(*args, **kwargs)
        finally:
            pop_scope(token)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Runs ``hook(module, args)`` before `forward`; what it returns, if anything, replaces the arguments.

        With ``with_kwargs`` it gets and returns ``(args, kwargs)``. The handle's `remove()` takes it off again.

        >>> layer = nn.Linear(3, 2)
        >>> with layer.register_forward_pre_hook(lambda module, args: (args[0] * 0,)):
        ...     bool((layer(gg.ones(1, 3)) == layer.bias).all())
        True
        """
        return Handle.put(self._forward_pre_hooks, hook, prepend=prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Handle:
        """Runs ``hook(module, args, output)`` after `forward`; what it returns, if anything, replaces the output.

        With ``with_kwargs`` it is ``hook(module, args, kwargs, output)``; with ``always_call`` it also runs, with
        output None, when `forward` raised.

        >>> layer, seen = nn.Linear(3, 2), []
        >>> with layer.register_forward_hook(lambda module, args, y: seen.append(tuple(y.shape))):
        ...     _ = layer(gg.ones(5, 3))
        >>> seen
        [(5, 2)]
        """
        return Handle.put(self._forward_hooks, hook, prepend=prepend, with_kwargs=with_kwargs, always=always_call)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Not covered."""
        raise NotCovered(
            "Module.register_full_backward_hook is not covered",
            fix="register_forward_hook, or look at the backward graph itself",
        )

    # ------------------------------------------------------------- attributes

    @property
    def _parameters(self) -> View[Parameter | None]:
        return View(self.__dict__, self.__dict__[PARAMETERS])

    @property
    def _buffers(self) -> View[Tensor | None]:
        return View(self.__dict__, self.__dict__[BUFFERS])

    @property
    def _modules(self) -> View[Module | None]:
        return View(self.__dict__, self.__dict__[MODULES])

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if PARAMETERS not in own:
            if isinstance(value, (Parameter, Module)):
                raise AttributeError(f"{type(self).__name__}.{name} was assigned before super().__init__() was called")
            object.__setattr__(self, name, value)
            return
        if isinstance(value, Parameter):
            self._forget(name, PARAMETERS)
            own[PARAMETERS].setdefault(name, True)
        elif isinstance(value, Module):
            self._forget(name, MODULES)
            own[MODULES].setdefault(name, True)
        elif value is not None and (name in own[PARAMETERS] or name in own[MODULES]):
            kind = "Parameter" if name in own[PARAMETERS] else "Module"
            raise TypeMismatch(
                f"{type(self).__name__}.{name} is a {kind}: only a {kind} or None can take its place",
                got=type(value).__name__,
                fix=f"nn.Parameter(value), or under no_grad {name}.copy_(value)" if kind == "Parameter" else "",
            )
        elif value is not None and name in own[BUFFERS] and not isinstance(value, Tensor):
            raise TypeMismatch(
                f"{type(self).__name__}.{name} is a buffer: only a Tensor or None can take its place",
                got=type(value).__name__,
            )
        elif name not in own[PARAMETERS] and name not in own[MODULES] and name not in own[BUFFERS]:
            object.__setattr__(self, name, value)  # an ordinary attribute, or a property of the class
            return
        own[name] = value

    def _forget(self, name: str, kind: str) -> None:
        """Drops the name from the tables other than `kind`: an attribute is one thing at a time."""
        for table in (PARAMETERS, BUFFERS, MODULES):
            if table != kind:
                self.__dict__[table].pop(name, None)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._forget(name, "")

    def __getattr__(self, name: str) -> Any:
        # Only reached when nothing was found, so its cost does not matter; dunder names are asked for by copy etc.
        if PARAMETERS not in self.__dict__ and not name.startswith("__"):
            raise AttributeError(f"{type(self).__name__}.{name} was read before super().__init__() was called")
        near = [] if name.startswith("__") else difflib.get_close_matches(name, dir(self), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}", name=name)

    def _register(self, kind: str, what: str, cls: type, name: str, value: Any, flag: bool = True) -> None:
        own = self.__dict__
        if PARAMETERS not in own:
            raise AttributeError(f"{type(self).__name__}.{name} was registered before super().__init__() was called")
        if not isinstance(name, str):
            raise TypeMismatch(f"The name of a {what} is a string", got=type(name).__name__)
        if not name or "." in name:
            raise KeyError(f"The name of a {what} is not empty and has no dot, but it is {name!r}")
        if name not in own[kind] and hasattr(self, name):
            raise KeyError(f"{type(self).__name__} already has an attribute {name!r}")
        if value is not None and not isinstance(value, cls):
            raise TypeMismatch(f"A {what} is a {cls.__name__} or None", got=f"{name}: {type(value).__name__}")
        own[kind][name] = flag
        own[name] = value

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under a name; None keeps the name for one that is switched off (such as a bias).

        Raises TypeMismatch for anything else, KeyError for a name that is taken, empty or has a dot.

        >>> m = nn.Module()
        >>> m.register_parameter("w", nn.Parameter(gg.zeros(2)))
        >>> len(list(m.parameters()))
        1
        """
        self._register(PARAMETERS, "parameter", Parameter, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that belongs to the state but is not learned; ``persistent=False`` keeps it out of
        `state_dict`.

        >>> m = nn.Module()
        >>> m.register_buffer("seen", gg.zeros(2))
        >>> list(m.state_dict()), list(m.parameters())
        (['seen'], [])
        """
        self._register(BUFFERS, "buffer", Tensor, name, tensor, persistent)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a child under a name, for names that are not Python identifiers.

        >>> m = nn.Module()
        >>> m.add_module("0", nn.ReLU())
        >>> list(m.named_children())
        [('0', ReLU())]
        """
        self._register(MODULES, "module", Module, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """Another name for `add_module`."""
        self.add_module(name, module)

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path; the empty path is this module. Raises AttributeError where there is none.

        >>> nn.Sequential(nn.Sequential(nn.Tanh())).get_submodule("0.0")
        Tanh()
        """
        module = self
        for name in target.split(".") if target else ():
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"{name!r} in {target!r} is not a Module but a {type(module).__name__}")
        return module

    def _get_leaf(self, target: str, kind: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        value = getattr(owner, name)
        if name not in owner.__dict__[kind]:
            raise AttributeError(f"{target!r} is not a {what} but a {type(value).__name__}")
        return value

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path. Raises AttributeError where there is none."""
        value: Parameter = self._get_leaf(target, PARAMETERS, "parameter")
        return value

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path. Raises AttributeError where there is none."""
        value: Tensor = self._get_leaf(target, BUFFERS, "buffer")
        return value

    # ---------------------------------------------------------- walking along

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Every module of the tree with its dotted path, this one first; a shared one once.

        >>> [path for path, _ in nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh())).named_modules()]
        ['', '0', '1', '1.0']
        """
        memo = set() if memo is None else memo
        if remove_duplicate and self in memo:
            return
        memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """Every module of the tree, this one first; a shared one once."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct children with their names; a shared one once."""
        seen = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator[Module]:
        """The direct children; a shared one once."""
        for _, child in self.named_children():
            yield child

    def _named(self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        tree = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in tree:
            own = module.__dict__
            for name in own[kind]:
                value = own[name]
                if value is None or (remove_duplicate and id(value) in seen):
                    continue
                seen.add(id(value))
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Every parameter of the tree with its dotted path; a shared one once, under its first path.

        >>> [(name, tuple(p.shape)) for name, p in nn.Linear(3, 2).named_parameters()]
        [('weight', (2, 3)), ('bias', (2,))]
        """
        return self._named(PARAMETERS, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every parameter of the tree, a shared one once: what an optimizer is given."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Every buffer of the tree with its dotted path; a shared one once, under its first path."""
        return self._named(BUFFERS, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer of the tree, a shared one once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    # ------------------------------------------------------- changing it all

    def apply(self, fn: Callable[[Module], object]) -> Self:
        """Calls ``fn`` with every module, children before parents, and returns this module.

        >>> net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        >>> net = net.apply(lambda m: nn.init.zeros_(m.bias) if isinstance(m, nn.Linear) else None)
        >>> float(net[0].bias.abs().sum())
        0.0
        """
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Puts the tree into training mode: dropout drops, batch norm uses and tracks the batch's statistics."""
        if not isinstance(mode, bool):
            raise ArgumentError("train() takes True or False", got=repr(mode))
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Puts the tree into evaluation mode: ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Lets all parameters take part in learning, or freezes them.

        >>> any(p.requires_grad for p in nn.Linear(2, 2).requires_grad_(False).parameters())
        False
        """
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets all parameters' gradients, or sets those that exist to zero."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad = None if set_to_none else fn.zeros_like(parameter.grad)

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

    def _entries(self, prefix: str = "") -> Iterator[tuple[str, Module, str, Tensor]]:
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

    # -------------------------------------------------------------- printing

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses when the module is printed; subclasses write their own."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self._modules.items()]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        if not lines and not children:
            return f"{self._get_name()}()"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"

    def __dir__(self) -> list[str]:
        return sorted(name for name in {*dir(type(self)), *self.__dict__} if name.isidentifier())


def _as_tensor(key: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if not hasattr(value, "__array__"):
        raise TypeMismatch("The values of a state are tensors or arrays", got=f"{key}: {type(value).__name__}")
    return fn.tensor(np.asarray(value))
