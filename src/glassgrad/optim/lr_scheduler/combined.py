"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from ...errors import ArgumentError, TypeMismatch
from ..optimizer import Optimizer
from .base import LRScheduler, current, put
from .plateau import ReduceLROnPlateau


class _Combined(LRScheduler):
    """Holds schedules of one optimizer and saves their states with its own."""

    _schedulers: Sequence[LRScheduler]

    def _take(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        name = type(self).__name__
        if not schedulers:
            raise ArgumentError(f"{name} needs at least one schedule")
        for place, schedule in enumerate(schedulers):
            if not hasattr(schedule, "optimizer"):
                raise TypeMismatch(f"{name}: item {place} is not a schedule", got=type(schedule).__name__)
            if isinstance(schedule, ReduceLROnPlateau):
                raise ArgumentError(
                    f"{name} cannot hold ReduceLROnPlateau (item {place}), whose step needs a metric",
                    fix="step that one by itself",
                )
            if schedule.optimizer is not (optimizer or schedulers[0].optimizer):
                raise ArgumentError(f"{name}: the schedule at {place} belongs to another optimizer")
        self._schedulers = schedulers
        self.optimizer = optimizer or schedulers[0].optimizer

    def _initial_step(self) -> None:
        """As in `LRScheduler`; the schedules inside step again, but no rate is skipped by that: it is not to warn."""
        called, self.optimizer._opt_called = self.optimizer._opt_called, True
        try:
            super()._initial_step()
        finally:
            self.optimizer._opt_called = called

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; the schedules by their own state dicts."""
        return {**super().state_dict(), "_schedulers": [schedule.state_dict() for schedule in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state, also into the schedules inside."""
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_schedulers"})
        for schedule, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            schedule.load_state_dict(state)


class SequentialLR(_Combined):
    """One schedule after the other; each starts at its epoch 0 when the one before ends.

    Args:
        optimizer: whose rates to set.
        schedulers: the schedules, all of this optimizer.
        milestones: the epochs at which the second, third, ... schedule begins; one fewer than schedules.
        last_epoch: see `LRScheduler`.

    Raises:
        ArgumentError: no schedules; a wrong number of milestones; a schedule of another optimizer.

    Example:
        >>> import glassgrad
        >>> from glassgrad.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.SGD([w], lr=1.0)
        >>> parts = [ConstantLR(optimizer, factor=0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)]
        >>> schedule = SequentialLR(optimizer, parts, milestones=[2])
        >>> rates = []
        >>> for _ in range(4):
        ...     rates += schedule.get_last_lr()
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [0.5, 0.5, 1.0, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        self._take(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                "SequentialLR needs one milestone fewer than schedules",
                got=f"{len(milestones)} milestones, {len(schedulers)} schedules",
            )
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        # Each schedule took its first step when it was made: take all of them back, then step the first one anew
        for group in optimizer.param_groups:
            put(group, "lr", group["initial_lr"])
        _step_back(self)
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self, epoch: Any = None) -> None:
        """Go to the next epoch."""
        if epoch is not None:
            raise TypeMismatch("the step of SequentialLR takes no epoch", got=f"epoch={epoch!r}")
        self.last_epoch += 1
        place = bisect_right(self._milestones, self.last_epoch)
        schedule = self._schedulers[place]
        if place > 0 and self._milestones[place - 1] == self.last_epoch:
            schedule._update_lr(0)
        else:
            schedule.step()
        self._last_lr = schedule.get_last_lr()


def _step_back(schedule: LRScheduler) -> None:
    if isinstance(schedule, _Combined):
        for inner in schedule._schedulers:
            _step_back(inner)
    else:
        schedule.last_epoch -= 1


class ChainedScheduler(_Combined):
    """All schedules at once: each changes the rate that the one before it left.

    Args:
        schedulers: the schedules, all of one optimizer.
        optimizer: that optimizer; taken from the first schedule if None.

    Raises:
        ArgumentError: no schedules; schedules of different optimizers.

    Example:
        >>> import glassgrad
        >>> from glassgrad.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.SGD([w], lr=1.0)
        >>> parts = [ConstantLR(optimizer, factor=0.5, total_iters=4), ExponentialLR(optimizer, gamma=0.5)]
        >>> schedule = ChainedScheduler(parts)
        >>> optimizer.step()
        >>> schedule.step()
        >>> schedule.get_last_lr()
        [0.25]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self._take(schedulers, optimizer)
        self._last_lr = current(self.optimizer)

    def step(self, epoch: Any = None) -> None:
        """Step all schedules, in order."""
        if epoch is not None:
            raise TypeMismatch("the step of ChainedScheduler takes no epoch", got=f"epoch={epoch!r}")
        for schedule in self._schedulers:
            schedule.step()
        self._last_lr = current(self.optimizer)
