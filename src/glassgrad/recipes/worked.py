"""The two-weight net of the article that glassgrad grew from: one training step, beside what the article prints.

The article is not always right; `mistakes` says where.
"""

from __future__ import annotations

from typing import Any

from ..explain.script import run_text
from ..explain.tape import Tape

GIVEN = {"x": 2.0, "w1": 0.5, "b1": 0.1, "w2": 0.3, "b2": 0.2, "t": 1.0, "lr": 0.01}
WEIGHTS = ("w1", "b1", "w2", "b2")
TRAINING = """
z1 = x * w1 + b1
a1 = z1.sigmoid()
z2 = a1 * w2 + b2
y = z2.sigmoid()
loss = (y - t) ** 2
loss.backward()
optimizer.step()
"""
PRINTED = {
    "z1": 1.1, "a1": 0.75, "z2": 0.425, "y": 0.605, "L": 0.156, "∂L/∂y": -0.79, "∂y/∂z2": 0.244, "∂a1/∂z1": 0.188,
    "∂L/∂w2": -0.145, "∂L/∂w1": -0.022, "w2′": 0.301, "w1′": 0.5,
}  # fmt: skip
"""What the article prints, with three digits, and computes on with."""
BECAUSE = {"∂L/∂w2": ", as it computes on with that slope", "∂L/∂w1": ", for the same reason"}
NEAR = 0.01


def program() -> str:
    """The article's net as a user writes it."""
    lines = ["import glassgrad as gg", ""]
    for name, value in GIVEN.items():
        options = ", requires_grad=True" if name in WEIGHTS else ""
        lines.append(f"{name} = {value}" if name == "lr" else f"{name} = gg.tensor({value}, dtype=gg.float64{options})")
    lines.append(f"optimizer = gg.optim.SGD([{', '.join(WEIGHTS)}], lr=lr)")
    return "\n".join(lines) + "\n" + TRAINING


def recorded() -> Tape:
    """One step of it."""
    return run_text(program(), "article.py", 1).tape


def numbers(tape: Tape) -> dict[str, float]:
    """Every number of the step by its name; the slopes on the way to the first weight among them."""
    found = {step.name: float(step.value) for step in tape.steps}
    w1 = next(node for node, held in tape.records.items() if held.name == "w1")
    for factor in tape.why(w1).paths[0].factors:
        found.setdefault(f"∂{factor.of}/∂{factor.by}", factor.value)
    return found


def mistakes() -> list[str]:
    """Where the article's printed numbers are wrong, by more than its three digits explain: a sentence for each."""
    found = numbers(recorded())
    return [
        f"{name} is {found[name]:.10f}, not {printed}{BECAUSE.get(name, '')}.".replace("-", "−")
        for name, printed in PRINTED.items()
        if abs(printed / found[name] - 1) >= NEAR
    ]


def show_mistakes(console: Any = None) -> None:
    """Print `mistakes`."""
    from rich.console import Console

    from ..view.lines import page_on

    page = page_on(console or Console())
    page.blank()
    page.rule("Where the article's printed numbers are wrong", style="red")
    for line in mistakes():
        page.put(line, first="  ▸ ", rest="    ")
    page.blank()


def show(console: Any) -> None:
    """Print the step, a page for each phase, and what the article has wrong."""
    from ..view.text import show as show_report

    show_report(recorded().report("Backpropagation, every number: the article's net, one step"), console)
    show_mistakes(console)
