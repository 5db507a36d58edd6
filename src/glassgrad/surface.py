"""The loss around a training, as plain data: text and HTML render it. Nothing here knows of tensors or models."""

from __future__ import annotations

from dataclasses import dataclass

SLOPE, SADDLE, MINIMUM, VALLEY, FLAT = "slope", "saddle", "minimum", "valley floor", "flat"
"""What a training can stand on at its end."""


@dataclass(frozen=True)
class Stop:
    """The weights at one moment of the training."""

    step: int
    """How many steps had been taken."""
    loss: float
    """At these weights themselves, not at their place in the plane."""
    across: float
    """Their place in the plane: the nearest point of it."""
    up: float
    beside: float
    """How far they are from the plane, in the unit of the axes."""


@dataclass(frozen=True)
class Plane:
    """The loss on a plane through the weights at the end, which are its origin.

    At 1 from the origin the filters differ from those at the end by as much as these are large, in the root of the
    mean square over the filters.
    """

    directions: str
    """"path", "random", or "path and random" where a path is straight."""
    across: tuple[float, ...]
    """The places of the columns."""
    up: tuple[float, ...]
    """The places of the rows, from the lowest on; one alone if there is only one direction."""
    losses: tuple[tuple[float, ...], ...]
    """A row for each place of `up`. Some may be nan or infinite."""
    shares: tuple[float, float]
    """Of the movement, what lies along the first direction and what the second adds."""

    @property
    def share(self) -> float:
        """Of the movement, what lies in the plane."""
        return min(1.0, sum(self.shares))


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of the Hessian of the loss, at the weights at the end."""

    size: int
    """How many there are: one for each number that the loss depends on."""
    exact: bool
    """Whether `values` are all of them. If not, they are where random vectors see them."""
    values: tuple[float, ...]
    weights: tuple[float, ...]
    """The share of the spectrum that each stands for; they add up to 1."""
    outliers: tuple[float, ...]
    """Those larger than three times the root mean square of all, the largest first; as far as they are known."""
    low: float
    """The least."""
    high: float
    """The largest."""
    zero: float
    """Those nearer to zero than this cannot be told from it."""

    @property
    def negative(self) -> float:
        """The share of those that are clearly below zero."""
        return sum(w for v, w in zip(self.values, self.weights, strict=True) if v < -self.zero)

    @property
    def flat(self) -> float:
        """The share of those that cannot be told from zero."""
        return sum(w for v, w in zip(self.values, self.weights, strict=True) if abs(v) <= self.zero)


@dataclass(frozen=True)
class Surface:
    """The loss around a training: where the training went in it, and how it curves where the training ended."""

    title: str
    parameters: int
    """Numbers that the training moves."""
    batches: int
    """The loss is the mean over so many."""
    path: tuple[Stop, ...]
    plane: Plane | None
    """None if the loss is known nowhere."""
    spectrum: Spectrum | None
    """None if the loss or its slopes are not finite at the end, or the loss depends on nothing."""
    slope: float = 0.0
    """The size of the gradient at the end."""
    ground: str = ""
    """What it stands on at the end; empty where the numbers don't show it."""
    why: str = ""
    """The numbers that show it, in a sentence."""
    notes: tuple[str, ...] = ()
    """What was left out, or isn't as usual."""
