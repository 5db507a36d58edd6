"""A report as text for a terminal: a page for each phase, then why, the layers' shares, and what the symbols stand for.

Of a small net every step is shown, with its formula, its numbers and a sentence. Of a large one every layer is, with
sizes, norms and largest entries.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ..report import (
    PHASES,
    Line,
    ResponsibilityReport,
    StepReport,
    Summary,
    TapeReport,
    UpdateReport,
    WhyReport,
)
from .lines import Page, Part, index, number, page_on, shape, share

WHOLE = 60
"""Steps up to which every one is shown."""
FEW = 12
"""Steps of the loss that are shown even so."""
TITLES = {
    "forward": "Forward: from the input to the prediction, left to right",
    "loss": "Loss: how far the prediction is from the target",
    "backward": "Backward: how much each number moves the loss, right to left",
    "update": "Update: every weight takes a small step against its gradient",
}
COLOURS = {"forward": "green", "loss": "yellow", "backward": "magenta", "update": "cyan"}


def show(report: TapeReport, console: Any = None, *, why: bool = False, whole: bool | None = None) -> None:
    """Print a report.

    Args:
        console: a rich console; one on the standard output by default.
        why: also the report's explanations of single entries of gradients, and of their updates.
        whole: show every step; by default if there are no more than 60.
    """
    if console is None:
        from rich.console import Console

        console = Console()
    page = page_on(console)
    page.put((report.title or "A training step", "bold"), *([(f"   {report.loss}", "bold")] if report.loss else []))
    for note in report.notes:
        page.put(note, first="  ▸ ", rest="    ", style="yellow")
    whole = len(report.steps) <= WHOLE if whole is None else whole
    if not whole:
        page.put(
            f"There are {len(report.steps)} steps, so what each layer gave is shown. The HTML report and the debugger "
            "(glassgrad step) show every one.", first="  ▸ ", rest="    ",
        )  # fmt: skip
    for place, phase in enumerate(PHASES, 1):
        steps = [step for step in report.steps if step.phase == phase]
        if not steps:
            continue
        page.blank()
        page.rule(f"{place}  {TITLES[phase]}", style=COLOURS[phase])
        if whole or (phase == "loss" and len(steps) <= FEW):
            _steps(page, steps)
        else:
            _layers(page, report, steps)
    if why:
        for each in report.whys:
            _why(page, each)
            for update in report.updates:
                if each.name == f"{each.name.partition('/')[0]}/∂{update.name}" and each.index == update.index:
                    _update(page, update)
    if report.responsibility is not None:
        _shares(page, report.responsibility)
    _legend(page, report.legend)


# -- every step --------------------------------------------------------------------------------------------------------


def _steps(page: Page, steps: Sequence[StepReport]) -> None:
    """Steps one below the other; the user's line stands above the steps that it made."""
    wide = len(str(steps[-1].number)) + 2
    for (module, line), group in itertools.groupby(steps, key=lambda s: (s.module, s.line)):
        page.blank()
        run = list(group)
        _place(page, module, line, by_rule=run[0].phase == "update")
        for step in run:
            _step(page, step, wide)


def _place(page: Page, module: str, line: Line, by_rule: bool) -> None:
    """Where steps belong: the layer, or in the update the optimizer, and the user's line."""
    where = f"{line.file.rpartition('/')[2]}:{line.number}" if line.file else ""
    parts: list[Part] = []
    if module:
        parts += [("" if by_rule else "layer ", "dim"), (module, "bold dim")]
    if where:
        parts.append((("   " if parts else "") + where, "dim"))
    if line.text:
        parts.append((f"   {line.text}", "dim italic"))
    if parts:
        page.put(*parts, rest="    ")


