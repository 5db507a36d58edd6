"""A report as one self-contained page: no server, no network, nothing but the file."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from pathlib import Path

from ..report import TapeReport
from .html_data import page_data
from .json import replace

SCRIPTS = ("tools.js", "pack.js", "graph.js", "camera.js", "panels.js", "tables.js", "page.js")


def page(report: TapeReport) -> str:
    """The page as text."""
    data = json.dumps(page_data(report), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    script = "\n".join(["'use strict';", *map(asset, SCRIPTS)])
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {
        "TITLE": html.escape(report.title or "A training step"),
        "HASH": digest,
        "STYLE": asset("report.css"),
        "DATA": inert(data),
        "SCRIPT": script,
    }
    made = asset("report.html")
    pieces = []
    for name, text in parts.items():  # one after another from the left, so that no part is looked into for the next
        before, _, made = made.partition(f"<!--{name}-->")
        pieces += [before, text]
    return "".join([*pieces, made])


def write(report: TapeReport, path: str | Path) -> Path:
    """Write the page of a report to a file."""
    return replace(path, page(report))


def inert(data: str) -> str:
    """JSON that ends no script tag and begins none, whatever names stand in it."""
    for sign in "<>&\u2028\u2029":
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    return data


def asset(name: str) -> str:
    """A file of `view/assets`."""
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")
