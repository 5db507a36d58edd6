"""The command line itself: its options, its errors, its exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from .. import __version__
from ..errors import GlassgradError

if TYPE_CHECKING:
    from ..explain.script import Run

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
FAILED, MISUSED, STOPPED = 1, 2, 130
"""Exit codes: what was asked for did not work; the command line is wrong; Ctrl-C."""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"glassgrad {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it, end.")] = False,
) -> None:
    """A deep-learning engine with glass walls."""


def written(write: Callable[[Path], Path], path: Path) -> None:
    try:
        typer.echo(f"written to {write(path)}")
    except OSError as error:
        raise GlassgradError(f"{path} cannot be written: {error.strerror}", fix="name another file") from None


def end(run: Run) -> None:
    if run.error is not None:
        raise typer.Exit(FAILED)


def say(command: str, said: str, fix: str = "") -> None:
    typer.echo(f"glassgrad {command}: {said}" + (f"\n  fix: {fix}" if fix else ""), err=True)


def misused(command: str, said: str, fix: str = "") -> NoReturn:
    say(command, said, fix)
    raise typer.Exit(MISUSED)


@contextmanager
def failing(command: str) -> Iterator[None]:
    """Errors in a line or two, without a traceback; Ctrl-C without a word too many."""
    try:
        yield
    except GlassgradError as error:
        say(command, error.asked, error.fix)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        typer.echo("\nstopped", err=True)
        sys.exit(STOPPED)
    except BrokenPipeError:  # `glassgrad explain | head`: nobody reads on
        sys.stderr.close()
        sys.exit(FAILED)
