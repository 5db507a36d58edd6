"""The page as a file: one of it, small, inert; what it is told; formulas and layout."""

from __future__ import annotations

import importlib
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.view import nets

import glassgrad as gg
from glassgrad.report import GraphEdge, GraphNode, GraphReport, Line, Summary
from glassgrad.view import MissingExtra, needed
from glassgrad.view.html import inert, page
from glassgrad.view.html_data import number, page_data
from glassgrad.view.layout import arranged, layout, spread
from glassgrad.view.mathml import short

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def data_of(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_the_page_is_one_file_that_asks_for_nothing(tmp_path: Path) -> None:
    path = nets.formula().html(tmp_path / "report.html")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"], "no temporary file is left"
    text = path.read_text(encoding="utf-8")
    allowed = {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}
    assert set(re.findall(r"https?://[\w./]+", text)) <= allowed
    assert not re.search(r"\b(?:src|href)\s*=\s*[\"'](?!#|data:,)", text)
    assert "default-src 'none'" in text


def test_data_ends_no_script() -> None:
    text = page(nets.hostile().report())
    assert text.count("<script") == 2, "the data and the page's own"
    assert text.count("</script") == 2
    assert nets.HOSTILE not in text
    legend = dict(data_of(text)["legend"])
    assert legend["W1"] == f"{nets.HOSTILE}.weight", "and yet nothing is lost"
    assert inert("</script>&\u2028") == r"\u003c/script\u003e\u0026\u2028"


def test_nan_and_infinity_are_strict_json() -> None:
    found = data_of(page(nets.broken().report()))
    assert any(value == "nan" for row in found["values"]["rows"] for value in row[8] for value in value[1:])
    assert [number(x) for x in (float("nan"), float("-inf"), 0.5, 2.0, None)] == ["nan", "−∞", 0.5, 2, None]


def test_the_gpt_fits_in_two_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    work = importlib.import_module("works.gpt")
    rng = importlib.import_module("numpy").random.default_rng(0)
    weights, (x, y) = work.weights(rng), work.batch(rng)
    net = work.net(gg)
    net.load_state_dict({key: gg.tensor(value) for key, value in weights.items()})
    optimizer = gg.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.1)
    with gg.record() as tape:
        work.loss(gg, net, gg.tensor(x), gg.tensor(y)).backward()
        optimizer.step()
    began = time.thread_time()  # of this thread alone: others share the machine
    path = tape.html(tmp_path / "gpt.html")
    took = time.thread_time() - began
    assert path.stat().st_size < 2_000_000
    found = data_of(path.read_text(encoding="utf-8"))
    assert len(found["steps"]["rows"]) == len(tape.steps)
    assert {row[0] for row in found["whys"]["rows"]}, "its parameters are explained"
    shown = sum(len(box["nodes"]) for box in found["boxes"] if box["open"])
    assert shown < 60, "blocks are closed at first"
    assert took < 40, "on an idle machine it takes a quarter of that"
    for name in [name for name in sys.modules if name == "works" or name.startswith("works.")]:
        monkeypatch.delitem(sys.modules, name)


# -- formulas ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latex", "made"),
    [
        ("z_{1} = x", "(r(biz;n1;)o=;ix;)"),
        (r"\frac{\partial L}{\partial \mathrm{y\_pred}}", "(f(ro∂;iL;)(ro∂;iy_pred;))"),
        (r"v_{4}_{\arg\max}", "(b(biv;n4;)(riarg;omax;))"),
        (r"x^{(2)}^\top", "(p(pix;(ro(;n2;o);))o⊤;)"),
        (r"\mathrm{<b>&;\_x} + 1", r"(ri<b>&\;_x;o+;n1;)"),
        (r"\left(\frac{a}{b}\right)^{2}", "(p(rO(;(fia;ib;)O);)n2;)"),
        (r"\frac{", "tas text;"),
        ("", ""),
    ],
)
def test_formulas_in_short_form(latex: str, made: str) -> None:
    assert short(latex, "as text") == made


def test_a_formula_holds_nothing_but_mathml() -> None:
    assert "javascript" not in short(r"\href{javascript:alert(1)}{x}", "x")
    letters = page_data(nets.formula().report())["letters"]
    assert all(re.fullmatch(r"m[a-z]+", name) for name in letters.values())


