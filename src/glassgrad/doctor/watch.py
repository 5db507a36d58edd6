"""`watch`: around a training as it is, eager or compiled; what went wrong in it is said when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from ..dispatch import STATE
from ..errors import ArgumentError, StateError
from ..explain.recording import unseen
from ..findings import Examination, Finding
from ..nn import Module
from ..optim import Optimizer
from .beginning import Beginning
from .check import Diagnosis, diagnosis, said
from .course import later
from .loop import Loop
from .monitor import Monitor
from .patient import Patient
from .probe import Probe
from .reporting import with_findings
from .rounds import Rounds
from .rule import Remedy


def watch(model: Module, optimizer: Optimizer | Sequence[Optimizer], *, steps: int | None = None) -> Watched:
    """Watch a training: a context manager around it, that is a diagnosis of it then.

    The first steps are recorded: up to 16, and of a compiled step one, which runs as the plain function for it. From
    then on every loss is noted, the order in which gradients are cleared, computed and used, the modes of the modules,
    and now and then the sizes of all weights, gradients and updates. In a compiled step that is a part of the compiled
    code, and costs a few per cent at most. The numbers of the training are those that it has without a watch.

    What was found is worked out when `findings` is asked for, which takes some seconds: within the block from what has
    been seen until then, after it from all. Remedies are tried on copies.

    Args:
        model: the one that is trained.
        optimizer: what takes the steps, or a list of them.
        steps: how many a trial of a remedy takes; see `check`.

    Raises:
        ArgumentError: `findings` is asked for, and no backward pass has reached the optimizer's parameters.

    Example:
        >>> import glassgrad as gg
        >>> from glassgrad import nn
        >>> gg.manual_seed(0)  # doctest: +ELLIPSIS
        <...>
        >>> net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
        >>> x, y = gg.randn(64, 4), gg.randn(64, 1)
        >>> opt = gg.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        >>> with gg.doctor.watch(net, opt) as d:
        ...     for _ in range(30):
        ...         loss = nn.functional.mse_loss(net(x), y)
        ...         loss.backward()  # adds to what is there
        ...         opt.step()
        >>> [finding.fault for finding in d.findings]
        ['gradients never cleared']
        >>> d.findings[0].remedy
        'call optimizer.zero_grad() before loss.backward()'
    """
    optimizers = [optimizer] if isinstance(optimizer, Optimizer) else list(optimizer)
    if not optimizers:
        raise ArgumentError("there is no optimizer to watch", fix="pass the one that takes the steps")
    return Watched(model, optimizers, steps)


class Watched(Diagnosis):
    """What is known of a training that is or was watched. Made by `watch`.

    What a `Diagnosis` holds is worked out when it is first asked for, and anew when there were more steps since.
    """

    def __init__(self, model: Module, optimizers: Sequence[Optimizer], trial: int | None) -> None:
        self.model, self.optimizers, self.trial = model, optimizers, trial
        self.monitor = Monitor(model, optimizers)
        self.beginning = Beginning(model, optimizers)
        self.inside = False
        self.host: Rounds | None = None
        """What watches the whole script, if that is examined."""
        self._made: tuple[Any, Diagnosis] | None = None
        """What was found, and after what."""

    def __enter__(self) -> Self:
        if self.inside or self.monitor.loop.backwards:
            raise StateError("a watch is for one block", fix="call glassgrad.doctor.watch again for another one")
        outer = STATE.observer
        self.host = outer if isinstance(outer, Rounds) and not isinstance(outer, Beginning) else None
        self.beginning.enter()
        self.monitor.start()
        self.inside = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.beginning.leave(error)
        self.monitor.stop()
        self.inside = False
        if error is not None:
            self.monitor.loop.ended = f"{type(error).__name__}: {error}"

    @property
    def loop(self) -> Loop:
        """What the training did until now: its losses, the sizes of its numbers, the order of its calls."""
        return self.monitor.told()

    @property
    def findings(self) -> list[Finding]:  # type: ignore[override]
        """What is wrong with the training until now."""
        return self._now.findings

    @property
    def patient(self) -> Patient:  # type: ignore[override]
        """The model and the optimizer as they were at the start, and the batches of the first steps."""
        return self._now.patient

    @property
    def remedies(self) -> dict[int, Remedy]:  # type: ignore[override]
        """By the identity of a finding, what would be done."""
        return self._now.remedies

    @property
    def report(self) -> Examination:  # type: ignore[override]
        """The findings and what was examined, as plain data."""
        return self._now.report

    @property
    def _now(self) -> Diagnosis:
        loop = self.loop
        at = loop.backwards, loop.steps, loop.ended
        if self._made is None or self._made[0] != at:
            self._made = at, self._diagnosed(loop)
        return self._made[1]

    def _diagnosed(self, loop: Loop) -> Diagnosis:
        self.beginning.leave()
        for step, sizes in self.beginning.loop.moments.items():  # also of steps that used no gradient
            loop.moments.setdefault(step, sizes)
        self.beginning.loop = loop
        self.beginning.broken = self.monitor.broken or self.beginning.broken
        with unseen(grad=True):
            patient = self.beginning.patient() if self.host is None else self.host.patient()
            if patient is None:
                raise ArgumentError(
                    "no training step was seen in the block of the watch",
                    got=f"{loop.backwards} backward passes and {loop.steps} steps of the optimizer" if not loop.ended
                    else loop.ended,
                    fix="train in the block: call the model, loss.backward() and optimizer.step() there, in its thread",
                )  # fmt: skip
            made = diagnosis(patient, self.trial, lenient=bool(loop.ended))
            for fault, suspicion in later(made):
                said(made, fault, suspicion, Probe(patient.after or patient, self.trial))
            made.report = with_findings(made.report, made.findings)
        return made

    def __repr__(self) -> str:
        seen = self.loop
        return f"<a watch over {type(self.model).__name__}: {seen.backwards} backward passes, {seen.steps} steps>"
