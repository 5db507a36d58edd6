"""Makes the programs of the benchmark and what is known of them.

    python benchmarks/doctor/programs.py            # writes marks.json anew
    python benchmarks/doctor/programs.py --to DIR   # and the programs, to look at

Healthy programs stand in healthy/, broken ones are made of them by the edits in faults/ and sets/.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edits import Broken, Healthy, seed
from sets import NETS, SETS
from variants import recipe_text

HERE = Path(__file__).parent
MARKS = HERE / "marks.json"


@dataclass
class Program:
    """A script, and its marks: what the scorer may know and the doctor may not."""

    name: str
    text: str
    marks: dict[str, Any]
    twin: str = field(default="", repr=False)
    """The same without the fault."""


def made(template: str, edits: tuple[Any, ...]) -> str:
    text = (HERE / "healthy" / f"{template}.py").read_text()
    for edit in edits:
        text = edit(text)
    text = text.partition('"""\n\n')[2]  # the doctor is told nothing by a title, and by no comment
    return re.sub(r"^ *#.*\n|  #.*", "", text, flags=re.M)


def edited(twin: str, text: str, given: tuple[str, ...]) -> list[str]:
    """The lines that are not as in the twin, and those with one of the given texts."""
    old, new = twin.splitlines(), text.splitlines()
    found = {}
    for kind, _, _, begin, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            found.update(dict.fromkeys(line.strip() for line in new[begin:end]))
    found.update(dict.fromkeys(line.strip() for line in new if any(part in line for part in given)))
    return [line for line in found if line]


def named(key: str) -> str:
    """A name that tells nothing, and stays when other programs are added."""
    return "p" + hashlib.sha1(key.encode()).hexdigest()[:5]


def broken_program(one: Broken, number: int) -> Program:
    """``number`` counts those of the same fault and template."""
    base = (*one.base, seed(1 + number % 3))
    twin, text = made(one.template, base), made(one.template, (*base, *one.edits))
    assert text != twin, one
    marks = {
        "fault": one.fault, "also": list(one.also), "of": one.template, "net": NETS[one.template],
        "ops": list(one.ops), "modules": list(one.modules), "lines": edited(twin, text, one.lines), "whole": one.whole,
        "mendable": one.mendable, "shows": one.shows,
    }  # fmt: skip
    return Program(named(f"{one.fault}/{one.template}/{number}"), text, marks, twin)


def healthy_program(one: Healthy, number: int) -> Program:
    text = recipe_text(one.template[7:]) if one.template.startswith("recipe ") else made(one.template, one.edits)
    marks = {"fault": None, "allowed": list(one.allowed), "of": one.template, "net": NETS.get(one.template, "recipe")}
    return Program(named(f"healthy/{one.template}/{number}"), text, marks)


def programs() -> list[Program]:
    """All of them, always the same."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    found = []
    for name, (broken, healthy) in SETS.items():
        for one in (*broken, *healthy):
            key = one.fault if isinstance(one, Broken) else "", one.template
            make = broken_program if isinstance(one, Broken) else healthy_program
            program = make(one, counts[key])
            program.marks["set"] = name
            counts[key] += 1
            found.append(program)
    found.sort(key=lambda one: one.name)
    assert len({one.name for one in found}) == len(found), "two programs have one name"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, help="a folder for the programs")
    to = parser.parse_args().to
    found = programs()
    lines = ",\n".join(f"{json.dumps(one.name)}: {json.dumps(one.marks, ensure_ascii=False)}" for one in found)
    MARKS.write_text(f"{{\n{lines}\n}}\n")
    broken = sum(one.marks["fault"] is not None for one in found)
    print(f"{broken} broken programs, {len(found) - broken} healthy ones")
    if to is not None:
        to.mkdir(parents=True, exist_ok=True)
        for one in found:
            (to / f"{one.name}.py").write_text(one.text)


if __name__ == "__main__":
    main()
