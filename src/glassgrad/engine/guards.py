"""What a trace took for granted about optimizers, modules and tensors, and whether it is still so."""

from __future__ import annotations

from operator import is_
from typing import Any

from ..dispatch import CHANGES
from ..tensor import Tensor
from .traced import Trace

PLAIN = (bool, int, float, str, type(None))


class Guards:
    """Taken down when a trace is made. What only PyTorch's own calls change (hooks, attributes, saved state) counts in
    `CHANGES` and is compared when that number is another one; what users change in plain lists and dicts, each time.
    """

    def __init__(self, made: Trace) -> None:
        self.made = made
        self.seen = CHANGES.count
        self.groups = [(group, dict(group), list(group["params"])) for group in made.groups]
        self.lists = [(o, list(o.param_groups), len(o.state)) for o in made.optimizers]
        self.states = [(o, {key: opened(state) for key, state in o.state.items()}) for o in made.optimizers]
        self.hooks = [(o, _hooks(o)) for o in made.optimizers]
        self.modules = [(module, _attributes(module)) for module in made.modules]
        self.cells = [(cell, *_facts(cell)) for cell, _ in made.cells]

    def hold(self) -> bool:
        """Whether everything is still as it was."""
        if not all(read.holds() for read in self.made.reads):
            return False
        for group, before, params in self.groups:
            if not _same_list(group["params"], params):
                return False
            if group != before and not self.same_options(group, before):
                return False
        for optimizer, groups, count in self.lists:
            if len(optimizer.state) != count or not _same_list(optimizer.param_groups, groups):
                return False
        if CHANGES.count == self.seen:
            return True
        count = CHANGES.count
        if not all(guard() for guard in self.made.guards):
            return False
        for optimizer, states in self.states:
            if not all(same(optimizer.state.get(key), state) for key, state in states.items()):
                return False
        if not all(_hooks(optimizer) == before for optimizer, before in self.hooks):
            return False
        if not all(same(_attributes(module), before) for module, before in self.modules):
            return False
        for cell, requires_grad, hooks in self.cells:
            if _facts(cell) != (requires_grad, hooks):
                return False
        self.seen = count
        return True

    def same_options(self, group: Any, before: dict[str, Any]) -> bool:
        """Whether two states of a group differ only in what is read anew for every call."""
        live = {option.key for option in self.made.options if option.group is group}
        if group.keys() != before.keys():
            return False
        for key, value in before.items():
            if key == "params" or (key in live and key != "betas"):
                continue
            now, was = (group[key][1:], value[1:]) if key in live else (group[key], value)
            if now is not was and (isinstance(now, Tensor) or isinstance(was, Tensor) or now != was):
                return False
        return True


def _same_list(now: list[Any], before: list[Any]) -> bool:
    return len(now) == len(before) and all(map(is_, now, before))


def _facts(cell: Tensor) -> tuple[bool, list[Any]]:
    """What a trace depends on of a tensor, apart from its value."""
    node = cell.node
    return node.requires_grad, list(node.hooks or ())


def _attributes(thing: Any) -> dict[str, Any]:
    """The attributes of a module, containers one level deep."""
    return {name: opened(value) for name, value in vars(thing).items()}


def _hooks(optimizer: Any) -> list[Any]:
    return [*optimizer._pre_hooks.items(), *optimizer._post_hooks.items()]


def opened(value: Any) -> Any:
    """A copy of a dict or a list; anything else as it is."""
    return dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value


def same(now: Any, before: Any) -> bool:
    """Whether two things are one, or equal plain values, or containers of such things."""
    if now is before:
        return True
    if isinstance(before, dict):
        return isinstance(now, dict) and now.keys() == before.keys() and all(same(now[k], before[k]) for k in before)
    if isinstance(before, (list, tuple)):
        return isinstance(now, (list, tuple)) and len(now) == len(before) and all(map(same, now, before))
    return isinstance(before, PLAIN) and type(now) is type(before) and bool(now == before)
