"""The command line: ``glassgrad demo``, ``explain``, ``step``, ``cost``, ``doctor``, ``landscape``, ``recipe``."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
import typer.core

from . import __version__
from .errors import GlassgradError

if TYPE_CHECKING:
    from .explain.script import Run

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
FAILED, MISUSED, STOPPED = 1, 2, 130
"""Exit codes: what was asked for did not work; the command line is wrong; Ctrl-C."""
MANY = 300
"""Steps above which the debugger opens without explanations of single entries, which would take minutes."""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"glassgrad {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it, end.")] = False,
) -> None:
    """A deep-learning engine with glass walls."""


class Part(StrEnum):
    """What the demo shows."""

    all = "all"
    article = "article"
    digits = "digits"


@app.command()
def demo(
    part: Annotated[Part, typer.Option(help="Show one part alone.")] = Part.all,
    epochs: Annotated[int, typer.Option(min=1, help="How often all digits are gone through.")] = 15,
    seed: Annotated[int, typer.Option(help="Starts the random numbers: first weights, shuffling, dropout.")] = 0,
    out: Annotated[Path, typer.Option(help="Where the trained weights go.")] = Path("digits.safetensors"),
) -> None:
    """Watch backpropagation happen, number by number, then see a net learn to read handwritten digits."""
    from rich.console import Console

    from .demo import show_article, show_digits

    console = Console()
    with _failing("demo"):
        if part is not Part.digits:
            show_article(console)
        if part is not Part.article:
            show_digits(console, epochs=epochs, seed=seed, out=out)


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
    with _failing("explain"):
        run = _run("explain", script, arguments or [], at_step)
        report = _report(run, script, why, entries=html is not None or json is not None)
        if html is None and json is None:
            from .recipes.worked import show_mistakes
            from .view.text import show

            show(report, why=why is not None)
            if script is None:
                show_mistakes()
        for path, view in ((html, "html"), (json, "json")):
            if path is not None:
                _write(report, view, path)
        _end(run)


@app.command()
def step(script: Script = None, arguments: Arguments = None, at_step: AtStep = 1) -> None:
    """Walk through a training step, forwards and backwards, in a debugger. Needs the extra [tui]."""
    with _failing("step"):
        from .view import needed

        needed("textual", "the step debugger")
        if not _in_terminal():
            _say("step", "the debugger needs a terminal", "use glassgrad explain where there is none")
            raise typer.Exit(FAILED)
        run = _run("step", script, arguments or [], at_step)
        report = _report(run, script, None, entries=len(run.tape.steps) <= MANY)
        from .view.debugger import debug

        debug(report)
        _end(run)


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
    with _failing("cost"):
        from .costs import cost_of
        from .recipes import RECIPES

        if target in RECIPES and not Path(target).is_file():
            run = _recipe_step(target, [*([] if full else ["--short"]), *(arguments or [])], at_step)
        elif Path(target).suffix or Path(target).exists():
            run = _run("cost", Path(target), arguments or [], at_step)
        else:
            _misused("cost", f"{target} is neither a recipe nor a file", f"the recipes are {', '.join(RECIPES)}")
        if not run.reached:
            raise typer.Exit(FAILED)
        if sys.stderr.isatty():
            typer.echo("glassgrad: measuring ...", err=True)
        made = cost_of(run.tape, f"{target}, backward pass {at_step}", threads=threads)
        made.show()
        if json is not None:
            typer.echo(f"written to {made.json(json)}")
        _end(run)


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
    with _failing("doctor"):
        from .doctor.script import diagnosed
        from .findings import FAULT

        run = _examined("doctor", script, arguments or [], steps)
        if sys.stderr.isatty():
            typer.echo("glassgrad: examining ...", err=True)
        found = diagnosed(run)
        found.show()
        for path, write in ((html, found.html), (json, found.json)):
            if path is not None:
                _written(write, path)
        _end(run)
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
    with _failing("landscape"):
        from .doctor.trail import Trailed, surveyed
        from .view import needed

        needed("contourpy", "a map of the loss")
        run = _examined("landscape", script, arguments or [], steps, Trailed)
        if sys.stderr.isatty():
            typer.echo("glassgrad: measuring ...", err=True)
        said = {"directions": directions, "resolution": resolution, "seconds": seconds}
        found = surveyed(run, title=f"The loss around {script}", **said)
        found.show()
        _written(found.html, html)
        _end(run)


def _examined(command: str, script: Path, arguments: list[str], steps: int | None, watch: Any = None) -> Run:
    """A script watched from its first step to its last; what it raised is printed."""
    from .doctor.rounds import Rounds
    from .doctor.script import watched

    if not script.is_file():
        what = "is a folder" if script.is_dir() else "is not there"
        _misused(command, f"{script} {what}", "name a Python file")
    run = watched(script, arguments, steps, watch or Rounds)
    if run.error is not None and not isinstance(run.error, KeyboardInterrupt):
        typer.echo(run.traceback(), err=True, nl=False)
    return run


def _written(write: Callable[[Path], Path], path: Path) -> None:
    try:
        typer.echo(f"written to {write(path)}")
    except OSError as error:
        raise GlassgradError(f"{path} cannot be written: {error.strerror}", fix="name another file") from None


def _recipe_step(name: str, arguments: list[str], at_step: int) -> Run:
    """A recorded step of a recipe, whose page goes nowhere and whose words nobody hears."""
    import contextlib
    import io
    import tempfile

    from .explain.script import run_text

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        words = ["recipe", name, "--html", str(Path(folder) / "page.html"), *arguments]
        run = run_text(f"from glassgrad.cli import app\napp({words!r})", f"recipe {name}", at_step)
    return _checked("cost", run)


class _Recipes(typer.core.TyperGroup):
    """The recipes as commands; each file is read when its recipe is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        from .recipes import RECIPES

        return list(RECIPES)

    def get_command(self, ctx: Any, name: str) -> Any:
        from .recipes import RECIPES, recipe

        if name not in RECIPES:
            return None
        run = recipe(name)

        @functools.wraps(run)
        def command(**options: Any) -> None:
            with _failing(f"recipe {name}"):
                run(**options)

        made = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        made.command(name, short_help=RECIPES[name])(command)
        return typer.main.get_command(made)


