"""The base of the schedules: counts epochs (or whatever one `step` stands for) and writes rates into the groups."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ...dispatch import STATE
from ...errors import ArgumentError, TypeMismatch
from ...tensor import Tensor
from ..optimizer import Optimizer
from ..options import Group, MissingKey, Scalar

EPOCH_WARNING = (
    "step(epoch) is deprecated: it jumps to the rate that the schedule would have by itself, without what other "
    "schedules or you did to it; call step() without an argument"
)


def current(optimizer: Optimizer, key: str = "lr") -> list[Any]:
    """The value of ``key`` in each group; tensors as copies, so that later edits do not reach into them."""
    return [group[key].clone() if isinstance(group[key], Tensor) else group[key] for group in optimizer.param_groups]


def put(group: Group, key: str, value: Scalar) -> None:
    """Write a rate into a group; into the tensor itself where the group holds one (a compiled step reads it)."""
    held = group[key]
    if isinstance(held, Tensor):
        held.fill_(value.item() if isinstance(value, Tensor) else value)
    else:
        group[key] = value


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """``value`` for each group: a sequence as it is (it must have the right length), anything else repeated."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * groups
    if len(value) != groups:
        raise ArgumentError(
            f"{name} needs one value for each parameter group", got=f"{len(value)} values, {groups} groups"
        )
    return list(value)


def check_optimizer(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeMismatch("a schedule needs an optimizer", got=type(optimizer).__name__)
    return optimizer


def _deferred(step: Callable[..., None]) -> Callable[..., None]:
    """A schedule computes in Python: in a compiled training step it runs when the step has run."""

    @functools.wraps(step)
    def deferred(self: LRScheduler, *args: Any, **kwargs: Any) -> None:
        if STATE.tracer is None:
            step(self, *args, **kwargs)
        else:
            STATE.tracer.defer(functools.partial(step, self), *args, **kwargs)

    return deferred


class LRScheduler:
    """Base of the schedules. Making one takes its first step, so that the rate of epoch 0 is in place.

    Args:
        optimizer: its groups' ``lr`` is what the schedule writes.
        last_epoch: -1 to start; when resuming, the epoch of the last step. The groups must then have an
            ``initial_lr``, as they have after the optimizer's state was loaded.

    A schedule of your own overrides `get_lr`: the rate of each group in epoch ``self.last_epoch``. It may also
    give ``_get_closed_form_lr``, the same from ``self.base_lrs`` alone, which a jump to an epoch uses.

    Example:
        >>> import glassgrad
        >>> class Halve(glassgrad.optim.lr_scheduler.LRScheduler):
        ...     def get_lr(self):
        ...         return [base / 2**self.last_epoch for base in self.base_lrs]
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.SGD([w], lr=1.0)
        >>> schedule = Halve(optimizer)
        >>> optimizer.step()
        >>> schedule.step()
        >>> schedule.get_last_lr()
        [0.5]
    """

    _get_lr_called_within_step = False
    _is_initial = False
    _get_closed_form_lr: Callable[[], list[Any]]
    _step_count: int
    _last_lr: list[Any]

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = check_optimizer(optimizer)
        for place, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                lr = group["lr"]
                group.setdefault("initial_lr", lr.clone() if isinstance(lr, Tensor) else lr)
            elif "initial_lr" not in group:
                raise MissingKey(
                    f"resuming a schedule at last_epoch={last_epoch} needs 'initial_lr' in parameter group {place}",
                    fix="load the optimizer's state first, or leave last_epoch out to start anew",
                )
        self.base_lrs = current(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            setattr(cls, "step", _deferred(cls.__dict__["step"]))  # noqa: B010

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_last_lr(self) -> list[Any]:
        """The rate of each group since the last step."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The rate of each group in this epoch, computed from its present one; meant to be called by `step`."""
        if not self._get_lr_called_within_step:
            warnings.warn("get_lr() advances the rate; ask get_last_lr() for the present one", stacklevel=2)
        return self._rates()

    def _rates(self) -> list[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr")

    @_deferred
    def step(self, epoch: Any = None) -> None:
        """Go to the next epoch, after the optimizer's steps in the last one.

        Args:
            epoch: go to this epoch instead (deprecated, as in PyTorch).
        """
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(
                "lr_scheduler.step() was called before optimizer.step(): the first rate of the schedule is skipped; "
                "call optimizer.step() first",
                UserWarning,
                stacklevel=3,
            )
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=3)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None:
            self.last_epoch += 1
            values = self._within_step()
        else:
            self.last_epoch = epoch
            closed = getattr(self, "_get_closed_form_lr", None)
            values = self._within_step() if closed is None else closed()
        self._write(values)

    def _within_step(self) -> list[Any]:
        self._get_lr_called_within_step = True
        try:
            return self.get_lr()
        finally:
            self._get_lr_called_within_step = False

    def _write(self, values: Sequence[Any]) -> None:
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            put(group, "lr", value)
        self._last_lr = current(self.optimizer)

    def _scaled(self, factor: float) -> list[Any]:
        """The present rates times ``factor``."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, for `load_state_dict`."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state; load the optimizer's own state after this one, since it holds the rates."""
        self.__dict__.update(state_dict)


class _LRScheduler(LRScheduler):
    """The old name of `LRScheduler`."""
