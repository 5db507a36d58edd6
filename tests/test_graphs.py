"""Random graphs of 3 to 30 ops: every value and every gradient equal to torch's, in float64.

300 graphs by default; ``pytest --graphs 5000 -k graphs`` draws more.
"""

import numpy as np
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st
from tests.graphs import LARGEST, SHAPES, pick

import glassgrad as gg

CLOSE = 1e-9
"""Relative to the largest entry: a graph of 30 ops adds up the rounding of each, 1e-16, and enlarges some."""


def close(ours, theirs, what):
    assert ours.shape == tuple(theirs.shape), what
    theirs = theirs.detach().numpy()
    scale = max(1.0, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(ours.detach().numpy(), theirs, CLOSE, CLOSE * scale, err_msg=what)


@settings.get_profile("graphs")
@given(st.data())
def test_random_graphs(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shapes = data.draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=4))
    arrays = [rng.uniform(-2, 2, shape) for shape in shapes]
    leaves = [gg.tensor(a, requires_grad=True) for a in arrays]
    peers = [torch.tensor(a, requires_grad=True) for a in arrays]
    ours, theirs = list(leaves), list(peers)
    for number in range(data.draw(st.integers(3, 30))):
        name, step, operands = pick(data.draw, [x.detach().numpy() for x in theirs])
        note(f"{number}: {name} of {operands}")
        y = step(torch, *(theirs[at] for at in operands))
        x = step(gg, *(ours[at] for at in operands))
        close(x, y, f"step {number}: {name}")
        assert x.requires_grad == y.requires_grad
        if y.numel() > LARGEST:
            x, y = x.mean(-1), y.mean(-1)
        largest = float(y.detach().abs().max()) if y.numel() else 0.0
        if largest > 10:
            x, y = x / largest, y / largest
        ours.append(x)
        theirs.append(y)
    weights = [rng.uniform(-1, 1, x.shape) for x in theirs]
    gradients = backward(gg, ours, leaves, weights), backward(torch, theirs, peers, weights)
    for at, (x, y) in enumerate(zip(*gradients, strict=True)):
        assert (x is None) == (y is None), f"gradient {at}"
        if y is not None:
            close(x, y, f"gradient {at}")


def backward(module, values, leaves, weights):
    total = sum((x * module.tensor(w)).sum() for x, w in zip(values, weights, strict=True) if x.requires_grad)
    total.backward()
    return [x.grad for x in leaves]
