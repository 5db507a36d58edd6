"""The derivative of the derivative of every public function, beside torch."""

import numpy as np
import pytest
import torch
from tests.functions.test_functions_against_torch import FULL, parts, prepared

import glassgrad as gg
from glassgrad.tensor import Tensor

# Calls at a point where the derivative is stated, and has no derivative of its own.
STATED = {"norm-6": "the norm of zeros: its slope is 0, as in torch; torch's second derivative is nan, here it is 0"}


def weighted(module, tensors, offset):
    total = None
    for at, x in enumerate(tensors):
        if x is None or not x.requires_grad:
            continue
        weight = np.random.default_rng(at + offset).uniform(0.5, 1.5, tuple(x.shape))
        weight[~np.isfinite(x.detach().numpy(force=True))] = 0
        part = (x * module.tensor(weight)).sum()
        total = part if total is None else total + part
    return total


def twice(module, kind, call, inputs):
    total = weighted(module, [y for y in parts(call(module, *inputs), kind) if isinstance(y, kind)], 0)
    wanted = [x for x in inputs if x.requires_grad]
    if total is None or not wanted:
        return None
    first = module.autograd.grad(total, wanted, create_graph=True, allow_unused=True)
    again = weighted(module, first, 100)
    if again is None:
        return [None] * len(wanted)
    return module.autograd.grad(again, wanted, allow_unused=True)


@pytest.mark.parametrize("call", [p for p in FULL if p.id not in STATED])
def test_second_derivative(call):
    ours, theirs = prepared(call, "float64")
    try:
        expected = twice(torch, torch.Tensor, call, theirs)
    except RuntimeError as error:
        assert "not implemented" in str(error) or "differentiable" in str(error), error
        return
    found = twice(gg, Tensor, call, ours)
    assert (found is None) == (expected is None)
    for x, y in zip(found or (), expected or (), strict=True):
        zeros = np.zeros(tuple((x if y is None else y).shape)) if x is not None or y is not None else np.zeros(())
        a, b = (zeros if g is None else g.detach().numpy(force=True) for g in (x, y))
        np.testing.assert_allclose(a, b, 1e-9, 1e-9)
