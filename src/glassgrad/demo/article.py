"""The two-weight net of the article that glassgrad grew from, with every number of one training step.

Each line is a formula; its value is computed from the formula and, apart from it, by glassgrad's own differentiation
of the net, and the two must agree. Beside it stands what the article prints, which is not always right.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import autograd
from ..tensor import Tensor
from .formula import evaluate, number, symbol, write

GIVEN = {"x": 2.0, "w1": 0.5, "b1": 0.1, "w2": 0.3, "b2": 0.2, "t": 1.0, "lr": 0.01}
WEIGHTS = ("w1", "b1", "w2", "b2")
AGREE = 1e-12

# phase, name, formula, what the article prints (None: nothing)
FORMULAS: list[tuple[str, str, str, float | None]] = [
    ("forward", "z1", "x * w1 + b1", 1.1),
    ("forward", "a1", "sigmoid(z1)", 0.75),
    ("forward", "z2", "a1 * w2 + b2", 0.425),
    ("forward", "y", "sigmoid(z2)", 0.605),
    ("loss", "L", "(y - t) ** 2", 0.156),
    ("backward", "dL_dy", "2 * (y - t)", -0.79),
    ("backward", "dy_dz2", "y * (1 - y)", 0.244),
    ("backward", "dL_dz2", "dL_dy * dy_dz2", None),
    ("backward", "dL_dw2", "dL_dz2 * a1", -0.145),
    ("backward", "dL_db2", "dL_dz2", None),
    ("backward", "dL_da1", "dL_dz2 * w2", None),
    ("backward", "da1_dz1", "a1 * (1 - a1)", 0.188),
    ("backward", "dL_dz1", "dL_da1 * da1_dz1", None),
    ("backward", "dL_dw1", "dL_dz1 * x", -0.022),
    ("backward", "dL_db1", "dL_dz1", None),
    ("update", "w2", "w2 - lr * dL_dw2", 0.301),
    ("update", "b2", "b2 - lr * dL_db2", None),
    ("update", "w1", "w1 - lr * dL_dw1", 0.500),
    ("update", "b1", "b1 - lr * dL_db1", None),
]


class Line(NamedTuple):
    """One number of the step."""

    phase: str
    name: str
    symbols: str
    numbers: str
    value: float
    printed: float | None
    """What the article prints."""

    @property
    def agrees(self) -> bool:
        """Whether the article is right to 1 %: it computes on with three rounded digits."""
        return self.printed is None or abs(self.printed / self.value - 1) < 0.01


def step() -> list[Line]:
    """All numbers of one step, in order; an AssertionError if a formula and glassgrad do not give the same."""
    known = dict(GIVEN)
    found = differentiate()
    lines = []
    for phase, name, text, printed in FORMULAS:
        value = evaluate(text, known)
        own = found[f"new {name}" if phase == "update" else name]
        assert abs(value - own) <= AGREE, f"{name} is {value} by its formula and {own} by differentiation"
        lines.append(Line(phase, symbol(name), write(text), write(text, known), value, printed))
        if phase != "update":  # updates are all made from the old weights
            known[name] = value
    return lines


def program() -> tuple[str, str]:
    """The article's net as a user writes it: its forward pass, and what follows."""
    lines = ["import glassgrad as gg", ""]
    for name, value in GIVEN.items():
        options = ", requires_grad=True" if name in WEIGHTS else ""
        lines.append(f"{name} = {value}" if name == "lr" else f"{name} = gg.tensor({value}, dtype=gg.float64{options})")
    lines += [f"optimizer = gg.optim.SGD([{', '.join(WEIGHTS)}], lr=lr)", "", *FORWARD]
    return "\n".join(lines) + "\n", "loss.backward()\noptimizer.step()\n"


FORWARD = (
    "z1 = x * w1 + b1",
    "a1 = z1.sigmoid()",
    "z2 = a1 * w2 + b2",
    "y = z2.sigmoid()",
    "loss = (y - t) ** 2",
)


