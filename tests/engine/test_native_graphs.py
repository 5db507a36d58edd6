"""Random graphs, values and gradients: the native engine computes what the plain functions do, and what torch does.

20 graphs in CI; ``pytest --native-graphs 1000 tests/engine/test_native_graphs.py`` draws 1,000 for each dtype, half as
many with torch, and a quarter as many with nan and infinity in them.
"""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, note, reject, settings
from hypothesis import strategies as st
from tests.graphs import EMPTY, LARGEST, ODD, SHAPES, pick

import glassgrad as gg
from glassgrad.engine import compile, native, slices, verify
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


LAYOUTS = {
    "in order": lambda a: a,
    "transposed": lambda a: a.T.copy().T,
    "reversed": lambda a: a[::-1].copy()[::-1] if a.ndim else a,
    "every other": lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a,
    "a part": lambda a: np.pad(a, 1)[(slice(1, -1),) * a.ndim] if a.ndim else a,
    "shifted": lambda a: np.concatenate([a.ravel()[:1], a.ravel()])[1:].reshape(a.shape) if a.size else a,
}
"""How the numbers of a leaf lie in memory."""


def program(steps, weights, m=gg):
    """The function of the leaves that does the steps and returns all values and all gradients; among the results are
    inputs and views as they are."""

    def run(*leaves):
        values = list(leaves)
        for step, operands, mean, scale in steps:
            x = step(m, *(values[at] for at in operands))
            x = x.mean(-1) if mean else x
            values.append(x if scale is None else x / scale)
        total = sum((x * m.tensor(w, dtype=x.dtype)).sum() for x, w in zip(values, weights, strict=True))
        gradients = m.autograd.grad(total, leaves, materialize_grads=True)
        return [*(x.detach() for x in values), *gradients]

    return run


def compiled(run, leaves, threads, engine="native"):
    """What the native engine makes of it; a case that cannot be compiled is none."""
    go = compile(run, threads=threads, engine=engine)
    verify.ON[0] = True
    with pytest.MonkeyPatch.context() as patch:
        if threads > 1:  # however small the kernels are
            patch.setattr(native, "ALONE", 0)
            patch.setattr(native, "WORTH", 0)
            slice_all(patch)
        try:
            go(*leaves)
            return go(*leaves)
        except TraceError:  # it looks at values
            reject()


def slice_all(patch):
    """Have every chain of kernels run slice by slice that can be, however little there is to gain."""
    patch.setattr(slices, "LARGE", -(1 << 60))
    patch.setattr(slices, "LEAST", 1)
    patch.setattr(slices, "EACH", 1)


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
    layouts = [LAYOUTS[data.draw(st.sampled_from(sorted(LAYOUTS)))] for _ in arrays]
    leaves = [
        gg.from_numpy(layout(a.astype(dtype))).requires_grad_() for a, layout in zip(arrays, layouts, strict=True)
    ]
    return leaves, steps, weights, rng


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
    found = compiled(run, leaves, data.draw(st.sampled_from([1, 2])))
    agree(found, expected, CLOSE[dtype])
    agree(compiled(run, leaves, 1, engine="interpret"), expected, CLOSE[dtype])


@settings.get_profile("native_graphs_odd")
@given(st.data())
def test_native_graphs_that_change_state(data):
    """Some of the values are put into tensors that were there before, which later calls read and swap."""
    leaves, steps, weights, _ = drawn_leaves(data, "float64")
    run = program(steps, weights)
    kept = data.draw(st.lists(st.integers(0, len(weights) - 1), min_size=1, max_size=4))

    def stateful(states):
        def step(*inputs):
            made = run(*(x * (1 + 0.01 * states[0].mean()) for x in inputs))
            for state, number in zip(states, kept, strict=True):
                state.mul_(0.5).add_(made[number])
            for a, b in itertools.pairwise(states):
                if a.shape == b.shape:
                    old = a.clone()
                    a.copy_(b)
                    b.copy_(old)
                elif a.ndim and b.ndim and a.numel() and b.numel():
                    a[..., 0] = b.mean()
            return made[kept[0]]

        return step

    plain, ours = ([gg.ones(weights[number].shape, dtype=gg.float64) for number in kept] for _ in range(2))
    step = stateful(plain)
    expected = [step(*leaves) for _ in range(3)]
    go = compile(stateful(ours), threads=1)
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            slice_all(patch)
        try:
            found = [go(*leaves) for _ in range(3)]
        except TraceError:
            reject()
    agree([*found, *ours], [*expected, *plain], 1e-8)


@settings.get_profile("native_graphs_torch")
@given(st.data())
def test_native_graphs_against_torch(data):
    leaves, steps, weights, _ = drawn_leaves(data, "float64")
    found = compiled(program(steps, weights), leaves, 1)
    theirs = [torch.tensor(x.detach().numpy().copy(), requires_grad=True) for x in leaves]
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
