"""Every declaration against itself: specs, first and second derivatives, corners, writing through views, formulas."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
from tests.ops.differences import assert_close, gradient, slope

import glassgrad as gg
from glassgrad.autodiff import cotangents
from glassgrad.dispatch import STATE, leaf
from glassgrad.errors import GlassgradError
from glassgrad.op import KINDS, REGISTRY, check_registry
from glassgrad.spec import DTYPES, Spec, is_float, numel
from glassgrad.tensor import Tensor, wrap

OPS = list(REGISTRY.values())
CASES = [pytest.param(op, case, id=f"{op.name}-{n}") for op in OPS for n, case in enumerate(op.cases)]
DIFFERENTIABLE = [param for param in CASES if param.values[0].differentiable]
ELEMENTWISE = [op for op in OPS if op.kind == "elementwise" and op.differentiable]

# Where an elementwise op has no slope, by name; points nearer than the differences reach are left out.
KINKS = {
    "abs": lambda x: x,
    "sign": lambda x: x,
    "relu": lambda x: x,
    "floor": lambda x: x - np.rint(x),
    "round": lambda x: x - 0.5 - np.rint(x - 0.5),
    "maximum": lambda a, b: a - b,
    "minimum": lambda a, b: a - b,
    "remainder": lambda a, b: a - b * np.rint(a / b),
}
# Ops whose result is no function of its floats alone, or takes no floats: no differences are to be had.
NOT_BY_DIFFERENCES = {
    "cast": "the way to float32, to integers and to booleans rounds the differences away",
    "replace": "its gradient goes, as stated, where its value does not come from",
}


def seeded(*key):
    return np.random.default_rng(sum(map(ord, str(key))))


def drawn(op, case, dtype=np.float64):
    return case.arrays(op, np.dtype(dtype), seeded(op.name, case.shapes, sorted(case.params)))


def nodes(op, case, arrays):
    return [leaf(np.array(a), is_float(a.dtype) and flows(op, at)) for at, a in enumerate(arrays)]


def flows(op, index):
    return op.differentiable and op.rule(index) is not None


@pytest.mark.parametrize(("op", "case"), CASES)
def test_spec_is_what_the_value_has(op, case):
    seen = set()
    for dtype in DTYPES:
        arrays = drawn(op, case, np.float64)
        kinds = [case.dtypes[at] if at < len(case.dtypes) else None for at in range(len(arrays))]
        if op.kind == "elementwise" and op.name != "where":  # their cases name a dtype only where floats are refused
            kinds = [None] * len(arrays)
            arrays = [np.abs(a) + 1 for a in arrays]
        arrays = [a.astype(dtype) if kind is None else a for a, kind in zip(arrays, kinds, strict=True)]
        specs = [Spec(a.shape, a.dtype) for a in arrays]
        try:
            spec = op.spec(*specs, **case.params)
        except GlassgradError as error:
            assert op.only or len({s.dtype for s in specs}) > 1, f"{op.name} refuses {dtype}: {error}"
            assert dtype.kind not in KINDS[op.only]
            continue
        with np.errstate(all="ignore"):
            value = op.value(np, *arrays, **case.params)
        assert isinstance(value, (np.ndarray, np.generic))
        assert Spec(value.shape, value.dtype) == spec, f"{op.name} of {dtype}"
        seen.add(dtype)
    assert seen, f"{op.name} takes no dtype at all"
    if not op.only.startswith("int"):
        assert {np.dtype("float32"), np.dtype("float64")} <= seen


def weighted(op, case, weights):
    def total(arrays):
        return float((np.asarray(op.value(np, *arrays, **case.params)) * weights).sum())

    return total


@pytest.mark.parametrize(("op", "case"), [p for p in DIFFERENTIABLE if p.values[0].name not in NOT_BY_DIFFERENCES])
def test_first_and_second_derivatives(op, case):
    arrays = drawn(op, case)
    places = [at for at, a in enumerate(arrays) if is_float(a.dtype) and flows(op, at)]
    assert places
    rng = seeded(op.name, 1)
    shape = np.shape(op.value(np, *arrays, **case.params))
    seed = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)
    turns = [rng.uniform(0.5, 1.5, arrays[at].shape) for at in places]

    def slopes(xs, create=False):
        made = nodes(op, case, xs[:-1])
        weight = leaf(np.array(xs[-1]), True)
        found = cotangents([op(*made, **case.params)], [weight], set(made), keep_graph=True, create_graph=create)
        wanted = [made[at] for at in places]
        return made, weight, [found.get(x) for x in wanted]

    with np.errstate(all="ignore"):
        _, _, found = slopes([*arrays, seed])
        for at, g in zip(places, found, strict=True):
            numeric = gradient(weighted(op, case, seed), arrays, at)
            assert g is not None
            assert g.shape == arrays[at].shape and g.dtype == arrays[at].dtype
            assert_close(g.value, numeric, f"d{op.name} by {op.operands[min(at, len(op.operands) - 1)]}")

        def turned(xs):
            gs = slopes(xs)[2]
            return sum(float((g.value * turn).sum()) for g, turn in zip(gs, turns, strict=True))

        made, weight, found = slopes([*arrays, seed], create=True)
        inner = [(g, leaf(t)) for g, t in zip(found, turns, strict=True) if g.requires_grad]
        second = cotangents([g for g, _ in inner], [t for _, t in inner], {*made, weight}) if inner else {}
        for at, node in [*((at, made[at]) for at in places), (len(arrays), weight)]:
            numeric = gradient(turned, [*arrays, seed], at)
            analytic = second[node].value if node in second else np.zeros(node.shape)
            assert_close(analytic, numeric, f"d²{op.name} by operand {at}")


@pytest.mark.parametrize("op", [op for op in ELEMENTWISE if op.name not in ("where", "cast")], ids=lambda op: op.name)
def test_slope_over_the_domain(op):
    count = len(op.operands)
    axes = [np.linspace(*op.interval(at), 203 if count == 1 else 37)[1:-1] for at in range(count)]
    # An irrational stretch keeps operands of one domain from meeting all along the diagonal.
    grids = [g.ravel() for g in np.meshgrid(*(a + 0.001 * at * math.sqrt(2) for at, a in enumerate(axes)))]
    if op.name in KINKS:
        clear = np.abs(KINKS[op.name](*grids)) > 0.01
        assert clear.mean() > 0.8
        grids = [g[clear] for g in grids]
    with np.errstate(all="ignore"):
        for by in range(count):
            numeric = slope(lambda t, by=by: op.value(np, *(g + t if at == by else g for at, g in enumerate(grids))))
            made = [leaf(g, True) for g in grids]
            found = cotangents([op(*made)], [leaf(np.ones(grids[0].shape))], {made[by]})
            assert np.isfinite(found[made[by]].value).all()
            assert_close(found[made[by]].value, numeric, f"slope of {op.name} by operand {by}")


CORNERS = [pytest.param(op, corner, id=f"{op.name}-{n}") for op in OPS for n, corner in enumerate(op.corners)]


@pytest.mark.parametrize(("op", "corner"), CORNERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_corner_is_as_stated(op, corner, dtype):
    condition = op.name == "where"
    made = [
        leaf(np.array([x], bool if condition and at == 0 else dtype), not (condition and at == 0))
        for at, x in enumerate(corner.at)
    ]
    with np.errstate(all="ignore"):
        result = op(*made)
        found = cotangents([result], [leaf(np.ones(1, dtype))])
    assert result.value[0] == corner.value
    assert len(corner.slopes) == len(made)
    for node, stated in zip(made, corner.slopes, strict=True):
        if stated is not None:
            assert found[node].value[0] == stated


VIEWS = [pytest.param(op, case, id=f"{op.name}-{n}") for op in OPS if op.write for n, case in enumerate(op.cases)]


@pytest.mark.parametrize(("op", "case"), [p for p in VIEWS if p.values[0].name != "expand"])
def test_a_view_shows_what_was_written_through_it(op, case):
    (base,) = drawn(op, case)
    before = op.value(np, base, **case.params)
    new = np.arange(before.size, dtype=base.dtype).reshape(before.shape) + 100
    written = op.write(leaf(base), leaf(new), **case.params)
    assert written.spec == Spec(base.shape, base.dtype)
    np.testing.assert_array_equal(op.value(np, written.value, **case.params), new)
    # NumPy's own views say which entries of the base must be untouched.
    peer = base.copy()
    op.value(np, peer, **case.params)[...] = new
    np.testing.assert_array_equal(written.value, peer)


def test_expand_cannot_be_written_through():
    op = REGISTRY["expand"]
    for case in op.cases:
        (base,) = drawn(op, case)
        with pytest.raises(ValueError, match="expanded"):
            op.write(leaf(base), leaf(op.value(np, base, **case.params)), **case.params)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_formula_and_sentence(op):
    assert op.says.endswith(".") and len(op.says) > 10
    for case in op.cases:
        names = [f"x_{at}" for at in range(len(case.shapes))]
        if callable(op.latex):
            made = op.latex(*names, **case.params)
        else:
            made = op.latex.format(**dict(zip(op.operands, names, strict=True)))
        assert made.count("{") == made.count("}") and made
        if op.kind not in ("random",):
            assert all(name in made for name in names) or callable(op.latex) or op.kind == "structural"


def test_registry_names_its_ops():
    assert all(name == op.name for name, op in REGISTRY.items())
    assert len(OPS) > 60


# -- operations -------------------------------------------------------------------------------------------------------

ENTRIES = {  # of the first case, by hand: what an op that is no elementwise one, no fold and no product takes
    "affine": 2 * 2 * 3 * 5 + 2 * 5,
    "argmax": 2 * 3 * 5,
    "argsort": 2 * 5 * 3,
    "conv_transpose": 2 * (2 * 4 * 3 * 6) * (3 * 3 * 2),
    "cumsum": 2 * 3 * 5,
    "index_put": 4 * 3,
    "log_softmax": 5 * 30 + 10,
    "max_pool_index": (2 * 3 * 2 * 2) * 6,
    "scatter_add": 2 * 3,
    "softmax": 5 * 30,
    "uniform01": 2 * 3,
}


@pytest.mark.parametrize(("op", "case"), CASES)
def test_operations_are_counted(op, case):
    specs = [Spec(a.shape, a.dtype) for a in drawn(op, case)]
    result = op.spec(*specs, **case.params)
    count = op.operations(result, *specs, **case.params)
    size, sizes = numel(result.shape), [numel(spec.shape) for spec in specs]
    assert type(count) is int
    if not any(is_float(spec.dtype) for spec in (result, *specs)):
        assert count == 0, "whole numbers alone"
    elif op.name in ENTRIES:
        assert case is not op.cases[0] or count == ENTRIES[op.name]
    elif op.kind == "elementwise" and op.name != "cast":
        assert count == size
    elif op.fold:
        assert count == sizes[0]
    elif op.summed:
        assert count % (2 * max(size, 1)) == 0 and (count > 0) == (size > 0 and sizes[0] > 0)
    else:
        assert op.kind == "structural" or op.name == "cast"
        assert count == 0, "moving entries takes none"


def test_products_by_hand():
    def count(name, result, *shapes, **params):
        specs = [Spec(shape, np.dtype("float32")) for shape in (result, *shapes)]
        return REGISTRY[name].operations(*specs, **params)

    assert count("matmul", (2, 5), (2, 3), (3, 5)) == 2 * 2 * 3 * 5
    assert count("matmul", (7, 2, 5), (7, 3, 2), (7, 5, 3), ta=True, tb=True) == 7 * 2 * 2 * 3 * 5
    moves = {"stride": (2, 1), "padding": (1, 1), "dilation": (2, 2), "groups": 2}
    out = (1, 6, 3, 4)  # each sums 2 channels of a group times 2 x 3 entries of a kernel
    assert count("conv", out, (1, 4, 5, 6), (6, 2, 2, 3), **moves) == 2 * (6 * 3 * 4) * (2 * 2 * 3)
    both = {"conv_transpose": ((1, 4, 5, 6), out, (6, 2, 2, 3)), "conv_weight": ((6, 2, 2, 3), (1, 4, 5, 6), out)}
    for name, shapes in both.items():
        assert count(name, *shapes, **moves) == 2 * (6 * 3 * 4) * (2 * 2 * 3), "the same products, summed otherwise"


@pytest.mark.parametrize("op", [op for op in OPS if op.compose], ids=repr)
def test_a_composition_takes_as_many_operations(op):
    for case in op.cases:
        made = [leaf(array) for array in case.arrays(op, np.dtype("float64"), np.random.default_rng(0))]
        seen = []
        observer = SimpleNamespace(made=seen.append)
        whole = op(*made, **case.params)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(STATE, "observer", observer)
            op.compose(*made, **case.params)
        parts = sum(n.op.operations(n.spec, *(x.spec for x in n.inputs), **n.params) for n in seen)
        assert op.operations(whole.spec, *(x.spec for x in made), **case.params) == parts


@pytest.mark.parametrize("lacking", ["latex", "says", "cases", "vjp", "flops"])
def test_an_incomplete_declaration_is_refused(lacking, monkeypatch):
    check_registry()
    change = {"rules": []} if lacking == "vjp" else {lacking: () if lacking == "cases" else ""}
    change = {"kind": "reduce"} if lacking == "flops" else change
    monkeypatch.setitem(REGISTRY, "tanh", dataclasses.replace(REGISTRY["tanh"], **change))
    with pytest.raises(TypeError, match=f"tanh lacks: {lacking}"):
        check_registry()


def test_an_op_is_declared_once():
    from glassgrad.op import register

    with pytest.raises(TypeError, match="tanh is declared twice"):
        register(REGISTRY["tanh"])


def test_casting_passes_the_gradient_back_in_the_operands_dtype():
    for source, target in (("float32", "float64"), ("float64", "float32")):
        x = gg.tensor([1.0, -2.5], dtype=source, requires_grad=True)
        y = wrap(REGISTRY["cast"](x.node, dtype=np.dtype(target)))
        assert isinstance(y, Tensor) and y.dtype == target
        y.backward(gg.tensor([2.0, 3.0], dtype=target))
        assert x.grad.dtype == source and x.grad.tolist() == [2.0, 3.0]


@pytest.mark.parametrize("op", [op for op in OPS if op.compose], ids=repr)
@pytest.mark.parametrize("number", range(4))
def test_a_composition_is_the_op(op, number):
    """Value and gradients of the op, and of what it stands for."""
    case = op.cases[number % len(op.cases)]
    arrays = case.arrays(op, np.dtype("float64"), np.random.default_rng(number))
    made = [[leaf(array, True) for array in arrays] for _ in range(2)]
    whole, parts = op(*made[0], **case.params), op.compose(*made[1], **case.params)
    assert parts.op is not op
    np.testing.assert_allclose(whole.value, parts.value, rtol=1e-12, atol=1e-13)
    seed = np.random.default_rng(9).normal(size=whole.shape)
    found = [cotangents([y], [leaf(seed)], xs) for y, xs in zip((whole, parts), made, strict=True)]
    for a, b in zip(*made, strict=True):
        np.testing.assert_allclose(found[0][a].value, found[1][b].value, rtol=1e-10, atol=1e-12)
