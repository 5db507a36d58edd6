"""What an explanation or a diagnosis says, as plain data: text, HTML, notebook and JSON render these.

Nothing here knows of tensors or tapes. Every field is a string, a number, a tuple or one of these dataclasses, so that
a report can be kept, sent and compared. Formulas stand twice: as text, in signs of Unicode, and as LaTeX.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PHASES = ("forward", "loss", "backward", "update")
"""In the order of a training step."""


@dataclass(frozen=True)
class Entry:
    """One number of an array."""

    index: tuple[int, ...]
    value: float


@dataclass(frozen=True)
class Summary:
    """An array at a glance."""

    shape: tuple[int, ...]
    dtype: str
    text: str
    """The number itself; of many numbers "least … most"."""
    norm: float | None = None
    zeros: float | None = None
    """The share of entries that are 0, from 0 to 1."""
    flat: float | None = None
    """The share of entries where the op that made it is nearly flat (saturated, dead), from 0 to 1."""
    least: float | None = None
    most: float | None = None
    mean: float | None = None
    not_finite: int = 0
    largest: tuple[Entry, ...] = ()
    """The entries of largest size, those that are not finite first."""


@dataclass(frozen=True)
class Line:
    """Where in the user's program something happened."""

    file: str = ""
    number: int = 0
    function: str = ""
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.number}" + (f" in {self.function}" if self.function else "") if self.file else ""


@dataclass(frozen=True)
class StepReport:
    """One step: in forward and loss an op, in backward what one op passes to one operand, in update a new value."""

    number: int
    phase: str
    op: str
    module: str
    name: str
    """The symbol of the result: "z1", "∂L/∂z1"."""
    name_latex: str
    formula: str
    """In symbols, with the name in front: "z1 = x · w1 + b1"."""
    latex: str
    numbers: str
    """The right side with numbers plugged in; of an array for its largest entry."""
    numbers_latex: str
    entry: tuple[int, ...]
    """Which entry `numbers` is of; () for a single number."""
    entry_formula: str
    """The right side for that entry, in symbols."""
    result: str
    sentence: str
    line: Line
    value: Summary
    node: int
    """The number of the graph's node that it is at."""
    operand: int | None = None
    """In the backward pass, the number of the graph's node that the gradient goes to."""
    lost: bool = False
    """Whether nan or infinity appears here for the first time."""


@dataclass(frozen=True)
class GraphNode:
    """A value of the computation."""

    id: int
    name: str
    name_latex: str
    op: str
    """The op that made it; "" for data and parameters."""
    role: str
    """"data", "parameter", "value" or "loss"."""
    module: str
    """The path of the module it was made in: "layers.0"; parameters belong to their module. "" outside of all."""
    phase: str
    line: Line
    value: Summary
    gradient: Summary | None = None


@dataclass(frozen=True)
class GraphEdge:
    """Data goes from `source` to `target` in the forward pass, and a part of the gradient back."""

    source: int
    target: int
    operand: int
    gradient: Summary | None = None
    """What the backward pass sent back along this edge; None if nothing."""


@dataclass(frozen=True)
class GraphReport:
    """The computational graph of a recorded step. Nodes stand in the order in which they were computed."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    roots: tuple[str, ...] = ()
    """Outermost modules that have others within them. What they compute themselves is between those, so views draw no
    box around it."""


@dataclass(frozen=True)
class FactorReport:
    """A local derivative on a path."""

    op: str
    module: str
    of: str
    by: str
    formula: str
    latex: str
    value: float
    node: int
    """The graph's node that was differentiated, and the one by which."""
    by_node: int


@dataclass(frozen=True)
class PathReport:
    """A way from the loss to an entry, as a product of local derivatives; the loss comes first."""

    factors: tuple[FactorReport, ...]
    product: float
    numbers: str
    """The product written out: "0.5 · (−2) = −1"."""


@dataclass(frozen=True)
class WhyReport:
    """An entry of a gradient as the sum over paths."""

    name: str
    name_latex: str
    node: int
    index: tuple[int, ...]
    value: float
    paths: tuple[PathReport, ...]
    count: float
    """How many paths there are in all."""
    remainder: float
    """What the paths that are not listed add up to."""


@dataclass(frozen=True)
class MoveReport:
    """One number on the way from a gradient to a new weight."""

    name: str
    formula: str
    latex: str
    numbers: str
    value: float


@dataclass(frozen=True)
class UpdateReport:
    """How one entry of a parameter got its new value."""

    name: str
    index: tuple[int, ...]
    old: float
    new: float
    rule: str
    moves: tuple[MoveReport, ...]


@dataclass(frozen=True)
class ShareReport:
    """One layer's share in a step's change of the loss; negative numbers are a decrease."""

    layer: str
    parameters: int
    first_order: float
    measured: float
    gradient: float
    change: float


@dataclass(frozen=True)
class ResponsibilityReport:
    """Every layer's share in a step's change of the loss."""

    layers: tuple[ShareReport, ...]
    before: float
    after: float
    first_order: float
    together: float
    """What the layers' updates do only together."""


@dataclass(frozen=True)
class TapeReport:
    """A recorded training step."""

    title: str
    loss: str
    """The symbol of the loss, and its number."""
    loss_value: float
    legend: dict[str, str]
    """What short symbols stand for: {"W1": "layers.0.weight"}."""
    steps: tuple[StepReport, ...]
    graph: GraphReport
    whys: tuple[WhyReport, ...] = ()
    """Of every entry in a small net, of the largest ones in a large net."""
    updates: tuple[UpdateReport, ...] = ()
    responsibility: ResponsibilityReport | None = None
    notes: tuple[str, ...] = field(default=())
    """What a reader has to know: where nan appears first, that a part was not recorded."""
