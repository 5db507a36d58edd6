"""What a recorded step takes: seconds, op after op and compiled; bytes in each phase; its gradient by differences."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..autograd import grad
from ..dispatch import leaf, no_grad
from ..engine import Compiled
from ..engine import compile as compiled
from ..errors import GlassgradError
from ..optim import Optimizer
from ..tensor import Tensor
from .recorded import Forward
from .report import Differences, Memory, Times

LONG = 0.4
"""Seconds that a measurement is repeated for."""
LEAST = 3
"""How often it is repeated at least, unless that takes too long."""
SAMPLED = 24
"""Entries whose slope is taken by differences, at most."""
PATIENCE = 2.0
"""Seconds after which there are no more repetitions, and no more entries."""


class Measured:
    """A recorded forward pass with the ways to run it."""

    def __init__(self, forward: Forward, optimizers: Sequence[Optimizer], threads: int | None) -> None:
        self.pass_, self.optimizers, self.threads = forward, list(optimizers), threads
        self.given = forward.tensors()
        self.parameters = [self.given[number] for number in forward.wanted]
        self.live = list(self.given)
        """The same, with the user's own tensors for the parameters: those that the optimizers change."""
        known = {number: forward.cells[number] for number in forward.wanted}
        for number, cell in known.items():
            if cell is not None:
                self.live[number] = cell
        changed = {p for rule in optimizers for group in rule.param_groups for p in group["params"]}
        self.updates = None not in known.values() and not changed.isdisjoint(known.values())
        """Whether the update can be run, too."""
        self.notes: list[str] = []

    def loss(self) -> Tensor:
        with no_grad():
            return self.pass_.run(self.given)

    def gradient(self, parts: Sequence[range] = ()) -> tuple[Tensor, ...]:
        loss = self.pass_.run(self.given, parts)
        return (loss.detach(), *grad(loss, self.parameters))

    def step(self) -> Tensor:
        for rule in self.optimizers:
            rule.zero_grad()
        loss = self.pass_.run(self.live)
        loss.backward()
        for rule in self.optimizers:
            rule.step()
        return loss.detach()

    def compiled(self, function: Callable[..., Any]) -> Compiled | None:
        """A function compiled, and run once; None, and a note, if it cannot be."""
        made: Compiled = compiled(function, threads=self.threads)
        made.warm = True  # nothing comes to be in the first call
        try:
            made()
        except GlassgradError as error:
            self.notes.append(f"It cannot be compiled: {error.asked}")
            return None
        return made


class Code(NamedTuple):
    """What is compiled: the loss, its gradient, and the step with its update if there is one."""

    loss: Compiled
    gradient: Compiled
    step: Compiled | None


def compiled_of(run: Measured) -> Code | None:
    """Compile it all; None, and a note, if it cannot be."""
    loss, gradient = run.compiled(run.loss), run.compiled(run.gradient)
    if loss is None or gradient is None:
        return None
    return Code(loss, gradient, run.compiled(run.step) if run.updates else None)


def arena(code: Compiled | None) -> int | None:
    """Bytes of the memory that a compiled function's values share."""
    return None if code is None else code.report().arena


def best(*runs: Callable[[], Any]) -> list[float]:
    """The least seconds that each takes, in turns, so that what else the machine does hits all alike."""
    found = [float("inf")] * len(runs)
    begin, count, past = time.perf_counter(), 0, 0.0
    while past < LONG * len(runs) or (count < LEAST and past < PATIENCE * len(runs)):
        for place, run in enumerate(runs):
            start = time.perf_counter()
            run()
            found[place] = min(found[place], time.perf_counter() - start)
        count, past = count + 1, time.perf_counter() - begin
    return found


# -- memory -----------------------------------------------------------------------------------------------------------


@contextmanager
def allocating() -> Iterator[None]:
    """Follow what is allocated (NumPy tells tracemalloc of its arrays)."""
    mine = not tracemalloc.is_tracing()
    if mine:
        tracemalloc.start()
    try:
        yield
    finally:
        if mine:
            tracemalloc.stop()


