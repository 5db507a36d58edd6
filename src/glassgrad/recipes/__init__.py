"""The article's applications on real inputs, a readable file each: ``glassgrad recipe NAME``.

A recipe is a function of its file that has the file's name. Its parameters are the options of the command; it prints
its figures, leaves a page with pictures, and returns the `Page`. ``short=True`` is a form that learns measurably
within seconds. RESULTS.md, beside this file, has what the full runs reached.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from .page import Page

RECIPES = {
    "article": "the article's numbers; why its XOR program does not learn, how it does, and what backpropagation saves",
    "digits": "a convolutional net reads scikit-learn's handwritten digits",
    "mnist": "a convolutional net, or one of dense layers, reads MNIST or Fashion-MNIST",
    "gpt": "a GPT learns a book character by character, and writes on",
    "translate": "an encoder and a decoder turn dates of many forms into ISO form, or numbers into words",
    "diagnosis": "malignant or benign, how sure, and why, from a table of tumours; not a medical device",
    "game": "a net learns a board game of OpenSpiel's by playing against itself, and plays it with you",
    "driving": "simulated driving: a net learns by policy gradient to keep a car in its lane",
}
"""What each recipe shows, by name."""


def recipe(name: str) -> Callable[..., Page]:
    """The function of a recipe; raises KeyError for an unknown name."""
    if name not in RECIPES:
        raise KeyError(name)
    found: Callable[..., Page] = getattr(importlib.import_module(f".{name}", __package__), name)
    return found


__all__ = ["RECIPES", "Page", "recipe"]
