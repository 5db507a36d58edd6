"""Every recipe's short form learns measurably, and leaves a page that holds all it shows."""

import inspect
import re

import numpy as np
import pytest
from typer.testing import CliRunner

import glassgrad as gg
from glassgrad.cli import app
from glassgrad.datasets import digits
from glassgrad.recipes import RECIPES, recipe
from glassgrad.utils.data import TensorDataset

LEARNT = {
    "article": lambda f: (f["article: solved"], f["rate 5: solved"], f["wide start, rate 1: solved"]) == (0, 10, 10),
    "diagnosis": lambda f: f["AUC, net"] > 0.99 and f["contributions: largest error of a sum"] < 1e-4,
    "digits": lambda f: f["last loss"] < f["first loss"] / 5 and f["held-out accuracy"] > 0.9,
    "driving": lambda f: f["return, net over random"] > 2 and f["microseconds for a decision, median of 10,000"] < 50,
    "game": lambda f: (
        f["lost, net alone, against random moves"] < f["lost, untrained, against random moves"] / 4 and f["lost"] < 0.1
    ),
    "gpt": lambda f: f["validation loss"] < 2.8,  # frequencies alone give 3.24
    "mnist": lambda f: f["last loss"] < f["first loss"] / 2 and f["test accuracy"] > 0.7,
    "translate": lambda f: f["held out, every character right"] > 0.02,
}
"""What the figures of each recipe's short form must show."""


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """MNIST has to be got first: scikit-learn's digits, enlarged, stand in for it."""

    def enlarged(data=None):
        return [TensorDataset(gg.tensor(np.pad(np.kron(images.numpy(), np.ones((3, 3), "f")), PAD)), labels)
                for images, labels in (part.tensors for part in digits())]  # fmt: skip

    monkeypatch.setattr("glassgrad.recipes.mnist.load_mnist", enlarged)


PAD = ((0, 0), (0, 0), (2, 2), (2, 2))


@pytest.mark.parametrize("name", RECIPES)
def test_a_short_form_learns_measurably_and_leaves_a_page(name, tmp_path):
    page = recipe(name)(short=True, html=tmp_path / "page.html")
    print(page.figures)
    assert LEARNT[name](page.figures)
    text = (tmp_path / "page.html").read_text()
    assert text.count("<figure><img") >= 1
    assert not re.search(r'(src|href)=(?!"data:image)', text), "a page loads nothing"
    for figure in page.figures:
        assert f"<td>{figure}</td>" in text


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_a_readable_file_with_the_options_that_all_have(name):
    run = recipe(name)
    lines = inspect.getsource(inspect.getmodule(run)).splitlines()
    assert len(lines) < 200
    assert {"short", "seed", "html"} <= set(inspect.signature(run).parameters)
    helped = CliRunner().invoke(app, ["recipe", name, "--help"])
    assert helped.exit_code == 0
    assert "--short" in helped.output


def test_the_command_lists_the_recipes_and_names_an_unknown_one():
    listed = CliRunner().invoke(app, ["recipe"])
    assert all(name in listed.output for name in RECIPES)
    unknown = CliRunner().invoke(app, ["recipe", "soup"])
    assert unknown.exit_code == 2
    assert "soup" in unknown.output
