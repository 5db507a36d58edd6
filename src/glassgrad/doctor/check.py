"""`check`: one batch and a few probing steps on a copy, and what the rules say of them."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..dispatch import enable_grad
from ..engine.trace import flatten
from ..errors import ArgumentError, is_users
from ..explain.script import Run
from ..findings import FAULT, NOTE, Examination, Finding, Proof
from ..nn import Module
from ..optim import SGD, Optimizer
from ..tensor import Tensor
from ..view import json
from . import rules as _rules  # noqa: F401 - declares them
from .calls import own
from .patient import Batch, Loss, Patient, with_rates
from .probe import FAILURES, Probe
from .reporting import report_of
from .rule import RULES, Remedy, Rule, Suspicion
from .trial import tried

STRICT = False
"""Whether a rule that fails by an error of the doctor's own code raises it, as it does in tests."""


@dataclass
class Diagnosis:
    """What was found, and what was examined."""

    findings: list[Finding]
    patient: Patient
    remedies: dict[int, Remedy] = field(default_factory=dict, repr=False)
    """By the identity of a finding, what would be done."""
    run: Run | None = field(default=None, repr=False)
    """What became of the script that was examined, if it was one."""
    report: Examination = field(default_factory=Examination, repr=False)
    """The findings and what was examined, as plain data."""

    def apply(self, finding: Finding) -> Patient:
        """The patient as it was given, mended: a new one, with `.model`, `.loss` and `.optimizer`. The old one stays.

        Raises ArgumentError for a finding that is not of this diagnosis, or that has no remedy.
        """
        remedy = self.remedies.get(id(finding))
        if remedy is None:
            raise ArgumentError("no remedy was proven for this finding", got=finding.fault, fix="see finding.cause")
        return remedy.treated(self.patient)

    def show(self, console: Any = None) -> None:
        """Print what was found, and the proofs, on a rich console: by default on the standard output."""
        from ..view.diagnosis_text import show

        show(self.report, console)

    def json(self, path: str | Path, title: str = "") -> Path:
        """Write the report as JSON; `glassgrad.view.json.read` reads it."""
        return json.write(self._titled(title), path)

    def html(self, path: str | Path, title: str = "") -> Path:
        """Write the report as one page that a browser shows without a server or a network."""
        from ..view.diagnosis_html import write

        return write(self._titled(title), path)

    def _titled(self, title: str) -> Examination:
        return replace(self.report, title=title or self.report.title)

    def _repr_html_(self) -> str:
        from ..view.diagnosis_html import glance

        return glance(self.report)

    def __str__(self) -> str:
        if not self.findings:
            return "Nothing is wrong."
        return "\n\n".join(map(_told, self.findings))


def check(
    model: Module, loss_fn: Loss, batch: Sequence[Any], *, optimizer: Optimizer | None = None, steps: int | None = None
) -> Diagnosis:
    """Examine a model on one batch, or on several: nothing of yours is changed, all steps are taken on copies. Of what
    the loss sees of the model it is given the copy's, and your hooks are not called.

    Args:
        model: maps the batch's inputs to predictions. It is examined in the mode that it is in.
        loss_fn: (predictions, targets) -> a tensor of one entry.
        batch: (inputs, ..., targets), or a list of such batches, which the steps see one after another.
        optimizer: holds the model's parameters; plain gradient descent at 0.01 if None.
        steps: how many a trial of a remedy takes; by default what there is in a second, at least 30 and at most 400.

    Returns:
        The findings, each with the numbers it was told by, its cause, and a remedy that was tried.
    """
    several = isinstance(batch, list) and not any(isinstance(each, Tensor) for each in batch)
    batches = list(batch) if several else [batch]
    if not batches or any(len(each) < 2 for each in batches):
        raise ArgumentError("a batch has inputs and targets", got=f"{len(batches)} batches", fix="pass (x, y)")
    if any(tensor.ndim and not len(tensor) for tensor in flatten(batches)):
        raise ArgumentError("a batch has rows", got="one with none", fix="leave empty batches out")
    rule = optimizer if optimizer is not None else SGD(model.parameters(), lr=0.01)
    return diagnosis(Patient(model, loss_fn, with_rates(rule), [_own(each) for each in batches]), steps)


