"""The first steps of a watched training, recorded: what the patient is made of."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..dispatch import STATE
from ..engine.compile import Compiled
from ..errors import StateError
from ..explain.recording import unseen
from ..explain.script import Run
from ..graph import Node
from ..nn import Module
from ..optim import Optimizer
from .rounds import VISITS, Rounds
from .together import Together


class Beginning(Rounds):
    """Records the first steps of a model, and is gone. A compiled step is recorded once, as it runs uncompiled for it;
    of others there are more, so that the patient sees several batches."""

    def __init__(self, model: Module, optimizers: Sequence[Optimizer]) -> None:
        super().__init__(sys.maxsize)
        self.model, self.optimizers = model, optimizers
        self.whole = optimizers[0] if len(optimizers) == 1 else Together(optimizers)
        self.compiled = False
        self.waiting: list[Beginning] = []
        """Those that begin when this one is done."""

    @property
    def on(self) -> bool:
        return STATE.observer is self

    def enter(self) -> None:
        """Begin; after another one of this kind, if one is on."""
        if STATE.observer is None:
            STATE.observer = self
        elif isinstance(STATE.observer, Beginning):
            STATE.observer.waiting.append(self)
        elif not isinstance(STATE.observer, Rounds):
            raise StateError("a recording is on in this thread, so that no watch can record", fix="end it before")

    def leave(self, error: BaseException | None = None) -> None:
        """End, with the training's own error if it had one."""
        if not self.on:
            if isinstance(STATE.observer, Beginning) and self in STATE.observer.waiting:
                STATE.observer.waiting.remove(self)
            return
        STATE.observer = None
        if self.waiting:
            STATE.observer = self.waiting[0]
            self.waiting[0].waiting += self.waiting[1:]
        scopes = [{"optimizer": self.whole}]
        ended = Run(Path("the training"), 0, self.tape, self, error=error, scopes=scopes)
        self.finishes(ended)
        for handle in self.hooks.values():
            handle.remove()

    def entering(self, module: Any, args: Any, kwargs: Any) -> None:
        if module is self.model and STATE.grad and id(module) not in self.began:
            self._copy(module)  # though another model was trained before
        super().entering(module, args, kwargs)

    def runs(self, compiled: Any, args: Any, kwargs: Any) -> Any:
        if STATE.grad:
            return super().runs(compiled, args, kwargs)
        with unseen():  # what has no gradients is no step
            return compiled(*args, **kwargs)

    def stepping(self, optimizer: Any) -> None:
        if optimizer is self.optimizers[0]:  # the others belong to the same step
            super().stepping(self.whole)

    def _goes_back(self, outputs: Sequence[Node]) -> None:
        self.compiled = self.compiled or (self._is_mine() and _is_compiled())
        super()._goes_back(outputs)

    def _is_mine(self) -> bool:
        """Whether the step is one of the model's."""
        mine = set(map(id, self.model.parameters()))
        return any(id(cell) in mine for cell, _ in self.tape.cells.values())

    def _visit(self) -> None:
        if self._is_mine():
            super()._visit()

    def _ends(self) -> None:
        super()._ends()
        if self.on and (self.compiled or len(self.capture.batches) >= VISITS or self.loop.backwards >= 2 * VISITS):
            self.leave()


def _is_compiled() -> bool:
    """Whether this happens in a step that is compiled otherwise."""
    return any(frame.f_code is Compiled.__call__.__code__ for frame, _ in traceback.walk_stack(None))
