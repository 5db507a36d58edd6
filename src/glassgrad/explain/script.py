"""Runs a user's script and records its N-th backward pass: the forward before it and the optimizer's step after it.

The script is watched from its first line to the step that was asked for, and then stopped: a training that takes hours
need not end before its third step can be explained. Of the steps before, nothing is kept.
"""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any

from ..autograd.backward import backward, grad
from ..dispatch import STATE, Bystander, State
from ..errors import PACKAGE, ArgumentError
from ..graph import Node
from ..optim import Optimizer
from .recording import Recording
from .tape import Tape


class Finished(BaseException):
    """Stops the script. No Exception, so that a script which goes on after any error does not go on after this."""


@dataclass
class Run:
    """What became of a script, and the step that was recorded."""

    path: Path
    at_step: int
    tape: Tape
    watch: Watch
    backwards: int = 0
    """How many backward passes ran in the main thread, the recorded one included."""
    elsewhere: int = 0
    """How many ran in other threads, which are not recorded."""
    error: BaseException | None = None
    """What the script raised."""
    exited: int | str | None = None
    """What the script gave to sys.exit; None if it did not call it."""
    scopes: list[dict[str, Any]] = field(default_factory=list)
    """The script's variables, innermost function first, its globals last."""

    @property
    def reached(self) -> bool:
        """Whether the backward pass that was asked for began."""
        return self.backwards >= self.at_step

    def traceback(self) -> str:
        """What the script raised, as Python prints it, from the script's first line on."""
        assert self.error is not None
        trace = self.error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != str(self.path):
            trace = trace.tb_next
        return "".join(traceback.format_exception(type(self.error), self.error, trace))


def run_script(
    path: str | Path, arguments: Sequence[str] = (), at_step: int = 1, watching: type[Watch] | None = None
) -> Run:
    """Run a script as ``python path arguments`` would, and record its backward pass number ``at_step``.

    Args:
        watching: another observer than `Watch`.

    Raises:
        ArgumentError: there is no such file. What the script itself raises is in ``.error``.
    """
    path = Path(path)
    if not path.is_file():
        raise ArgumentError(
            f"there is no script {str(path)!r}", got="a folder" if path.is_dir() else "", fix="name a Python file"
        )
    linecache.getlines(str(path))  # read now: the script may change its folder, or somebody the file
    return _run(path.read_bytes(), path, arguments, (watching or Watch)(at_step))


def run_text(text: str, name: str, at_step: int = 1, watching: type[Watch] | None = None) -> Run:
    """`run_script` for a program that is no file; ``name`` stands in its place."""
    linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
    return _run(text, Path(name), (), (watching or Watch)(at_step))


def _run(text: str | bytes, path: Path, arguments: Sequence[str], watch: Watch) -> Run:
    main = ModuleType("__main__")
    watch.main = main.__dict__
    made = Run(path, watch.at_step, watch.tape, watch)
    main.__dict__.update(__file__=str(path), __cached__=None, __builtins__=__builtins__)
    trace: TracebackType | None = None
    try:
        with _as_main(path, arguments, main), watch.watching():
            exec(compile(text, str(path), "exec", dont_inherit=True), main.__dict__)
    except Finished:
        pass
    except SystemExit as end:
        made.exited, trace = 0 if end.code is None else end.code, end.__traceback__
    except BaseException as error:
        made.error, trace = error, error.__traceback__
    made.tape, made.backwards, made.elsewhere = watch.tape, watch.seen, watch.others.seen
    made.scopes = watch.scopes or _scopes([frame for frame, _ in traceback.walk_tb(trace)][::-1], main.__dict__)
    if not watch.scopes:
        watch.finishes(made)
    return made


@contextmanager
def _as_main(path: Path, arguments: Sequence[str], main: ModuleType) -> Iterator[None]:
    """What a script finds when Python runs it: itself as ``__main__``, its arguments, its folder to import from."""
    held = sys.argv, sys.path[:], sys.modules["__main__"]
    sys.argv = [str(path), *arguments]
    sys.path[: 0 if sys.flags.safe_path else 1] = [str(path.resolve().parent)]
    sys.modules["__main__"] = main
    try:
        yield
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = held


