"""The article's net: every number against the exact values in ten digits, which were computed outside glassgrad."""

import io

import pytest
from rich.console import Console

from glassgrad.recipes import worked as article

EXACT = {
    "z1": 1.1, "a1": 0.7502601056, "z2": 0.4250780317, "y": 0.6046977374, "L": 0.1562638788, "∂L/∂y": -0.7906045251,
    "∂y/∂z2": 0.2390383838, "∂L/∂w2": -0.1417877769, "∂a1/∂z1": 0.1873698795, "∂L/∂w1": -0.0212460387,
    "∂L/∂b2": -0.1889848279, "∂L/∂b1": -0.0106230193, "w2′": 0.3014178778, "w1′": 0.5002124604,
}  # fmt: skip


def test_every_number_is_exact():
    found = article.numbers(article.recorded())
    for name, value in EXACT.items():
        assert found[name] == pytest.approx(value, abs=5.1e-11), name


def test_what_the_article_has_wrong():
    said = article.mistakes()
    assert [line.partition(" is ")[0] for line in said] == ["∂y/∂z2", "∂L/∂w2", "∂L/∂w1"]
    assert said[0] == "∂y/∂z2 is 0.2390383838, not 0.244."
    assert "−0.1417877769, not −0.145" in said[1] and "−0.0212460387, not −0.022" in said[2]


@pytest.mark.parametrize("width", [80, 120])
def test_it_prints_whole_at_80_columns_without_colour(width):
    page = io.StringIO()
    article.show(Console(file=page, width=width, color_system=None))
    text = page.getvalue()
    assert max(map(len, text.splitlines())) <= width
    for name, value in EXACT.items():
        if not name.startswith(("∂y", "∂a")):
            assert f"{value:.4g}".replace("-", "−") in text, name
    for phase in ("Forward", "Loss", "Backward", "Update", "wrong"):
        assert phase in text
