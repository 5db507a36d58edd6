"""What the step debugger shows of one step, and of the weights: lines of text."""

from __future__ import annotations

from rich.text import Text

from ..report import StepReport, TapeReport
from .lines import Page, Part, index, number, shape, share
from .text import COLOURS, entry_name


def detail(report: TapeReport, place: int, width: int) -> Text:
    """A step: its formula, the numbers in it, the result, a sentence, and the user's line."""
    lines: list[Text] = []
    page = Page(width, False, lines.append)
    step = report.steps[place]
    _formula(page, step)
    if step.lost:
        page.blank()
        page.put("‼ nan or infinity appears here for the first time", style="bold red")
    if step.sentence:
        page.blank()
        page.put(step.sentence, style="italic")
    page.blank()
    if step.module:
        _row(page, "optimizer" if step.phase == "update" else "layer", step.module)
    _row(page, "op", step.op)
    _ways(page, report, step)
    if step.line.file:
        _row(page, "line", f"{step.line.file.rpartition('/')[2]}:{step.line.number}")
    if step.line.text:
        _row(page, "", step.line.text)
    _value(page, step)
    _meaning(page, report, step)
    return Text("\n").join(lines)


def _formula(page: Page, step: StepReport) -> None:
    colour = COLOURS.get(step.phase, "")
    page.put((step.name, f"bold {colour}"), step.formula.removeprefix(step.name), rest="    ")
    page.blank()
    if step.value.largest:
        page.put(entry_name(step), ("   its entry of largest size", "dim"))
        if step.entry_formula:
            page.put(step.entry_formula, first="  = ")
        if step.numbers not in ("", step.entry_formula, number(step.value.largest[0].value)):
            page.put(step.numbers, first="  = ")
        page.put((number(step.value.largest[0].value), "bold"), first="  = ")
        return
    if step.numbers not in ("", step.result, step.formula.rpartition(" = ")[2]):
        page.put(step.numbers, first="  = ")
    page.put((step.result, "bold"), first="  = ")


def _ways(page: Page, report: TapeReport, step: StepReport) -> None:
    """The edges of the graph that lead to the step and away from it."""
    names = {node.id: node.name for node in report.graph.nodes}
    if step.operand is not None:
        _row(page, "way", f"from {names.get(step.node, 'the loss')} back to {names.get(step.operand, '')}")
        return
    if step.phase == "update":
        return
    edges = report.graph.edges
    before = [names[e.source] for e in edges if e.target == step.node]
    after = [names[e.target] for e in edges if e.source == step.node]
    if step.phase == "backward":
        before, after = after, before
    for title, found in (("from", before), ("into", after)):
        if found:
            _row(page, title, ", ".join(dict.fromkeys(found)))


def _value(page: Page, step: StepReport) -> None:
    """The whole array at a glance."""
    value = step.value
    if not value.largest:
        return
    page.blank()
    _row(page, "values", f"{shape(value.shape)} {value.dtype}, {step.result}")
    if value.norm is not None:
        _row(page, "norm", number(value.norm))
    if value.zeros:
        _row(page, "zeros", share(value.zeros))
    if value.flat:
        _row(page, "flat", f"{share(value.flat)} of the entries, where next to no gradient gets through")
    if value.not_finite:
        _row(page, "lost", f"{value.not_finite} entries are not finite")
    _row(page, "largest", ", ".join(f"{index(e.index)} {number(e.value)}" for e in value.largest))


def _meaning(page: Page, report: TapeReport, step: StepReport) -> None:
    """What the short symbols in the formula stand for."""
    used = {short: long for short, long in report.legend.items() if short in step.formula}
    if used:
        page.blank()
    for short, long in used.items():
        _row(page, short, long)


def _row(page: Page, name: str, words: str) -> None:
    wide = 10
    if len(name) >= wide:
        page.put((name, "dim"))
        name = ""
    page.put((f"{name:<{wide}}", "dim"), words, rest=" " * wide)


def weights(report: TapeReport, node: int, width: int) -> Text:
    """The parameters before and after the update, the one that the current step is about first."""
    lines: list[Text] = []
    page = Page(width, False, lines.append)
    names = {n.id: n.name for n in report.graph.nodes}
    befores = {n.name: n.value for n in report.graph.nodes if n.role == "parameter"}
    afters = {s.name: s.value for s in report.steps if s.phase == "update"}
    own = names.get(node, "")
    if not any(f"{name}′" in afters for name in befores):
        page.put("No update was recorded, so the weights are as they were.")
    for name in sorted(befores, key=lambda each: each != own):
        before, after = befores[name], afters.get(f"{name}′")
        long = report.legend.get(name)
        head: list[Part] = [(name, "bold"), f"   {shape(before.shape)}"]
        page.put(*head, (f"   {long}" if long else "", "dim"))
        _row(page, "  before", _glance(before.text, before.norm))
        if after is not None:
            _row(page, "  after", _glance(after.text, after.norm))
        for update in report.updates:
            if update.name == name and before.largest:
                change = update.new - update.old
                sign = "+" if change >= 0 else ""
                page.put(
                    f"{index(update.index)}  {number(update.old)} → {number(update.new)}",
                    (f"   {sign}{number(change)}", "dim"), first="    ",
                )  # fmt: skip
        page.blank()
    return Text("\n").join(lines)


def _glance(text: str, norm: float | None) -> str:
    return text if norm is None or "…" not in text else f"{text}, norm {number(norm)}"
