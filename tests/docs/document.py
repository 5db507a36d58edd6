"""Runs all blocks of one Markdown file. `python -m tests.docs.document FILE` does so in a process of its own."""

from __future__ import annotations

import contextlib
import doctest
import io
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.docs.commands import commands, run_command
from tests.docs.markdown import Block, blocks

ROOT = Path(__file__).parents[2]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class BlockFailed(Exception):
    """A block raised, or printed something other than the document says; the message names file and line."""


def run_document(file: Path, root: Path, folder: Path) -> int:
    """Runs a document's blocks in order, commands in `folder`; returns how many ran."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed: str | None = None
    count = 0
    for block in blocks(file.read_text()):
        place = f"{file}:{block.line}"
        if block.marker == "not run":
            continue
        if block.language == "text":
            if block.marker == "output":
                compare(block, printed, place)
            continue
        if block.language not in ("python", "sh"):
            continue
        try:
            if block.language == "python":
                printed = run_python(block, file, namespace)
            else:
                slow = block.marker == "slow"
                printed = "".join(run_command(command, root, folder, slow=slow) for command in commands(block.code))
        except (Exception, SystemExit) as error:
            raise BlockFailed(f"{place}: {type(error).__name__}: {error}\n{traceback.format_exc()}") from error
        count += 1
    return count


def run_python(block: Block, file: Path, namespace: dict[str, Any]) -> str:
    """Runs one block of Python; returns what it printed."""
    if block.code.lstrip().startswith(">>>"):
        run_doctest(block.code, namespace, file.name, file, block.line - 1)
        return ""
    # Empty lines in front make the line numbers of tracebacks, and of glassgrad's own reports, those of the document.
    code = compile("\n" * (block.line - 1) + block.code, str(file), "exec")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)
    return printed.getvalue()


def run_doctest(text: str, namespace: dict[str, Any], name: str, file: Path | str, line: int) -> int:
    """Runs the >>> examples of a text in a namespace; returns how many there are."""
    test = doctest.DocTestParser().get_doctest(text, {}, name, str(file), line)
    test.globs = namespace
    report = io.StringIO()
    result = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.write, clear_globs=False)
    if result.failed:
        raise BlockFailed(report.getvalue())
    return result.attempted


def compare(block: Block, printed: str | None, place: str) -> None:
    """A stated output against what was printed; blanks at the ends of lines do not count, `...` stands for anything."""
    if printed is None:
        raise BlockFailed(f"{place}: an output is stated, but no block before it has run")
    want, got = (
        "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n" for text in (block.code, printed)
    )
    if not doctest.OutputChecker().check_output(want, got, doctest.ELLIPSIS):
        raise BlockFailed(f"{place}: printed something else\n--- stated\n{want}--- printed\n{got}")


def main() -> None:
    file = Path(sys.argv[1])
    try:
        run_document(file, ROOT, Path.cwd())
    except BlockFailed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
