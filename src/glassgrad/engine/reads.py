"""What a step reads of Python's own world: names of its file, variables around it, attributes, options in dicts.

A trace keeps what it found there as a constant. So while a step is traced, every function of the user's that runs is
noted with the names that its code looks up, and what they stand for: each is a `Read`, compared before every later
call. Another value asks for another trace; a value that the step itself has changed is an error, as a compiled step
would not change it.
"""

from __future__ import annotations

import dis
import functools
import gc
import pickle
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MemberDescriptorType, ModuleType
from typing import Any

import numpy as np

from ..errors import TraceError, Where, is_users
from ..graph import Symbol
from ..nn import Module
from ..optim import Optimizer
from ..tensor import Tensor
from .guards import opened, same
from .newborn import Newborn

ABSENT = object()
ELSEWHERE = (str(Path(np.__file__).parent), "<frozen")
"""Where code lies that is not the user's: what it reads does not change, or is looked at elsewhere (`guards`)."""
LOADS = {"LOAD_GLOBAL": "global", "LOAD_NAME": "global", "LOAD_DEREF": "free", "LOAD_FAST": "argument",
         "LOAD_FAST_BORROW": "argument"}  # fmt: skip
STORES = ("STORE_FAST", "STORE_GLOBAL", "STORE_DEREF", "STORE_ATTR")
MANY = 256
"""Entries up to which a container is compared entry for entry."""


@dataclass(eq=False)
class Read:
    """A place outside of all tensors that a step read: a key of a namespace, or a variable of an outer function."""

    name: str
    """As the user wrote it: ``config.rate``."""
    holder: Any
    key: str
    """Empty: `holder` is the variable's cell."""
    code: CodeType
    value: Any
    before: Any
    """The value, or a copy of it if it is a container."""

    def now(self) -> Any:
        return _look(self.holder, self.key)

    def holds(self) -> bool:
        """Whether the same is there as when it was read."""
        return same(self.now(), self.before)

    def restore(self) -> None:
        """Put back what was there."""
        if isinstance(self.value, dict):
            self.value.clear()
            self.value.update(self.before)
        elif isinstance(self.value, list):
            self.value[:] = self.before
        if not self.key:
            self.holder.cell_contents = self.value
        elif isinstance(self.holder, (dict, Slots)):
            self.holder[self.key] = self.value


