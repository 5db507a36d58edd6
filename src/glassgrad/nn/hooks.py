"""Functions that run before or after a module's forward, and the handles that take them off again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ..dispatch import CHANGES, STATE

if TYPE_CHECKING:
    from .module import Module

__all__ = ["Handle"]

_numbers = itertools.count()


class Hook(NamedTuple):
    """A function and how it wants to be called."""

    call: Callable[..., Any]
    with_kwargs: bool
    always: bool


class Handle:
    """Takes a hook off again: by `remove()`, or at the end of a ``with`` block.

    >>> handle = nn.ReLU().register_forward_hook(print)
    >>> handle.remove()
    """

    def __init__(self, hooks: dict[int, Hook], number: int) -> None:
        self.hooks, self.number = hooks, number

    @classmethod
    def put(
        cls, hooks: dict[int, Hook], call: Callable[..., Any], *, prepend: bool, with_kwargs: bool, always: bool = False
    ) -> Self:
        """Adds a hook behind the others, or before them, in place: the dict is the module's own."""
        number = next(_numbers)
        others = dict(hooks) if prepend else {}
        if prepend:
            hooks.clear()
        hooks[number] = Hook(call, with_kwargs, always)
        hooks.update(others)
        CHANGES.count += 1
        return cls(hooks, number)

    def remove(self) -> None:
        """Takes the hook off; a second time does nothing."""
        self.hooks.pop(self.number, None)
        CHANGES.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def call_with_hooks(
    module: Module, before: dict[int, Hook], after: dict[int, Hook], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Runs `forward` with the hooks around it and an observer told. They are copied first: a hook may remove itself."""
    done: set[int] = set()
    observer = STATE.observer
    try:
        for hook in list(before.values()):
            if hook.with_kwargs:
                new = hook.call(module, args, kwargs)
                args, kwargs = (args, kwargs) if new is None else new
            else:
                new = hook.call(module, args)
                if new is not None:
                    args = new if isinstance(new, tuple) else (new,)
        if observer is not None:
            observer.entering(module, args, kwargs)
        output = module.forward(*args, **kwargs)
        if observer is not None:
            observer.leaving(module, output)
        for number, hook in list(after.items()):
            done.add(number)
            new = hook.call(module, args, kwargs, output) if hook.with_kwargs else hook.call(module, args, output)
            output = output if new is None else new
        return output
    except Exception:
        for number, hook in list(after.items()):
            if hook.always and number not in done:
                hook.call(module, args, kwargs, None) if hook.with_kwargs else hook.call(module, args, None)
        raise
