"""One step of a training, and one of an evaluation: compiled where that can be, else run as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .. import functions as fn
from .. import nn, optim
from ..dispatch import no_grad
from ..engine import Compiled
from ..engine import compile as compiled
from ..errors import ShapeError, TraceError
from ..nn.utils import clip_grad_norm_, clip_grad_value_
from ..tensor import Tensor
from .data import rows_of
from .metrics import Metric


class Runner:
    """A function that is compiled if it can be. If it can't, that is said in one line and it runs as it is."""

    def __init__(self, function: Callable[..., Any], name: str, compile: bool, threads: int | None) -> None:
        self.function, self.name = function, name
        self.call: Any = compiled(function, threads=threads) if compile else function
        self.why = ""
        """Why it runs uncompiled, if it was to be compiled."""

    def __call__(self, *batch: Any) -> Any:
        try:
            return self.call(*batch)
        except TraceError as error:
            if self.call is self.function:
                raise
            self.why = "; ".join(filter(None, (error.asked, error.got, error.place)))
            print(f"glassgrad: {self.name} runs uncompiled: {self.why}", file=sys.stderr)
            self.call = self.function
            return self.function(*batch)

    def warm(self) -> None:
        """Compile at the first call too: what its state needs is there. A step that goes on from a checkpoint then
        gives the bits of the one that was never interrupted."""
        if isinstance(self.call, Compiled):
            self.call.warm = True


class Steps:
    """The functions that a `Trainer` calls for every batch."""

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[Any, Any], Tensor],
        optimizer: optim.Optimizer,
        metrics: dict[str, Metric],
        clip_norm: float | None,
        clip_value: float | None,
        compile: bool,
        threads: int | None,
    ) -> None:
        self.model, self.loss, self.optimizer, self.metrics = model, loss, optimizer, metrics
        self.clip_norm, self.clip_value = clip_norm, clip_value
        self.sums: dict[Tensor, Tensor] = {}
        """What gradients add up to over the batches of one accumulated step."""
        self.reached: set[Tensor] = set()
        """The parameters that have had a gradient in one of them."""
        self.summed = getattr(loss, "reduction", "mean") == "sum"
        self._how = (compile, threads)
        self.train: Runner = self._make(self._train, "the training step")
        self.gather: Runner = self._make(self._gather, "the gradient's step")
        self.apply: Runner = self._make(self._apply, "the update")
        self.evaluate: Runner = self._make(self._evaluate, "the evaluation step")
        self.evaluate.warm()
        self.predict: Runner = self._make(self._predict, "the prediction")

    def _make(self, function: Callable[..., Any], name: str) -> Runner:
        return Runner(function, name, *self._how)

    def warm(self) -> None:
        """See `Runner.warm`."""
        for runner in (self.train, self.gather, self.apply):
            runner.warm()

    def is_warm(self) -> bool:
        """Whether a step was taken, so that all state is there."""
        return any(getattr(runner.call, "warm", True) for runner in (self.train, self.gather))

    def _train(self, *batch: Any) -> Tensor:
        self.optimizer.zero_grad()
        output = self.model(*batch[:-1])
        loss = _one(self.loss(output, batch[-1]), "the loss")
        loss.backward()
        self._update()
        return self._told(loss, output, batch[-1])

    def _update(self) -> None:
        params = [p for group in self.optimizer.param_groups for p in group["params"]]
        if self.clip_value is not None:
            clip_grad_value_(params, self.clip_value)
        if self.clip_norm is not None:
            clip_grad_norm_(params, self.clip_norm)
        self.optimizer.step()

    def _told(self, loss: Tensor, output: Any, targets: Any) -> Tensor:
        """What is read of a step: the loss alone, or one tensor of it and the metrics."""
        if not self.metrics:
            return loss.detach()
        with no_grad():
            measured = [_one(metric(output, targets), f"the metric {name}") for name, metric in self.metrics.items()]
            return fn.stack([loss.detach().reshape(()), *(each.to(loss.dtype).reshape(()) for each in measured)])

    def _gather(self, *batch: Any) -> Tensor:
        """The gradient of one batch of several, added up: a mean over n rows counts n times, so that all together give
        the mean over all rows."""
        self.optimizer.zero_grad()
        output = self.model(*batch[:-1])
        loss = _one(self.loss(output, batch[-1]), "the loss")
        (loss if self.summed else loss * float(rows_of(batch))).backward()
        with no_grad():
            for group in self.optimizer.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    self.sums[p].add_(p.grad)
                    if p not in self.reached:
                        self.reached.add(p)
                        self._renew()
        return self._told(loss, output, batch[-1])

    def _apply(self, rows: Tensor) -> None:
        """One update by the gradients that were gathered of so many rows."""
        with no_grad():
            for group in self.optimizer.param_groups:
                for p in group["params"]:
                    total = self.sums[p]
                    p.grad = None if p not in self.reached else total * 1.0 if self.summed else total / rows.to(p.dtype)
        self._update()
        with no_grad():
            for total in self.sums.values():
                total.zero_()

    def _renew(self) -> None:
        """An update that knows one parameter more."""
        made = self._make(self._apply, "the update")
        if isinstance(made.call, Compiled) and isinstance(self.apply.call, Compiled):
            made.call.warm = self.apply.call.warm
        self.apply = made

    def begin(self) -> None:
        """Nothing has been gathered yet."""
        for group in self.optimizer.param_groups:
            for p in group["params"]:
                self.sums.setdefault(p, fn.zeros_like(p.detach()))
        for total in self.sums.values():
            total.zero_()

    def _evaluate(self, *batch: Any) -> Tensor:
        output = self.model(*batch[:-1])
        return self._told(_one(self.loss(output, batch[-1]), "the loss"), output, batch[-1])

    def _predict(self, *inputs: Any) -> Any:
        return self.model(*inputs)


def _one(value: Any, what: str) -> Tensor:
    if not isinstance(value, Tensor) or value.numel() != 1:
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ShapeError(f"{what} must be a tensor of one entry", got=got, fix="take the mean over the batch")
    return value
