"""Every op beside torch: values and gradients, at generic points, at nan and inf, of no entries, of no dimensions."""

import inspect
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from glassgrad.autodiff import cotangents
from glassgrad.dispatch import leaf
from glassgrad.op import REGISTRY
from glassgrad.spec import is_float

OPS = list(REGISTRY.values())
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}


def conv(x, w, **params):
    return (F.conv1d if x.ndim == 3 else F.conv2d)(x, w, **params)


def conv_transpose(u, w, *, size, stride, padding, dilation, groups):
    steps = zip(size, u.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)
    extra = tuple(n - ((o - 1) * s - 2 * p + d * (k - 1) + 1) for n, o, k, s, p, d in steps)
    function = F.conv_transpose1d if u.ndim == 3 else F.conv_transpose2d
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        pytest.skip("torch refuses this output_padding")
    return function(u, w, None, stride, padding, extra, groups, dilation)


def conv_weight(x, u, *, kernel, stride, padding, dilation, groups):
    shape = (u.shape[1], x.shape[1] // groups, *kernel)
    weight = torch.zeros(shape, dtype=x.dtype, requires_grad=True)
    (found,) = torch.autograd.grad(
        conv(x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups), weight, u, create_graph=True
    )
    return found


def max_pool_index(x, *, kernel, stride, padding, dilation, ceil_mode=False):
    pool = F.max_pool1d if x.ndim == 3 else F.max_pool2d
    return pool(x, kernel, stride, padding, dilation, ceil_mode, True)[1]


def index_key(x, indices, axes):
    return tuple(indices[axes.index(at)] if at in axes else slice(None) for at in range(x.ndim))


def index_put(x, src, *indices, axes, accumulate=False):
    made = x.clone()
    key = index_key(x, indices, axes)
    if not accumulate:
        made[key] = src
        return made
    # torch's index_put takes only tensors as indices: number the entries, and add at those numbers.
    numbers = torch.arange(x.numel()).reshape(x.shape)[key]
    return x.reshape(-1).index_put((numbers.reshape(-1),), src.reshape(-1), accumulate=True).reshape(x.shape)


def slices(cuts):
    return tuple(slice(*cut) for cut in cuts)


def slice_scatter(x, part, *, cuts):
    made = x.clone()
    made[slices(cuts)] = part
    return made


def cumsum(x, *, axis, reverse=False):
    return x.flip(axis).cumsum(axis).flip(axis) if reverse else x.cumsum(axis)


def reduced(function):
    def made(x, *, axes, keep=False):
        return function(x, axes, keep) if axes else x.clone()

    return made


SAME_NAME = {
    *("eq", "ne", "lt", "le", "gt", "ge", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "where", "add"),
    *("sub", "mul", "div", "neg", "maximum", "minimum", "abs", "sign", "relu", "floor", "round", "remainder", "pow"),
    *("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
    *("sigmoid", "erf"),
}
TORCH = {
    **{name: getattr(torch, name) for name in SAME_NAME},
    "softplus": lambda x: F.softplus(x, threshold=40),
    "floordiv": torch.floor_divide,
    "cast": lambda x, dtype: x.to(getattr(torch, str(dtype))),
    "copy": torch.clone,
    "detach": lambda x: x.detach(),
    "replace": lambda x, new: x + (new - x).detach(),
    "again": lambda x, after: x.clone(),
    "reshape": lambda x, shape: x.reshape(shape),
    "permute": lambda x, axes: x.permute(axes),
    "expand": lambda x, shape: x.expand(shape),
    "slice": lambda x, cuts: x[slices(cuts)],
    "slice_scatter": slice_scatter,
    "cat": lambda *xs, axis: torch.cat(xs, axis),
    "flip": lambda x, axes: x.flip(axes),
    "gather": lambda x, index, axis: x.gather(axis, index),
    "scatter": lambda x, index, src, axis: x.scatter(axis, index, src),
    "scatter_add": lambda x, index, src, axis: x.scatter_add(axis, index, src),
    "index": lambda x, *indices, axes: x[index_key(x, indices, axes)],
    "index_put": index_put,
    "matmul": lambda a, b, ta=False, tb=False: (a.mT if ta else a) @ (b.mT if tb else b),
    "affine": F.linear,
    "softmax": lambda x, axis: x.softmax(axis),
    "log_softmax": lambda x, axis: x.log_softmax(axis),
    "conv": conv,
    "conv_transpose": conv_transpose,
    "conv_weight": conv_weight,
    "max_pool_index": max_pool_index,
    "sum": reduced(torch.sum),
    "amax": reduced(torch.amax),
    "argmax": lambda x, axis: x.argmax(axis),
    "cumsum": cumsum,
    "argsort": lambda x, axis, descending=False: torch.sort(x, dim=axis, descending=descending, stable=True)[1],
}
# Ops that torch has no counterpart of; they are tested elsewhere.
WITHOUT_PEER = {"uniform01": "the bits are NumPy's Philox; tests/functions/test_random.py compares with NumPy"}


def test_every_op_has_a_peer():
    assert set(TORCH) | set(WITHOUT_PEER) == set(REGISTRY)
    assert not set(TORCH) & set(WITHOUT_PEER)


def compare(op, arrays, params, rtol, gradients=True):
    """The value, and the gradient of a weighted sum, of glassgrad and torch."""
    flow = [op.differentiable and op.rule(at) is not None and is_float(a.dtype) for at, a in enumerate(arrays)]
    ours = [leaf(np.array(a), f) for a, f in zip(arrays, flow, strict=True)]
    theirs = [torch.tensor(a, requires_grad=f) for a, f in zip(arrays, flow, strict=True)]
    result, expected = op(*ours, **params), TORCH[op.name](*theirs, **params)
    assert str(result.dtype) == str(expected.dtype).removeprefix("torch.")
    assert result.shape == tuple(expected.shape)
    same(result.value, expected, rtol, op.name)
    if not gradients or not is_float(result.dtype) or not result.requires_grad:
        return
    seed = np.asarray(np.random.default_rng(3).uniform(0.5, 1.5, result.shape), result.dtype)
    found = cotangents([result], [leaf(seed)], set(ours))
    expected.backward(torch.tensor(seed))
    for at, (x, y) in enumerate(zip(ours, theirs, strict=True)):
        if flow[at]:
            same(found[x].value, y.grad, rtol, f"gradient of {op.name} by operand {at}")


def same(ours, theirs, rtol, what):
    theirs = theirs.detach().numpy()
    scale = max(1.0, float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0))) if theirs.dtype.kind == "f" else 1.0
    np.testing.assert_allclose(ours, theirs, rtol, rtol * 0.1 * scale, err_msg=what)