def _step(page: Page, step: StepReport, wide: int) -> None:
    pad = " " * (wide + 2)
    colour = COLOURS.get(step.phase, "")
    head: list[Part] = [(step.name, f"bold {colour}"), step.formula.removeprefix(step.name)]
    if not step.value.largest:
        if step.numbers not in ("", step.result, step.formula.rpartition(" = ")[2]):
            head.append(f" = {step.numbers}")
        if step.formula != f"{step.name} = {step.result}":
            head += [" = ", (step.result, "bold")]
    page.put(*head, first=f"{step.number:>{wide}}  ", rest=pad + "  ")
    if step.value.largest:
        _array(page, step, pad)
    if step.lost:
        page.put("‼ nan or infinity appears here for the first time", first=pad, style="bold red")
    if step.sentence:
        page.put(step.sentence, first=pad, style="dim")


def _array(page: Page, step: StepReport, pad: str) -> None:
    """An array's range and size, and its largest entry with the numbers that it was made of."""
    page.put(f"{shape(step.value.shape)}: ", (step.result, "bold"), _size(step.value), first=pad, rest=pad + "  ")
    if step.numbers and step.value.largest:
        entry = step.value.largest[0]
        made = [f" = {step.entry_formula}"] if step.entry_formula else []
        if step.numbers not in (number(entry.value), step.entry_formula):
            made.append(f" = {step.numbers}")
        page.put(entry_name(step), *made, " = ", (number(entry.value), "bold"), first=pad, rest=pad + "  ")


def entry_name(step: StepReport) -> str:
    """The name of the entry that a step's numbers are of."""
    name, through, way = step.name.partition(" through ")
    return f"{name}{index(step.entry)}{through}{way}"


def _size(value: Summary) -> str:
    """Norm, share of zeros, and how much of it is flat."""
    words = []
    if value.norm is not None:
        words.append(f"norm {number(value.norm)}")
    if value.zeros:
        words.append(f"{share(value.zeros)} zeros")
    if value.flat:
        words.append(f"{share(value.flat)} flat")
    if value.not_finite:
        words.append(f"{value.not_finite} not finite")
    return "".join(f", {word}" for word in words)


# -- a layer at a time -------------------------------------------------------------------------------------------------


def _layers(page: Page, report: TapeReport, steps: Sequence[StepReport]) -> None:
    """What each layer gave, and what its parameters got."""
    parameters = {node.id for node in report.graph.nodes if node.role == "parameter"}
    for module, group in itertools.groupby(steps, key=lambda s: s.module):
        run = list(group)
        numbers = f"step {run[0].number}, {run[0].op}" if len(run) == 1 else f"steps {run[0].number}–{run[-1].number}"
        page.blank()
        page.put((module or "outside of layers", "bold"), (f"   {numbers}", "dim"), rest="    ")
        for step in run:
            if _shown(step, run, parameters):
                _summary(page, step)


def _shown(step: StepReport, run: list[StepReport], parameters: set[int]) -> bool:
    """Whether a step of a large net is shown: a layer's result, a parameter's gradient, a new weight, lost numbers."""
    if step.lost:
        return True
    if step.phase == "backward":
        through = [s for s in run if s.operand not in parameters]
        return step.operand in parameters or step is (through or run)[-1]
    if step.phase == "update":
        later = [s for s in run if s.node == step.node]
        return step is later[-1]
    return step is run[-1]


def _summary(page: Page, step: StepReport) -> None:
    colour = COLOURS.get(step.phase, "")
    parts: list[Part] = [(step.name, colour), f"  {shape(step.value.shape)}: ", (step.result, "bold")]
    page.put(*parts, _size(step.value), first="    ", rest="      ")
    if step.lost:
        page.put("‼ nan or infinity appears here for the first time", first="      ", style="bold red")
    if step.value.largest and step.value.norm is not None:
        entries = ", ".join(f"{index(e.index)} {number(e.value)}" for e in step.value.largest[:3])
        page.put(f"largest {entries}", first="      ", rest="        ", style="dim")
    if step.phase == "update" and step.sentence:
        page.put(step.sentence, first="      ", style="dim")


# -- why, updates, shares ----------------------------------------------------------------------------------------------


