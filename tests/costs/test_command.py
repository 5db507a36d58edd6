"""`glassgrad cost`, and what it tells."""

import dataclasses
import io
import json
import re

import pytest
from rich.console import Console
from typer.testing import CliRunner

import glassgrad as gg
from glassgrad import nn
from glassgrad.cli import app
from glassgrad.costs.report import Cost, Work
from glassgrad.costs.text import count, seconds, short, size
from glassgrad.recipes import RECIPES

SCRIPT = """
import sys
import glassgrad as gg
from glassgrad import nn
net = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, int(sys.argv[1]) if sys.argv[1:] else 4))
sgd = gg.optim.SGD(net.parameters(), lr=0.1)
step = gg.compile(lambda x: (sgd.zero_grad(), net(x).square().mean().backward(), sgd.step()))
for epoch in range(3):
    print("epoch", epoch)
    step(gg.ones(8, 20))
"""


def run(*words):
    return CliRunner().invoke(app, ["cost", *map(str, words)])


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


def test_a_script(script, tmp_path):
    done = run(script, "--threads", 1, "--json", tmp_path / "cost.json", "--", 5)
    assert done.exit_code == 0, done.output
    assert "epoch 0" in done.output and "epoch 1" not in done.output
    for words in ("785 parameters in 4 tensors", "forward", "backward", "update", "Linear", "differences", "compiled"):
        assert words in done.output
    data = json.loads((tmp_path / "cost.json").read_text())
    assert data["format"] == "glassgrad cost 1"
    assert data["entries"] == 20 * 30 + 30 + 30 * 5 + 5
    assert data["backward"]["operations"] > data["forward"]["operations"]
    assert data["derived"]["counted_ratio"] == pytest.approx(
        1 + data["backward"]["operations"] / data["forward"]["operations"]
    )
    assert data["derived"]["differences_seconds"] == 2 * 785 * data["differences"]["evaluation"]
    assert data["update"]["operations"] == 2 * 785
    assert data["memory"]["step_arena"] is not None, "the compiled step's optimizer was found"


def test_a_recipe_tells_nothing_but_its_cost():
    done = run("digits", "--threads", 1)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("digits, backward pass 1\n25,978 parameters in 11 tensors")
    assert re.search(r"conv +38.3 M +97 %", done.output)
    assert "written to" not in done.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nonsense"], 2, f"nonsense is neither a recipe nor a file\n  fix: the recipes are {', '.join(RECIPES)}"),
        (["nonsense.py"], 2, "nonsense.py is not there"),
        (["train.py", "--at-step", "4"], 1, "called backward() 3 times, not 4 times"),
        (["broken.py"], 1, "ZeroDivisionError"),
        (["idle.py"], 1, "never called backward()"),
    ],
)
def test_what_cannot_be(words, code, said, script, monkeypatch):
    monkeypatch.chdir(script.parent)
    (script.parent / "broken.py").write_text("import glassgrad as gg\nx = gg.ones(2, requires_grad=True) * 2\n1 / 0\n")
    (script.parent / "idle.py").write_text("import glassgrad as gg\nx = gg.ones(2, requires_grad=True) * 2\n")
    done = run(*words)
    assert done.exit_code == code
    assert said in done.output


def test_a_script_that_fails_after_its_step_has_a_cost(script):
    script.write_text(SCRIPT.split("step =", maxsplit=1)[0] + "net(gg.ones(8, 20)).square().mean().backward()\n1 / 0\n")
    done = run(script)
    assert done.exit_code == 1
    assert "ZeroDivisionError" in done.output and "754 parameters" in done.output


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.a_name_that_goes_on_and_on_and_on_and_on_for_ever = nn.Sequential(
            *[nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(30)]
        )

    def forward(self, x):
        return self.a_name_that_goes_on_and_on_and_on_and_on_for_ever(x).sum()


@pytest.fixture(scope="module")
def made():
    return gg.cost(Named(), gg.ones(2, 4), threads=1)


def test_it_fits_into_80_columns(made):
    text = str(made)
    assert max(map(len, text.splitlines())) <= 80
    assert "others" in text, "of many modules the largest are told"
    console = Console(width=80, record=True, file=io.StringIO())
    made.show(console)
    shown = console.export_text()
    assert [line.rstrip() for line in shown.splitlines()] == text.splitlines()


def test_all_rows_add_up(made):
    for rows in (made.kinds, made.modules):
        for phase in ("forward", "backward"):
            total = sum((getattr(row, phase) for row in rows), Work())
            assert total == getattr(made, phase)


def test_a_narrow_ascii_terminal(made):
    console = Console(width=50, file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"), record=True)
    made.show(console)
    text = console.export_text()
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 50


def test_numbers_in_units():
    assert [count(n) for n in (0, 7, 999, 1000, 12_345, 999_900, 2 * 10**9)] == [
        "", "7", "999", "1 k", "12.3 k", "1 M", "2 G",
    ]  # fmt: skip
    assert [size(n) for n in (0, 512, 4096, 10**7)] == ["0 B", "512 B", "4.1 kB", "10 MB"]
    assert [seconds(s) for s in (2e-6, 3.5e-3, 1.25, 130, 10_000, 10**7)] == [
        "2 µs", "3.5 ms", "1.25 s", "2.17 minutes", "2.78 hours", "116 days",
    ]  # fmt: skip
    assert short("abcdef", 6) == "abcdef" and short("abcdef", 4) == "…def"


def test_a_report_is_plain_data(made):
    assert isinstance(made, Cost)
    assert dataclasses.asdict(made)["forward"]["operations"] == made.forward.operations
