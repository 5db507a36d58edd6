"""Random graphs, values and gradients: the native engine computes what the plain functions do, and what torch does.

40 graphs in CI; ``pytest --native-graphs 1000 tests/engine/test_native_graphs.py`` draws 1,000 for each dtype, half as
many with torch, and a quarter as many with nan and infinity in them.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, note, reject, settings
from hypothesis import strategies as st
from tests.graphs import EMPTY, LARGEST, ODD, SHAPES, pick

import glassgrad as gg
from glassgrad.engine import compile, native, verify
from glassgrad.errors import DtypeError, GlassgradError, TraceError

CLOSE = {"float64": 1e-9, "float32": 2e-3}
"""Relative to the largest entry. In float32 a graph of 20 ops enlarges the rounding of its first ones."""


def drawn_graph(data, rng, shapes=(*SHAPES, *ODD)):
    """The leaves' arrays, and the steps to be done on them: (function, operands, whether and how to shrink)."""
    shapes = data.draw(st.lists(st.sampled_from(shapes), min_size=1, max_size=4))
    arrays = [rng.uniform(-2, 2, shape) for shape in shapes]
    values = [gg.tensor(a) for a in arrays]
    steps = []
    for number in range(data.draw(st.integers(3, 20))):
        name, step, operands = pick(data.draw, [x.numpy() for x in values])
        note(f"{number}: {name} of {operands}")
        try:
            x = step(gg, *(values[at] for at in operands))
        except GlassgradError:  # not for arrays without entries
            if all(values[at].numel() for at in operands):
                raise
            reject()
        mean = x.numel() > LARGEST
        x = x.mean(-1) if mean else x
        largest = float(np.abs(x.numpy()).max(initial=0.0))
        scale = largest if largest > 10 else None
        values.append(x if scale is None else x / scale)
        steps.append((step, operands, mean, scale))
    return arrays, steps, [rng.uniform(-1, 1, x.shape) for x in values]


def program(steps, weights, m=gg):
    """The function of the leaves that does the steps and returns all values and all gradients."""

    def run(*leaves):
        values = list(leaves)
        for step, operands, mean, scale in steps:
            x = step(m, *(values[at] for at in operands))
            x = x.mean(-1) if mean else x
            values.append(x if scale is None else x / scale)
        total = sum((x * m.tensor(w, dtype=x.dtype)).sum() for x, w in zip(values, weights, strict=True))
        gradients = m.autograd.grad(total, leaves, materialize_grads=True)
        return [*(x.detach() * 1 for x in values[len(leaves) :]), *gradients]

    return run


def compiled(run, leaves, threads):
    """What the native engine makes of it; a case that cannot be compiled is none."""
    go = compile(run, threads=threads)
    verify.ON[0] = True
    with pytest.MonkeyPatch.context() as patch:
        if threads > 1:  # however small the kernels are
            patch.setattr(native, "ALONE", 0)
            patch.setattr(native, "WORTH", 0)
        try:
            go(*leaves)
            return go(*leaves)
        except TraceError:  # it looks at values
            reject()


def agree(found, expected, close):
    for number, (x, y) in enumerate(zip(found, expected, strict=True)):
        a, b = x.numpy(), y.detach().numpy()
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        scale = max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0)))
        np.testing.assert_allclose(a, b, close, close * scale, err_msg=f"value {number}")


def drawn_leaves(data, dtype, **options):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    arrays, steps, weights = drawn_graph(data, rng, **options)
    return [gg.tensor(a, dtype=dtype, requires_grad=True) for a in arrays], steps, weights, rng


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@settings.get_profile("native_graphs")
@given(st.data())
def test_native_graphs(dtype, data):
    leaves, steps, weights, _ = drawn_leaves(data, dtype)
    run = program(steps, weights)
    try:
        expected = run(*leaves)
    except DtypeError:  # a step brings float64 numbers of its own
        reject()
    agree(compiled(run, leaves, data.draw(st.sampled_from([1, 2]))), expected, CLOSE[dtype])


@settings.get_profile("native_graphs_torch")
@given(st.data())
def test_native_graphs_against_torch(data):
    leaves, steps, weights, _ = drawn_leaves(data, "float64")
    found = compiled(program(steps, weights), leaves, 1)
    theirs = [torch.tensor(x.detach().numpy(), requires_grad=True) for x in leaves]
    agree(found, program(steps, weights, torch)(*theirs), 1e-8)


@settings.get_profile("native_graphs_odd")
@given(st.data())
def test_native_graphs_of_nothing(data):
    """Some of the leaves have no entries."""
    leaves, steps, weights, _ = drawn_leaves(data, "float64", shapes=(*SHAPES[:6], *EMPTY))
    run = program(steps, weights)
    try:
        expected = run(*leaves)
    except GlassgradError:
        reject()
    agree(compiled(run, leaves, 1), expected, CLOSE["float64"])


@settings.get_profile("native_graphs_odd")
@given(st.data())
def test_native_graphs_with_nan_and_infinity(data):
    """What was drawn with numbers is run with nan and infinity among them: they come out at the same places."""
    leaves, steps, weights, rng = drawn_leaves(data, "float64")
    for x in leaves:
        array = x.detach().numpy().copy()
        places = rng.random(array.shape) < 0.1
        array[places] = rng.choice([np.nan, np.inf, -np.inf], int(places.sum()))
        x.data = gg.tensor(array)
    run = program(steps, weights)
    agree(compiled(run, leaves, 1), run(*leaves), 1e-8)