CASES = [
    pytest.param(op, case, id=f"{op.name}-{n}")
    for op in OPS
    if op.name not in WITHOUT_PEER
    for n, case in enumerate(op.cases)
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("op", "case"), CASES)
def test_value_and_gradient(op, case, dtype):
    for seed in range(3):
        arrays = case.arrays(op, np.dtype(dtype), np.random.default_rng(seed))
        if op.name == "floordiv":
            arrays[1] += 1
        compare(op, arrays, case.params, TOLERANCE[dtype])


FLOAT_ELEMENTWISE = [
    op for op in OPS
    if op.kind == "elementwise" and not op.only.startswith("int") and op.name not in ("where", "cast")
]  # fmt: skip
# Gradients that differ from torch's at such points: which points are left out, and why.
DIFFERENT = {
    "remainder": (lambda a, b: np.isinf(a) | np.isinf(b), "floor(a / b), the slope by b, is rounded otherwise at inf"),
    "amax": (
        lambda x: np.isnan(x).any(1),
        "torch divides by how many equal nan, none; here 0 comes through",
    ),
}
EXTREMES = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-30, -1e-30, 1e4, -1e4, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("op", FLOAT_ELEMENTWISE, ids=lambda op: op.name)
def test_extreme_inputs(op, dtype):
    points = np.array(list(itertools.product(EXTREMES, repeat=len(op.operands))), dtype).T
    compare(op, list(points.copy()), {}, TOLERANCE[dtype], gradients=op.name not in DIFFERENT)
    if op.name in DIFFERENT:
        points = points[:, ~DIFFERENT[op.name][0](*points)]
        compare(op, list(points.copy()), {}, TOLERANCE[dtype])


NOT_FLOAT_ALONE = [op for op in OPS if op.kind == "elementwise" and op.only != "float"]


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
@pytest.mark.parametrize("op", NOT_FLOAT_ALONE, ids=lambda op: op.name)
def test_integers_and_booleans(op, dtype):
    if op.name == "cast" or (dtype == "bool" and op.only in ("number", "integer")):
        return
    numbers = [0, 1] if dtype == "bool" else [1, 2, 3, 7] if op.name in ("pow", "floordiv") else [-7, -2, -1, 1, 3, 8]
    count = len(inspect.signature(op.value).parameters) - 1
    points = [np.array(a, dtype) for a in zip(*itertools.product(numbers, repeat=count), strict=True)]
    if op.name == "where":
        points[0] = points[0].astype(bool)
    compare(op, points, {}, 0)


@pytest.mark.parametrize("name", ["amax", "argmax", "argsort", "sum", "cumsum", "max_pool_index"])
def test_reductions_with_ties_nan_and_inf(name):
    op = REGISTRY[name]
    nan, inf = math.nan, math.inf
    rows = np.array([[1, 1, 0, 1], [nan, 2, 3, nan], [inf, 1, inf, 0], [-inf, -inf, -inf, -inf], [0.0, -0.0, 0, 0]])
    if name == "max_pool_index":
        params = {"kernel": (2,), "stride": (2,), "padding": (1,), "dilation": (1,)}
        compare(op, [rows[None]], params, 0)
        return
    params = {"axes": (1,)} if name in ("sum", "amax") else {"axis": 1}
    compare(op, [rows], params, 0, gradients=name not in DIFFERENT)
    if name in DIFFERENT:
        compare(op, [rows[~DIFFERENT[name][0](rows)]], params, 0)
    if name == "argsort":
        compare(op, [rows], {"axis": 1, "descending": True}, 0)
