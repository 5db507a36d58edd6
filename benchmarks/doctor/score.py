"""What the doctor said, held against the marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

FAULT = "fault"


@dataclass
class Result:
    """What was said of one program."""

    name: str
    text: str
    marks: dict[str, Any]
    findings: list[dict[str, Any]] = field(default_factory=list)
    again: list[dict[str, Any]] | None = None
    """What was found after the remedy of the right finding was applied; None if none was."""
    error: str = ""
    seconds: float = 0.0

    @property
    def names(self) -> set[str]:
        """The faults that are right to name."""
        return {self.marks["fault"], *self.marks.get("also", ()), *self.marks.get("allowed", ())} - {None}

    @property
    def right(self) -> int | None:
        """Which finding is the right one: one with the fault itself before one that is as right to name."""
        for names in ({self.marks["fault"]}, self.names):
            for number, each in enumerate(self.findings):
                if each["fault"] in names:
                    return number
        return None

    @property
    def named(self) -> bool:
        """Whether any finding is right."""
        return self.right is not None

    @property
    def found(self) -> bool:
        """Whether a finding is right, and no wrong fault stands before it."""
        for each in self.findings:
            if each["fault"] in self.names:
                return True
            if each["weight"] == FAULT:
                return False
        return False

    @property
    def first(self) -> bool:
        """Whether the first thing that is said is right."""
        return bool(self.findings) and self.findings[0]["fault"] in self.names

    @property
    def placed(self) -> bool:
        """Whether the right finding begins at the right place."""
        if self.right is None or self.marks["fault"] is None:
            return False
        return right_place(self.marks, self.findings[self.right], self.name, self.text)

    @property
    def proven(self) -> bool:
        return self.right is not None and bool(self.findings[self.right]["proof"])

    @property
    def mended(self) -> bool:
        """Whether the remedy, which its trial has shown to help, leaves nothing of the fault."""
        return self.again is not None and not any(each["fault"] in self.names for each in self.again)

    @property
    def wrong(self) -> list[dict[str, Any]]:
        """Findings of faults that are not there."""
        return [each for each in self.findings if each["fault"] not in self.names]


def line_in(where: str, name: str, text: str) -> str:
    """The text of the line that "p.py:12 in forward" means, if it is one of the program's."""
    file, _, rest = where.partition(":")
    number = rest.partition(" ")[0]
    lines = text.splitlines()
    known = file.endswith(f"{name}.py") and number.isdigit() and 0 < int(number) <= len(lines)
    return lines[int(number) - 1].strip() if known else ""


def right_place(marks: dict[str, Any], finding: dict[str, Any], name: str, text: str) -> bool:
    """Whether a finding's place is the marked op, a marked module or what is in it, or a marked line; or, where the
    training as a whole is meant, nothing in particular."""
    op, module, line = finding["op"], finding["module"], line_in(finding["line"], name, text)
    if op in marks["ops"] or line in marks["lines"]:
        return True
    if module and any(mark in ("*", module) or module.startswith(f"{mark}.") for mark in marks["modules"]):
        return True
    return bool(marks["whole"]) and not (op or module or line)


def share(results: Iterable[Result], holds: Callable[[Result], bool]) -> str:
    """How many of the results, as "12/14"."""
    of = [bool(holds(each)) for each in results]
    return f"{sum(of)}/{len(of)}" if of else ""


def percent(part: float, of: float) -> str:
    return f"{part / of:.1%} ({part:g} of {of:g})" if of else "none"


def table(results: list[Result]) -> str:
    """A line for each fault."""
    groups: dict[str, list[Result]] = {}
    for each in results:
        if each.marks["fault"] is not None:
            groups.setdefault(each.marks["fault"], []).append(each)
    head = ("", "found", "named", "first", "place", "proof", "mended", "errors")
    rows = [head]
    for fault, group in sorted(groups.items()):
        named = [each for each in group if each.named]
        able = [each for each in group if each.marks["mendable"]]
        rows.append(
            (
                fault, share(group, lambda r: r.found),
                share(group, lambda r: r.named), share(group, lambda r: r.first),
                share(named, lambda r: r.placed), share(named, lambda r: r.proven), share(able, lambda r: r.mended),
                str(sum(bool(each.error) for each in group) or ""),
            )
        )  # fmt: skip
    return "\n".join(f"{row[0]:40}" + "".join(f"{cell:>9}" for cell in row[1:]) for row in rows)


def summary(results: list[Result]) -> str:
    """The figures, with their bars."""
    broken = [each for each in results if each.marks["fault"] is not None]
    healthy = [each for each in results if each.marks["fault"] is None]
    named = [each for each in broken if each.named]
    able = [each for each in broken if each.marks["mendable"]]
    every = [(each, finding) for each in results for finding in each.findings]
    serious = [(each, finding) for each, finding in every if finding["weight"] == FAULT]
    right = sum(finding["fault"] in each.names for each, finding in serious)
    wrong = [finding for each in healthy for finding in each.wrong]
    alarmed = sum(any(finding["weight"] == FAULT for finding in each.wrong) for each in healthy)
    lines = (
        ("found with the right cause (bar: 95 %)", percent(sum(each.found for each in broken), len(broken))),
        ("the right cause among what is said", percent(len(named), len(broken))),
        ("the right cause first", percent(sum(each.first for each in broken), len(broken))),
        ("of these named, at the right place (bar: 90 %)", percent(sum(each.placed for each in named), len(named))),
        ("precision: faults said that are right", percent(right, len(serious))),
        ("findings with a proof", percent(sum(bool(finding["proof"]) for _, finding in every), len(every))),
        (
            "mendable ones mended by apply alone (bar: 85 %)",
            percent(sum(each.mended for each in able), len(able)),
        ),
        ("healthy programs with a false alarm (bar: 1)", f"{alarmed} of {len(healthy)}"),
        ("notes on healthy programs (bar: 5)", f"{sum(finding['weight'] != FAULT for finding in wrong)}"),
        ("programs on which the doctor failed", f"{sum(bool(each.error) for each in results)} of {len(results)}"),
    )
    return "\n".join(f"{name:50}{value}" for name, value in lines)