recipes = typer.Typer(cls=_Recipes, no_args_is_help=True)
app.add_typer(recipes, name="recipe", help="The article's applications on real inputs, a readable file each.")


@recipes.callback()
def _of_recipes() -> None: ...


def _in_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _run(command: str, script: Path | None, arguments: list[str], at_step: int) -> Run:
    """The recorded step; ends the program if there is nothing to show."""
    from .explain.script import run_script, run_text

    if script is None:
        from .recipes.worked import program

        run = run_text(program(), "article.py", at_step)
    elif not script.is_file():
        what = "is a folder" if script.is_dir() else "is not there"
        _misused(command, f"{script} {what}", "name a Python file")
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
            _say(command, f"{run.path} raised {type(run.error).__name__} before anything was recorded")
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
    _say(command, said, fix)
    raise typer.Exit(FAILED)


def _report(run: Run, script: Path | None, why: str | None, entries: bool) -> Any:
    """The recorded step as data: with the entry that was asked about, or with those that a report chooses, or none."""
    from .explain.asked import NotThere, entry
    from .explain.reporting import report_of

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
            _misused("explain", error.asked, error.fix)
    report = report_of(run.tape, title, asked)
    if run.error is None and not any(each.phase == "update" for each in report.steps):
        note = "No optimizer took a step between this backward pass and the next, so there is no update."
        report = replace(report, notes=(*report.notes, note))
    return report


def _write(report: Any, view: str, path: Path) -> None:
    import importlib

    _written(lambda to: importlib.import_module(f".view.{view}", __package__).write(report, to), path)


def _end(run: Run) -> None:
    if run.error is not None:
        raise typer.Exit(FAILED)


# -- errors ------------------------------------------------------------------------------------------------------------


def _say(command: str, said: str, fix: str = "") -> None:
    typer.echo(f"glassgrad {command}: {said}" + (f"\n  fix: {fix}" if fix else ""), err=True)


def _misused(command: str, said: str, fix: str = "") -> NoReturn:
    _say(command, said, fix)
    raise typer.Exit(MISUSED)


@contextmanager
def _failing(command: str) -> Iterator[None]:
    """Errors in a line or two, without a traceback; Ctrl-C without a word too many."""
    try:
        yield
    except GlassgradError as error:
        _say(command, error.asked, error.fix)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        typer.echo("\nstopped", err=True)
        sys.exit(STOPPED)
    except BrokenPipeError:  # `glassgrad explain | head`: nobody reads on
        sys.stderr.close()
        sys.exit(FAILED)
