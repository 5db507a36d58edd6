"""`glassgrad.compile`: a whole step, traced once for each signature and run by an engine from then on."""

from __future__ import annotations

import functools
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

import numpy as np

from ..dispatch import STATE, leaf
from ..errors import ArgumentError, IndexRangeError, TraceError, line_of
from ..graph import Graph
from ..tensor import Tensor, wrap
from .bind import Binding
from .guards import Guards
from .interpret import Interpreter
from .locks import Undisturbed, alone, lock_of, making
from .newborn import Newborn
from .quick import MISS, Quick
from .report import StepReport, graph_of, report
from .results import CLAMP, all_slots, cut, gradient_inside, watch
from .trace import Cold, filled, flatten, specs_of, trace
from .traced import Slot, Trace

ENGINES = ("interpret", "native")
RESTLESS = 8
"""Traces in a row for one signature, good for one call each, after which changing numbers are an error."""


def compile(
    function: Callable[..., Any] | None = None,
    *,
    engine: str = "native",
    threads: int | None = None,
    fallback: bool = False,
    signatures: int = 16,
) -> Any:
    """Run ``function`` as compiled code: a whole training step, or any computation on tensors.

    The function is called once as it is (so that optimizers make their state), traced at the next call, and from then
    on the engine runs what the trace holds. A call with other shapes, dtypes or plain arguments, in another mode
    (train/eval, gradients on or off), or after modules, optimizers or anything else was changed that the step looks up
    (globals, variables around it, attributes, entries of dicts), is traced for itself. Numbers that change in every
    call belong into tensors. Indices that come from outside are checked before every run, those that the step
    computes after it.

    Args:
        function: takes tensors (also in lists, tuples and dicts) and plain values.
        engine: ``"native"``, or ``"interpret"`` for the reference.
        threads: how many the native engine may use; by default all cores.
        fallback: where the function cannot be traced, run it as it is and say why, once.
        signatures: how many traces are kept; the one not used for longest goes first.

    Raises:
        TraceError: a value read in the step, state that grows, shapes that depend on values, random numbers that are
            not glassgrad's, a plain number that is another one in every call; names the line.
        IndexRangeError: an index out of range. If it came from outside, nothing is changed; if the step computed it,
            the step has run.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([3.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.SGD([w], lr=0.25)
        >>> @glassgrad.compile
        ... def step(x):
        ...     optimizer.zero_grad()
        ...     loss = ((w * x) ** 2).sum()
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> [step(glassgrad.ones(1)).item() for _ in range(3)]
        [9.0, 2.25, 0.5625]
    """
    if function is None:
        return functools.partial(compile, engine=engine, threads=threads, fallback=fallback, signatures=signatures)
    return Compiled(function, engine, threads, fallback, signatures)