class Slots:
    """The attributes of a thing that has no dict of them."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def get(self, name: str, default: Any) -> Any:
        return getattr(self.owner, name, default)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self.owner, name, value)


def _look(holder: Any, key: str) -> Any:
    if key:
        return holder.get(key, ABSENT)
    try:
        return holder.cell_contents
    except ValueError:  # the variable has no value, yet or any more
        return ABSENT


class Reading:
    """While it is on, notes what the user's functions read. A profile function that was set goes on when it is over."""

    def __init__(self, entered: Callable[[Module], None], newborn: Newborn) -> None:
        self.entered = entered
        """Told of every module that is read: its attributes are looked at by `guards`."""
        self.newborn = newborn
        self.own: set[int] = set()
        """What the step has made itself, which it may change."""
        self.reads: dict[tuple[int, str], Read] = {}
        self.codes: set[CodeType] = {f.__code__ for f in gc.callbacks if isinstance(f, FunctionType)}
        """What has been noted, or is told of rubbish that is collected, which has nothing to do with the step."""
        self.sources: list[tuple[str, Any, Any]] = []
        """Sources of random numbers that are not ours: name, the source, its state."""

    def __enter__(self) -> Reading:
        self._source("random", random)
        self._source("numpy.random", np.random)
        self.outer: Any = sys.getprofile()
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self.outer if callable(self.outer) else None)
        if hasattr(self.outer, "enable"):  # cProfile, which is no function
            self.outer.enable()

    def _event(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code not in self.codes and not _is_finalizer(frame):
                self.codes.add(code)
                if _is_users(code):
                    self._note(frame)

    def _note(self, frame: FrameType) -> None:
        """The names that the code of a frame looks up, and what they are as it begins."""
        cells = _cells_of(frame)
        self.own = self.newborn.ids()
        for kind, name, attributes in paths(frame.f_code):
            if kind == "argument":
                value = frame.f_locals.get(name, ABSENT)
            elif kind == "global" and name in frame.f_globals:
                value = self._read(name, frame.f_globals, name, frame.f_code)
            else:
                value = ABSENT
                for each in cells if kind == "free" else ():
                    if id(each[name]) not in self.own:
                        value = self._read(name, each[name], "", frame.f_code)
            whole = name
            for attribute in attributes:
                whole = f"{whole}.{attribute}"
                value = self._attribute(value, whole, attribute, frame.f_code)

    def _attribute(self, owner: Any, name: str, attribute: str, code: CodeType) -> Any:
        """Note what an attribute of a thing is; ABSENT for those that are looked at otherwise or do not change."""
        if isinstance(owner, Module):
            self.entered(owner)
            return ABSENT
        if id(owner) in self.own or isinstance(owner, (Tensor, Optimizer, FunctionType, BuiltinFunctionType)):
            return ABSENT
        if isinstance(owner, ModuleType):
            users = _is_users_file(getattr(owner, "__file__", None) or "")
            return self._read(name, vars(owner), attribute, code) if users else ABSENT
        classes = [vars(each) for each in (owner if isinstance(owner, type) else type(owner)).__mro__]
        spaces = classes if isinstance(owner, type) else [getattr(owner, "__dict__", {}), *classes]
        for place, space in enumerate(spaces):
            if attribute in space:
                value = space[attribute]
                if isinstance(value, MemberDescriptorType):
                    return self._read(name, Slots(owner), attribute, code)
                if space in classes and hasattr(value, "__get__"):
                    return ABSENT  # a method or a property
                for nearer in spaces[:place]:  # where it would hide this one
                    self._read(name, nearer, attribute, code)
                return self._read(name, space, attribute, code)
        return ABSENT

    def _read(self, name: str, holder: Any, key: str, code: CodeType) -> Any:
        """Note one read; returns the value, ABSENT if there is none (it is a builtin, or not there yet)."""
        at = (id(holder.owner if isinstance(holder, Slots) else holder), key)
        if at in self.reads:
            return self.reads[at].value
        value = _look(holder, key)
        if isinstance(value, Module):
            self.entered(value)
        self._source(name, value)
        if not isinstance(value, (ModuleType, BuiltinFunctionType)):
            self.reads[at] = Read(name, holder, key, code, value, opened(value) if _is_container(value) else value)
        return value

    def _source(self, name: str, source: Any) -> None:
        state = _state(source)
        if state is not None:
            self.sources.append((name, source, state))

    def checked(self) -> list[Read]:
        """All reads; a TraceError, and everything put back, if the step changed one of them."""
        for name, source, state in self.sources:
            if _state(source) != state:
                raise TraceError(
                    f"the step draws random numbers from {name}: a compiled step would draw the same in every call",
                    fix="draw with glassgrad.rand and its kin, whose generators go on, or pass the numbers as a tensor",
                )
        changed = [read for read in self.reads.values() if not read.holds() and not _escapes(read.now())]
        if not changed:
            return list(self.reads.values())
        first = changed[0]
        now = first.now()
        for read in changed:
            read.restore()
        raise TraceError(
            f"the step changes {first.name}, which is no tensor: a compiled step would do so only when it is traced",
            got="" if _is_container(now) else f"{first.before!r} became {now!r}",
            fix="change it outside of the step, or keep it in a tensor and write that in place, e.g. with add_(1)",
            where=stored(first.code, first.name.rpartition(".")[2]),
        )


def _state(source: Any) -> bytes | None:
    """The state of a source of random numbers; None for anything else."""
    if source is random or isinstance(source, random.Random):
        return pickle.dumps(source.getstate())
    if source is np.random or isinstance(source, np.random.RandomState):
        return pickle.dumps(source.get_state(legacy=False))
    return pickle.dumps(source.bit_generator.state) if isinstance(source, np.random.Generator) else None


def _is_container(value: Any) -> bool:
    return isinstance(value, (dict, list)) and len(value) <= MANY


def _is_users(code: CodeType) -> bool:
    return _is_users_file(code.co_filename)


@functools.cache
def _is_users_file(name: str) -> bool:
    return is_users(name) and not name.startswith(ELSEWHERE)


def _cells_of(frame: FrameType) -> list[dict[str, Any]]:
    """The cells of a running function's outer variables. A frame does not tell its function, so all that have its code
    and what it sees are taken; there is mostly one."""
    code = frame.f_code
    if not code.co_freevars:
        return []
    functions = [f for f in gc.get_referrers(code) if isinstance(f, FunctionType) and f.__code__ is code]
    found = [dict(zip(code.co_freevars, f.__closure__ or (), strict=True)) for f in functions]
    seen = frame.f_locals
    return [cells for cells in found if all(_look(cell, "") is seen.get(n, ABSENT) for n, cell in cells.items())]


def _is_finalizer(frame: FrameType | None) -> bool:
    """Whether a frame runs because something was thrown away, which has nothing to do with the step."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def _escapes(value: Any) -> bool:
    """Whether a tensor of the trace is in there, which is an error of its own."""
    if isinstance(value, Tensor):
        return isinstance(value._node.value, Symbol)
    return isinstance(value, (dict, list)) and any(map(_escapes, value.values() if isinstance(value, dict) else value))


@functools.lru_cache(maxsize=1024)
def paths(code: CodeType) -> list[tuple[str, str, tuple[str, ...]]]:
    """What a function's code looks up: (``global``, ``free`` or ``argument``; name; attributes after it)."""
    made = [i for i in dis.get_instructions(code) if i.opname not in ("CACHE", "EXTENDED_ARG", "NOP", "COPY")]
    kept = {i.argval for i in made if i.opname == "STORE_FAST"}
    arguments = {name for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if name not in kept}
    found: dict[tuple[str, str, tuple[str, ...]], None] = {}
    for place, load in enumerate(made):
        kind = LOADS.get(load.opname)
        if kind is None or (kind == "free" and load.argval not in code.co_freevars):
            continue
        attributes = tuple(_attributes(made[place + 1 :]))
        if kind == "argument" and (load.argval not in arguments or not attributes):
            continue
        found[kind, load.argval, attributes] = None
    return list(found)


def _attributes(following: list[dis.Instruction]) -> Iterator[str]:
    for each in following:
        if each.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
            return
        yield each.argval


def stored(code: CodeType, name: str) -> Where | None:
    """Where a function's code sets a name or an attribute."""
    for each in dis.get_instructions(code):
        if each.opname in STORES and each.argval == name:
            return code, each.offset
    return None
