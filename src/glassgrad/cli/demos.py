"""``glassgrad demo`` and ``glassgrad recipe``."""

from __future__ import annotations

import functools
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from .base import app, failing


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

    from ..demo import show_article, show_digits

    console = Console()
    with failing("demo"):
        if part is not Part.digits:
            show_article(console)
        if part is not Part.article:
            show_digits(console, epochs=epochs, seed=seed, out=out)


class _Recipes(typer.core.TyperGroup):
    """The recipes as commands; each file is read when its recipe is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        from ..recipes import RECIPES

        return list(RECIPES)

    def get_command(self, ctx: Any, name: str) -> Any:
        from ..recipes import RECIPES, recipe

        if name not in RECIPES:
            return None
        run = recipe(name)

        @functools.wraps(run)
        def command(**options: Any) -> None:
            with failing(f"recipe {name}"):
                run(**options)

        made = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        made.command(name, short_help=RECIPES[name])(command)
        return typer.main.get_command(made)


recipes = typer.Typer(cls=_Recipes, no_args_is_help=True)
app.add_typer(recipes, name="recipe", help="The article's applications on real inputs, a readable file each.")


@recipes.callback()
def _of_recipes() -> None: ...