def memory(run: Measured, code: Code | None) -> Memory:
    """Bytes in each phase."""
    with allocating():
        start = _fresh()
        loss = run.pass_.run(run.given)
        held, forward = (count - start for count in tracemalloc.get_traced_memory())
        tracemalloc.reset_peak()
        gradients = grad(loss, run.parameters)
        backward = tracemalloc.get_traced_memory()[1] - start
        del loss
        update = None
        if run.updates:
            for rule in run.optimizers:
                rule.zero_grad()
            for number, g in zip(run.pass_.wanted, gradients, strict=True):
                run.live[number].grad = g
            del g
            tracemalloc.reset_peak()
            for rule in run.optimizers:
                rule.step()
            update = tracemalloc.get_traced_memory()[1] - start
    arenas = (None, None) if code is None else (arena(code.gradient), arena(code.step))
    return Memory(held, forward, backward, update, *arenas)


def peak(run: Callable[[], Any]) -> int:
    """The most bytes at a time beyond what is there before."""
    with allocating():
        start = _fresh()
        run()
        return tracemalloc.get_traced_memory()[1] - start


def _fresh() -> int:
    tracemalloc.reset_peak()
    return tracemalloc.get_traced_memory()[0]


@contextmanager
def kept(optimizers: Sequence[Optimizer]) -> Iterator[None]:
    """Put parameters, gradients and the optimizers' state back to what they were."""
    params = [p for rule in optimizers for group in rule.param_groups for p in group["params"]]
    before = [(p, np.array(p.value), p.grad) for p in params]
    states = [_copied(rule.state_dict()) for rule in optimizers]
    try:
        yield
    finally:
        with no_grad():
            for p, array, gradient in before:
                p.write(leaf(array))
                p.grad = gradient
        for rule, state in zip(optimizers, states, strict=True):
            rule.load_state_dict(state)


def _copied(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    return [_copied(each) for each in state] if isinstance(state, list) else state


# -- time -------------------------------------------------------------------------------------------------------------


def times(run: Measured, code: Code | None) -> tuple[Times, Times | None]:
    """Seconds, op after op and compiled."""
    eager = Times(*best(run.loss, run.gradient))
    return eager, None if code is None else Times(*best(*(each for each in code if each is not None)))


# -- differences ------------------------------------------------------------------------------------------------------


def differences(run: Measured, loss: Callable[[], Tensor], is_compiled: bool) -> Differences | None:
    """Central differences for some entries, drawn at random.

    The step is eps^(1/3), times the entry's size where that is above 1: there rounding and curvature cost about the
    same (W. Press et al., "Numerical recipes" (2007), section 5.7).
    """
    sizes = [p.numel() for p in run.parameters]
    total = sum(sizes)
    if not total:
        return None
    gradients = [np.asarray(g.value, np.float64).ravel() for g in run.gradient()[1:]]
    places = np.random.default_rng(0).choice(total, min(total, SAMPLED), replace=False)
    ends = np.cumsum(sizes)
    numeric, exact, began = [], [], time.perf_counter()
    spent: list[float] = []
    for place in places:
        which = int(np.searchsorted(ends, place, "right"))
        entry = int(place - (ends[which] - sizes[which]))
        p = run.parameters[which]
        numeric.append(_slope(p, entry, loss, spent))
        exact.append(gradients[which][entry])
        if time.perf_counter() - began > PATIENCE and len(exact) > 1:
            break
    found, true = np.array(numeric), np.array(exact)
    wrong, large = np.abs(found - true), np.abs(true).max()
    flowing = true != 0
    return Differences(
        total, len(true), float(np.median(spent)), is_compiled,
        float(np.median(wrong[flowing] / np.abs(true[flowing]))) if flowing.any() else 0.0,
        float(wrong.max() / large) if large else float(wrong.max()), str(run.parameters[0].dtype),
    )  # fmt: skip


def _slope(p: Tensor, entry: int, loss: Callable[[], Tensor], spent: list[float]) -> float:
    """How the loss changes with one entry, by two evaluations; ``spent`` gets their seconds."""
    before = p.value
    size = np.finfo(before.dtype).eps ** (1 / 3) * max(1.0, abs(float(before.flat[entry])))
    said, where = [], []
    with no_grad():
        for move in (size, -size):
            moved = np.array(before)
            moved.flat[entry] += move
            p.write(leaf(moved))
            start = time.perf_counter()
            said.append(float(loss().value))
            spent.append(time.perf_counter() - start)
            where.append(float(moved.flat[entry]))
        p.write(leaf(before))
    return (said[0] - said[1]) / (where[0] - where[1])
