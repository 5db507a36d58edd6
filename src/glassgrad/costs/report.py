"""What a gradient costs, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Work:
    """What a part of a step does."""

    operations: int = 0
    """Floating-point ones: a multiply-add is two, a function such as exp one (`Op.operations`)."""
    read: int = 0
    """Bytes, op after op; what is only looked at in another shape counts as nothing."""
    written: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.operations + other.operations, self.read + other.read, self.written + other.written)


@dataclass(frozen=True)
class Row:
    """The work of one kind of op, or of one module."""

    name: str
    kind: str
    """The module's class; empty for an op."""
    forward: Work
    backward: Work
    update: Work

    @property
    def work(self) -> Work:
        return self.forward + self.backward + self.update


@dataclass(frozen=True)
class Times:
    """Seconds of one run, the best of several."""

    forward: float
    gradient: float
    """Forward and backward together."""
    step: float | None = None
    """With the update, too; None where there is none."""

    @property
    def ratio(self) -> float:
        """How many times as long the gradient takes as the function."""
        return self.gradient / self.forward


@dataclass(frozen=True)
class Memory:
    """Bytes beyond what is there anyway (parameters, data): what NumPy and Python hold, temporaries included."""

    held: int
    """When the forward pass is over, for the backward pass."""
    forward: int
    """The most at a time in the forward pass; then in the backward pass, and in the update."""
    backward: int
    update: int | None
    arena: int | None
    """Of the compiled gradient: what its intermediate values share. None where it cannot be compiled."""
    step_arena: int | None
    """Of the compiled step with its update."""

    @property
    def peak(self) -> int:
        """Of forward and backward."""
        return max(self.forward, self.backward)


@dataclass(frozen=True)
class Differences:
    """The same gradient by central differences: two evaluations of the loss for each entry."""

    entries: int
    sampled: int
    """How many entries it was done for."""
    evaluation: float
    """Seconds of one evaluation, the median of the sample's."""
    compiled: bool
    """Whether the evaluations were compiled ones."""
    error: float
    """Of the sampled entries, against backpropagation: the median of the relative errors."""
    worst: float
    """The largest error, relative to the largest sampled entry."""
    dtype: str

    @property
    def seconds(self) -> float:
        """For the whole gradient: extrapolated, not measured."""
        return 2 * self.entries * self.evaluation


@dataclass(frozen=True)
class Trial:
    """A way to cut the forward pass into parts that are computed again (`utils.checkpoint`), and what it does."""

    first: str
    """The module that the first part begins in."""
    last: str
    """The one that the last part begins in."""
    together: int
    """How many modules a part has."""
    parts: int
    """How many are computed again; the end of the forward pass never is."""
    operations: int
    """What that adds, at most."""
    peak: int
    """Bytes of forward and backward, op after op."""


@dataclass(frozen=True)
class Recomputation:
    """What computing again saves and costs."""

    trials: tuple[Trial, ...]
    best: Trial
    """The one with the least memory."""
    gradient: tuple[float, float]
    """Seconds of the gradient, without it and by it, taken in turns."""
    compiled: tuple[float, float] | None
    """The same, compiled."""
    arena: tuple[int, int] | None
    """Bytes that the compiled gradient's values share, without it and by it."""


@dataclass(frozen=True)
class Cost:
    """What the gradient of one loss costs. `str` and `show` tell it."""

    title: str
    entries: int
    """Entries of all parameters: of what requires a gradient and the loss was computed from."""
    parameters: int
    """How many tensors they are in."""
    bytes: int
    forward: Work
    backward: Work
    update: Work
    kinds: tuple[Row, ...]
    """By op, the one with the most operations first."""
    modules: tuple[Row, ...]
    """By the path of the innermost module, in the order in which they run."""
    threads: int
    """That the compiled code may use."""
    eager: Times
    """Op after op, as recorded, without the Python of the modules."""
    compiled: Times | None
    memory: Memory
    differences: Differences | None
    recomputation: Recomputation | None
    """None where there is nothing to cut."""
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """Counted: how many times the operations of the function its gradient takes, function included."""
        return (self.forward.operations + self.backward.operations) / max(1, self.forward.operations)

    def __str__(self) -> str:
        from .text import lines

        return "\n".join(lines(self))

    def show(self, console: object = None) -> None:
        """Print it.

        Args:
            console: of rich; one on the standard output by default.
        """
        from .text import show

        show(self, console)

    def json(self, path: str | Path) -> Path:
        """Write it as data, with the figures that follow from others."""
        from ..view.json import dump, to_dict

        derived: dict[str, float] = {"counted_ratio": self.ratio, "eager_ratio": self.eager.ratio}
        if self.compiled is not None:
            derived["compiled_ratio"] = self.compiled.ratio
        if self.differences is not None:
            derived["differences_seconds"] = self.differences.seconds
        return dump("glassgrad cost 1", {**to_dict(self), "derived": derived}, path)
