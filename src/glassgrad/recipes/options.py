"""The options that most recipes have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Short = Annotated[bool, typer.Option("--short", help="A small run of some seconds, to see it work.")]
Seed = Annotated[int, typer.Option(help="Starts all random numbers.")]
Html = Annotated[Path, typer.Option(help="Where the page with the pictures goes.")]
Data = Annotated[Path | None, typer.Option(help="A folder that has the data; else GLASSGRAD_DATA, the cache, the net.")]
Weights = Annotated[Path | None, typer.Option(help="Where the trained weights go; by default they are not kept.")]
