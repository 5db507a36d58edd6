"""A diagnosis as one self-contained page, which needs no script, and as the form that a notebook shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from ..findings import Examination, Finding, Place, Proof, count
from .curves import Course, curves
from .diagnosis import (
    LOSS,
    Scale,
    caution,
    courses,
    ends,
    examined,
    place,
    place_apart,
    rows,
    title,
    verdict,
)
from .html import asset
from .json import replace
from .lines import clean

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def write(report: Examination, path: str | Path) -> Path:
    """Write the page of a diagnosis to a file."""
    return replace(path, page(report))


def page(report: Examination) -> str:
    """The page as text."""
    name = said(title(report))
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>',
        f'<title>{name}</title><link rel="icon" href="data:,"/><style>{asset("diagnosis.css")}</style></head>',
        f"<body><header><h1>{name}</h1>{_lede(report)}{_list(report)}</header><main>",
        *(_article(report, finding, number) for number, finding in enumerate(report.findings, 1)),
        _examined(report),
        "</main></body></html>",
    ]
    return "\n".join(filter(None, parts))


def said(text: str) -> str:
    """A text that is nothing but text, whatever stands in it."""
    return escape(clean(text))


def _lede(report: Examination) -> str:
    kind = "lede" if report.findings or report.stopped else "good"
    stopped = f'<p class="stopped">It stopped with {said(report.stopped)}</p>' if report.stopped else ""
    return f'<p class="{kind}">{said(verdict(report))}</p>{stopped}'


def _list(report: Examination) -> str:
    """The findings to choose from, if there are several."""
    if len(report.findings) < 2:
        return ""
    links = (f'<li><a href="#finding-{k}">{said(each.fault)}</a></li>' for k, each in enumerate(report.findings, 1))
    return f'<nav aria-label="Findings"><ol>{"".join(links)}</ol></nav>'


def _article(report: Examination, finding: Finding, number: int) -> str:
    name = f"finding-{number}"
    parts = [
        f'<article id="{name}" aria-labelledby="{name}-name"><div class="heading"><h2 id="{name}-name">',
        f'{said(finding.fault)}</h2><span class="weight {said(finding.weight)}">{said(finding.weight)}</span></div>',
        f'<p class="symptom">{said(finding.symptom)}</p>',
        f"<h3>Where</h3>{_place(report, finding.where)}{_further(finding.also)}",
        f"<h3>Evidence</h3>{_table(rows(finding.evidence))}" if finding.evidence else "",
        f"<h3>Cause</h3><p>{said(finding.cause)}</p>",
        f'<h3>Remedy</h3><p class="remedy">{said(finding.remedy)}</p>' if finding.remedy else "",
        f"<h3>Proof</h3>{_proof(finding.proof)}" if finding.proof is not None else "",
    ]
    return "".join(parts) + "</article>"


def _place(report: Examination, where: Place) -> str:
    """The operation, and the user's line with what is written there."""
    named, line = place_apart(where)
    code = f"<code>{said(report.sources[where.line])}</code>" if where.line in report.sources else ""
    below = f'<div class="line">{code}<span>{said(line)}</span></div>' if line else ""
    return (f"<p>{said(named)}</p>" if named else "") + below


def _further(also: Sequence[Place]) -> str:
    if not also:
        return ""
    items = "".join(f"<li>{said(place(each))}</li>" for each in also)
    return f"<details><summary>{count(len(also), 'further place')}</summary><ul>{items}</ul></details>"


def _table(given: Sequence[tuple[str, str]]) -> str:
    name_of, value_of = 'scope="row" style="text-align:left;font-weight:normal"', 'style="text-align:right"'
    lines = "".join(
        f"<tr><th {name_of}>{said(name)}</th><td {value_of}>{said(value)}</td></tr>" for name, value in given
    )
    return f"<table><tbody>{lines}</tbody></table>"


def _proof(proof: Proof) -> str:
    return f"<p>{said(proof.what)}</p>{_figure(courses(proof), caution(proof))}"


def _figure(given: Sequence[Course], more: str = "") -> str:
    """Courses of the loss as a chart, and in words."""
    words = _words(given)
    drawn = curves(given, words)
    if not drawn:
        return f"<p>{said(words)}</p>" if words else ""
    scrolled = f'<div style="overflow-x:auto">{drawn}</div>'
    told = said(" ".join(filter(None, (words, more))))
    return f'<figure style="margin:8px 0 0">{scrolled}<figcaption>{told}</figcaption></figure>'


def _words(given: Sequence[Course]) -> str:
    """What a chart of courses shows, in a sentence."""
    each = "; ".join(f"{name} {ends(course)}" if name != LOSS else ends(course) for name, course in given)
    scale = Scale.of(*(course for _, course in given))
    return f"{LOSS.capitalize()}, step for step: {each}." + (f" Scale {scale.words}." if scale else "") if each else ""


def _examined(report: Examination) -> str:
    """What was looked at and for."""
    sentence = examined(report).removeprefix("Examined: ")
    faults = "".join(f"<li>{said(each)}</li>" for each in report.looked_for)
    mark = "" if report.findings else ' open="open"'
    of = count(len(report.looked_for), "fault")
    looked = f"<details{mark}><summary>{of} looked for</summary><ul>{faults}</ul></details>" if faults else ""
    course = report.watched or report.losses
    figure = "" if report.findings or not course else _figure([(LOSS, course)])
    if not sentence and not looked:
        return ""
    return (
        '<section id="examined" aria-labelledby="examined-name"><h2 id="examined-name">What was examined</h2>'
        f"<p>{said(sentence)}</p>{figure}{looked}</section>"
    )


# -- in a notebook -----------------------------------------------------------------------------------------------------


def glance(report: Examination) -> str:
    """What a notebook shows: no style sheet, every finding to be opened, the first one open."""
    parts = [f"<div><b>{said(title(report))}</b>: {said(verdict(report))}</div>"]
    parts += [f"<div>It stopped with {said(report.stopped)}</div>"] if report.stopped else []
    for number, finding in enumerate(report.findings):
        mark = "" if number else ' open="open"'
        head = f'<summary style="cursor:pointer"><b>{said(finding.fault)}</b>: {said(finding.symptom)}</summary>'
        parts.append(
            f'<details{mark}>{head}<div style="margin:2px 0 8px 16px">{"".join(_told(report, finding))}</div></details>'
        )
    if examined(report):
        parts.append(f'<div style="opacity:.7;font-size:90%">{said(examined(report))}</div>')
    return "".join(parts)


def _told(report: Examination, finding: Finding) -> Iterator[str]:
    source = report.sources.get(finding.where.line, "")
    yield f"<div>where: {said(place(finding.where))}</div>"
    yield f"<pre>{said(source)}</pre>" if source else ""
    yield _further(finding.also) + _table(rows(finding.evidence))
    yield f"<div>cause: {said(finding.cause)}</div>"
    yield f"<div>remedy: {said(finding.remedy)}</div>" if finding.remedy else ""
    if finding.proof is not None:
        yield f"<div>proof: {said(finding.proof.what)}</div>{_figure(courses(finding.proof), caution(finding.proof))}"
