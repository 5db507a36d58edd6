"""A diagnosis as text for a terminal: what is wrong, where, by which numbers, why, what helps, and the proof of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..findings import FAULT, Examination, Finding, Proof, count
from .diagnosis import Scale, caution, courses, ends, examined, place, rows, squeezed, title, verdict
from .lines import Page, Part, page_on

COLOURS = {FAULT: "red", "note": "yellow"}
PLACES = 8
"""Further places that are listed; the others are counted."""
LABEL = 12
"""Where the words of a finding begin."""
HIGH, BROAD = 3, 56
"""Lines and columns of a course of the loss."""
EIGHTHS, THIRDS = " ▁▂▃▄▅▆▇█", " .:#"
"""What fills a cell from below, in all signs and in ASCII."""


def show(report: Examination, console: Any = None) -> None:
    """Print a diagnosis.

    Args:
        console: a rich console; one on the standard output by default.
    """
    if console is None:
        from rich.console import Console

        console = Console()
    page = page_on(console)
    page.put((title(report), "bold"), (f"   {verdict(report)}", "" if report.findings else "bold green"), rest="    ")
    if report.stopped:
        page.put(f"It stopped with {report.stopped}", first="  ‼ ", rest="    ", style="yellow")
    for place_in_list, finding in enumerate(report.findings, 1):
        page.blank()
        _finding(page, report, finding, place_in_list)
    if examined(report):
        page.blank()
        page.put(examined(report), style="dim")


def _finding(page: Page, report: Examination, finding: Finding, number: int) -> None:
    colour = COLOURS.get(finding.weight, "")
    page.rule((f"{number}  {finding.fault}", f"bold {colour}"), (f"   {finding.weight}", "dim"), style=colour)
    page.put(finding.symptom, style="bold")
    page.blank()
    _said(page, "where", place(finding.where))
    if source := report.sources.get(finding.where.line, ""):
        _said(page, "", (source, "italic"))
    for number_of, each in enumerate(finding.also[:PLACES]):
        _said(page, "" if number_of else "also", (place(each), "dim"))
    if len(finding.also) > PLACES:
        _said(page, "", (f"and {count(len(finding.also) - PLACES, 'further place')}", "dim"))
    _evidence(page, rows(finding.evidence))
    _said(page, "cause", finding.cause)
    if finding.remedy:
        _said(page, "remedy", (finding.remedy, "green"))
    if finding.proof is not None:
        _proof(page, finding.proof)


def _said(page: Page, name: str, *parts: Part) -> None:
    """A paragraph behind its name."""
    page.put((f"  {name}".ljust(LABEL), "dim"), *parts, rest=" " * LABEL)


def _evidence(page: Page, given: Sequence[tuple[str, str]]) -> None:
    """Names on the left, numbers beneath each other, as far right as the longest name is."""
    if not given:
        return
    texts = [(page.say(name), page.say(value)) for name, value in given]
    wide = max(len(value) for _, value in texts)
    room = min(max(len(name) for name, _ in texts), max(8, page.width - LABEL - wide - 2))
    for number, (name, value) in enumerate(texts):
        fits = len(name) <= room
        if not fits:
            _said(page, "" if number else "evidence", name)
        _said(page, "" if number or not fits else "evidence", f"{name if fits else '':<{room}}  {value:>{wide}}")


# -- the proof ---------------------------------------------------------------------------------------------------------


def _proof(page: Page, proof: Proof) -> None:
    """The sentence, and the two courses on one scale."""
    _said(page, "proof", proof.what)
    found = courses(proof)
    scale = Scale.of(*(course for _, course in found))
    if scale is None:
        return
    whole = max(len(course) for _, course in found)
    broad = min(BROAD, max(8, page.width - LABEL))
    for name, course in found:
        page.blank()
        _said(page, "", (name, "bold"), (f"  {ends(course)}", ""))
        style = "green" if course is proof.after else "red"
        for line in plot(squeezed(course, broad, whole), scale, page.plain):
            page.put((line, style), first=" " * LABEL if line.strip() else "")
    page.blank()
    _said(page, "", (f"{count(whole - 1, 'step')}, {scale.words}", "dim"))
    if caution(proof):
        _said(page, "", (caution(proof), "dim"))


def plot(columns: Sequence[float], scale: Scale, plain: bool) -> list[str]:
    """Columns as bars of a few lines, the upper line first; where there is no number is no bar, and else always one."""
    signs = THIRDS if plain else EIGHTHS
    full = len(signs) - 1
    heights = [0 if math.isnan(v) else 1 + round(scale(v) * (HIGH * full - 1)) for v in columns]
    return ["".join(signs[min(max(h - line * full, 0), full)] for h in heights) for line in reversed(range(HIGH))]
