"""The native engine computes every op of the registry, in every dtype that it takes, as its NumPy rule does; and what
it knows of an op it has from the op's declaration."""

import ast
import importlib
from pathlib import Path

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engine import compile, native, verify
from glassgrad.errors import GlassgradError
from glassgrad.op import KINDS, REGISTRY
from glassgrad.spec import Spec
from glassgrad.tensor import wrap

DTYPES = ("float32", "float64", "int64", "int32", "bool")
ENGINE = Path(gg.__file__).parent / "engine"
ROUNDED = {"float32": 2e-6, "float64": 1e-14}
NOT_NAMES = {
    "emit/conv.py": ("eq", "comparisons of LLVM"),
    "emit/ir.py": ("add floor mul sqrt sub", "instructions of LLVM"),
    "emit/loops.py": ("eq", "comparisons of LLVM"),
    "emit/math_trig.py": ("ne", "comparisons of LLVM"),
    "emit/matmul.py": ("eq", "comparisons of LLVM"),
    "emit/scribe.py": ("eq ne", "comparisons of LLVM"),
    "emit/skinny.py": ("eq", "comparisons of LLVM"),
    "emit/turn.py": ("ne", "comparisons of LLVM"),
    "likeness.py": ("slice", "Python's slices"),
    "native.py": ("eq", "comparisons of LLVM"),
    "rewrite.py": ("cast expand", "the values that every rule may make: repeated ones, and other dtypes"),
    "simplify.py": ("expand", "expand is left as it is when constants are computed"),
}
"""Words that are in a file for another reason than naming an op."""


ADDS = {"scatter_add"}
"""Structural ops that do more than move entries, in an order of their own."""


def cases(op):
    for dtype in DTYPES:
        for case in op.cases:
            arrays = case.arrays(op, np.dtype(dtype), np.random.default_rng(0))
            try:
                op.spec(*[Spec(a.shape, a.dtype) for a in arrays], **case.params)
            except GlassgradError:  # not for this dtype: the op's own tests see to what it says then
                continue
            if op.refuses is not None and arrays[-1].dtype.kind == "i":
                arrays[-1] = np.abs(arrays[-1]) + 1
            with np.errstate(all="ignore"):
                yield dtype, arrays, case.params, op.value(np, *arrays, **case.params)


def agrees(op, found, expected, arrays):
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    if expected.dtype.kind == "f" and (op.kind != "structural" or op.name in ADDS):
        scale = max([1.0, *(float(np.abs(a).max(initial=0)) for a in arrays if a.dtype.kind == "f")])
        close = ROUNDED[str(expected.dtype)]
        np.testing.assert_allclose(found, expected, close * 4, close * scale * 8)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", REGISTRY)
def test_every_case(name, monkeypatch):
    """All cases at once, on two threads however small they are, each with its operands as they are and as views."""
    monkeypatch.setattr(verify, "ON", [True])
    monkeypatch.setattr(native, "ALONE", 0)
    monkeypatch.setattr(native, "WORTH", 0)
    op = REGISTRY[name]
    found = list(cases(op))
    dtypes = {dtype for dtype, *_ in found}
    assert dtypes, "no dtype fits any case"
    assert not op.only or any(np.dtype(dtype).kind in KINDS[op.only] for dtype in dtypes)
    laid = [VIEWS[number % len(VIEWS)] for number in range(len(found))]

    def run(*groups):
        made = []
        for (xs, bases), (_, _, params, _), (_, view) in zip(groups, found, laid, strict=True):
            made.append(wrap(op(*[x.node for x in xs], **params)))
            made.append(wrap(op(*[view(x).node for x in bases], **params)))
        return made

    go = compile(run, threads=2)
    given = [
        ([gg.tensor(a) for a in arrays], [gg.tensor(lay(a)) for a in arrays])
        for (_, arrays, _, _), (lay, _) in zip(found, laid, strict=True)
    ]
    go(*given)
    results = iter(go(*given))
    for _, arrays, _, expected in found:
        agrees(op, next(results).numpy(), expected, arrays)
        agrees(op, next(results).numpy(), expected, arrays)


VIEWS = [
    (lambda a: a.T.copy(), lambda x: x.permute(*reversed(range(x.ndim)))),
    (lambda a: np.flip(a).copy(), lambda x: x.flip(list(range(x.ndim)))),
    (lambda a: np.pad(a, 1) if a.ndim else a, lambda x: x[(slice(1, -1),) * x.ndim] if x.ndim else x),
    (lambda a: np.repeat(a, 2, axis=-1) if a.ndim else a, lambda x: x[..., ::2] if x.ndim else x),
    (lambda a: np.stack([a + 1, a]) if a.dtype != bool else np.stack([~a, a]), lambda x: x[1]),
]
"""How an operand may lie in an array: what makes the array, and the view of it that the operand is."""


