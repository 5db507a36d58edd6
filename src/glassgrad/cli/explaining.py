"""``glassgrad explain``, ``step`` and ``cost``: one step of a script, recorded."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from .base import FAILED, app, end, failing, misused, say, written

if TYPE_CHECKING:
    from ..explain.script import Run

MANY = 300
"""Steps above which the debugger opens without explanations of single entries, which would take minutes."""

Script = Annotated[Path | None, typer.Argument(help="A Python file that trains; without one, the article's net.")]
Arguments = Annotated[list[str] | None, typer.Argument(help="The script's own arguments, after --.", metavar="-- ARGS")]
AtStep = Annotated[int, typer.Option(min=1, help="Which backward pass of the script, counted from 1.")]


@app.command()
def explain(
    script: Script = None,
    arguments: Arguments = None,
    at_step: AtStep = 1,
    why: Annotated[
        str | None, typer.Option(help='Why an entry of a gradient is what it is: "w1", "model.0.weight[0,1]".')
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page for the browser.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report as data.")] = None,
) -> None:
    """Run a script to its N-th backward pass and show every number of that step: forward, loss, backward, update."""
    with failing("explain"):
        run = _run("explain", script, arguments or [], at_step)
        report = _report(run, script, why, entries=html is not None or json is not None)
        if html is None and json is None:
            from ..recipes.worked import show_mistakes
            from ..view.text import show

            show(report, why=why is not None)
            if script is None:
                show_mistakes()
        for path, view in ((html, "html"), (json, "json")):
            if path is not None:
                _write(report, view, path)
        end(run)


@app.command()
def step(script: Script = None, arguments: Arguments = None, at_step: AtStep = 1) -> None:
    """Walk through a training step, forwards and backwards, in a debugger. Needs the extra "tui"."""
    with failing("step"):
        from ..view import needed

        needed("textual", "the step debugger")
        if not _in_terminal():
            say("step", "the debugger needs a terminal", "use glassgrad explain where there is none")
            raise typer.Exit(FAILED)
        run = _run("step", script, arguments or [], at_step)
        report = _report(run, script, None, entries=len(run.tape.steps) <= MANY)
        from ..view.debugger import debug

        debug(report)
        end(run)


@app.command()
def cost(
    target: Annotated[str, typer.Argument(help="A recipe's name, or a Python file that trains.", metavar="NAME|FILE")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="The script's or the recipe's own arguments, after --.", metavar="-- ARGS"),
    ] = None,
    at_step: AtStep = 1,
    full: Annotated[bool, typer.Option("--full", help="The recipe's full form; else its short one.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="For compiled code; by default all cores.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report as data, too.")] = None,
) -> None:
    """What the gradient of a training step costs: operations, time, memory; by differences; with values recomputed."""
    with failing("cost"):
        from ..costs import cost_of
        from ..recipes import RECIPES

        if target in RECIPES and not Path(target).is_file():
            run = _recipe_step(target, [*([] if full else ["--short"]), *(arguments or [])], at_step)
        elif Path(target).suffix or Path(target).exists():
            run = _run("cost", Path(target), arguments or [], at_step)
        else:
            misused("cost", f"{target} is neither a recipe nor a file", f"the recipes are {', '.join(RECIPES)}")
        if not run.reached:
            raise typer.Exit(FAILED)
        if sys.stderr.isatty():
            typer.echo("glassgrad: measuring ...", err=True)
        made = cost_of(run.tape, f"{target}, backward pass {at_step}", threads=threads)
        made.show()
        if json is not None:
            typer.echo(f"written to {made.json(json)}")
        end(run)


def _recipe_step(name: str, arguments: list[str], at_step: int) -> Run:
    """A recorded step of a recipe, whose page goes nowhere and whose words nobody hears."""
    import contextlib
    import io
    import tempfile

    from ..explain.script import run_text

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        words = ["recipe", name, "--html", str(Path(folder) / "page.html"), *arguments]
        run = run_text(f"from glassgrad.cli import app\napp({words!r})", f"recipe {name}", at_step)
    return _checked("cost", run)


def _in_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _run(command: str, script: Path | None, arguments: list[str], at_step: int) -> Run:
    """The recorded step; ends the program if there is nothing to show."""
    from ..explain.script import run_script, run_text

    if script is None:
        from ..recipes.worked import program

        run = run_text(program(), "article.py", at_step)
    elif not script.is_file():
        what = "is a folder" if script.is_dir() else "is not there"
        misused(command, f"{script} {what}", "name a Python file")
    else:
        run = run_script(script, arguments, at_step)
    return _checked(command, run)


def _checked(command: str, run: Run) -> Run:
    """A run that has something to show; ends the program for one that has not."""
    if isinstance(run.error, KeyboardInterrupt):
        raise run.error
    if run.error is not None:
        typer.echo(run.traceback(), err=True, nl=False)
        if not any(node.op is not None for node in run.tape.records):
            say(command, f"{run.path} raised {type(run.error).__name__} before anything was recorded")
            raise typer.Exit(FAILED)
    elif not run.reached:
        _too_few(command, run)
    return run


def _too_few(command: str, run: Run) -> NoReturn:
    """The script ended before the backward pass that was asked for."""
    end = "" if run.exited is None else f" before it called sys.exit({run.exited!r})"
    times = "once" if run.backwards == 1 else f"{run.backwards} times"
    fix = "--at-step 1" if run.backwards == 1 else f"--at-step 1 to {run.backwards}"
    if not run.backwards:
        said = f"{run.path} never called backward(){end}"
        fix = "call loss.backward(), and train in the file itself rather than only define functions"
        if run.elsewhere:
            said = f"{run.path} called backward() in other threads only ({run.elsewhere} times)"
            fix = "the main thread is recorded: train in that"
    else:
        said = f"{run.path} called backward() {times}{end}, not {run.at_step} times"
    say(command, said, fix)
    raise typer.Exit(FAILED)


def _report(run: Run, script: Path | None, why: str | None, entries: bool) -> Any:
    """The recorded step as data: with the entry that was asked about, or with those that a report chooses, or none."""
    from ..explain.asked import NotThere, entry
    from ..explain.reporting import report_of

    if len(run.tape.steps) > MANY and sys.stderr.isatty():
        typer.echo(f"glassgrad: explaining {len(run.tape.steps)} steps ...", err=True)
    title = "The article's net, one step" if script is None else f"{script}, backward pass {run.at_step}"
    if run.error is not None:
        title += f", until {type(run.error).__name__} was raised"
    asked: Any = None if entries else ()
    if why is not None:
        try:
            asked = [entry(run, why)]
        except NotThere as error:
            misused("explain", error.asked, error.fix)
    report = report_of(run.tape, title, asked)
    if run.error is None and not any(each.phase == "update" for each in report.steps):
        note = "No optimizer took a step between this backward pass and the next, so there is no update."
        report = replace(report, notes=(*report.notes, note))
    return report


def _write(report: Any, view: str, path: Path) -> None:
    import importlib

    written(lambda to: importlib.import_module(f"..view.{view}", __package__).write(report, to), path)
