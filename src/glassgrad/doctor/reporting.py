"""From what was found and measured to plain data that the views show."""

from __future__ import annotations

import linecache
import re
from collections.abc import Sequence
from dataclasses import replace

from ..findings import FAULT, Examination, Finding
from .probe import Probe


def report_of(probe: Probe, findings: Sequence[Finding], looked_for: Sequence[str]) -> Examination:
    """All of an examination that a view shows: faults before notes."""
    patient, loop = probe.patient, probe.patient.loop
    stopped = _words(probe.error) if probe.failed else loop.ended if loop is not None else ""
    made = Examination(
        model=type(patient.model).__name__,
        optimizer=type(patient.optimizer).__name__,
        parameters=sum(each.before.size for each in probe.weights),
        operations=len(probe.sites),
        batches=len(patient.batches),
        steps=0 if probe.failed else probe.steps,
        losses=() if probe.fails else tuple(probe.losses),
        watched=tuple(loop.losses) if loop is not None else (),
        looked_for=tuple(fault for fault in looked_for if fault not in probe.left_out),
        left_out=tuple(f"{fault} ({_words(error).partition(chr(10))[0]})" for fault, error in probe.left_out.items()),
        stopped=stopped.partition("\n")[0],
    )
    return with_findings(made, findings)


def with_findings(report: Examination, findings: Sequence[Finding]) -> Examination:
    """The report with these findings, faults before notes."""
    ordered = tuple(sorted(findings, key=lambda finding: finding.weight != FAULT))
    return replace(report, findings=ordered, sources=sources(findings))


def sources(findings: Sequence[Finding]) -> dict[str, str]:
    """What is written in the lines that findings name, as far as it can be read."""
    named = {place.line for finding in findings for place in (finding.where, *finding.also)}
    return {line: text for line in sorted(named) if (text := _source(line))}


def _source(line: str) -> str:
    """The text of "net.py:12 in forward"."""
    found = re.match(r"(.+):(\d+)(?: in .*)?$", line)
    return linecache.getline(found[1], int(found[2])).strip() if found else ""


def _words(error: Exception | None) -> str:
    """An error by its class and what it says."""
    said = str(error).strip()
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