def _own(batch: Sequence[Any]) -> Batch:
    """A batch in memory of its own; an input that is to be differentiated by stays one."""
    made = Batch(own(tuple(batch)))
    for new, old in zip(flatten(list(made)), flatten(list(batch)), strict=True):
        new.requires_grad_(old.requires_grad)
    return made


@enable_grad()
def diagnosis(patient: Patient, steps: int | None = None, *, lenient: bool = False) -> Diagnosis:
    """What the rules find; what follows from something found already is left out. A step that fails in a way that no
    rule knows raises its error, unless ``lenient``.
    """
    looked_at = replace(patient.copy(), after=patient.after, broken=patient.broken)  # no rule runs what is the user's
    probe = Probe(looked_at, steps)
    made, explained, looked_for = Diagnosis([], patient), set[str](), list[str]()
    for fault, rule in RULES.items():
        if probe.failed and made.findings:
            break
        if fault in explained or probe.failed > rule.whatever:
            continue
        if rule.last and any(each.weight == FAULT for each in made.findings):
            continue
        looked_for.append(fault)
        noted = any(each.fault in rule.beside and each.weight == FAULT for each in made.findings)
        for suspicion in _looked(rule, probe):
            weighed = replace(suspicion, weight=NOTE, sure=False) if noted else suspicion
            if said(made, fault, weighed, probe):
                explained |= rule.explains
    if probe.error is not None and not made.findings and not lenient:
        raise probe.error
    made.report = report_of(probe, made.findings, looked_for)
    return made


def said(made: Diagnosis, fault: str, suspicion: Suspicion, probe: Probe) -> bool:
    """Say a suspicion, with the first remedy that helps; or do not, if it is not sure and none does."""
    remedy, proof = _best(fault, suspicion, probe)
    if remedy is None and not suspicion.sure:
        return False
    found = _finding(fault, suspicion, remedy, proof)
    made.findings.append(found)
    if remedy is not None:
        made.remedies[id(found)] = remedy
    return True


def _best(fault: str, suspicion: Suspicion, probe: Probe) -> tuple[Remedy | None, Proof | None]:
    """The first remedy that helps and leaves nothing of the fault, nor of what follows from it, or else the first one
    that helps; with its proof."""
    helping, last = list[tuple[Remedy, Proof]](), None
    for each in suspicion.remedies:
        last = tried(probe, each)
        if not last.holds:
            continue
        if len(suspicion.remedies) == 1 or not _left(fault, replace(each.treated(probe.patient), loop=None), probe):
            return each, last
        helping.append((each, last))
    return helping[0] if helping else (None, last)


def _left(fault: str, treated: Patient, probe: Probe) -> bool:
    """Whether the fault is still there, or something that follows from it."""
    after = Probe(treated, probe.steps)
    same = len(treated.batches) == len(probe.patient.batches)  # larger ones take their time
    names = [each for each in RULES if each == fault or (same and each in RULES[fault].explains)]
    return any(_looked(RULES[each], after) for each in sorted(names, key=lambda each: each != fault))


def _looked(rule: Rule, probe: Probe) -> list[Suspicion]:
    """What a rule says; nothing where it comes upon a step that fails, of a later batch than the first, or upon the
    user's code that refuses what it is asked, and trains well."""
    try:
        return list(rule.looks(probe))
    except FAILURES as error:
        if probe.fails:
            probe.error = probe.error or error
        elif STRICT and not _is_users(error):
            raise
        else:
            probe.left_out[rule.fault] = error
        return []


def _is_users(error: Exception) -> bool:
    """Whether an error is of code that the user wrote, or of what that has called."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any(is_users(file) and "site-packages" not in file for file in files)


def _finding(fault: str, s: Suspicion, remedy: Remedy | None, proof: Any) -> Finding:
    proven = None if remedy is None else proof
    evidence = tuple(s.evidence.items())
    text = "" if remedy is None else remedy.text
    return Finding(fault, s.symptom, s.where, evidence, s.cause, text, proven, s.weight, s.also)


def _told(finding: Finding) -> str:
    lines = [f"{finding.fault}: {finding.symptom}", f"  where:  {finding.where}"]
    lines += [f"  {name}: {value:.4g}" for name, value in finding.evidence]
    lines += [f"  cause:  {finding.cause}"]
    if finding.remedy:
        lines.append(f"  remedy: {finding.remedy}")
    if finding.proof is not None:
        lines.append(f"  proof:  {finding.proof.what}")
    return "\n".join(lines)
