"""What is on while a training is watched: it notes the order of calls, every loss, and now and then the sizes of the
weights, gradients and updates.

In a compiled step all of it is part of the machine code, and losses are told after every run. The sizes cost more than
a few per cent of a small step, so there are two traces of it: one without them, and one that computes them, which runs
once and then gives way to the other again. A watch stands in a module's and an optimizer's hooks: it holds nothing
large, as copies and traces of those may outlive it.
"""

from __future__ import annotations

import math
import sys
import time
import weakref
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import functions as fn
from ..autograd.backward import LISTENERS, Hears
from ..dispatch import CHANGES, STATE, no_grad
from ..engine.traced import Alarm
from ..errors import here, line_of
from ..explain.script import Watch
from ..explain.tape import Tape
from ..findings import Place
from ..graph import Node
from ..nn import Module
from ..optim import Optimizer
from ..tensor import Tensor, wrap
from .loop import Loop, Moment, Seen
from .patient import held_by
from .probe import norm

PAUSE, SHARE, FEWEST = 0.02, 0.05, 32
"""From one look at the sizes to the next: at least so many seconds, at least this share of the time until now, which
makes looks few in a long training, and at least so many compiled steps."""
MOST = 10_000
"""Runs of a compiled step from one look at the clock to the next, at most."""
TRACES = 8
"""How many traces with sizes are made: each takes time, and a training with ever new shapes would make ever more."""


class Traced:
    """What one trace of a compiled step does in each run, as its hooks were called while it was traced."""

    def __init__(self, tracer: Any, alarm: Alarm) -> None:
        self.tracer, self.alarm = weakref.ref(tracer), alarm
        self.backwards = self.steps = 0
        self.seen: list[Seen] = []
        self.counted = 0
        """Runs that are in the loop's numbers."""
        self.since, self.rang = 0.0, 0
        """When it rang last, and after how many runs."""


