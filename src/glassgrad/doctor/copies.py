"""Copies of what a training is made of; they share nothing with the originals, nor do the functions that see them."""

from __future__ import annotations

import inspect
from copy import deepcopy
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

from ..dispatch import leaf
from ..engine.trace import flatten
from ..errors import is_users
from ..nn import Module
from ..optim import Optimizer
from ..tensor import Tensor, wrap

HELD = (Module, Tensor, Optimizer)
"""What a function may change through a name that it sees."""


class Copies:
    """Copies that are made of one another: what two originals share, their copies share."""

    def __init__(self, memo: dict[int, Any] | None = None) -> None:
        self.memo: dict[int, Any] = {} if memo is None else memo

    def of(self, what: Any) -> Any:
        """A copy of a module, an optimizer, a loss."""
        if isinstance(what, (FunctionType, MethodType, partial)):
            return self._again(what)
        modules = list(what.modules()) if isinstance(what, Module) else [what]
        for value in (value for each in modules for value in getattr(each, "__dict__", {}).values()):
            for tensor in flatten(value):
                self._detached(tensor)
            if isinstance(value, FunctionType):
                self._again(value)
        return deepcopy(what, self.memo)

    def _detached(self, tensor: Tensor) -> None:
        """What a module keeps of a step, such as its last output, belongs to that step's graph."""
        if not tensor.is_leaf and id(tensor) not in self.memo:
            self._put(tensor, wrap(leaf(np.array(tensor.detach().numpy()))))

    def _put(self, given: Any, made: Any) -> None:
        """Keep a copy; what it is one of has to stay, so that nothing else gets its identity."""
        self.memo[id(given)] = made
        self.memo.setdefault(id(self.memo), []).append(given)

    def _again(self, given: Any) -> Any:
        """The same, of the copies; itself where it has nothing of what is copied."""
        if id(given) in self.memo:
            return self.memo[id(given)]
        if isinstance(given, HELD):
            if isinstance(given, Tensor):
                self._detached(given)
            return self.of(given)
        if isinstance(given, FunctionType):
            return self._function(given)
        if isinstance(given, MethodType):
            of = self._again(given.__self__)
            return given if of is given.__self__ else MethodType(given.__func__, of)
        if isinstance(given, partial):
            parts = [self._again(each) for each in (given.func, given.args, given.keywords)]
            return given if _same(parts, (given.func, given.args, given.keywords)) else partial(
                parts[0], *parts[1], **parts[2])  # fmt: skip
        if type(given) in (list, tuple):
            made = [self._again(each) for each in given]
            return given if _same(made, given) else type(given)(made)
        if type(given) is dict:
            made = [self._again(each) for each in given.values()]
            return given if _same(made, given.values()) else dict(zip(given, made, strict=True))
        return self._object(given)

    def _object(self, given: Any) -> Any:
        """An object that holds a module, such as a trainer: another one with the copy."""
        held = getattr(given, "__dict__", None)
        if type(held) is not dict or not any(isinstance(value, HELD) for value in held.values()):
            return given
        made = object.__new__(type(given))
        self._put(given, made)
        vars(made).update({name: self._again(value) for name, value in held.items()})
        return made

    def _function(self, given: FunctionType) -> FunctionType:
        """A function that sees the copies, in its closure, in its defaults and under global names."""
        self._put(given, given)  # it may see itself
        cells = given.__closure__ or ()
        seen = [_content(cell) for cell in cells]
        new = [self._again(each) for each in seen]
        defaults, named = self._again(given.__defaults__), self._again(given.__kwdefaults__)
        scope = given.__globals__
        around = {}
        for name in _names(given.__code__) if is_users(given.__code__.co_filename) else ():
            if name in scope and (other := self._again(scope[name])) is not scope[name]:
                around[name] = other
        if not around and _same(new, seen) and defaults is given.__defaults__ and named is given.__kwdefaults__:
            return given
        other = [CellType(now) if now is not was else cell for cell, was, now in zip(cells, seen, new, strict=True)]
        closure = tuple(CellType() if was is given else cell for was, cell in zip(seen, other, strict=True))
        made = FunctionType(given.__code__, scope | around if around else scope, given.__name__, defaults, closure)
        made.__kwdefaults__ = named
        for was, cell in zip(seen, closure, strict=True):
            if was is given:
                cell.cell_contents = made
        made.__dict__.update(given.__dict__)
        self.memo[id(given)] = made
        return made


def without_hooks(model: Module) -> Module:
    """The model without hooks of the user's, which are to see the user's own steps alone."""
    for module in model.modules():
        for hooks in (module._forward_hooks, module._forward_pre_hooks):
            for number in [number for number, hook in hooks.items() if _is_users(hook.call)]:
                del hooks[number]
    return model


def fresh(given: Any) -> Any:
    """Data as cells of their own, so that what is written in place does not come back to the originals."""
    if isinstance(given, Tensor):
        return given if given.requires_grad else wrap(leaf(given.node.value))
    if type(given) in (list, tuple):
        return type(given)(map(fresh, given))
    if type(given) is dict:
        return {key: fresh(value) for key, value in given.items()}
    return given


def _is_users(call: Any) -> bool:
    inner = inspect.unwrap(call.func if isinstance(call, partial) else call)
    code = getattr(inner, "__code__", None) or getattr(type(inner).__call__, "__code__", None)
    return code is not None and is_users(code.co_filename)


def _same(new: Any, old: Any) -> bool:
    return all(a is b for a, b in zip(new, old, strict=True))


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing yet
        return None


def _names(code: CodeType) -> set[str]:
    """The names that code uses, of functions in it as well."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return {*code.co_names}.union(*map(_names, inner))