class Compiled:
    """A function that an engine runs. Made by `compile`."""

    def __init__(
        self, function: Callable[..., Any], engine: str, threads: int | None, fallback: bool, signatures: int
    ) -> None:
        if engine not in ENGINES:
            raise ArgumentError(f"there is no engine {engine!r}", fix=f"use one of {', '.join(ENGINES)}")
        functools.update_wrapper(self, function, updated=())
        self.function, self.engine, self.threads, self.fallback = function, engine, threads, fallback
        self.signatures = signatures
        self.plans: OrderedDict[Any, list[Plan]] = OrderedDict()
        self.warm = False
        """Whether the state is there that the first call begins. Set it for a training that goes on from a checkpoint:
        the first call is compiled then too, and gives the bits of the training that was never stopped."""
        self.cold = False
        """The last call began state, such as an optimizer's for a new parameter."""
        self.failed: str = ""
        self.last: Plan | None = None
        """The plan of the last call, if that had tensors alone: tried first."""
        self.latest: Plan | None = None
        self.newest: tuple[Any, Plan] | None = None
        self.streak = 0
        """How many traces in a row were good for one call."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        observer = STATE.observer
        if STATE.tracer is not None or observer is not None or self.failed:  # what is recorded runs as it is
            found = self.function(*args, **kwargs) if observer is None else observer.runs(self, args, kwargs)
            self.warm = self.warm or STATE.tracer is None
            return found
        if self.last is not None and not kwargs:
            found = self.last.run(args)
            if found is not MISS:
                return found
        if not self.warm:  # lazily made state, such as an optimizer's moments, comes to be
            with making(self):
                if not self.warm:
                    self.warm = True
                    return self.function(*args, **kwargs)
        tensors = flatten((args, kwargs))
        with making(self):
            plan = self._plan(args, kwargs, tensors)
        if plan is None:
            return self.function(*args, **kwargs)
        self.latest = plan
        plain = self.engine == "native" and not kwargs and all(map(is_, args, tensors)) and len(args) == len(tensors)
        self.last = plan if plain else None
        return plan.run(tensors)

    def report(self, *, profile: bool = False) -> StepReport:
        """What the trace of the last call is made of, as data: kernels, bytes, operations, memory, compile time.

        Args:
            profile: also time each kernel, on copies of the tensors, so that nothing of the step's is changed.

        Raises:
            ArgumentError: if nothing has been traced yet.
        """
        return report(self, self._traced(), profile)

    def show(self, *, profile: bool = False) -> None:
        """Print `report`: the kernels in order, with what each fuses, reads, writes and computes; what else is held."""
        print(self.report(profile=profile))

    @property
    def graph(self) -> Graph:
        """What the trace of the last call computes, from what, into what; prints as Python."""
        return graph_of(self._traced().trace)

    def _traced(self) -> Plan:
        if self.latest is None:
            why = f"it runs uncompiled: {self.failed}" if self.failed else "nothing has been traced yet"
            raise ArgumentError(
                f"there is no trace of {self.__name__} to look at: {why}",  # type: ignore[attr-defined]
                fix="call it: the first call runs as it is, the second one is traced",
            )
        return self.latest

    def _plan(self, args: Any, kwargs: Any, tensors: list[Tensor]) -> Plan | None:
        kinds = specs_of(tensors)
        key = (_constants((args, kwargs)), kinds, STATE.grad)
        held = self.plans.setdefault(key, [])
        self.plans.move_to_end(key)
        for plan in held:
            if plan.guards.hold():
                return plan
        try:
            self._watch(key)
            start = time.perf_counter()
            found = self._trace(args, kwargs)
            made = Plan(found, self.engine, self.threads, kinds, time.perf_counter() - start)
        except Cold:
            if self.cold:
                raise
            self.cold = True
            return None
        except TraceError as error:
            if not self.fallback:
                raise
            self.failed = str(error)
            warnings.warn(f"{self.__name__} runs uncompiled: {error}", UserWarning, stacklevel=4)  # type: ignore[attr-defined]
            return None
        self.cold = False
        self.newest = (key, made)
        held[:] = [*held[-3:], made]
        while len(self.plans) > self.signatures:
            self.plans.popitem(last=False)
        return made

    def _watch(self, key: Any) -> None:
        """Speak up when every call asks for a trace of its own: compiling would then take all the time there is."""
        if self.newest is None or self.newest[1].calls > 1:
            self.streak = 0
            return
        self.streak += 1
        before, plan = self.newest
        if self.streak < (RESTLESS if key == before else self.signatures + 1):
            return
        times = f"each of the last {self.streak} traces of {self.__name__} was good for one call"  # type: ignore[attr-defined]
        if key[1] != before[1]:
            if self.streak == self.signatures + 1:
                fix = "pad to a few shapes, or keep more traces with signatures="
                warnings.warn(f"{times}, as shapes or dtypes change; {fix}", UserWarning, stacklevel=5)
            return
        if key[0] != before[0]:
            raise TraceError(
                f"{times}: a plain argument is another one in every call", got=f"{before[0]}, then {key[0]}",
                fix="pass numbers that change as tensors, or keep more traces with signatures=",
            )  # fmt: skip
        other = [read for read in plan.trace.reads if not read.holds()]
        if other:
            raise TraceError(
                f"{times}: {other[0].name} is another one in every call",
                got=f"{other[0].before!r}, then {other[0].now()!r}",
                fix="pass numbers that change as tensors, or keep them in one and write it in place",
            )

    def _trace(self, args: Any, kwargs: Any) -> Trace:
        with alone(), Newborn() as newborn:
            made = trace(self.function, args, kwargs, newborn)
            kept = newborn.holding_symbols()
        if kept:
            node = kept[0]._node
            for cell in kept:  # what is kept must not look like a number
                cell._node = leaf(np.full(cell.shape, np.nan, np.float32))
            raise TraceError(
                "the step keeps a tensor for later, in a list, an attribute or a global; a compiled step keeps nothing",
                got=f"{node!r}, made at {node.where or line_of(None) or 'an unknown line'}",
                fix="return it from the step instead",
            )
        return made


def _constants(given: Any) -> Any:
    """What a signature says of everything in the arguments that is not a tensor; hashable."""
    if isinstance(given, Tensor):
        return Slot
    if isinstance(given, dict):
        return tuple((key, _constants(value)) for key, value in given.items())
    if isinstance(given, (list, tuple)):
        return (type(given), tuple(_constants(value) for value in given))
    try:
        hash(given)
    except TypeError:
        raise TraceError(
            f"an argument of a compiled step is a {type(given).__name__}, which could change without notice",
            fix="pass tensors, numbers, or tuples, lists and dicts of them",
        ) from None
    return (type(given), given)


def _engine(name: str) -> Callable[..., Any]:
    if name == "interpret":
        return lambda made, _threads: Interpreter(made)
    from .native import Native  # only who compiles a step waits for the code generator

    return Native


class Plan:
    """A trace bound to its cells, ready to run."""

    def __init__(self, made: Trace, engine: str, threads: int | None, kinds: tuple[Any, ...], tracing: float) -> None:
        start = time.perf_counter()
        self.trace = made
        self.guards = Guards(made)
        self.engine = _engine(engine)(made, threads)
        self.lock = lock_of([cell for cell, _ in made.cells] + [cell for cell, _ in made.updates])
        """Held while the engine runs: its memory is one call's at a time, and so are the tensors that it changes."""
        self.cut = any(slot.cut for slot in all_slots(made.results))
        self.unbound = [cell for cell, _ in made.updates]
        """Cells that are rebound after a call, rather than written in place by the machine code."""
        self.run: Callable[[Sequence[Tensor]], Any] = self._interpreted
        self.quick: Quick | None = None
        self.interpreted = 0
        self.whole = False
        """Whether a call is over when the machine code has run."""
        if engine == "native":
            binding = Binding(made, self.engine)
            bound = {id(cell.tensor) for cell in binding.cells if cell.changed}
            self.unbound = [cell for cell in self.unbound if id(cell) not in bound]
            self.whole = not (self.unbound or made.argument_updates or made.deferred)
            self.quick = Quick(self, binding, kinds)
            self.run = self.quick.call
        for alarm in made.alarms:
            alarm.counted = lambda: self.calls
        self.tracing, self.compiling = tracing, time.perf_counter() - start
        """Seconds that it took."""

    @property
    def calls(self) -> int:
        """How often it has run."""
        return self.quick.calls if self.quick is not None else self.interpreted

    def mark(self) -> None:
        """Put into ``.grad`` what says that the gradients stay inside."""
        for cell in self.trace.grads:
            cell._grad = gradient_inside(cell)

    def ring(self) -> int:
        """Call who waits for it; after how many runs in all somebody wants to be called next."""
        calls = self.calls
        for alarm in self.trace.alarms:
            if calls >= alarm.due:
                alarm.due = calls + max(1, alarm.action())
        return min(alarm.due for alarm in self.trace.alarms)

    def _interpreted(self, tensors: Sequence[Tensor]) -> Any:
        """One call by the reference."""
        made = self.trace
        for inspection in made.inspections:
            inspection.run(tensors)
        with self.lock:
            arrays = [tensors[number].value for number, _ in made.arguments]
            arrays += [cell.value for cell, _ in made.cells]
            arrays += [np.float64(option.read()) for option in made.options]
            try:
                outputs = self.engine.run(arrays)
            except IndexError as error:
                raise IndexRangeError(f"an index that the step computes is out of range: {error}", fix=CLAMP) from None
            with Undisturbed():
                self.interpreted += 1
                self.mark()
                found = self.finish(outputs, tensors)
                if made.alarms:
                    self.ring()
                return found

    def finish(self, outputs: list[Any], tensors: Sequence[Tensor]) -> Any:
        """Put the arrays of a run where they belong: results, then rebound cells, then rebound arguments."""
        made = self.trace
        results = [wrap(leaf(array)) for array in outputs[: len(made.values)]]
        for number, told in made.kept:
            told(outputs[number].item())
        rest = iter(outputs[len(made.values) :])
        for cell in self.unbound:
            cell.rebind(next(rest), None)
        for number, _ in made.argument_updates:
            tensors[number].rebind(next(rest), None)
        return self.complete(results)

    def complete(self, results: list[Tensor]) -> Any:
        """What the step does besides computing, such as counting a schedule's steps; returns what the step returns."""
        made = self.trace
        for action, args, kwargs in made.deferred:
            action(*filled(args, results), **filled(kwargs, results))
        for number, check in made.watched:
            watch(results[number].value, check)
        if self.cut:
            cut(made.results, results)
        return filled(made.results, results)
