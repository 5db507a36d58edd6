"""The base of all optimizers: parameter groups, per-parameter state, saving and loading, and the loop of `step`.

A rule is a subclass with two small methods: `begin` makes a parameter's state, `update` turns one gradient into
one new parameter. Everything that the rules share (sign for ``maximize``, weight decay, closures, hooks) is here.
"""

from __future__ import annotations

import functools
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from .. import functions as fn
from ..dispatch import CHANGES, STATE, Quiet, enable_grad, no_grad
from ..errors import ArgumentError, StateError, TypeMismatch, Where, here
from ..tensor import Tensor
from .options import (
    Group,
    Handle,
    MissingKey,
    OtherGroups,
    Params,
    Scalar,
    Value,
    copied,
    is_on,
    named,
    observed,
    required,
    within,
)

__all__ = ["Optimizer", "required"]


def _watched(step: Callable[..., Any]) -> Callable[..., Any]:
    """Run the hooks around a `step` and note for the schedules that it ran."""

    @functools.wraps(step)
    def watched(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if self._stepping:  # an override that calls super().step(): hooks run once, around the outer one
            return step(self, *args, **kwargs)
        self._opt_called = True
        self._stepping = True
        if STATE.observer is not None:
            STATE.observer.stepping(self)
        try:
            for hook in tuple(self._pre_hooks.values()):
                if (changed := hook(self, args, kwargs)) is not None:
                    args, kwargs = changed
            result = step(self, *args, **kwargs)
            for hook in tuple(self._post_hooks.values()):
                hook(self, args, kwargs)
        finally:
            self._stepping = False
        return result

    return watched


class Optimizer:
    """Holds the parameters in groups and updates them from their ``.grad``; base of all rules.

    Args:
        params: tensors; or ``(name, tensor)`` pairs as from ``named_parameters()``; or dicts, one per group, with
            the key ``params`` and any options of the group's own.
        defaults: the options of groups that do not say otherwise.

    A rule of your own overrides `update` (and `begin`, if it keeps state), or `step` as a whole.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0, 2.0], requires_grad=True)
        >>> class Sign(glassgrad.optim.Optimizer):
        ...     def update(self, p, grad, lr, group):
        ...         p.add_(grad.sign(), alpha=-lr)
        >>> rule = Sign([w], {"lr": 0.5})
        >>> (w * w).sum().backward()
        >>> rule.step()
        >>> w.tolist()
        [0.5, 1.5]
    """

    counters: ClassVar[frozenset[str]] = frozenset({"step"})
    """State that keeps its own dtype when it is loaded: a count, not something of the parameter's kind."""
    shaped: ClassVar[frozenset[str]] = frozenset()
    """State that has the parameter's shape; checked when it is loaded."""

    _opt_called = False
    _stepping = False
    _arrays = False
    _where: Where | None = None
    _pre_hooks: Mapping[int, Callable[..., Any]] = MappingProxyType({})  # the instance gets its own with a hook
    _post_hooks: Mapping[int, Callable[..., Any]] = MappingProxyType({})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            setattr(cls, "step", _watched(cls.__dict__["step"]))  # noqa: B010

    def __init__(self, params: Params, defaults: Group) -> None:
        if isinstance(params, Tensor):
            raise TypeMismatch(
                "an optimizer takes an iterable of tensors or of dicts, not one tensor",
                got=f"a tensor of shape {tuple(params.shape)}",
                fix="put it into a list: [tensor]",
            )
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[Group] = []
        given: list[Any] = list(params)
        if not given:
            raise ArgumentError(
                "an optimizer got an empty list of parameters",
                fix="pass model.parameters(); a generator that was used up before is empty too",
            )
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    # -- what a rule overrides ------------------------------------------------------------------------------

    def begin(self, p: Tensor, group: Group) -> dict[str, Any]:
        """The state of parameter ``p`` before its first update."""
        return {}

    def update(self, p: Tensor, grad: Tensor, lr: Scalar, group: Group) -> None:
        """Change ``p`` in place by its gradient. Runs without recording the graph."""
        raise NotImplementedError(f"{type(self).__name__} defines neither update nor step")

    # -- what a rule uses -----------------------------------------------------------------------------------

    @staticmethod
    def number(value: Scalar) -> Scalar:
        """A count or a rate as the rules compute with it: a Python number; while a step is traced the tensor itself,
        in float64, as Python's numbers are.
        """
        if not isinstance(value, Tensor):
            return value
        return value.item() if STATE.tracer is None else value.double()

    def option(self, group: Group, key: str, place: int | None = None) -> Scalar:
        """An option that a schedule may change, as the rules compute with it; see `number`."""
        if STATE.tracer is not None:
            found: Scalar = STATE.tracer.option(group, key, place)
            return found
        return self.number(group[key] if place is None else group[key][place])

    def values(self, *tensors: Tensor) -> list[Value]:
        """What a rule computes new values from: the tensors, or their arrays where nobody follows the computation.

        The same arithmetic works on both, also with options that are tensors. Eagerly most of a small step's time
        would go into making tensors.
        """
        if not self._arrays:
            return list(tensors)
        return [t._node.value if t._base is None else t.value for t in tensors]

    def put(self, cell: Tensor, new: Value) -> None:
        """Put a new value, computed from `values`, into a parameter or a piece of state."""
        if isinstance(new, Tensor):
            cell.write(new.node)
        else:
            cell.rebind(new if isinstance(new, np.ndarray) else np.asarray(new), self._where)

    def state_of(self, p: Tensor, group: Group) -> dict[str, Any]:
        """The state of ``p``, begun when there is none yet."""
        state = self.state[p]
        if not state:
            begun = self.begin(p, group)
            if begun and STATE.tracer is not None:
                STATE.tracer.begins(self)
            state.update(begun)
        return state

    def advance(self, state: dict[str, Any]) -> Scalar:
        """Count one more step in ``state`` and return the count, 1 at the first update."""
        step: Tensor = state["step"]
        if self._arrays:
            count: float = step.value.item() + 1
            step.rebind(np.array(count, step.dtype), self._where)
            return count
        step.add_(1)
        counted = self.number(step)
        if STATE.observer is not None and not isinstance(counted, Tensor):
            return STATE.observer.named(counted, "t")
        return counted

    def decayed(self, x: Value, grad: Value, lr: Scalar, group: Group) -> tuple[Value, Value]:
        """`descent` for `values`: the parameter and the gradient to follow, of which weight decay changes one."""
        if group["maximize"]:
            grad = -grad
        decay = group["weight_decay"]
        if is_on(decay):
            if group.get("decoupled_weight_decay"):
                x = x * (1 - lr * decay)
            else:
                grad = grad + x * decay
        return x, grad

    def descent(self, p: Tensor, grad: Tensor, lr: Scalar, group: Group) -> Tensor:
        """The gradient to follow downhill: negated for ``maximize``, with the weight decay of the group.

        Decoupled weight decay shrinks ``p`` itself, at once, and leaves the gradient alone.
        """
        if group["maximize"]:
            grad = -grad
        decay = group["weight_decay"]
        if is_on(decay):
            if group.get("decoupled_weight_decay"):
                p.mul_(1 - lr * decay)
            elif isinstance(decay, Tensor):
                grad = grad.addcmul(p, decay)
            else:
                grad = grad.add(p, alpha=decay)
        return grad

    # -- what a user calls ----------------------------------------------------------------------------------

    @_watched
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss again, with its backward, and returns it; that is what `step` returns.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if STATE.tracer is not None:
            STATE.tracer.stepped(self)
        unwatched = STATE.tracer is None and STATE.observer is None
        self._where = here(2)
        try:
            with no_grad(), Quiet(), within(self):
                for held in self.param_groups:
                    group = held if STATE.observer is None else observed(held)
                    lr = self.option(group, "lr") if "lr" in group else 0.0
                    self._arrays = unwatched and not isinstance(lr, Tensor)
                    for p in group["params"]:
                        grad = p.grad
                        if grad is not None:
                            self.update(p, grad, lr, group)
        finally:
            self._arrays = False  # `update` called by itself works on tensors
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients; with ``set_to_none=False`` fill those that are there with zeros instead."""
        params = [p for group in self.param_groups for p in group["params"]]
        if set_to_none:
            for p in params:
                p.grad = None
            return
        with Quiet():
            for p in params:
                grad = p.grad
                if grad is not None and grad.requires_grad:  # it came with create_graph: zeros must not hang on that
                    p.grad = fn.zeros_like(grad)
                elif grad is not None:
                    grad.zero_()

    def add_param_group(self, param_group: Group) -> None:
        """Add more parameters, with options of their own, for example layers that are unfrozen later.

        Args:
            param_group: a dict with the key ``params`` (a tensor, or tensors or ``(name, tensor)`` pairs in order).
        """
        if not isinstance(param_group, dict):
            raise TypeMismatch("a parameter group must be a dict", got=type(param_group).__name__)
        if "params" not in param_group:
            raise MissingKey("a parameter group needs the key 'params'", got=f"keys {sorted(param_group)}")
        names, params = named(param_group["params"])
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeMismatch("an optimizer updates tensors only", got=type(p).__name__)
            if not (p.is_leaf or getattr(p, "retains_grad", False)):
                raise ArgumentError(
                    "an optimizer cannot update a tensor that was computed from others (it is not a leaf)",
                    got=f"a tensor of shape {tuple(p.shape)}",
                    fix="pass the tensors it was computed from, or p.detach().requires_grad_()",
                )
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ArgumentError(f"the parameter group gives no {name}, and {name} has no default")
            param_group.setdefault(name, default)
        if len(params) != len(set(params)):
            warnings.warn("a parameter group holds the same parameter more than once", UserWarning, stacklevel=3)
        for group in self.param_groups:
            if ("param_names" in group) != ("param_names" in param_group):
                raise ArgumentError("either all parameter groups come with names or none does")
            if not set(params).isdisjoint(group["params"]):
                raise ArgumentError("a parameter is in more than one group", fix="leave it out of all groups but one")
        self.param_groups.append(param_group)
        CHANGES.count += 1

    # -- saving and loading ---------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state and the options as a dict in PyTorch's layout, in which parameters are numbered in order.

        The tensors in it are the optimizer's own, so a later step changes them; copy them to keep a moment.
        """
        order: dict[int, int] = {}
        for group in self.param_groups:
            for p in group["params"]:
                order.setdefault(id(p), len(order))
        groups = [{**group, "params": [order[id(p)] for p in group["params"]]} for group in self.param_groups]
        state = {order[id(key)] if isinstance(key, Tensor) else key: held for key, held in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state. The groups must be as many and as long as those it was saved from.

        Values are copied, floats are cast to the parameter's dtype (but not step counts), and arrays of other
        libraries are taken too. Options come from the saved groups.
        """
        if missing := [key for key in ("state", "param_groups") if key not in state_dict]:
            raise MissingKey(f"the saved optimizer state has no {' and no '.join(missing)}", got=f"{list(state_dict)}")
        saved = [{k: list(v) if k == "params" else copied(v) for k, v in g.items()} for g in state_dict["param_groups"]]
        if len(saved) != len(self.param_groups):
            raise OtherGroups(
                "the saved optimizer state has another number of parameter groups",
                got=f"{len(saved)} saved, {len(self.param_groups)} here",
            )
        params: dict[Any, Tensor] = {}
        for place, (mine, theirs) in enumerate(zip(self.param_groups, saved, strict=True)):
            if len(mine["params"]) != len(theirs["params"]):
                raise OtherGroups(
                    f"parameter group {place} of the saved optimizer state has another size",
                    got=f"{len(theirs['params'])} parameters saved, {len(mine['params'])} here",
                )
            params.update(zip(theirs["params"], mine["params"], strict=True))
            theirs["params"] = mine["params"]
            if "param_names" in mine:
                theirs.setdefault("param_names", mine["param_names"])
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, held in state_dict["state"].items():
            p = params.get(key)
            if p is None:
                state[key] = held
            else:
                state[p] = {name: self._taken(p, name, value) for name, value in held.items()}
        self.__setstate__({"state": state, "param_groups": saved})

    def _taken(self, p: Tensor, name: str, value: Any) -> Any:
        """A saved piece of state, as the optimizer of ``p`` keeps it."""
        if name in self.counters and isinstance(value, (int, float)):
            return fn.tensor(float(value))
        if isinstance(value, dict):
            return {key: self._taken(p, key, inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self._taken(p, "", inner) for inner in value)
        if not isinstance(value, Tensor):
            if not hasattr(value, "__array__"):
                return value
            value = fn.tensor(np.asarray(value))
        if name in self.shaped and value.shape != p.shape:
            raise StateError(
                f"the saved {name} does not have the shape of its parameter",
                got=f"{tuple(value.shape)} saved, {tuple(p.shape)} here",
            )
        value = value.detach().clone()
        return value if name in self.counters else value.to(p.dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        CHANGES.count += 1
        for group in self.param_groups:
            for name, default in self.defaults.items():  # options that are newer than the file
                group.setdefault(name, default)

    # -- the rest -------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(optimizer, args, kwargs)`` before every step; it may return other ``(args, kwargs)``."""
        return Handle(self.__dict__.setdefault("_pre_hooks", {}), hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(optimizer, args, kwargs)`` after every step."""
        return Handle(self.__dict__.setdefault("_post_hooks", {}), hook)

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for place, group in enumerate(self.param_groups):
            rows = [f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params"]
            text += f"\nParameter Group {place}\n{''.join(rows)}"
        return text + ")"
