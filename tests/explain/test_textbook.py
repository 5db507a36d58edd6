"""Formulas as a textbook writes them."""

from __future__ import annotations

import pytest

import glassgrad as gg
from glassgrad.explain.formula import LATEX

WRITTEN = {
    "a product with a remainder": (lambda x, y: x * (y % 3), "x · (y mod 3)", r"x \cdot (y \bmod 3)"),
    "a remainder of a product": (lambda x, y: (x * y) % 3, "x · y mod 3", r"x \cdot y \bmod 3"),
    "a difference of differences": (lambda x, y: x - (y - 1.5), "x − (y − 1.5)", "x - (y - 1.5)"),
    "numbers stand first": (lambda x, y: (x + y) * 2.0, "2 · (x + y)", r"2 \cdot (x + y)"),
    "a sign stands in front": (lambda x, y: x * -y, "−x · y", r"-x \cdot y"),
    "signs cancel": (lambda x, y: -x * -y, "x · y", r"x \cdot y"),
    "a sum with a negative term": (lambda x, y: -x + y, "y − x", "y - x"),
    "a square": (lambda x, y: x * x, "x²", "x^{2}"),
    "a square of a sum": (lambda x, y: (x + y) ** 2, "(x + y)²", "(x + y)^{2}"),
    "a quotient": (lambda x, y: x / (y * 2.0), "x / (2 · y)", r"\frac{x}{2 \cdot y}"),
    "what does nothing": (lambda x, y: (x * 1.0 + 0.0) / 1.0, "x", "x"),
    "twice the same": (lambda x, y: x + x, "2 · x", r"2 \cdot x"),
    "a root": (lambda x, y: (x * y) ** 0.5, "√(x · y)", r"\sqrt{x \cdot y}"),
    "a function of a sum": (lambda x, y: gg.tanh(x + y), "tanh(x + y)", r"\tanh (x + y)"),
    "a power of e": (lambda x, y: gg.exp(-(x * x)), "e^(−x²)", "e^{-x^{2}}"),
    "a choice": (lambda x, y: gg.where(x > 0, x, y), "(x if x > 0 else y)", None),
    "a product of sums": (lambda x, y: (x + 1) * (y - 2), "(x + 1) · (y − 2)", "(x + 1) \\cdot (y - 2)"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "text", "latex"), WRITTEN.values(), ids=WRITTEN)
def test_written(make, text, latex):
    x, y = gg.tensor(2.5, dtype=gg.float64), gg.tensor(4.0, dtype=gg.float64)
    with gg.record() as tape:
        make(x, y)
    expr = tape.steps[-1].entry()
    assert str(expr) == text
    assert latex is None or expr.write(LATEX) == latex


def test_negative_numbers_in_place_of_names():
    x, b = gg.tensor(-2.5, dtype=gg.float64), gg.tensor(-4.0, dtype=gg.float64)
    with gg.record() as tape:
        _ = x + b
        _ = x - b
        _ = x * b + b
        _ = x / b
        _ = gg.exp(x) ** 2
    assert [step.numbers for step in tape.steps] == [
        "−2.5 − 4", "−2.5 − (−4)", "(−2.5) · (−4)", "(−2.5) · (−4) − 4", "(−2.5) / (−4)", "e^(−2.5)", "(e^(−2.5))²",
    ]  # fmt: skip
