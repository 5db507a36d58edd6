"""The text of a tensor is torch's, but for the package's name and the name of the operation behind grad_fn."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import glassgrad as gg

nan, inf = math.nan, math.inf
VALUES = [
    1.0, 0.5, -2.0, nan, inf, 0.0, 1e-5, 1e10, 123456.0, 7, -3, True, [], [[]], [[], []], [1.0, 2.0, 3.0],
    [1.0, 2.5, -3.0], [1e-5, 1.0], [1e9, 1.0], [1e5, 1.0], [0.1, 1000.0], [1.0, nan], [1.0, inf, -inf], [nan, nan],
    [0.0, 0.0], [0.5, nan, -inf], [1.5, 0.0], [1e-8, 0.0], [1e8, 2e8], [1e8 + 1, 1.0], [99999.9, 1.0], [True, False],
    [-1.0, 10.0, -100.0], [1, 20, -300], [[1.0, 2.0], [3.0, 4.5]], [[[1, 2], [3, 4]], [[5, 6], [7, 800]]],
    [[True], [False]], [[[[1.25]]]],
]  # fmt: skip
ARRAYS = {
    "1000": np.arange(1000.0), "1001": np.arange(1001.0), "square": np.arange(10000).reshape(100, 100) / 7,
    "deep": np.arange(2400).reshape(2, 3, 20, 20), "narrow": np.arange(1200.0).reshape(600, 2),
    "wide": np.linspace(-1, 1, 60), "ints": np.arange(-50, 50), "cube": np.arange(27.0).reshape(3, 3, 3) - 13,
    "line": np.arange(30) * 1000, "zero": np.zeros((0, 3)), "masks": np.arange(40) % 3 == 0,
    "edges": np.where(np.arange(2000) == 1000, 1e-9, 1.0),
}  # fmt: skip


def text(tensor):
    """The text; where a dtype stands in it, on one line with what follows, as the longer name may not fit."""
    made = repr(tensor)
    if "dtype=" in made:
        made = re.sub(r",\n +(dtype|requires_grad|size)=", r", \1=", made)
    return made.replace("torch.", "glassgrad.")


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("dtype", [None, "float64", "int32"])
def test_values(value, dtype):
    if dtype == "int32" and not (np.abs(value) < 2**31).all():
        return
    ours = gg.tensor(value, dtype=dtype and getattr(gg, dtype))
    theirs = torch.tensor(value, dtype=dtype and getattr(torch, dtype))
    assert text(ours) == text(theirs)
    assert str(ours) == repr(ours)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("gradient", [False, True])
def test_long_and_nested(name, gradient):
    array = ARRAYS[name]
    gradient = gradient and array.dtype.kind == "f"
    assert text(gg.tensor(array, requires_grad=gradient)) == text(torch.tensor(array, requires_grad=gradient))


@given(
    npst.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.bool_]),
        npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9),
    )
)
def test_any_array(array):
    assert text(gg.tensor(array)) == text(torch.tensor(array))


@given(st.lists(st.floats(-1e4, 1e4, width=32).map(lambda x: round(x, 3)), min_size=1, max_size=40))
def test_ordinary_floats(values):
    assert text(gg.tensor(values)) == text(torch.tensor(values))


def test_grad_fn_names_the_op():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    assert repr(x * 2) == "tensor([2., 4.], grad_fn=<mul>)"
    assert repr((x * 2).detach()) == "tensor([2., 4.])"
    assert repr(x.exp().sum()) == "tensor(10.1073, grad_fn=<sum>)"


def test_options():
    y = torch.linspace(0, 1, 40) ** 3
    x = gg.tensor(y.numpy())
    for options in (
        {"precision": 2}, {"threshold": 10}, {"threshold": 10, "edgeitems": 2}, {"linewidth": 40}, {"sci_mode": False},
        {"sci_mode": True}, {"profile": "short"}, {"profile": "full"},
    ):  # fmt: skip
        try:
            gg.set_printoptions(**options)
            torch.set_printoptions(**options)
            assert text(x) == text(y), options
        finally:
            gg.set_printoptions(profile="default")
            torch.set_printoptions(profile="default")
    with pytest.raises(ValueError, match="default, short, full"):
        gg.set_printoptions(profile="long")


def test_formatting():
    for module in (gg, torch):
        assert f"{module.tensor(1.23456):.2f}" == "1.23"
        assert f"{module.tensor(3):3d}|" == "  3|"
    assert f"{gg.tensor([1.0])}" == "tensor([1.])"
