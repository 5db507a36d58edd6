"""Module: a function with parameters, and the tree that modules form.

Parameters, buffers and children live in the instance's own ``__dict__``, like any other attribute, so reading one
costs what reading an attribute costs. Beside it stand three small tables of names that say which of them is what;
``_parameters``, ``_buffers`` and ``_modules`` are live views through these tables, never second copies.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any, Self

from .. import functions as fn
from ..dispatch import CHANGES, STATE, Quiet, pop_scope, push_scope
from ..errors import ArgumentError, NotCovered, TypeMismatch
from ..tensor import Tensor
from .hooks import Handle, call_with_hooks
from .parameter import Parameter
from .state import BUFFERS, MODULES, PARAMETERS, Stateful, View

__all__ = ["Module"]


class Module(Stateful):
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
        if not STATE.quiet:  # once around the outermost module instead of around each of its operations
            with Quiet():
                return self(*args, **kwargs)
        token = push_scope(self)
        try:
            if self._forward_hooks or self._forward_pre_hooks or STATE.observer is not None:
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
        if STATE.tracer is not None:
            STATE.tracer.state_set(self, name)
        else:
            CHANGES.count += 1
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
        CHANGES.count += 1
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
        own[kind][name], own[name] = flag, value
        CHANGES.count += 1

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
