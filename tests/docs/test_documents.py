"""Every code block, command and relative link of the documents, and every >>> example in the source."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.docs.document import ROOT, run_doctest
from tests.docs.markdown import links

NAMED = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "benchmarks/README.md")]
DOCUMENTS = [file for file in [*NAMED, *sorted((ROOT / "docs").rglob("*.md"))] if file.exists()]
LINKED = sorted({*ROOT.glob("*.md"), *DOCUMENTS, *(ROOT / "recipes").rglob("*.md")})
PACKAGE = ROOT / "src" / "glassgrad"
MODULES = sorted(file for file in PACKAGE.rglob("*.py") if file.name != "__main__.py")


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", DOCUMENTS, ids=name_of)
def test_code_blocks_run(file: Path, tmp_path: Path) -> None:
    # A process of its own: what a document does to the op registry or the random state must not reach other tests.
    # The folder looks like the repository, but what a block writes at its top stays in the folder.
    for entry in ROOT.iterdir():
        if not entry.name.startswith("."):
            (tmp_path / entry.name).symlink_to(entry)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.docs.document", str(file)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for made in tmp_path.glob("*.svg"):  # pictures are drawn by the document's own code
        shown = ROOT / "docs" / "pictures" / made.name
        assert shown.exists() and labels(made) == labels(shown), f"draw {shown} anew: copy what {file.name} writes"


def labels(picture: Path) -> list[str]:
    """All that is written in a picture; where it stands is the layout library's business."""
    return sorted(
        "".join(text.itertext()) for text in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")
    )


@pytest.mark.parametrize("file", LINKED, ids=name_of)
def test_relative_links_lead_to_files(file: Path) -> None:
    broken = [
        f"{name_of(file)}:{line}: {target}" for line, target in links(file.read_text()) if not leads(file, target)
    ]
    assert broken == []


def leads(file: Path, target: str) -> bool:
    path = (file.parent / target).resolve()
    return path.exists() and path.is_relative_to(ROOT.resolve())


def known_to_examples() -> dict[str, Any]:
    """What every example may use without importing it, beside the names of its own module."""
    import glassgrad

    names = {"autograd": glassgrad.autograd, "nn": glassgrad.nn, "optim": glassgrad.optim}
    return {"glassgrad": glassgrad, "gg": glassgrad} | names


@pytest.mark.parametrize("file", MODULES, ids=name_of)
def test_docstring_examples(file: Path) -> None:
    # Docstrings are read from the source: a decorator may have made something else of the function that carries one.
    dotted = file.relative_to(PACKAGE.parent).with_suffix("").parts
    module = importlib.import_module(".".join(dotted).removesuffix(".__init__"))
    names = known_to_examples() | vars(module)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=True)
            if text and ">>>" in text:
                name = getattr(node, "name", file.stem)
                run_doctest(text, dict(names), name, file, node.body[0].lineno - 1)