class Monitor:
    """Watches the training of a model by some optimizers, from `start` to `stop`."""

    def __init__(self, model: Module, optimizers: Sequence[Optimizer]) -> None:
        self.model, self.optimizers = model, optimizers
        self.loop = Loop()
        self.losses, self.newest = array("d"), list[float]()
        """Of all backward passes; those of compiled steps come into a list first, which is quicker."""
        self.names: dict[int, str] = {}
        self.traces: list[Traced] = []
        self.sized = 0
        """Traces with sizes."""
        self.looking = False
        """Whether compiled steps compute sizes now: what the two traces are told apart by."""
        self.began = self.next = time.perf_counter()
        self.decided, self.looks = -1, False
        """Whether the steps after so many backward passes are looked at, of those that run as they are."""
        self.old: dict[int, Any] = {}
        """While an optimizer takes a looked-at step: its parameters before."""
        self.used: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self.added: dict[int, weakref.ref[Tensor]] = {}
        """By parameter, the gradient that a step has used, and which value it had; nothing that takes memory."""
        self.broken: tuple[int, Tape] | None = None
        """The first backward pass from a loss that is not finite, and its tape; of those that ran as they are."""
        self.fresh = False
        """Whether there was a backward pass since the last step."""
        self.handles: list[Any] = []

    def start(self) -> None:
        """Put the hooks on."""
        LISTENERS.append(self._backward)
        for each in self.optimizers:
            self.handles += [each.register_step_pre_hook(self._before), each.register_step_post_hook(self._after)]
        self.handles.append(self.model.register_forward_pre_hook(_Forward(self)))
        CHANGES.count += 1

    def stop(self) -> None:
        """Take them off again, and count what has not been counted."""
        LISTENERS.remove(self._backward)
        if isinstance(STATE.observer, Last):  # its backward pass has failed
            STATE.observer = None
        for handle in self.handles:
            handle.remove()
        CHANGES.count += 1
        self._count()
        self.traces.clear()

    def told(self) -> Loop:
        """What was seen until now."""
        self._count()
        self.loop.losses = list(self.losses)
        return self.loop

    def _count(self) -> None:
        """Bring the loop's numbers up to now."""
        for each in self.traces:
            new = each.alarm.runs - each.counted
            each.counted += new
            self.loop.backwards += new * each.backwards
            self.loop.steps += new * each.steps
            for seen in each.seen:
                seen.times += new
        self._gather()

    def _gather(self) -> None:
        self.losses.fromlist(self.newest)
        self.newest.clear()

    @property
    def steps(self) -> int:
        """Steps of optimizers, until now."""
        return self._sum("steps")

    def _sum(self, name: str) -> int:
        """Of a number of the loop, with what compiled steps have added to it since it was counted."""
        new = sum((each.alarm.runs - each.counted) * getattr(each, name) for each in self.traces)
        return int(getattr(self.loop, name) + new)

    # -- the hooks --------------------------------------------------------------------------------------------------

    def _backward(self, outputs: Sequence[Tensor]) -> Hears:
        """A backward pass begins. That of the first loss which is none is recorded, with the graph that led to it."""
        bad = STATE.tracer is None and not np.isfinite(outputs[0].value).all()
        if not bad or self.broken is not None or STATE.observer is not None:
            return lambda found: self._hears(outputs, found)
        STATE.observer = last = Last()

        def hears(found: Mapping[Node, Node]) -> None:
            STATE.observer = None
            if self._hears(outputs, found):
                self.broken = self.loop.backwards, last.tape

        return hears

    def _hears(self, outputs: Sequence[Tensor], found: Mapping[Node, Node]) -> bool:
        """The pass has its gradients, and will put them into ``.grad``; whether it was one of this training's."""
        mine = [p for p in self._parameters() if p._node in found]
        if not mine:
            return False
        traced = self._traced()
        if traced is None:
            self._gather()
            self.losses.append(float(np.mean(outputs[0].value)))
            self.loop.backwards += 1
        else:
            with no_grad():
                loss = outputs[0] if outputs[0].numel() == 1 else outputs[0].mean()
            STATE.tracer.kept.append((loss.node.value, self.newest.append))  # type: ignore[union-attr]
            traced.backwards += 1
        self.fresh = True
        self._notes_added(mine)
        if traced is None:
            self.used.clear()  # the next pass adds to what this one gives
        for name, module in innermost(self.model):
            if not module.training:
                self._saw(self.loop.evaluating.setdefault(name, Seen()), name)
        return True

    def _notes_added(self, mine: Sequence[Tensor]) -> None:
        """Which gradients this pass adds to though a step has used them: no fault until a step uses the sum."""
        for p in mine:
            grad = p._grad
            if grad is None:
                continue
            if self._is_used(p):
                self.added[id(p)] = weakref.ref(grad)
            elif isinstance(grad._node.value, np.ndarray) and not np.any(grad._node.value):
                self.added.pop(id(p), None)

    def _is_used(self, p: Tensor) -> bool:
        """Whether a parameter's gradient is one that a step has used, as it was then."""
        grad, value = self.used.get(id(p), (None, 0))
        return p._grad is not None and grad is not None and grad() is p._grad and value == id(p._grad._node)

    def _before(self, optimizer: Optimizer, *_: Any) -> None:
        """An optimizer begins its step."""
        held = [p for p in held_by(optimizer) if p._grad is not None and id(p) in self.added]
        if any(self.added[id(p)]() is p._grad for p in held):
            self._saw(self.loop.added)
        traced, self.old = self._traced(), {}
        if traced is None:
            if self.decided != self.loop.backwards:  # once for all optimizers
                self.decided, self.looks = self.loop.backwards, time.perf_counter() >= self.next
            looks = self.looks
        else:
            looks = self.looking
            STATE.tracer.guards.append(lambda: self.looking is looks)  # type: ignore[union-attr]
        if looks:
            for p in held_by(optimizer):  # a node, as a tensor in here would be one that a step keeps
                self.old[id(p)] = p.value if traced is None else p.detach().clone().node

    def _after(self, optimizer: Optimizer, *_: Any) -> None:
        """An optimizer has taken its step."""
        traced = self._traced()
        moved = [p for p in held_by(optimizer) if p._grad is not None]
        idle = not moved if traced else not any(map(_points, moved))
        if traced is None:
            self.loop.steps += 1
            self.used.update((id(p), (weakref.ref(p._grad), id(p._grad._node))) for p in moved if p._grad is not None)
        else:
            traced.steps += 1
        if idle:
            if self.loop.backwards or self.fresh:
                self._saw(self.loop.empty)
            if self.fresh:
                self._saw(self.loop.cleared)
        self.fresh = False
        if self.old and moved:
            self._look([p for p in moved if id(p) in self.old], traced)
        self.old = {}

    # -- sizes ------------------------------------------------------------------------------------------------------

    def _look(self, moved: list[Tensor], traced: Traced | None) -> None:
        """Take the sizes of parameters that were just updated."""
        names = [self._name(p) for p in moved]
        if traced is None:
            rows, begun = [], time.perf_counter()
            for p in moved:
                old, new = self.old[id(p)], p.value
                rows.append((norm(old), norm(p.grad.value), norm(new - old)))  # type: ignore[union-attr]
            self._note(names, rows)
            self._waits((time.perf_counter() - begun) / SHARE)
            return
        self.sized += 1
        with no_grad():
            sums = []
            for p in moved:
                old, new = wrap(self.old[id(p)]).float(), p.detach().float()
                slope, way = p.grad.float(), new - old  # type: ignore[union-attr]
                sums += [(each * each).sum() for each in (old, slope, way)]
            STATE.tracer.defer(self._looked, names, fn.stack(sums))  # type: ignore[union-attr]

    def _looked(self, names: list[str], sums: Tensor) -> None:
        """A compiled step has computed sizes: go on without."""
        self._note(names, np.sqrt(sums.numpy().astype(float)).reshape(-1, 3).tolist())
        self._waits()
        self.looking = False
        CHANGES.count += 1

    def _note(self, names: list[str], rows: Sequence[Sequence[float]]) -> None:
        held = self.loop.moments.setdefault(self.steps, {})
        for name, (weight, gradient, way) in zip(names, rows, strict=True):
            held[name] = Moment(weight, gradient, way / weight if weight else math.inf)

    def _waits(self, least: float = PAUSE) -> None:
        """A look is over: set the time of the next one."""
        now = time.perf_counter()
        self.next = now + max(PAUSE, SHARE * (now - self.began), least)

    # -- compiled steps ---------------------------------------------------------------------------------------------

    def _traced(self) -> Traced | None:
        """What is known of the trace that is being made; None for what runs as it is."""
        tracer = STATE.tracer
        if tracer is None:
            return None
        if not self.traces or self.traces[-1].tracer() is not tracer:
            alarm = Alarm(lambda: self._rings(made))
            made = Traced(tracer, alarm)
            tracer.alarms.append(alarm)
            self.traces.append(made)
        return self.traces[-1]

    def _rings(self, traced: Traced) -> int:
        """A compiled step has run for a while: see whether it is time for sizes, and when to see again."""
        now, runs = time.perf_counter(), traced.alarm.runs
        each: float = (now - traced.since) / max(1, runs - traced.rang)
        traced.since, traced.rang = now, runs
        self._gather()
        if traced.steps and self.sized < TRACES and now >= self.next and runs >= FEWEST:
            self.looking = True
            CHANGES.count += 1
        return min(max(FEWEST, int(PAUSE / each)), MOST)

    # -- names ------------------------------------------------------------------------------------------------------

    def _saw(self, seen: Seen, module: str = "", after: int = 0) -> None:
        """Something was seen at this backward pass, or after it; in a traced step, in each of its runs."""
        traced = self._traced()
        if not seen.first:
            within = 0 if traced is None else traced.backwards
            seen.first = self._sum("backwards") + within + after
            seen.place = Place(module=module, line=line_of(here()))
        if traced is None:
            seen.times += 1
        else:
            traced.seen.append(seen)

    def _parameters(self) -> list[Tensor]:
        return [p for each in self.optimizers for p in held_by(each)]

    def _name(self, p: Tensor) -> str:
        if id(p) not in self.names:
            self.names = {id(each): f"parameter {n}" for n, each in enumerate(self._parameters())}
            self.names |= {id(each): name for name, each in self.model.named_parameters()}
        return self.names.get(id(p), "a parameter")


class Last(Watch):
    """Records one backward pass, and what led to it."""

    def __init__(self) -> None:
        super().__init__(sys.maxsize)


class _Forward:
    """The hook of a model; copies of the model have one that does nothing."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor

    def __call__(self, model: Module, _: Any) -> None:
        if STATE.grad:
            return
        self.monitor.loop.evaluated |= not model.training
        for name, module in innermost(model):
            if module.training:
                self.monitor._saw(self.monitor.loop.training.setdefault(name, Seen()), name, after=1)

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        return _nothing, ()


def _nothing() -> Callable[..., None]:
    return _ignores


def _ignores(*_: Any) -> None:
    """A hook that does nothing."""


def innermost(model: Module) -> list[tuple[str, Module]]:
    """The modules that hold no others, by their paths."""
    return [(name, module) for name, module in model.named_modules() if not module._modules]


def _points(p: Tensor) -> bool:
    """Whether a parameter has a gradient other than 0."""
    assert p._grad is not None
    slope = p._grad.value
    return bool(slope.size) and (slope.flat[0] != 0 or bool(np.any(slope)))
