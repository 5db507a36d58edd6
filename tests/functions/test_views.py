"""Which results share their entries with an input, both ways, and writing in place: beside torch."""

import numpy as np
import pytest
import torch
from tests.functions.test_functions_against_torch import FULL, name_of, parts, prepared

import glassgrad as gg
from glassgrad.tensor import Tensor

# Results that torch sometimes gives as views, and glassgrad always as tensors of their own.
FRESH = {"einsum": "torch gives a view where there is nothing to multiply or to sum"}
CALLS = [call for call in FULL if name_of(call.values[0]) not in FRESH]


def write(tensor):
    if tensor.dtype in (torch.bool, gg.bool):
        tensor.logical_not_()
    else:
        tensor.add_(7)


def attempt(action):
    try:
        action()
    except (RuntimeError, ValueError) as error:
        return error
    return None


def same(ours, theirs):
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(np.isnan(x.numpy()), np.isnan(y.numpy()))
        np.testing.assert_allclose(x.numpy(), y.numpy(), 1e-6)


@pytest.mark.parametrize("call", CALLS)
def test_writing_the_result_writes_the_inputs_where_torch_does(call):
    ours, theirs = prepared(call, "float64", gradients=False)
    found, expected = parts(call(gg, *ours), Tensor), parts(call(torch, *theirs), torch.Tensor)
    for x, y in zip(found, expected, strict=True):
        if not isinstance(y, torch.Tensor):
            continue
        failed = attempt(lambda y=y: write(y))
        refused = attempt(lambda x=x: write(x))
        assert (failed is None) == (refused is None), f"{failed or refused}"
        same(ours, theirs)


@pytest.mark.parametrize("call", CALLS)
def test_writing_an_input_writes_the_result_where_torch_does(call):
    ours, theirs = prepared(call, "float64", gradients=False)
    found, expected = parts(call(gg, *ours), Tensor), parts(call(torch, *theirs), torch.Tensor)
    for x, y in zip(ours, theirs, strict=True):
        write(x)
        write(y)
    pairs = [(x, y) for x, y in zip(found, expected, strict=True) if isinstance(y, torch.Tensor)]
    same([x for x, _ in pairs], [y for _, y in pairs])
