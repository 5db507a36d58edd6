"""What a recipe shows: told in the terminal as it comes, and left behind as one self-contained page with pictures."""

from __future__ import annotations

import base64
import html
import io
import os
import platform
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .. import __version__
from ..view.html import asset
from ..view.json import replace

STYLE = """
body { margin: 0 auto; max-width: 900px; padding: 26px; }
h2 { font-weight: 500; font-size: 19px; margin: 34px 0 6px; }
p { margin: 6px 0; max-width: 78ch; }
table { border-collapse: collapse; margin: 10px 0; font-size: 14px; }
th, td { border-bottom: 1px solid var(--rule); padding: 4px 18px 4px 0; text-align: left; font-weight: 400; }
th { color: var(--soft); }
td { font-variant-numeric: tabular-nums; }
td:last-child { color: var(--soft); }
figure { margin: 14px 0; }
figure img {
  max-width: 100%; box-sizing: border-box; padding: 6px; background: #fff;
  border: 1px solid var(--rule); border-radius: 8px;
}
figcaption, footer { color: var(--soft); font: 13.5px/1.45 var(--sans); max-width: 88ch; }
pre { background: var(--faint); border-radius: 8px; padding: 10px 14px; overflow-x: auto; font: 13px/1.35 var(--mono); }
footer { margin-top: 40px; border-top: 1px solid var(--rule); padding-top: 8px; }
"""


class Page:
    """Text, figures and pictures of one run. Written when its ``with`` block ends, however it ends.

    Args:
        title: of the page.
        path: where it goes; None for no page. An older page stays whole until the new one is complete.
        how: the command and what else makes the run anew: the seed, the sizes.
        console: where all of it is told; a new one of rich's by default.

    Example:
        >>> from glassgrad.recipes.page import Page
        >>> with Page("A coin", None, seed=1) as page:
        ...     page.figure("heads", 0.53, "{:.0%}", asked="50 %")  # doctest: +ELLIPSIS
        <BLANKLINE>
        ...
        heads: 53% (asked: 50 %)
        >>> page.figures
        {'heads': 0.53}
    """

    def __init__(self, title: str, path: Path | None, *, console: Any = None, **how: Any) -> None:
        from rich.console import Console

        self.console = console or Console(highlight=False, soft_wrap=True)
        self.title, self.path, self.how = title, path, how
        self.figures: dict[str, float] = {}
        """The numbers told so far, by name."""
        self._parts: list[str] = []
        self._rows: list[str] = []
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._began

    def __enter__(self) -> Self:
        self.console.rule(self.title)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self._parts.append(f"<p><b>The run ended here: {html.escape(kind.__name__ if kind else '')}.</b></p>")
        if self.path is not None:
            self.write(self.path)

    def head(self, text: str) -> None:
        """Begin a section."""
        self._flush()
        self._parts.append(f"<h2>{html.escape(text)}</h2>")
        self.console.print(f"\n[bold]{_plain(text)}[/bold]")

    def say(self, text: str) -> None:
        """A paragraph."""
        self._flush()
        self._parts.append(f"<p>{html.escape(text)}</p>")
        self.console.print(_plain(text))

    def figure(self, name: str, value: float, form: str = "{:.4g}", *, asked: str = "", note: str = "") -> None:
        """A number that the run reached, and what was asked of it or is to be said beside it."""
        self.figures[name] = float(value)
        shown, beside = form.format(value), f"asked: {asked}" if asked else note
        self._rows.append("".join(f"<td>{html.escape(each)}</td>" for each in (name, shown, beside)))
        self.console.print(_plain(f"{name}: {shown}" + (f" ({beside})" if beside else "")))

    def text(self, text: str, caption: str = "") -> None:
        """Text as it stands: samples, boards, tables."""
        self._flush()
        self._parts.append(f"<figure><pre>{html.escape(text)}</pre>{_caption(caption)}</figure>")
        self.console.print(_plain(text))

    def picture(self, figure: Any, caption: str) -> None:
        """A figure of matplotlib; its caption is what a screen reader says of it."""
        self._flush()
        made = io.BytesIO()
        figure.savefig(made, format="png", dpi=120)
        data = base64.b64encode(made.getvalue()).decode()
        alt = html.escape(caption, quote=True)
        self._parts.append(f'<figure><img alt="{alt}" src="data:image/png;base64,{data}">{_caption(caption)}</figure>')

    def write(self, path: Path) -> None:
        """Write what there is so far."""
        self._flush()
        how = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.how.items())
        made = f"glassgrad {__version__}, {how}. {self.seconds:.1f} s on {machine()}."
        style, title = asset("report.css") + STYLE, html.escape(self.title)
        parts = [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
            'img-src data:"><meta name="viewport" content="width=device-width">',
            f"<title>{title}</title><style>{style}</style><h1>{title}</h1>",
            *self._parts,
            f"<footer>{html.escape(made)}</footer></html>",
        ]
        replace(path, "\n".join(parts))
        self.console.print(_plain(f"\nwritten to {path} after {self.seconds:.1f} s"))

    def _flush(self) -> None:
        if self._rows:
            rows = "".join(f"<tr>{row}</tr>" for row in self._rows)
            self._parts.append(f"<table>{rows}</table>")
            self._rows = []


def machine() -> str:
    """The machine in words: cores, architecture, system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def _caption(text: str) -> str:
    return f"<figcaption>{html.escape(text)}</figcaption>" if text else ""


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
