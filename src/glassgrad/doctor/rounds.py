"""An observer for a whole training: what its steps are made of, what its loop does, how its numbers go."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import functions as fn
from ..dispatch import STATE
from ..engine.trace import flatten
from ..errors import here, is_users, line_of
from ..explain.recording import unseen
from ..explain.script import Run, Watch, forget, is_backward
from ..explain.tape import Tape
from ..findings import Place
from ..graph import Node
from ..nn import Module
from ..optim import Optimizer
from ..tensor import Tensor
from .calls import Call, backward_of, called_function, has_parameters
from .capture import Called, Capture
from .habits import DISTURBED, arrivals, disturbance, lapsed, schedule, turned
from .loop import CLOSELY, Loop, Moment, Seen
from .patient import Patient, held_by
from .probe import FAILURES, norm
from .together import Together
from .visit import Start, Visit

VISITS, MANY, FEW, BYTES = 16, 64, 4, 256e6
"""How many steps the patient is made of; how many where they have so few rows; and how much their inputs may take."""
MOMENTS = 100
"""Of how many steps the sizes of the layers' numbers are kept."""
EVERY = 16
"""After those that are watched closely every so manyth is: a training under the doctor takes its time."""


class Rounds(Watch):
    """Watches every step of a script, keeps the first ones as a patient, and counts what the loop does."""

    def __init__(self, at_step: int) -> None:
        self.loop, self.start = Loop(), Start()
        self.capture = Capture(self.start)
        self.clip_norm: float | None = None
        self.broken: tuple[int, Tape | None] | None = None
        self.began: dict[int, tuple[Module, list[Node]]] = {}
        """The models that were copied, each with its parameters' nodes of then."""
        self.originals: list[Optimizer] = []
        """Those that took a step after the same backward pass as the first one."""
        self.begun_at = 0
        self.original: Optimizer | None = None
        """The optimizer that the patient's is a copy of."""
        self.rates: list[float] = []
        """Of the first group of that, step for step."""
        self.used: dict[int, tuple[Tensor, weakref.ref[Tensor]]] = {}
        """The gradients that a step has used, each with its parameter, by that one's identity."""
        self.training: dict[int, dict[str, Seen]] = {}
        self.evaluating: dict[int, dict[str, Seen]] = {}
        """What `Loop` has of the model's modules, of every model, by its identity."""
        self.evaluated: set[int] = set()
        """The models that made predictions in evaluation mode outside of the training steps, by their identity."""
        self.added: dict[int, tuple[Tensor, Place]] = {}
        """Used gradients that a backward pass has added to, and where, by the identity of their parameter."""
        self.reached: dict[int, Tensor] = {}
        """The parameters that have got a gradient, by their identity."""
        self.passes = 0
        """Backward passes since the last step."""
        self.doubt: tuple[Optimizer, Place] | None = None
        """A step that found no gradient; if its closure makes some, that is well."""
        self.idle: Visit | None = None
        """The last step that changed no weights."""
        self.bytes, self.stride, self.visits = 0.0, 1, VISITS
        self.runs_of: dict[int, int] = {}
        """How often a compiled step was called, by its identity."""
        self.does: dict[int, tuple[int, int]] = {}
        """How many backward passes and steps of an optimizer a compiled step has."""
        self.slopeless = False
        """Whether zeros are all that arrived at the parameters in the last step that was watched closely."""
        super().__init__(at_step)

    def _anew(self) -> None:
        super()._anew()
        self.calls: list[Call] = []
        self.optimizer: Optimizer | None = None
        self.rests = rests(self.loop.backwards) and not self._alarming()

    @property
    def resting(self) -> bool:
        """Whether this step is not watched closely."""
        return self.rests and self.guest is None

    def _alarming(self) -> bool:
        losses = self.loop.losses
        return bool(losses) and not losses[-1] <= 3 * abs(losses[0])

    # -- what is called ---------------------------------------------------------------------------------------------

    def entering(self, module: Any, args: Any, kwargs: Any) -> None:
        if STATE.scope[1] is not None:
            return
        if not STATE.grad:
            if self.back or not self.calls:  # else it is a part of the step, such as a target that is held fixed
                self._mode(self.training, module, True)
                if not module.training:
                    self.evaluated.add(id(module))
            return
        if self.back:
            self._ends()
        if not self.loop.backwards:
            self._copy(module)
        self.calls.append(Call(module, args, kwargs))

    def leaving(self, module: Any, result: Any) -> None:
        if STATE.scope[1] is None and STATE.grad and self.calls and self.calls[-1].of is module:
            self.calls[-1].result = result

    def made(self, node: Node) -> None:
        if self.resting and not self._wakes(node):
            forget(node)
            return
        outside = STATE.scope is None and node.origin is not None and node.origin.of is None
        if outside and self.calls and STATE.grad and not self.back and len(self.capture.batches) < self.visits:
            self._note_function()
        super().made(node)

    def _wakes(self, node: Node) -> bool:
        """Whether a step that is not watched ends with this node, and the next one is."""
        origin = node.origin
        if self.back and node.requires_grad and origin is not None and origin.of is None:
            self._ends()
        return not self.resting

    def runs(self, compiled: Any, args: Any, kwargs: Any) -> Any:
        """A compiled step runs as it is while it is watched closely, and else as compiled code."""
        key, loop = id(compiled), self.loop
        backwards, steps = loop.backwards, loop.steps
        number = self.runs_of[key] = self.runs_of.get(key, 0) + 1
        if not rests(number - 1) or self._alarming():
            found = compiled.function(*args, **kwargs)
            self.does[key] = loop.backwards - backwards, loop.steps - steps
            return found
        if self.back:
            self._ends()
        with unseen(grad=STATE.grad):
            found = compiled(*args, **kwargs)
        backwards, steps = self.does[key]
        if backwards:
            self.seen += 1
            loop.backwards += backwards
            loop.steps += steps
            value = found.node.value if isinstance(found, Tensor) and found.numel() == 1 else math.nan
            loop.losses.append(float(np.sum(value)))
        return found

    def _note_function(self) -> None:
        """Which of the functions the user called that is making a node right now, and with what."""
        found = called_function(sys._getframe(2))
        if found is not None and not any(call.of is found.of and call.args == found.args for call in self.calls):
            self.calls.append(found)

    def _copy(self, module: Module) -> None:
        """Keep what the training begins with: copied at the first call, and again where weights were changed since."""
        held = self.began.get(id(module))
        nodes = [p._node for p in module.parameters()]
        if held is not None and held[1] == nodes:
            return
        if held is not None:
            self.start.forget()
            self.began.clear()
        self.began[id(module)] = module, nodes
        if len(self.began) == 1:
            self.start.seed = fn.get_rng_state()
        self.start.of(module)

    def _mode(self, models: dict[int, dict[str, Seen]], module: Module, training: bool) -> None:
        if not has_parameters(module):
            return
        seen = models.setdefault(id(module), {})
        for name, inner in module.named_modules():
            if inner.training is training and not any(True for _ in inner.children()):
                seen.setdefault(name, Seen()).again(self.loop.backwards + 1, Place(module=name, line=line_of(here(2))))

    # -- backward passes and steps ----------------------------------------------------------------------------------

    def begins(self, outputs: Sequence[Node], seeds: Sequence[Node]) -> None:
        if not self.resting or STATE.tracer is not None:
            super().begins(outputs, seeds)
        elif is_backward():
            if self.back:
                self._ends()
            self.seen += 1
            self.begun = self.back = True
            self._goes_back(outputs)

    def arrived(self, node: Node, cotangent: Node) -> None:
        if not self.resting:
            super().arrived(node, cotangent)

    def passed(self, node: Node, index: int, part: Node) -> None:
        if not self.resting:
            super().passed(node, index, part)

    def _goes_back(self, outputs: Sequence[Node]) -> None:
        loop = self.loop
        for module in {id(call.of): call.of for call in self.calls if isinstance(call.of, Module)}.values():
            self._mode(self.evaluating, module, False)  # as it is now: a call for an evaluation may have been before
        loop.backwards += 1
        self.passes += 1
        if self.doubt is not None and self.doubt[0]._stepping:
            self.doubt = None
        value = float(np.sum(outputs[0].value)) if len(outputs) == 1 else math.nan
        loop.losses.append(value)
        if not math.isfinite(value) and self.broken is None:
            self.broken = loop.backwards, None if self.resting else self.tape
        place = Place(line=line_of(here(2)))
        for key, (cell, held) in self.used.items():
            grad = held()
            if grad is None or cell._grad is not grad or not np.any(grad.node.value):
                self.added.pop(key, None)
            elif key not in self.added:  # no fault until a step uses the sum
                self.added[key] = grad, place

    def stepping(self, optimizer: Any) -> None:
        self._settle()
        loop = self.loop
        if not self.originals:
            self.begun_at = loop.backwards
        if loop.backwards == self.begun_at and not self.is_original(optimizer):
            self._begin(optimizer)
        loop.steps += 1
        self.optimizer = optimizer
        if self.originals and self.originals[0] is optimizer:
            self.rates.append(float(optimizer.param_groups[0].get("lr", 0.0)))
        grads = {id(p): (p, p._grad) for p in held_by(optimizer) if p._grad is not None}
        summed = [self.added[key][1] for key, (_, g) in grads.items() if key in self.added and self.added[key][0] is g]
        if summed:
            loop.added.again(loop.backwards, summed[0])
        if self.back and not self.resting:
            arrived = [self.tape.cotangents.get(self.tape.cells[key][1]) for key in grads if key in self.tape.cells]
            self.slopeless = not any(each is not None and np.any(self.tape.value(each)) for each in arrived)
        if not any(np.any(grad.node.value) for _, grad in grads.values()):
            if not (self.back and grads and self.slopeless):
                self.doubt = optimizer, Place(line=line_of(here(2)))
        elif self.back and self.passes == 1 and not self.resting:
            self._clipped({key: grad for key, (_, grad) in grads.items()})
        self.used.update((key, (cell, weakref.ref(grad))) for key, (cell, grad) in grads.items())
        self.passes = 0

    def is_original(self, optimizer: Any) -> bool:
        """Whether it is one of those that the patient's optimizer is made of."""
        return any(each is optimizer for each in self.originals)

    def _begin(self, optimizer: Optimizer) -> None:
        """An optimizer of the first step: the patient's is a copy of it, or of several."""
        self.originals.append(optimizer)
        copies = [self.start.of(each) for each in self.originals]
        several = len(copies) > 1
        self.start.optimizer = Together(copies) if several else copies[0]
        self.original = Together(self.originals) if several else optimizer

    def _settle(self) -> None:
        """A step that found no gradients, and made none by a closure."""
        if self.doubt is not None and any(id(p) in self.reached for p in held_by(self.doubt[0])):
            self.loop.empty.again(self.loop.backwards, self.doubt[1])
        self.doubt = None

    def _clipped(self, grads: dict[int, Tensor]) -> None:
        """The size that gradients are clipped to, told by what arrived and what the step is given."""
        steps = arrivals(self.tape, grads)
        before, after = (sum(norm(each[place]) ** 2 for each in steps) for place in (0, 1))
        if after < 0.999 * before:
            self.clip_norm = math.sqrt(after)
        if turned(steps):
            self.loop.turned.again(self.loop.backwards, Place(line=line_of(here(3))))
        share = disturbance(steps)
        if share > DISTURBED:
            self.loop.disturbed.again(self.loop.backwards, Place(line=line_of(here(3))))
            self.loop.disturbance = max(share, self.loop.disturbance)

    def _ends(self) -> None:
        if self.back and not self.resting:
            with unseen():
                self._visit()
        super()._ends()

    def _visit(self) -> None:
        """A step is over: keep what is kept of it."""
        if len(self.tape.roots) == 0:
            return
        visit = Visit(self.tape, self.tape.roots[-1], self.calls, self.optimizer)
        moved = any(cell._node is not node for cell, node in self.tape.cells.values())
        self.reached.update((id(cell), cell) for cell, node in self.tape.cells.values() if node in self.tape.cotangents)
        self._measure()
        if self.optimizer is None and not moved:
            self.idle = visit if not self.capture.batches else None
        elif self.start.optimizer is None or self.is_original(self.optimizer):
            self._take(visit)

    def _take(self, visit: Visit) -> None:
        size = sum(t.node.value.nbytes for call in visit.calls for t in flatten((call.args, call.named)))
        if len(self.capture.batches) < self.visits and (not self.capture.batches or self.bytes + size < BYTES):
            self.bytes += size
            self.capture.take(visit)
            lengths = [len(t) for call in visit.calls[:1] for t in flatten((call.args, call.named)) if t.ndim]
            if lengths and max(lengths) <= FEW:
                self.visits = MANY

    def _measure(self) -> None:
        """The sizes of weights, gradients and updates, of some steps."""
        step, tape = self.loop.backwards, self.tape
        if step > 3 and step % self.stride:
            return
        found = {}
        for cell, node in tape.cells.values():
            arrived, held = tape.cotangents.get(node), tape.records.get(node)
            if arrived is None or held is None:
                continue
            before = held.value
            if not isinstance(before, np.ndarray) or before.shape != tuple(cell.shape):
                continue
            weight, moved = norm(before), norm(cell.node.value - before)
            share = moved / weight if weight else math.inf if moved else 0.0
            found[held.name] = Moment(weight, norm(tape.value(arrived)), share)
        self.loop.moments[step] = found
        if len(self.loop.moments) > MOMENTS:
            self.stride *= 2
            self.loop.moments = {at: each for at, each in self.loop.moments.items() if not at % self.stride}

    # -- when it is over --------------------------------------------------------------------------------------------

    def finishes(self, run: Run) -> None:
        if self.back and not self.resting:
            with unseen():
                self._visit()
        self._settle()
        self._modes()
        if self.original is None and not self.loop.moves:
            self._unused(run)
        if run.error is not None:
            self.loop.ended = f"{type(run.error).__name__}: {run.error}"
            self._crashed(run.error)
        if self.idle is not None and not self.capture.batches:
            self._take(self.idle)

    def _modes(self) -> None:
        """Of several models the modes of the patient's count."""
        form = self.capture.form
        key = id(form.called) if isinstance(form, Called) else next(iter(self.began)) if len(self.began) == 1 else 0
        self.loop.training, self.loop.evaluating = self.training.get(key, {}), self.evaluating.get(key, {})
        self.loop.evaluated = key in self.evaluated

    def _unused(self, run: Run) -> None:
        """An optimizer that took no step: the script's that holds the model's parameters, if one does."""
        cells = {id(p) for module, _ in self.began.values() for p in module.parameters()}
        for held in (value for scope in run.scopes for value in scope.values()):
            if isinstance(held, Optimizer) and not cells.isdisjoint(map(id, held_by(held))):
                self.start.optimizer = self.start.of(held)
                return

    def _crashed(self, error: BaseException) -> None:
        """The step that failed, if no step before it was seen: its model, and the function that raised."""
        trace, found, ours = error.__traceback__, None, False
        while trace is not None:
            if not is_users(trace.tb_frame.f_code.co_filename):
                found, ours = found or called_function(trace.tb_frame), True
            trace = trace.tb_next
        if not ours or self.back or not isinstance(error, FAILURES):
            return
        root = backward_of(error)
        if root is not None:
            if not self.capture.batches:
                self._take(Visit(self.tape, root.node, self.calls))
            return
        self.capture.failed([*self.calls, *([found] if found is not None else [])])

    def patient(self) -> Patient | None:
        """Who took the steps."""
        made = self.capture.patient(self.loop, self.clip_norm)
        if made is None:
            return None
        made.rates = schedule(self.rates, made.optimizer)
        made.broken = self.broken
        made.lapsed = lapsed(self.loop, made.model)
        made.clears = not self.loop.added.times
        made.still = self.original is None and self.start.optimizer is not None and not self.loop.moves
        made.early = self.loop.empty.times > self.loop.steps // 2
        if not self.loop.ended and self.original is not None:
            made.after = self.capture.after(made, self.original)
        return made


def rests(number: int) -> bool:
    """Whether the step after so many is not watched closely."""
    return number >= CLOSELY and bool(number % EVERY)
