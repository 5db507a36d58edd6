"""Reads the code blocks, markers and links of a Markdown file.

What a block's language says about it:

    python      run; all blocks of one file share a namespace, in order. Lines that begin with >>> run as a doctest.
    sh, bash    each command is run or checked, see commands.py
    text        compared with what the block before printed, when `<!-- output -->` stands before it

and what a comment directly before a block says:

    <!-- not run: reason -->    the block is left out, for a reason
    <!-- slow: reason -->       only for sh: `glassgrad ... --help` is run in place of the command
    <!-- output -->             only for text: what the block before must have printed; `...` stands for anything
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

FENCE = re.compile(r"^(?P<indent>[ >]*)(?P<fence>`{3,}|~{3,}) *(?P<language>[\w+-]*)[^`]*$")
MARKER = re.compile(r"^<!-- *(?:(?P<kind>not run|slow): *(?P<reason>\S.*?)|(?P<output>output)) *-->$")
LOOKS_LIKE_A_MARKER = re.compile(r"^<!-- *(not[ -]?run|skip|slow|output)", re.IGNORECASE)
LANGUAGES = {"python": "python", "py": "python", "python3": "python", "pycon": "python"}
LANGUAGES |= {"sh": "sh", "bash": "sh", "shell": "sh", "console": "sh", "text": "text"}
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^ {0,3}\[[^\]]+\]:\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    line: int
    """The number of the block's first line of code in its file."""
    language: str
    """`python`, `sh`, `text`, or whatever else the fence says."""
    code: str
    marker: str
    """`not run`, `slow`, `output`, or empty."""


class BadMarker(Exception):
    """A comment that was meant as a marker and is not one, which would otherwise silently do nothing."""


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown text, in order."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        if opening is None:
            number += 1
            continue
        indent, fence = opening["indent"], opening["fence"]
        end = number + 1
        while end < len(lines) and not re.fullmatch(rf"[ >]*{re.escape(fence[0])}{{{len(fence)},}} *", lines[end]):
            end += 1
        if end == len(lines):
            raise BadMarker(f"line {number + 1}: the block is never closed")
        code = [line.removeprefix(indent) for line in lines[number + 1 : end]]
        language = LANGUAGES.get(opening["language"].lower(), opening["language"].lower())
        yield Block(number + 2, language, textwrap.dedent("\n".join(code)) + "\n", marker(lines, number, language))
        number = end + 1


def marker(lines: list[str], number: int, language: str) -> str:
    """The marker on the last line with anything on it before line `number`."""
    before = next((line.strip() for line in reversed(lines[:number]) if line.strip()), "")
    match = MARKER.match(before)
    if match is None:
        if LOOKS_LIKE_A_MARKER.match(before):
            raise BadMarker(f"line {number}: not a marker (is the reason missing?): {before}")
        return ""
    kind = match["kind"] or match["output"]
    wanted = {"not run": ("python", "sh"), "slow": ("sh",), "output": ("text",)}[kind]
    if language not in wanted:
        raise BadMarker(f"line {number}: '{kind}' belongs before a block of {' or '.join(wanted)}, not {language!r}")
    return kind


def links(text: str) -> Iterator[tuple[int, str]]:
    """Line and path of every relative link of a Markdown text, without its #fragment."""
    # Code is blanked, not removed, so that lines keep their numbers.
    text = re.sub(
        r"^([ >]*)(`{3,}|~{3,}).*?^[ >]*\2`*~* *$", lambda m: "\n" * m[0].count("\n"), text, flags=re.M | re.S
    )
    text = re.sub(r"(`+)(?!`)[^\n]*?(?<!`)\1(?!`)", "", text)
    for match in LINK.finditer(text):
        target = (match[1] or match[2]).partition("#")[0]
        if target and not re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
            yield text.count("\n", 0, match.start()) + 1, target
