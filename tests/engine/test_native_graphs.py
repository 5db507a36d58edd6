"""Random graphs, values and gradients: the native engine computes what the plain functions do.

40 graphs in CI; ``pytest --native-graphs 2000 -k native_graphs`` draws more.
"""

import numpy as np
import pytest
from hypothesis import given, note, reject, settings
from hypothesis import strategies as st
from tests.graphs import LARGEST, SHAPES, pick

import glassgrad as gg
from glassgrad.engine import compile, verify
from glassgrad.errors import DtypeError, TraceError

CLOSE = {"float64": 1e-9, "float32": 2e-3}
"""Relative to the largest entry. In float32 a graph of 20 ops enlarges the rounding of its first ones."""


def drawn_graph(data, rng):
    """The leaves' arrays, and the steps to be done on them: (function, operands, whether and how to shrink)."""
    shapes = data.draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=4))
    arrays = [rng.uniform(-2, 2, shape) for shape in shapes]
    values = [gg.tensor(a) for a in arrays]
    steps = []
    for number in range(data.draw(st.integers(3, 20))):
        name, step, operands = pick(data.draw, [x.numpy() for x in values])
        note(f"{number}: {name} of {operands}")
        x = step(gg, *(values[at] for at in operands))
        mean = x.numel() > LARGEST
        x = x.mean(-1) if mean else x
        largest = float(np.abs(x.numpy()).max(initial=0.0))
        scale = largest if largest > 10 else None
        values.append(x if scale is None else x / scale)
        steps.append((step, operands, mean, scale))
    return arrays, steps, [rng.uniform(-1, 1, x.shape) for x in values]


def program(steps, weights):
    """The function of the leaves that does the steps and returns all values and all gradients."""

    def run(*leaves):
        values = list(leaves)
        for step, operands, mean, scale in steps:
            x = step(gg, *(values[at] for at in operands))
            x = x.mean(-1) if mean else x
            values.append(x if scale is None else x / scale)
        total = sum((x * gg.tensor(w, dtype=x.dtype)).sum() for x, w in zip(values, weights, strict=True))
        gradients = gg.autograd.grad(total, leaves, materialize_grads=True)
        return [*(x.detach() * 1 for x in values[len(leaves) :]), *gradients]

    return run


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@settings.get_profile("native_graphs")
@given(st.data())
def test_native_graphs(dtype, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    arrays, steps, weights = drawn_graph(data, rng)
    run = program(steps, weights)
    leaves = [gg.tensor(a, dtype=dtype, requires_grad=True) for a in arrays]
    try:
        expected = run(*leaves)
    except DtypeError:  # a step brings float64 numbers of its own
        reject()
    native = compile(run, threads=data.draw(st.sampled_from([1, 2])))
    verify.ON[0] = True
    try:
        native(*leaves)
        found = native(*leaves)
    except TraceError:  # it looks at values
        reject()
    for number, (x, y) in enumerate(zip(found, expected, strict=True)):
        a, b = x.numpy(), y.detach().numpy()
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        scale = max(1.0, float(np.abs(b).max(initial=0)))
        np.testing.assert_allclose(a, b, CLOSE[dtype], CLOSE[dtype] * scale, err_msg=f"value {number}")
