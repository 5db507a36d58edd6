"""The article's net: every number against the exact values in ten digits, which were computed outside glassgrad."""

import io
import math

import pytest
from rich.console import Console

from glassgrad.demo import article
from glassgrad.demo.formula import evaluate, symbol, write

EXACT = {
    "z1": 1.1,
    "a1": 0.7502601056,
    "z2": 0.4250780317,
    "y": 0.6046977374,
    "L": 0.1562638788,
    "dL/dy": -0.7906045251,
    "dy/dz2": 0.2390383838,
    "dL/dw2": -0.1417877769,
    "da1/dz1": 0.1873698795,
    "dL/dw1": -0.0212460387,
    "dL/db2": -0.1889848279,
    "dL/db1": -0.0106230193,
    "new w2": 0.3014178778,
    "new w1": 0.5002124604,
}


def named(lines):
    return {f"new {line.name}" if line.phase == "update" else line.name: line for line in lines}


def test_every_number_is_exact():
    lines = named(article.step())
    assert set(EXACT) <= set(lines)
    for name, value in EXACT.items():
        assert lines[name].value == pytest.approx(value, abs=5.1e-11), name


def test_a_formula_that_is_not_the_derivative_is_refused(monkeypatch):
    wrong = [row if row[1] != "dL_dw1" else (*row[:2], "dL_dz1", row[3]) for row in article.FORMULAS]
    monkeypatch.setattr(article, "FORMULAS", wrong)
    with pytest.raises(AssertionError, match="dL_dw1"):
        article.step()


def test_what_the_article_has_wrong():
    assert [line.name for line in article.step() if not line.agrees] == ["dy/dz2", "dL/dw2", "dL/dw1"]


def test_the_loss_falls():
    lines = article.step()
    assert article.after(lines) < named(lines)["L"].value


@pytest.mark.parametrize("width", [80, 120])
def test_it_prints_whole_at_80_columns_without_colour(width):
    page = io.StringIO()
    article.show(Console(file=page, width=width, color_system=None))
    text = page.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for value in EXACT.values():
        assert f"{value:.10f}" in text


@pytest.mark.parametrize("text", sorted({row[2] for row in article.FORMULAS}))
def test_printed_numbers_are_the_formula(text):
    """What is printed in numbers, read as arithmetic again, is the formula's value to the digits that it shows."""
    known = dict(article.GIVEN) | {line.name.replace("/", "_"): line.value for line in article.step()}
    shown = write(text, known).replace(" · ", " * ").replace("²", "**2")
    read = eval(shown, {"sigmoid": lambda x: 1 / (1 + math.exp(-x))})
    assert read == pytest.approx(evaluate(text, known), rel=2e-3)


def test_formulas_are_written_as_in_a_book():
    assert write("2 * (y - t) ** 2") == "2 · (y - t)²"
    assert write("w - lr * dL_dw", {"w": 1.0, "lr": 0.5, "dL_dw": -2.0}) == "1 - 0.5 · (-2)"
    assert write("dL_dz * a", {"dL_dz": -3.0, "a": 2.0}) == "-3 · 2"
    assert write("a - (b - c)") == "a - (b - c)"
    assert write("(a + b) * c") == "(a + b) · c"
    assert write("x ** 2", {"x": -1.5}) == "(-1.5)²"
    assert symbol("dL_dw1") == "dL/dw1"
    with pytest.raises(TypeError, match="cannot hold"):
        write("a[0]")