@pytest.mark.parametrize("make", [nets.formula, nets.small, nets.large], ids=lambda make: make.__name__)
def test_every_formula_is_read(make: Any) -> None:
    report = make().report()
    latex = {s.latex for s in report.steps} | {s.numbers_latex for s in report.steps}
    latex |= {f.latex for why in report.whys for path in why.paths for f in path.factors}
    assert [each for each in latex if short(each, "?") == "t?;"] == []


# -- layout ------------------------------------------------------------------------------------------------------------


def graph(*edges: tuple[int, int], modules: dict[int, str] | None = None, roots: tuple[str, ...] = ()) -> GraphReport:
    empty = Summary((), "float32", "0")
    ids = sorted({each for edge in edges for each in edge})
    nodes = [
        GraphNode(k, f"v{k}", f"v_{{{k}}}", "add", "value", (modules or {}).get(k, ""), "forward", Line(), empty)
        for k in ids
    ]
    return GraphReport(tuple(nodes), tuple(GraphEdge(a, b, 0) for a, b in edges), roots)


def test_edges_go_to_the_right() -> None:
    for make in (nets.small, nets.large):
        report = make().report().graph
        for box in layout(report):
            for link, bends in box.bends.items():
                source, target = (box.places[name] for name in link.split(">"))
                assert [layer for layer, _ in bends] == list(range(source[0] + 1, target[0])), "a bend in each layer"
            layers: dict[int, list[float]] = {}
            for layer, y in box.places.values():
                layers.setdefault(layer, []).append(y)
            for found in layers.values():
                gaps = [b - a for a, b in zip(sorted(found), sorted(found)[1:], strict=False)]
                assert all(gap > 0.99 for gap in gaps), "two at the same place"


def test_leaves_stand_before_what_uses_them() -> None:
    made = graph((0, 1), (1, 2), (2, 3), (9, 3))
    (box,) = layout(made)
    layers = {name: layer for name, (layer, _) in box.places.items()}
    assert [layers[f"n{k}"] for k in range(4)] == [0, 1, 2, 3]
    assert layers["n4"] == 2, "node 9, the fifth"


def test_boxes_are_modules() -> None:
    modules = {1: "a.b", 2: "a.b", 3: "a.c", 4: "Net", 5: "d"}
    made = graph((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), modules=modules, roots=("Net",))
    boxes = layout(made)
    assert [(box.path, box.parent) for box in boxes] == [("", -1), ("a", 0), ("a.b", 1)]
    assert boxes[0].nodes == [0, 4, 5], "no box of one, none of the outermost module"
    assert boxes[1].places.keys() == {"n3", "b2", "i0", "o3"}, "one way in, one way out"
    first, last = boxes[1].places["i0"][0], boxes[1].places["o3"][0]
    assert first < boxes[1].places["b2"][0] < boxes[1].places["n3"][0] < last


def test_a_module_that_runs_twice_is_one_box() -> None:
    made = graph((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), modules={1: "a", 2: "a", 4: "a"})
    places = layout(made)[0].places
    assert places.keys() == {"n0", "b1", "n3", "n5"}


def test_a_chain_is_straight() -> None:
    (box,) = layout(graph((0, 1), (9, 1), (1, 2), (8, 2), (2, 3), (7, 3), (3, 4)))
    names = {
        node.name: f"n{k}" for k, node in enumerate(graph((0, 1), (9, 1), (1, 2), (8, 2), (2, 3), (7, 3), (3, 4)).nodes)
    }
    heights = [box.places[names[f"v{k}"]][1] for k in (1, 2, 3, 4)]
    assert max(heights) - min(heights) < 0.2


def test_spread_keeps_order_and_distance() -> None:
    assert spread([0.0, 0.0, 5.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]) == [-0.5, 0.5, 5.0]
    assert spread([3.0, 1.0], [2.0, 4.0], [1.0, 1.0]) == [0.5, 3.5]
    assert spread([0.0, 0.0], [1.0, 1.0], [3.0, 1.0]) == [-0.25, 0.75], "the heavier gives way less"
    assert arranged([], []) == ({}, {})


def test_a_missing_extra_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(MissingExtra, match=r"pip install 'glassgrad\[html\]'"):
        needed("igraph", "the layout of a graph")
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(MissingExtra, match=r"(?s)needs sklearn,.*'glassgrad\[data\]'"):
        needed("sklearn.metrics", "the area under a curve")
    with pytest.raises(ImportError):
        nets.formula().html("never.html")
    assert not Path("never.html").exists()