AWKWARD = np.array([1.0, np.nan, -np.inf, np.inf, -0.0, 0.0, np.nan, 2.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name", [n for n, op in REGISTRY.items() if op.emit is not None and "float" in (op.only or "float")]
)
def test_nan_and_infinity_entry_by_entry(name, dtype):
    op = REGISTRY[name]
    count = len(op.operands)
    grid = np.meshgrid(*[AWKWARD] * count, indexing="ij") if count < 3 else [AWKWARD] * 3
    arrays = [a.ravel().astype(dtype) for a in grid]
    if name == "where":
        arrays[0] = arrays[0] > 0
    params = {"dtype": np.dtype("float64")} if name == "cast" else {}
    with np.errstate(all="ignore"):
        expected = op.value(np, *arrays, **params)
    go, xs = compile(lambda *xs: wrap(op(*[x.node for x in xs], **params))), [gg.tensor(a) for a in arrays]
    go(*xs)
    found = go(*xs).numpy()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, ROUNDED[dtype] * 4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_infinity_along_axes(dtype):
    rng = np.random.default_rng(0)
    x = rng.choice(AWKWARD, (6, 19)).astype(dtype)
    x[0], x[1, 3:] = 1.0, np.nan
    functions = {
        "amax": lambda x: x.amax(1), "argmax": lambda x: x.argmax(1), "sum": lambda x: x.sum(1),
        "sort": lambda x: x.sort(dim=1)[0], "order": lambda x: x.argsort(dim=1, descending=True),
        "columns": lambda x: x.argsort(dim=0), "cumsum": lambda x: x.cumsum(1),
        "pool": lambda x: gg.nn.functional.max_pool1d(x[None], 3, 2, 1, return_indices=True)[1],
    }  # fmt: skip
    for name, function in functions.items():
        go, given = compile(function), gg.tensor(x)
        go(given)
        np.testing.assert_array_equal(go(given).numpy(), function(given).numpy(), err_msg=name)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_the_most_negative_number_over_minus_one(dtype):
    least = np.iinfo(dtype).min
    a, b = gg.tensor(np.array([least, least, 7, -7], dtype)), gg.tensor(np.array([-1, 3, -1, -2], dtype))

    def both(a, b):
        return a % b, a // b

    go = compile(both)
    go(a, b)
    for found, expected in zip(go(a, b), both(a, b), strict=True):
        assert found.tolist() == expected.tolist()


REFUSING = {"remainder": 0, "floordiv": 0, "pow": -1}
"""Ops that have no result for some whole numbers, and one of these."""


def test_which_ops_refuse_numbers():
    assert set(REFUSING) == {name for name, op in REGISTRY.items() if op.refuses}


@pytest.mark.parametrize("name", REFUSING)
@pytest.mark.parametrize("b_is", ["given", "computed", "held", "a constant"])
def test_a_number_that_an_op_refuses_is_an_error_in_a_compiled_step_too(name, b_is):
    op, bad = REGISTRY[name], REFUSING[name]
    held = gg.tensor([2, 3, 4])
    of = {
        "given": lambda b: b,
        "computed": lambda b: b * 2 // 2,
        "held": lambda b: held,
        "a constant": lambda b: gg.full((3,), bad if b_is == "a constant" else 2, dtype=gg.int64),
    }[b_is]

    def step(a, b):
        return wrap(op(a.node, of(b).node))

    go, a = compile(step), gg.tensor([5, 6, 7])
    if b_is == "a constant":
        with pytest.raises(GlassgradError, match="integer"):
            go(a, a)
        return
    assert go(a, gg.tensor([2, 3, 4])).tolist() == step(a, gg.tensor([2, 3, 4])).tolist()
    go(a, gg.tensor([2, 3, 4]))
    held.copy_(gg.tensor([1, bad, 1]))
    with pytest.raises(GlassgradError, match="integer") as plain:
        step(a, gg.tensor([1, bad, 1]))
    with pytest.raises(plain.type, match="integer"):
        go(a, gg.tensor([1, bad, 1]))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 64, 1000, 4097])
def test_sorting_keeps_the_order_of_equals(size):
    x = gg.tensor(np.random.default_rng(size).integers(0, 9, (2, size)))
    for descending in (False, True):
        go = compile(lambda x, descending=descending: x.argsort(dim=1, descending=descending, stable=True))
        go(x)
        np.testing.assert_array_equal(go(x).numpy(), x.argsort(dim=1, descending=descending, stable=True).numpy())


CONVOLUTIONS = [
    {"stride": 2, "padding": 3}, {"dilation": 2, "padding": 1}, {"groups": 2}, {"stride": 3, "groups": 4}, {},
]  # fmt: skip


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("space", [(11,), (9, 10)])
def test_convolutions_of_every_kind(space, transposed, options):
    rng = np.random.default_rng(0)
    F = gg.nn.functional
    function = getattr(F, f"conv{'_transpose' * transposed}{len(space)}d")
    groups = options.get("groups", 1)
    x = gg.tensor(rng.integers(-3, 4, (2, 4, *space)), dtype="float64", requires_grad=True)
    w = gg.tensor(rng.integers(-3, 4, (4, 8 // groups, *[3] * len(space))), dtype="float64", requires_grad=True)
    w = w if transposed else gg.tensor(rng.integers(-3, 4, (8, 4 // groups, *[3] * len(space))), dtype="float64")
    w = w.detach().requires_grad_()

    def run(x, w):
        y = function(x, w, **options)
        return [y.detach() * 1, *gg.autograd.grad((y * y).sum(), (x, w))]

    go = compile(run, threads=2)
    go(x, w)
    for found, expected in zip(go(x, w), run(x, w), strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_the_engine_names_no_op():
    """A list of ops in the engine would be knowledge of an op outside its declaration."""
    found = {}
    functions = set(importlib.import_module("glassgrad.engine.emit.math").__all__)  # called as the ops they are for
    for path in ENGINE.rglob("*.py"):
        name = path.relative_to(ENGINE).as_posix()
        named = {
            node.value for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in REGISTRY
        }  # fmt: skip
        allowed = functions if name == "emit/math.py" else set(NOT_NAMES.get(name, ("", ""))[0].split())
        if named != (allowed & set(REGISTRY)):
            found[name] = named
    assert not found
