"""``glassgrad doctor`` and ``landscape``: the whole training of a script, watched."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .base import FAILED, app, end, failing, misused, written
from .explaining import Arguments

if TYPE_CHECKING:
    from ..explain.script import Run


class FailOn(StrEnum):
    """What makes `glassgrad doctor` end with exit code 1."""

    never = "never"
    fault = "fault"
    warning = "warning"


@app.command()
def doctor(
    script: Annotated[Path, typer.Argument(help="A Python file that trains.")],
    arguments: Arguments = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Stop the script after so many backward passes.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the diagnosis as a page for the browser, too.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the diagnosis as data, too.")] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="End with exit code 1 where a fault, or anything at all, is found: for CI.")
    ] = FailOn.never,
) -> None:
    """Run a script, watch what it trains, say what is wrong with it, and prove what helps."""
    with failing("doctor"):
        from ..doctor.script import diagnosed
        from ..findings import FAULT

        run = _examined("doctor", script, arguments or [], steps)
        if sys.stderr.isatty():
            typer.echo("glassgrad: examining ...", err=True)
        found = diagnosed(run)
        found.show()
        for path, write in ((html, found.html), (json, found.json)):
            if path is not None:
                written(write, path)
        end(run)
        serious = [each for each in found.findings if fail_on is FailOn.warning or each.weight == FAULT]
        if serious and fail_on is not FailOn.never:
            raise typer.Exit(FAILED)


@app.command()
def landscape(
    script: Annotated[Path, typer.Argument(help="A Python file that trains.")],
    arguments: Arguments = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Stop the script after so many backward passes.")] = None,
    directions: Annotated[
        Literal["path", "random"], typer.Option(help="The plane that holds most of the path, or a random one.")
    ] = "path",
    resolution: Annotated[int, typer.Option(min=3, help="Points along each axis.")] = 31,
    seconds: Annotated[float, typer.Option(min=1, help="About how long measuring may take.")] = 20,
    html: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("landscape.html"),
) -> None:
    """Run a script and draw the loss around its path: a plane in the sizes of filters, the spectrum of the Hessian."""
    with failing("landscape"):
        from ..doctor.trail import Trailed, surveyed
        from ..view import needed

        needed("contourpy", "a map of the loss")
        run = _examined("landscape", script, arguments or [], steps, Trailed)
        if sys.stderr.isatty():
            typer.echo("glassgrad: measuring ...", err=True)
        said = {"directions": directions, "resolution": resolution, "seconds": seconds}
        found = surveyed(run, title=f"The loss around {script}", **said)
        found.show()
        written(found.html, html)
        end(run)


def _examined(command: str, script: Path, arguments: list[str], steps: int | None, watch: Any = None) -> Run:
    """A script watched from its first step to its last; what it raised is printed."""
    from ..doctor.rounds import Rounds
    from ..doctor.script import watched

    if not script.is_file():
        what = "is a folder" if script.is_dir() else "is not there"
        misused(command, f"{script} {what}", "name a Python file")
    run = watched(script, arguments, steps, watch or Rounds)
    if run.error is not None and not isinstance(run.error, KeyboardInterrupt):
        typer.echo(run.traceback(), err=True, nl=False)
    return run