def _scopes(frames: Iterable[FrameType], main: dict[str, Any]) -> list[dict[str, Any]]:
    """The variables of the user's functions that run in these frames, innermost first, and the script's globals."""
    found = []
    for frame in frames:
        if frame.f_locals is main:
            break
        if not frame.f_code.co_filename.startswith(PACKAGE):
            found.append(dict(frame.f_locals))
    return [*found, main]


class Elsewhere(Bystander):
    """The observer of the threads that are not recorded: counts their backward passes, keeps nothing."""

    def __init__(self) -> None:
        self.seen = 0

    def made(self, node: Node) -> None:
        forget(node)

    def begins(self, outputs: Sequence[Node], seeds: Sequence[Node]) -> None:
        self.seen += 1

    @contextmanager
    def host(self, recording: Recording) -> Iterator[None]:
        """The thread records for itself."""
        STATE.observer, recording.on = recording, True
        try:
            yield
        finally:
            recording.on = False
            del STATE.observer  # what all threads have holds again

    def arrived(self, node: Node, cotangent: Node) -> None: ...
    def passed(self, node: Node, index: int, part: Node) -> None: ...
    def named(self, number: float, name: str) -> float:
        return number

    def written(self, constant: Node, number: Any) -> None: ...


class Watch(Bystander):
    """An observer for a whole script. It holds one step at a time: a new tape begins with each.

    A step begins with the first value that has a gradient or that a module computes. It ends with its update: when
    every parameter that got a gradient has a new value, or else when the script computes something that has nothing to
    do with the gradients.
    """

    def __init__(self, at_step: int) -> None:
        self.at_step = at_step
        self.main: dict[str, Any] = {}
        """The script's globals."""
        self.seen = 0
        self.others = Elsewhere()
        self.guest: Recording | None = None
        """A recording that the script itself has begun."""
        self.hooks: dict[int, Any] = {}
        self.scopes: list[dict[str, Any]] = []
        self._anew()

    def _anew(self) -> None:
        self.tape = Tape()
        self.begun = False
        """Whether the step's forward pass has begun."""
        self.back = False
        """Whether its backward pass has."""
        self.stepped = False
        """Whether an optimizer's step has ended since."""
        self.gradients: set[Node] = set()
        """The gradients that arrived, and what was made of them outside of optimizers."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch this thread, and count in all others. A script that runs another one so is watched on after it."""
        outer = State.observer, STATE.observer
        State.observer, STATE.observer = self.others, self
        try:
            yield
        finally:
            State.observer, STATE.observer = outer
            for handle in self.hooks.values():
                handle.remove()

    @contextmanager
    def host(self, recording: Recording) -> Iterator[None]:
        """The script records for itself: it is told the same."""
        self.guest, recording.on = recording, True
        try:
            yield
        finally:
            self.guest, recording.on = None, False

    # -- what dispatch and autodiff tell ----------------------------------------------------------------------------

    def made(self, node: Node) -> None:
        if self.guest is not None:
            self.guest.made(node)
        origin = node.origin
        rule = None if origin is None or origin.scope is None else origin.scope[0]
        if origin is not None and origin.of is not None:
            self.tape.made(node)
        elif isinstance(rule, Optimizer):
            self._of_optimizer(node, rule)
        elif self.back:
            self._after_backward(node)
        else:
            self._before_backward(node)
        forget(node)

    def _before_backward(self, node: Node) -> None:
        in_module = node.origin is not None and node.origin.scope is not None
        self.begun = self.begun or (STATE.grad and (node.requires_grad or in_module))
        if self.begun and STATE.grad:
            self.tape.made(node)

    def _after_backward(self, node: Node) -> None:
        """Clipping and updates by hand belong to the step, anything else ends it or is left out."""
        made_of_gradients = any(x in self.gradients or self.tape.source(x) in self.gradients for x in node.inputs)
        if node.requires_grad or self._all_updated() or (self.stepped and not made_of_gradients):
            self._ends()
            self._before_backward(node)
        elif made_of_gradients:
            self.tape.made(node)
            self.gradients.add(node)

    def _of_optimizer(self, node: Node, rule: Optimizer) -> None:
        if not self.back:
            return
        if id(rule) not in self.hooks:
            self.hooks[id(rule)] = rule.register_step_post_hook(self._has_stepped)
        self.tape.made(node)

    def _has_stepped(self, *_: Any) -> None:
        if self.back:
            self.stepped = True
            if self._all_updated():
                self._ends()

    def begins(self, outputs: Sequence[Node], seeds: Sequence[Node]) -> None:
        if STATE.tracer is not None:
            return
        if self.guest is not None:
            self.guest.begins(outputs, seeds)
        if self.back:
            self._ends()
        if is_backward():  # autograd.grad is a part of the forward pass
            self.seen += 1
            self.begun = self.back = True
            self._complete(outputs)
            self._goes_back(outputs)
        self.tape.begins(outputs, seeds)

    def arrived(self, node: Node, cotangent: Node) -> None:
        if STATE.tracer is None:
            if self.guest is not None:
                self.guest.arrived(node, cotangent)
            self.tape.arrived(node, cotangent)
            self.gradients.add(cotangent)

    def passed(self, node: Node, index: int, part: Node) -> None:
        if STATE.tracer is None:
            if self.guest is not None:
                self.guest.passed(node, index, part)
            self.tape.passed(node, index, part)

    def named(self, number: float, name: str) -> float:
        return self.tape.named(number, name)

    def written(self, constant: Node, number: Any) -> None:
        self.tape.written(constant, number)
        if self.guest is not None:
            self.guest.written(constant, number)

    def finishes(self, run: Run) -> None:
        """The script is over, by its end or by an error, before it was stopped."""

    # -- where a step begins and ends -------------------------------------------------------------------------------

    def _complete(self, outputs: Sequence[Node]) -> None:
        """Make the tape the forward pass of ``outputs``: with what was computed before an earlier backward pass and is
        used again, without what the loss was not computed from."""
        held = self.tape
        if held.roots:  # autograd.grad was called in this step: the loss may have been computed from its results
            return
        wanted: dict[Node, None] = {}
        stack = list(outputs)
        while stack:
            node = stack.pop()
            if node in wanted:
                continue
            known = node in held.records and node not in held.outside
            if known or (node.op is not None and node.requires_grad and not node.released):
                wanted[node] = None
                stack.extend(held.records[node].inputs if known else node.inputs)
        made = Tape()
        made.modules = held.modules
        for node in sorted(wanted, key=lambda n: n.id):
            if node.op is not None:
                made.made(node)
            if node in held.records and node not in held.outside:
                made.records[node] = held.records[node]
                for source in held.records[node].inputs:  # which the node itself may have let go
                    if source in held.outside and source not in made.records:
                        made.records[source] = held.records[source]
                        made.outside.add(source)
                made.producers.setdefault(id(held.records[node].value), node)
        made.cells.update((key, held_in) for key, held_in in held.cells.items() if held_in[1].op is None)
        made.constants = held.constants
        self.tape = made

    def _goes_back(self, outputs: Sequence[Node]) -> None:
        """A backward pass begins, and the tape has the forward pass before it."""

    def _all_updated(self) -> bool:
        """Whether every parameter that got a gradient has another value since."""
        cotangents = self.tape.cotangents
        got = [(cell, node) for cell, node in self.tape.cells.values() if node in cotangents]
        return bool(got) and all(cell._node is not node for cell, node in got)

    def _ends(self) -> None:
        """The step is over: begin another, or, if it is the one that was asked for, stop the script."""
        if self.seen < self.at_step:
            self._anew()
            return
        _ = self.tape.symbols  # which know the new weights by their cells: before a script that goes on changes those
        STATE.observer, self.back = self.guest, False  # the hooks may be called once more
        self.scopes = _scopes((frame for frame, _ in traceback.walk_stack(None)), self.main)
        raise Finished


def is_backward() -> bool:
    """Whether an observer is told of a call of `backward`, and not of `grad`."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code not in (backward.__code__, grad.__code__):
        frame = frame.f_back
    return frame is not None and frame.f_code is backward.__code__


def forget(node: Node) -> None:
    """Let go of what an unobserved computation would not hold either: a running mean would keep all it was made of."""
    if not node.requires_grad:
        node.inputs = ()
