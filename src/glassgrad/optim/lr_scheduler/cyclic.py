"""Schedules that follow a wave: cosines, triangles and the one-cycle policy."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

from ...errors import ArgumentError
from ..optimizer import Optimizer
from ..options import Group
from .base import LRScheduler, check_optimizer, current, per_group, put


class CosineAnnealingLR(LRScheduler):
    """From the base rate down to eta_min along half a cosine in T_max epochs, and up again if one goes on.

    Args:
        optimizer: whose rates to set.
        T_max: epochs from the top to the bottom.
        eta_min: the rate at the bottom.
        last_epoch: see `LRScheduler`.

    Loshchilov, Hutter: SGDR: Stochastic Gradient Descent with Warm Restarts (ICLR 2017), equation 5, without the
    restarts.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.SGD([w], lr=1.0)
        >>> schedule = glassgrad.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
        >>> optimizer.step()
        >>> schedule.step()
        >>> round(schedule.get_last_lr()[0], 6)
        0.5
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _rates(self) -> list[Any]:
        if self._is_initial:
            return current(self.optimizer)
        if self._step_count == 1 and self.last_epoch > 0:
            return self._get_closed_form_lr()
        groups = self.optimizer.param_groups
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # just past a bottom, where the ratio is 0/0
            lift = (1 - math.cos(math.pi / self.T_max)) / 2
            return [g["lr"] + (base - self.eta_min) * lift for base, g in zip(self.base_lrs, groups, strict=True)]
        now, before = (1 + math.cos(math.pi * epoch / self.T_max) for epoch in (self.last_epoch, self.last_epoch - 1))
        return [now / before * (group["lr"] - self.eta_min) + self.eta_min for group in groups]

    def _get_closed_form_lr(self) -> list[Any]:
        height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine from the base rate down to eta_min, then back to the top at once, again and again.

    Args:
        optimizer: whose rates to set.
        T_0: epochs of the first descent.
        T_mult: by how much each descent is longer than the one before; an integer.
        eta_min: the rate at the bottom.
        last_epoch: see `LRScheduler`.

    Raises:
        ArgumentError: T_0 or T_mult that is not a positive integer.

    ``step(epoch)`` with a fraction is part of this schedule: call it after each batch with
    ``epoch + batch / batches``.

    Loshchilov, Hutter: SGDR: Stochastic Gradient Descent with Warm Restarts (ICLR 2017), equation 5.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.SGD([w], lr=1.0)
        >>> schedule = glassgrad.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     schedule.step()
        >>> schedule.get_last_lr()
        [1.0]
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        given: dict[str, Any] = {"T_0": T_0, "T_mult": T_mult}
        for name, value in given.items():
            if not isinstance(value, int) or value < 1:
                raise ArgumentError(f"{name} must be a positive integer", got=f"{name}={value!r}")
        if not isinstance(eta_min, (int, float)):
            raise ArgumentError("eta_min must be a number", got=f"eta_min={eta_min!r}")
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def _rates(self) -> list[Any]:
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: Any = None) -> None:
        """Go to the next epoch, or to ``epoch``, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise ArgumentError("epoch must be 0 or more", got=f"epoch={epoch!r}")
        elif epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:  # the descents before the n-th took T_0 * (T_mult^n - 1) / (T_mult - 1) epochs together
            n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**n
        self.last_epoch = math.floor(epoch)
        self._write(self._within_step())


class _WithMomentum(LRScheduler):
    """A schedule that moves the momentum (or Adam's first beta) against the rate."""

    cycle_momentum: bool
    use_beta1: bool

    def _take_momentum(self, base: Any, top: Any, resumed: bool) -> tuple[list[Any], list[Any]]:
        """Check that there is a momentum to cycle, set it to its top, and return the bounds for each group."""
        defaults = self.optimizer.defaults
        if "momentum" not in defaults and "betas" not in defaults:
            raise ArgumentError(
                "cycle_momentum needs an optimizer with momentum or betas",
                got=type(self.optimizer).__name__,
                fix="pass cycle_momentum=False",
            )
        self.use_beta1 = "betas" in defaults
        tops = per_group("max_momentum", self.optimizer, top)
        bases = per_group("base_momentum", self.optimizer, base)
        if not resumed:
            for low, high, group in zip(bases, tops, self.optimizer.param_groups, strict=True):
                self._put_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low
        return bases, tops

    def _put_momentum(self, group: Group, value: float) -> None:
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            put(group, "momentum", value)


class CyclicLR(_WithMomentum):
    """The rate goes up and down between base_lr and max_lr in a triangle; one `step` stands for one batch.

    Args:
        optimizer: whose rates to set.
        base_lr: the rate at the bottom; a number or one for each group.
        max_lr: the rate at the top of the first cycle.
        step_size_up: batches on the way up.
        step_size_down: batches on the way down; as many as up if None.
        mode: ``triangular``, ``triangular2`` (the height halves with each cycle) or ``exp_range`` (the height is
            gamma ** batch).
        gamma: for ``exp_range``.
        scale_fn: a height of your own; then mode is ignored.
        scale_mode: whether scale_fn is given the number of the cycle or of the batch (``cycle``, ``iterations``).
        cycle_momentum: move the momentum the other way round, between base_momentum and max_momentum.
        base_momentum, max_momentum: numbers, or one for each group.
        last_epoch: the last batch; see `LRScheduler`.

    Raises:
        ArgumentError: an unknown mode; no momentum to cycle.

    Smith: Cyclical Learning Rates for Training Neural Networks (WACV 2017), section 3.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.SGD([w], lr=1.0, momentum=0.9)
        >>> schedule = glassgrad.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2)
        >>> optimizer.step()
        >>> schedule.step()
        >>> schedule.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = check_optimizer(optimizer)
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise ArgumentError("mode must be 'triangular', 'triangular2' or 'exp_range'", got=f"mode={mode!r}")
        base_lrs = per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for value, group in zip(base_lrs, optimizer.param_groups, strict=True):
                put(group, "lr", value)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            bounds = self._take_momentum(base_momentum, max_momentum, last_epoch != -1)
            self.base_momentums, self.max_momentums = bounds
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of the triangle in cycle (or batch) x, as a share of the first."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return float(self.gamma**x)
        return 1.0 if self.mode == "triangular" else 1 / (2.0 ** (x - 1))

    def _rates(self) -> list[Any]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        part = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height = part * self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in bounds:
                self._put_momentum(group, high - (high - low) * height)
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """As in `LRScheduler`; a scale_fn is saved only if it is an object, by its attributes."""
        own = self._scale_fn_custom
        kept = None if own is None or isinstance(own, types.FunctionType) else dict(own.__dict__)
        return {**super().state_dict(), "_scale_fn_custom": kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state; a scale_fn that is a plain function stays the one that was given here."""
        state = dict(state_dict)
        kept = state.pop("_scale_fn_custom")
        super().load_state_dict(state)
        if kept is not None and self._scale_fn_custom is not None:
            self._scale_fn_custom.__dict__.update(kept)


class OneCycleLR(_WithMomentum):
    """One climb to max_lr and one long descent far below the start; one `step` stands for one batch.

    Args:
        optimizer: whose rates to set.
        max_lr: the rate at the top; a number or one for each group.
        total_steps: batches in all; or give epochs and steps_per_epoch.
        epochs, steps_per_epoch: their product is total_steps.
        pct_start: the share of the batches on the way up.
        anneal_strategy: ``cos`` or ``linear``.
        cycle_momentum: move the momentum the other way round, between base_momentum and max_momentum.
        base_momentum, max_momentum: numbers, or one for each group.
        div_factor: the first rate is max_lr / div_factor.
        final_div_factor: the last rate is the first / final_div_factor.
        three_phase: go down to the first rate as symmetrically as up, and only then to the last.
        last_epoch: the last batch; see `LRScheduler`.

    Raises:
        ArgumentError: no length; pct_start outside [0, 1]; an unknown strategy; no momentum to cycle; in `step`,
            more steps than there are in all.

    Smith, Topin: Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates (2017),
    section 3; the paper's is the three-phase form.

    Example:
        >>> import glassgrad
        >>> w = glassgrad.tensor([1.0], requires_grad=True)
        >>> optimizer = glassgrad.optim.SGD([w], lr=1.0, momentum=0.9)
        >>> schedule = glassgrad.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     schedule.step()
        >>> schedule.get_last_lr(), optimizer.param_groups[0]["momentum"]
        ([1.0], 0.85)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = check_optimizer(optimizer)
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ArgumentError("OneCycleLR needs its length", fix="give total_steps, or epochs and steps_per_epoch")
        lengths = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        if total_steps is not None:
            lengths = {"total_steps": total_steps}
        for name, value in lengths.items():
            if not isinstance(value, int) or value <= 0:
                raise ArgumentError(f"{name} must be a positive integer", got=f"{name}={value!r}")
        self.total_steps = math.prod(value for value in lengths.values() if value is not None)
        if not 0.0 <= pct_start <= 1.0:
            raise ArgumentError("pct_start must be in [0, 1]", got=f"pct_start={pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError("anneal_strategy must be 'cos' or 'linear'", got=f"anneal_strategy={anneal_strategy!r}")
        self._anneal_func_type = anneal_strategy
        climb = _phase(float(pct_start * self.total_steps) - 1, "initial_lr max_lr max_momentum base_momentum")
        last = self.total_steps - 1
        if three_phase:
            back = float(2 * pct_start * self.total_steps) - 2
            self._schedule_phases = [
                climb,
                _phase(back, "max_lr initial_lr base_momentum max_momentum"),
                _phase(last, "initial_lr min_lr max_momentum max_momentum"),
            ]
        else:
            self._schedule_phases = [climb, _phase(last, "max_lr min_lr base_momentum max_momentum")]
        tops = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for top, group in zip(tops, optimizer.param_groups, strict=True):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._take_momentum(base_momentum, max_momentum, last_epoch != -1)
        super().__init__(optimizer, last_epoch)

    def _anneal(self, start: float, end: float, part: float) -> float:
        if self._anneal_func_type == "cos":
            return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)
        return (end - start) * part + start

    def _rates(self) -> list[Any]:
        if self.last_epoch > self.total_steps:
            raise ArgumentError(
                f"the schedule ends after {self.total_steps} steps",
                got=f"step {self.last_epoch}",
                fix="raise total_steps",
            )
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if self.last_epoch <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        part = (self.last_epoch - start) / (phase["end_step"] - start)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], part))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._put_momentum(group, self._anneal(*ends, part))
        return rates


def _phase(end: float, keys: str) -> dict[str, Any]:
    """A leg of the cycle: the step at which it ends, and which of the group's entries it goes from and to."""
    names = ("start_lr", "end_lr", "start_momentum", "end_momentum")
    return {"end_step": end, **dict(zip(names, keys.split(), strict=True))}
