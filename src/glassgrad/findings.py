"""What the doctor says, as plain data: text, HTML and JSON render it. Nothing here knows of tensors or models."""

from __future__ import annotations

from dataclasses import dataclass, field

FAULT, NOTE = "fault", "note"
"""The weight of a finding: something that keeps the net from learning, or something to know."""


def count(many: int, one: str, more: str = "") -> str:
    """So many of something: "1 step", "1,000 steps"."""
    return f"{many:,} {one if many == 1 else more or one + 's'}"


@dataclass(frozen=True)
class Place:
    """Where something begins to go wrong."""

    op: str = ""
    """The operation: "sigmoid", "matmul"; empty where it is no operation's doing."""
    module: str = ""
    """The path of the module it ran in: "layers.3"; or the name of a parameter."""
    line: str = ""
    """The user's line: "net.py:12 in forward"."""
    entry: tuple[int, ...] | None = None
    """The first entry that is concerned, of a value."""

    def __str__(self) -> str:
        entry = "" if self.entry is None else f"[{', '.join(map(str, self.entry))}]"
        named = " of ".join(filter(None, (f"{self.op}{entry}", self.module)))
        return ", ".join(filter(None, (named, self.line))) or "the training as a whole"


@dataclass(frozen=True)
class Proof:
    """The same steps run twice, as they were and with the remedy."""

    measured: str
    """What the numbers are: "the loss", "the smallest share of the gradient that reaches a layer"."""
    before: tuple[float, ...]
    """As it was, step for step."""
    after: tuple[float, ...]
    """With the remedy, from the same start, with the same random numbers."""
    holds: bool
    """Whether the remedy helped."""
    what: str = ""
    """The comparison in a sentence."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, from what is seen to what helps."""

    fault: str
    """Which one, of `glassgrad.doctor.RULES`: "vanishing gradients"."""
    symptom: str
    where: Place
    evidence: tuple[tuple[str, float], ...]
    """The numbers it was told by, with what they are."""
    cause: str
    remedy: str = ""
    """What to do; empty where nothing was found that helps."""
    proof: Proof | None = None
    weight: str = FAULT
    also: tuple[Place, ...] = field(default=())
    """Further places of the same fault."""


@dataclass(frozen=True)
class Examination:
    """All that a diagnosis says, and what was looked at for it."""

    findings: tuple[Finding, ...] = ()
    title: str = ""
    model: str = ""
    """The class of the model."""
    optimizer: str = ""
    """The class of the optimizer."""
    parameters: int = 0
    """Numbers that the model and the optimizer hold as parameters."""
    operations: int = 0
    """Those of one step that have float results, forward and in the loss."""
    batches: int = 0
    steps: int = 0
    """How many each trial took; 0 if no step could be taken."""
    losses: tuple[float, ...] = ()
    """Of a trial as the training is: before each step, and after the last."""
    watched: tuple[float, ...] = ()
    """Of the training loop itself, if that was watched: at each backward pass."""
    looked_for: tuple[str, ...] = ()
    """The faults that were looked for, in this order."""
    left_out: tuple[str, ...] = ()
    """Those that could not be looked for, each with the error that the model or the loss raised when it was asked."""
    stopped: str = ""
    """The error that the step or the script ended with."""
    sources: dict[str, str] = field(default_factory=dict)
    """By the `line` of a place, what is written there, where it can be read."""
