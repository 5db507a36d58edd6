"""The schedule that watches a metric."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ...errors import ArgumentError, StateError
from ..optimizer import Optimizer
from .base import EPOCH_WARNING, LRScheduler, check_optimizer, current, per_group, put


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the rate by factor when a metric has not got better for more than patience epochs.

    Args:
        optimizer: whose rates to set.
        mode: ``min`` if less is better, ``max`` if more is.
        factor: below 1.
        patience: epochs without improvement that are waited for.
        threshold: what counts as better: by this share of the best value (``rel``) or by this amount (``abs``).
        threshold_mode: ``rel`` or ``abs``.
        cooldown: epochs after a reduction in which bad ones do not count.
        min_lr: the least rate; a number or one for each group.
        eps: reductions by less than this are left out.

    Raises:
        ArgumentError: a factor of 1 or more; an unknown mode.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.SGD([w], lr=1.0)
        >>> schedule = glassgrad.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
        >>> for loss in [3.0, 3.0, 3.0]:
        ...     schedule.step(loss)
        >>> schedule.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        self.optimizer = check_optimizer(optimizer)
        if factor >= 1.0:
            raise ArgumentError("factor must be below 1", got=f"factor={factor!r}")
        if mode not in ("min", "max"):
            raise ArgumentError("mode must be 'min' or 'max'", got=f"mode={mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ArgumentError("threshold_mode must be 'rel' or 'abs'", got=f"threshold_mode={threshold_mode!r}")
        self.mode, self.factor, self.patience, self.cooldown, self.eps = mode, factor, patience, cooldown, eps
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.min_lrs = per_group("min_lr", optimizer, min_lr)
        self.last_epoch = 0
        self._last_lr = current(optimizer)
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self._reset()

    def _reset(self) -> None:
        """Forget the metric's history."""
        self.best = self.mode_worse
        self.cooldown_counter = self.num_bad_epochs = 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:
        """Take note of this epoch's metric, and reduce the rate if it is time to.

        Args:
            metrics: a number or a tensor with one entry.
            epoch: the number of the epoch (deprecated, as in PyTorch).
        """
        value = float(metrics)
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=3)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(value, self.best):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = current(self.optimizer)

    @property
    def in_cooldown(self) -> bool:
        """Whether the last reduction is too fresh for bad epochs to count."""
        return self.cooldown_counter > 0

    def _is_better(self, value: float, best: float) -> bool:
        sign = -1.0 if self.mode == "min" else 1.0
        bar = best * (1.0 + sign * self.threshold) if self.threshold_mode == "rel" else best + sign * self.threshold
        return value < bar if self.mode == "min" else value > bar

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise StateError(
                    "parameter groups were added after the schedule was made with one min_lr for each",
                    got=f"{len(groups)} groups, {len(self.min_lrs)} values",
                    fix="extend the schedule's min_lrs",
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for least, group in zip(self.min_lrs, groups, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                put(group, "lr", new)
