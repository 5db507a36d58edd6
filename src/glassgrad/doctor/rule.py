"""What a rule is: it looks at the measurements, and says what is wrong and what could help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..findings import FAULT, Place
from .patient import Patient, drawing
from .probe import Probe


@dataclass(frozen=True)
class Remedy:
    """A change of a patient that may help."""

    text: str
    """What to do, as the user would do it."""
    apply: Callable[[Patient], None]
    """Does it to a patient."""
    measure: Callable[[Patient], float] | None = None
    """What must fall, where losses cannot be compared because the remedy changes the loss; of a trained patient."""
    measured: str = "the loss"
    """What that is."""
    judge: Callable[[Sequence[float]], float] | None = None
    """What must fall, of the losses of a trial, where it is not the last one that tells: their mean."""

    def treated(self, patient: Patient) -> Patient:
        """Another patient, with the remedy; the random numbers that it takes are those of the patient."""
        other = patient.copy()
        with drawing(patient.seed):
            self.apply(other)
        return other


@dataclass(frozen=True)
class Suspicion:
    """What a rule has found; remedies are yet to be tried."""

    symptom: str
    where: Place
    evidence: dict[str, float]
    cause: str
    remedies: tuple[Remedy, ...] = ()
    """The first one that helps is offered."""
    weight: str = FAULT
    sure: bool = True
    """Whether it is said even if no remedy helps."""
    also: tuple[Place, ...] = field(default=())


Looks = Callable[[Probe], Iterable[Suspicion]]


@dataclass(frozen=True)
class Rule:
    """A fault, and how it is found."""

    fault: str
    looks: Looks
    explains: frozenset[str]
    """Faults that follow from this one, and are not said beside it."""
    beside: frozenset[str]
    """Faults of which this one may be what is seen: beside them it is a note."""
    whatever: bool
    """Whether it can look at a step that failed."""
    last: bool
    """Whether it looks only where no other fault was found."""


RULES: dict[str, Rule] = {}
"""All rules by their fault, in the order in which they look."""


def rule(
    fault: str,
    *,
    explains: Iterable[str] = (),
    beside: Iterable[str] = (),
    whatever: bool = False,
    last: bool = False,
) -> Callable[[Looks], Looks]:
    """Declare the rule of a fault; rules that are declared first look first."""

    def declared(looks: Looks) -> Looks:
        assert fault not in RULES, f"two rules for {fault}"
        RULES[fault] = Rule(fault, looks, frozenset(explains), frozenset(beside), whatever, last)
        return looks

    return declared
