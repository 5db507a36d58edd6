"""What a notebook shows, without a script or a server; the graph as SVG."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.view import nets

import glassgrad as gg
from glassgrad.view import notebook


def cells(shown: str) -> list[list[str]]:
    """The cells of the first table."""
    rows = re.findall(r"<tr>(.*?)</tr>", shown)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]


def read(shown: str) -> ElementTree.Element:
    """Well-formed, as a notebook would have it."""
    return ElementTree.fromstring(f"<div>{shown}</div>")


@pytest.mark.parametrize(
    ("tensor", "words", "table"),
    [
        (gg.tensor(3.5), ["one number", "float32", "3.5"], []),
        (gg.tensor([[1, 2], [3, 4]]), ["2 × 2", "int64"], [["1", "2"], ["3", "4"]]),
        (gg.tensor([1.25, -2.0], requires_grad=True), ["requires_grad"], [["1.25", "−2"]]),
        (gg.tensor([True, False]), ["bool"], [["True", "False"]]),
        (gg.zeros(0, 3), ["0 × 3", "no entries"], []),
        (gg.tensor([float("nan"), float("inf")]), [], [["nan", "∞"]]),
    ],
)
def test_tensors(tensor: Any, words: list[str], table: list[list[str]]) -> None:
    shown = tensor._repr_html_()
    read(shown)
    assert all(word in shown for word in words)
    assert cells(shown) == table


def test_a_corner_of_a_large_tensor() -> None:
    found = cells(gg.arange(400).reshape(20, 20)._repr_html_())
    assert found[0] == ["0", "1", "2", "3", "⋯", "16", "17", "18", "19"]
    assert found[4] == ["⋮"]
    assert [row[0] for row in found] == ["0", "20", "40", "60", "⋮", "320", "340", "360", "380"]
    assert "[0, 0, …]" in gg.zeros(2, 2, 2, 2)._repr_html_()


def test_showing_a_tensor_records_nothing() -> None:
    x = gg.tensor([1.0, 2.0])
    with gg.record() as tape:
        x._repr_html_()
    assert not tape.records


@pytest.mark.parametrize("make", [nets.formula, nets.small, nets.large, nets.hostile, nets.broken])
def test_tapes_and_graphs_are_inert(make: Any) -> None:
    tape = make()
    for shown in (tape._repr_html_(), tape.graph()._repr_html_()):
        for element in read(shown).iter():
            tag = element.tag.rpartition("}")[2]
            assert tag not in ("script", "img", "iframe", "style", "link")
            assert not [name for name in element.attrib if name.startswith("on") or name in ("src", "href")]


def test_a_tape_shows_its_steps_by_phase() -> None:
    shown = nets.formula()._repr_html_()
    assert [words for words in re.findall(r"<summary[^>]*>(.*?)</summary>", shown)] == [
        "forward: 6 steps", "loss: 2 steps", "backward: 11 steps", "update: 4 steps",
    ]  # fmt: skip
    assert "z1 = x · w1 + b1" in shown
    assert "<svg" in shown


def test_words_of_the_user_are_text() -> None:
    report = nets.formula().report()
    step = replace(report.steps[0], formula="<script>", numbers="<script>", sentence="<script>", result="<script>")
    legend = {"<script>": "<script>"}
    shown = notebook.tape(replace(report, steps=(step,), loss="<script>", notes=("<script>",), legend=legend))
    factor = replace(report.whys[0].paths[0].factors[0], formula="<script>", module="<script>")
    path = replace(report.whys[0].paths[0], factors=(factor,), numbers="<script>")
    shown += notebook.why(replace(report.whys[0], name="<script>", paths=(path,)))
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") == 12


def test_an_empty_tape() -> None:
    with gg.record() as tape:
        pass
    assert "empty tape" in tape._repr_html_()


def test_why_lists_paths() -> None:
    x = gg.tensor(3.0, requires_grad=True)
    with gg.record() as tape:
        (x * x + x).backward()
    shown = tape.why(x)._repr_html_()
    read(shown)
    assert "= 7</b>, the sum over 3 paths" in shown
    assert shown.count("<details>") == 3


def test_the_graph_as_data_and_picture(tmp_path: Path) -> None:
    graph = nets.formula().graph()
    assert len(graph.nodes) == 14
    assert len(graph.edges) == 13
    path = graph.svg(tmp_path / "graph.svg")
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"w1", "0.5", "sigmoid", "∂ −0.02125", "0.1563"} <= set(words)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, wide, high = (float(rect.get(key, 0)) for key in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + wide <= width
        assert y + high <= height


def test_a_large_graph_is_drawn_by_its_modules(tmp_path: Path) -> None:
    text = nets.large().graph().svg(tmp_path / "graph.svg").read_text(encoding="utf-8")
    assert "features.1" in text
    assert text.count("<g>") < 30


def test_nothing_heavy_is_imported_for_it() -> None:
    code = (
        "import sys, glassgrad; glassgrad.ones(2)._repr_html_(); print('igraph' in sys.modules, 'html' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    code = "import sys, glassgrad; print('glassgrad.view.notebook' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
