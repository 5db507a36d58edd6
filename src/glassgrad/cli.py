"""The command line: ``glassgrad demo``."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from . import __version__
from .errors import GlassgradError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


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
    try:
        if part is not Part.digits:
            show_article(console)
        if part is not Part.article:
            show_digits(console, epochs=epochs, seed=seed, out=out)
    except GlassgradError as error:
        typer.echo(f"glassgrad demo: {error.asked}" + (f"\n  fix: {error.fix}" if error.fix else ""), err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("\nstopped", err=True)
        sys.exit(130)
