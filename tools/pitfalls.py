"""What the doctor says in docs/pitfalls.md, printed anew after a rule has changed its words.

    python -m tools.pitfalls

Numbers keep their first two digits: the others may differ from machine to machine.
"""

from __future__ import annotations

import os
import re
import tempfile

from tests.docs.document import ROOT, run_python
from tests.docs.markdown import blocks

PAGE = ROOT / "docs" / "pitfalls.md"
NUMBER = re.compile(r"(?<![\w.])(\d+)\.(\d+)(e[-+]\d+)?(?!\w)")


def robust(text: str) -> str:
    """A text whose numbers have two digits, and dots for the rest."""
    return NUMBER.sub(_cut, text)


def _cut(found: re.Match[str]) -> str:
    whole, part, power = found[1], found[2], found[3] or ""
    if len((whole + part).lstrip("0")) < 3:
        return found[0]
    zeros = len(part) - len(part.lstrip("0")) if whole == "0" else 0
    kept = zeros + 2 - len(whole.strip("0"))
    return f"{whole}...{power}" if power or len(whole) > 1 else f"{whole}.{part[:kept]}..."


def retold() -> str:
    """The page with what its blocks print now."""
    lines, printed, namespace = PAGE.read_text().splitlines(), "", {"__name__": "__main__"}
    made: list[str] = []
    done = 0
    for block in blocks(PAGE.read_text()):
        begin, end = block.line - 1, block.line - 1 + block.code.count("\n")
        if block.language == "python":
            printed = run_python(block, PAGE, namespace)
        elif block.marker == "output":
            made += [*lines[done:begin], *robust(printed).rstrip("\n").splitlines()]
            done = end
    return "\n".join([*made, *lines[done:]]) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the page's blocks write their scripts where they are
        PAGE.write_text(retold())