def differentiate() -> dict[str, float]:
    """The same numbers by glassgrad: the net run forward, backward() through it, and a step of SGD."""
    held: dict[str, Any] = {}
    forward, rest = program()
    exec(forward, held)
    inner: dict[str, Tensor] = {name: held[name] for name in ("z1", "a1", "z2", "y")}
    for value in inner.values():
        value.retain_grad()
    found: dict[str, Any] = {
        "dy_dz2": autograd.grad(held["y"], held["z2"], retain_graph=True)[0],
        "da1_dz1": autograd.grad(held["a1"], held["z1"], retain_graph=True)[0],
    }
    exec(rest, held)
    found |= {**inner, "L": held["loss"]}
    for name, value in {**inner, **{name: held[name] for name in WEIGHTS}}.items():
        found[f"dL_d{name}"] = value.grad
    found |= {f"new {name}": held[name] for name in WEIGHTS}
    return {name: value.item() for name, value in found.items()}


def mistakes() -> list[str]:
    """Where the article's printed numbers are wrong, a sentence for each."""
    because = {"dy/dz2": "", "dL/dw2": ", as it computes on with that slope", "dL/dw1": ", for the same reason"}
    return [
        f"{'sigmoid′(z2)' if line.name == 'dy/dz2' else line.name} is {_minus(f'{line.value:.10f}')}, not "
        f"{_minus(str(line.printed))}{because[line.name]}."
        for line in step()
        if not line.agrees
    ]


def _minus(text: str) -> str:
    return text.replace("-", "−")


PHASES = {
    "forward": "1  Forward: from the input to the prediction, left to right",
    "loss": "2  Loss: how far the prediction is from the target",
    "backward": "3  Backward: how much each number moves the loss, right to left",
    "update": "4  Update: every weight takes a small step against its gradient",
}


def show(console: Any) -> None:
    """Print the step on a rich console, a table for each phase."""
    from rich.table import Table
    from rich.text import Text

    lines = step()
    console.rule("Backpropagation, every number")
    given = {name: value for name, value in GIVEN.items() if name not in ("lr", "t")}
    console.print(
        "\nA net of two neurons: "
        + ", ".join(f"{name} = {number(value)}" for name, value in given.items())
        + f"; target t = {number(GIVEN['t'])}; learning rate lr = {number(GIVEN['lr'])}.\n",
        highlight=False,
    )
    for phase, title in PHASES.items():
        console.print(Text(title, style="bold"))
        table = Table(box=None, padding=(0, 1), show_header=False)
        table.add_column(justify="right", no_wrap=True, style="cyan")
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True, style="bold")
        table.add_column(no_wrap=True, style="red")
        for line in (line for line in lines if line.phase == phase):
            same = line.symbols == line.numbers
            formula = f"= {line.symbols}" + ("" if same else f" = {line.numbers}")
            name = f"new {line.name}" if phase == "update" else line.name
            table.add_row(name, formula, f"{line.value:.10f}", "" if line.agrees else "*")
        console.print(table)
        console.print()
    wrong = ", ".join(f"{line.name} = {line.printed}" for line in lines if not line.agrees)
    console.print(
        f"* The article prints {wrong}: its slope of the sigmoid is wrong, and so is what follows from it.\n\n"
        "Each number was computed twice: from the formula beside it, and by glassgrad's backward() through the net. "
        f"With the new weights the loss is {after(lines):.10f}; it was {lines[4].value:.10f}.\n",
        highlight=False,
    )


def after(lines: list[Line]) -> float:
    """The loss with the new weights."""
    known = GIVEN | {line.name: line.value for line in lines if line.phase == "update"}
    for phase, name, text, _ in FORMULAS:
        if phase in ("forward", "loss"):
            known[name] = evaluate(text, known)
    return known["L"]
