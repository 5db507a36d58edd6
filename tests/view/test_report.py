"""A tape as plain data, and the data as JSON and back."""

from __future__ import annotations

import json
import math
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.view import nets

import glassgrad as gg
from glassgrad import nn
from glassgrad.errors import ArgumentError
from glassgrad.explain.reporting import report_of
from glassgrad.view import json as view_json

MAKERS = [nets.formula, nets.small, nets.large, nets.hostile, nets.broken, nets.masked]
makers = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)


def same(a: Any, b: Any) -> bool:
    """Equality in which nan is nan."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


@makers
def test_json_and_back(make: Any, tmp_path: Path) -> None:
    report = make().report(title="a title")
    path = view_json.write(report, tmp_path / "report.json")
    text = path.read_text(encoding="utf-8")
    data = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not strict JSON"))
    assert data["format"] == "glassgrad tape 1"
    again = view_json.read(path)
    assert type(again) is type(report)
    assert same(view_json.to_dict(again), view_json.to_dict(report))
    if make is not nets.broken:  # nan is not equal to itself
        assert again == report
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o044, "others may read it as any file that is written"


def test_files_that_are_no_reports_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("{}")
    with pytest.raises(ArgumentError, match="no report that this version reads"):
        view_json.read(path)
    with pytest.raises(ArgumentError, match="no folder"):
        nets.formula().json(tmp_path / "missing" / "report.json")


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(OSError, match="disk full"):
        view_json.replace(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


def test_every_entry_of_a_small_net_is_explained() -> None:
    report = nets.small().report()
    assert len(report.whys) == len(report.updates) == 17
    for why in report.whys:
        whole = math.fsum(path.product for path in why.paths) + why.remainder
        assert whole == pytest.approx(why.value, rel=1e-5, abs=1e-9)
        for path in why.paths:
            assert math.prod(f.value for f in path.factors) == pytest.approx(path.product)
    nodes = {node.id for node in report.graph.nodes}
    assert {f.node for why in report.whys for path in why.paths for f in path.factors} <= nodes
    assert {step.node for step in report.steps if step.phase == "backward"} <= nodes


def test_of_a_large_net_the_largest_entries() -> None:
    tape = nets.large()
    report = tape.report()
    weight = next(node for node in report.graph.nodes if report.legend.get(node.name) == "head.weight")
    found = [why for why in report.whys if why.node == weight.id]
    assert len(found) == 2
    assert weight.gradient is not None
    assert [why.index for why in found] == [entry.index for entry in weight.gradient.largest[:2]]
    assert any("2 entries of largest gradient" in note for note in report.notes)


def test_entries_that_are_asked_for() -> None:
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    with gg.record() as tape:
        (x * x).sum().backward()
    (why,) = report_of(tape, whys=[(x, 1)]).whys
    assert (why.index, why.value) == ((1,), 4.0)


def test_parameters_belong_to_their_modules() -> None:
    report = nets.large().report()
    owner = {report.legend.get(node.name, node.name): node.module for node in report.graph.nodes}
    assert owner["features.0.weight"] == "features.0"
    assert owner["features.1.running_mean"] == "features.1"
    assert owner["head.bias"] == "head"
    assert owner["x"] == ""
    assert report.graph.roots == ("Net",)


def test_the_graph_is_the_forward_pass() -> None:
    graph = nets.formula().report().graph
    names = {node.id: node.name for node in graph.nodes}
    edges = {(names[edge.source], names[edge.target]) for edge in graph.edges}
    assert {("z1", "a1"), ("a1", "v2"), ("w2", "v2"), ("b2", "z2"), ("z2", "y")} <= edges
    roles = {node.name: node.role for node in graph.nodes}
    assert (roles["x"], roles["w1"], roles["z1"], roles["L"]) == ("data", "parameter", "value", "loss")
    parts = {(names[e.source], names[e.target]): e.gradient for e in graph.edges}
    assert parts["a1", "v2"] is not None
    assert parts["a1", "v2"].text == "−0.0567"
    assert parts["x", "v1"] is None, "no gradient is asked of data"


def test_saturation_is_a_share() -> None:
    x = gg.tensor([0.0, 0.1, 9.0, -9.0], requires_grad=True)
    with gg.record() as tape:
        gg.tanh(x).sum().backward()
    step = tape.report().steps[0]
    assert step.value.flat == 0.5
    assert step.value.zeros == 0.25


def test_where_nan_begins() -> None:
    report = nets.broken().report()
    assert [step.number for step in report.steps if step.lost] == [1]
    assert report.steps[0].value.not_finite == 1
    assert report.steps[0].value.largest[0].index == (1,)
    assert any("appear first in step 1" in note and "nets.py" in note for note in report.notes)


def test_an_infinity_that_masks_is_no_finding() -> None:
    report = nets.masked().report()
    assert not any(step.lost for step in report.steps)
    assert any("They do no harm" in note for note in report.notes)


def test_without_an_update() -> None:
    x = gg.tensor(2.0, requires_grad=True)
    with gg.record() as tape:
        (x * x).backward()
    report = tape.report()
    assert (report.updates, report.responsibility) == ((), None)
    assert [why.value for why in report.whys] == [4.0]


def test_without_a_backward_pass() -> None:
    x = gg.tensor(2.0, requires_grad=True)
    with gg.record() as tape:
        y = x * x
    report = tape.report()
    assert (report.loss, len(report.steps), report.whys) == ("", 1, ())
    assert any("No backward pass" in note for note in report.notes)
    assert y.item() == 4.0


def test_several_backward_passes() -> None:
    x, w = gg.tensor(2.0), gg.tensor(3.0, requires_grad=True)
    with gg.record() as tape:
        (x * w).backward()
        (x * w * w).backward()
    report = tape.report()
    assert sum(node.role == "loss" for node in report.graph.nodes) == 2
    assert any("2 backward passes" in note for note in report.notes)


def test_a_part_of_a_net(tmp_path: Path) -> None:
    gg.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
    with gg.record(only="0") as tape:
        net(gg.ones(2, 3)).sum().backward()
    report = tape.report()
    assert {step.module for step in report.steps if step.phase == "forward"} == {"0"}
    assert any("modules that fit '0'" in note for note in report.notes)
    assert tape.html(tmp_path / "part.html").stat().st_size


def test_nothing_recorded() -> None:
    with gg.record() as tape:
        pass
    with pytest.raises(ArgumentError, match="nothing was recorded"):
        tape.report()


def test_detached_values_keep_their_edge() -> None:
    w = gg.tensor(2.0, requires_grad=True)
    with gg.record() as tape:
        a = w * 3
        a.detach_()
        (a * w).backward()
    graph = tape.report().graph
    made = next(node for node in graph.nodes if node.op == "mul")
    assert any(edge.source == made.id for edge in graph.edges), "the value still comes from there"


@pytest.mark.parametrize("kind", ["plain", "ties", "whole", "lost"])
@pytest.mark.parametrize("entries", [3, 4096, 4097, 50_003])
def test_the_largest_entries_are_found_without_sorting(entries: int, kind: str) -> None:
    rng = np.random.default_rng(entries)
    value: Any = rng.standard_normal(entries).astype(np.float32)
    if kind == "ties":
        value = np.sign(value)
    if kind == "whole":
        value = rng.integers(-9, 9, entries)
    if kind == "lost":
        value[entries // 2], value[-1] = np.nan, -np.inf
    w = gg.tensor(value)
    with gg.record() as tape:
        w * 1
    found = [entry.index[0] for entry in tape.report().steps[0].value.largest]
    size = np.abs(value.astype(np.float64))
    size[~np.isfinite(size)] = np.inf
    assert found == list(np.argsort(-size, kind="stable")[:5])
