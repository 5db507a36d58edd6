"""What a training loop did, as it was watched: the order of its calls, its modes, its losses. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..findings import Place

CLOSELY = 64
"""So many steps are watched closely from the beginning on."""


@dataclass
class Seen:
    """Something that a loop did, how often, and where first."""

    times: int = 0
    first: int = 0
    """The step in which it was seen first, counted from 1."""
    place: Place = field(default_factory=Place)

    def again(self, step: int, place: Place | None = None) -> None:
        """It was seen once more."""
        self.times += 1
        if self.times == 1:
            self.first, self.place = step, place or Place()


@dataclass
class Moment:
    """The sizes of a layer's numbers in one step."""

    weight: float
    gradient: float
    moved: float
    """The size of the update against that of the weights."""


@dataclass
class Loop:
    """What the steps of a training had in common, and how they went."""

    backwards: int = 0
    steps: int = 0
    """Steps of optimizers."""
    losses: list[float] = field(default_factory=list)
    """Of every backward pass."""
    added: Seen = field(default_factory=Seen)
    """Backward passes that added to gradients which a step had used already."""
    empty: Seen = field(default_factory=Seen)
    """Steps of an optimizer that found no gradient at all, though a backward pass was made."""
    cleared: Seen = field(default_factory=Seen)
    """Gradients that were cleared after a backward pass, before a step had used them."""
    disturbed: Seen = field(default_factory=Seen)
    """Steps whose gradients were not those that had arrived, nor such as clipping or a decay of the weights makes."""
    turned: Seen = field(default_factory=Seen)
    """Steps whose gradients pointed against those that had arrived."""
    disturbance: float = 0.0
    """How large the difference was against what had arrived, at most."""
    evaluating: dict[str, Seen] = field(default_factory=dict)
    """Modules that were in evaluation mode while their model was trained."""
    training: dict[str, Seen] = field(default_factory=dict)
    """Modules that were in training mode while predictions were made outside of the training steps."""
    evaluated: bool = False
    """Whether such predictions were also made in evaluation mode."""
    moments: dict[int, dict[str, Moment]] = field(default_factory=dict)
    """By step and by parameter; of some steps."""
    ended: str = ""
    """What ended it, if that was an error."""

    def lasting(self, seen: Seen) -> bool:
        """Whether most steps since the first time were taken so."""
        return 2 * seen.times > self.backwards - seen.first + 1

    def mostly(self, seen: Seen) -> bool:
        """Whether something that is seen only in steps that are watched closely is seen in half of the first ones."""
        return 2 * seen.times > min(max(self.steps, 1), CLOSELY)

    @property
    def end(self) -> float:
        """Where its loss ends: the mean of the last fifth."""
        return sum(self.losses[-len(self.losses) // 5 :]) / max(1, -(-len(self.losses) // 5))

    @property
    def moves(self) -> bool:
        """Whether any weight was seen to change."""
        return any(each.moved for moment in self.moments.values() for each in moment.values())
