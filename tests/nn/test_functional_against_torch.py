"""Every function of nn.functional beside torch: values, gradients, what is written in place, ties and corners."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.nn.cases_functional import CASES
from tests.nn.peers import TOLERANCE, Case, compare

import glassgrad as gg
from glassgrad.nn import functional as F

ALL = [pytest.param(name, made, id=f"{name}{made}") for name, rows in CASES.items() for made in rows]
# torch has 1/6 in float32 there, whatever the input is.
LOOSE = {"hardsigmoid": 1e-7}


def test_every_function_has_a_case() -> None:
    assert sorted(CASES) == sorted(F.__all__)


@pytest.mark.parametrize(("name", "made"), ALL)
def test_values_and_gradients(name: str, made: Case) -> None:
    theirs = getattr(torch.nn.functional, name)
    specs = (made.x, made.call)
    compare(getattr(F, name), theirs, specs, f"{name}{made}", tolerance=LOOSE.get(name, TOLERANCE))


@pytest.mark.parametrize("name", [name for name, rows in CASES.items() if any("inplace" in made.call for made in rows)])
def test_in_place_writes_the_input(name: str) -> None:
    made = next(made for made in CASES[name] if "inplace" in made.call)
    x = gg.tensor(np.linspace(-4.0, 4.0, 12).reshape(2, 6))
    before = x.clone()
    expected = getattr(F, name)(before, **made.call | {"inplace": False})
    y = getattr(F, name)(x, **made.call)
    assert y is x
    np.testing.assert_array_equal(x.numpy(), expected.numpy())