def _why(page: Page, why: WhyReport) -> None:
    """Why an entry of a gradient is what it is."""
    page.blank()
    count = f"{why.count:.4g}" if why.count >= 1e6 else f"{int(why.count):,}"
    name = f"{why.name}{index(why.index)}"
    page.rule("Why  ", (f"{name} = {number(why.value)}", "bold"), style="blue")
    ways = "one path leads" if why.count == 1 else f"{count} paths lead"
    page.put(f"{ways} from the loss to it; each is a product of local derivatives, and they add up.", style="dim")
    for place, path in enumerate(why.paths, 1):
        page.blank()
        factors = path.numbers.rpartition(" = ")[0]
        words = [] if factors in ("", number(path.product)) else [factors, " = "]  # none are written where all are 1
        page.put(*words, (number(path.product), "bold"), first=f"{place:>4}  ", rest=" " * 8)
        for factor in path.factors:
            known = factor.formula.endswith(f"= {number(factor.value)}")
            local: list[Part] = [factor.formula, *([] if known else [f" = {number(factor.value)}"])]
            if factor.module:
                local.append((f"   in layer {factor.module}", "dim"))
            page.put(*local, first=" " * 8, rest=" " * 10)
    listed = len(why.paths)
    if why.count > listed:
        page.blank()
        more = why.count - listed
        rest = f"{more:.4g}" if more >= 1e6 else f"{int(more):,}"
        page.put(f"and {rest} more, together ", (number(why.remainder), "bold"), first=" " * 6)
    if not why.paths:
        page.put("No path has factors that are all other than 0.", first=" " * 6)


def _update(page: Page, update: UpdateReport) -> None:
    page.blank()
    name = f"{update.name}{index(update.index)}"
    by = f" by {update.rule}" if update.rule else ""
    page.put(f"{name} goes from {number(update.old)} to {number(update.new)}{by}:", style="bold")
    for move in update.moves:
        words: list[Part] = [(move.name, "cyan"), move.formula.removeprefix(move.name)]
        if move.numbers not in (number(move.value), move.formula.partition(" = ")[2]):
            words.append(f" = {move.numbers}")
        if not move.formula.endswith(f"= {number(move.value)}"):
            words += [" = ", (number(move.value), "bold")]
        page.put(*words, first="    ", rest=" " * 8)


def _shares(page: Page, found: ResponsibilityReport) -> None:
    """Which layer did how much of the step's work."""
    change = found.after - found.before
    page.blank()
    page.rule("Responsibility: which layer did how much", style="blue")
    page.put(
        "On this batch the loss goes from ", (number(found.before, 6), "bold"), " to ",
        (number(found.after, 6), "bold"),
        f": {number(change)}. First order is gradient times change of the weights; measured is the loss with that "
        "layer's new weights alone.",
    )  # fmt: skip
    rows = [(s.layer, number(s.first_order), number(s.measured)) for s in found.layers]
    rows += [("together only", "", number(found.together)), ("all", number(found.first_order), number(change))]
    heads = ("layer", "first order", "measured")
    texts = [[page.say(cell) for cell in row] for row in [heads, *rows]]
    tail = [max(len(row[column]) for row in texts) for column in (1, 2)]
    room = min(max(len(row[0]) for row in texts), max(8, page.width - sum(tail) - 6))
    page.blank()
    for place, (layer, first, measured) in enumerate(texts):
        bold = "bold" if place in (0, len(texts) - 1) else ""
        numbers = f"{first:>{tail[0]}}  {measured:>{tail[1]}}"
        if len(layer) > room:
            page.put(layer, first="  ", rest="    ", style=bold)
        page.put(f"{layer if len(layer) <= room else '':<{room}}  {numbers}", first="  ", style=bold)


def _legend(page: Page, legend: dict[str, str]) -> None:
    if not legend:
        return
    page.blank()
    page.rule("Symbols", style="blue")
    wide = min(max(len(page.say(short)) for short in legend), page.width // 3)
    for short, long in legend.items():
        page.put((f"{page.say(short):<{wide}}", "bold"), f"  {long}", first="  ", rest=" " * (wide + 4))
