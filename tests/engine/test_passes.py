"""Each pass of the native engine on graphs of its own: what it makes of them, and that it is the same numbers."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.engine import compile, dims, verify
from glassgrad.engine.access import access, contiguous, in_order, is_view, with_copies
from glassgrad.engine.fuse import fuse
from glassgrad.engine.groups import outside
from glassgrad.engine.program import CONST, INPUT, Program, Val, constant, made_of
from glassgrad.engine.simplify import simplify
from glassgrad.op import REGISTRY
from glassgrad.spec import reshaped

F = nn.functional
FLOAT = np.dtype("float64")


def given_array(*shape, dtype=FLOAT):
    return Val(INPUT, (), {}, shape, np.dtype(dtype))


def op(name, *ins, **params):
    return made_of(name, ins, params)


def numbers(program, arrays):
    """The outputs by the ops' NumPy rules, and those of the engine's own ops as their words say."""
    held = dict(zip(program.inputs, arrays, strict=True))
    for val in program.order():
        if val.op == CONST:
            held[val] = val.data
        elif val.op == "iota":
            shape = [1] * len(val.shape)
            shape[val.params["axis"]] = -1
            held[val] = np.broadcast_to(np.arange(val.shape[val.params["axis"]]).reshape(shape), val.shape)
        elif val.op == "contig":
            held[val] = held[val.ins[0]].copy()
        elif val.op == "assemble":
            held[val] = np.zeros(val.shape, val.dtype)
            for part, box in zip(val.ins, val.params["cuts"], strict=True):
                held[val][tuple(slice(*cut) for cut in box)] = held[part]
        elif val.op != INPUT:
            held[val] = REGISTRY[val.op].value(np, *(held[v] for v in val.ins), **val.params)
    return [held[output] for output in program.outputs]


def simplified(output, *inputs):
    """What is left of a value, after a check that it is the same numbers."""
    program = Program(inputs, [output])
    made = simplify(program)
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=v.shape) if v.dtype.kind == "f" else rng.integers(0, 2, v.shape) for v in inputs]
    for a, b in zip(numbers(program, arrays), numbers(made, arrays), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, 1e-12, 1e-12)
    return made.outputs[0]


def ops_of(val):
    return [v.op for v in Program([], [val]).order() if v.op not in (INPUT, CONST)]


x, y = given_array(3, 4), given_array(3, 4)
index = given_array(3, 1, dtype="int64")
zeros = op("expand", constant(np.zeros(())), shape=(3, 4))
one = constant(np.ones(()))
LEFT = ((0, 3, 1), (0, 2, 1))
RIGHT = ((0, 3, 1), (2, 4, 1))
RULES = {
    "x + 0": (op("add", x, zeros), []),
    "0 + x": (op("add", zeros, x), []),
    "1 * x": (op("mul", one, x), []),
    "-(-x)": (op("neg", op("neg", x)), []),
    "where(c, x, x)": (op("where", op("lt", x, y), x, x), []),
    "copy": (op("copy", op("detach", x)), []),
    "replace": (op("replace", y, x), []),
    "cast to the same": (op("cast", x, dtype=FLOAT), []),
    "reshape of reshape": (op("reshape", op("reshape", x, shape=(12,)), shape=(4, 3)), ["reshape"]),
    "reshape back": (op("reshape", op("reshape", x, shape=(12,)), shape=(3, 4)), []),
    "permute back": (op("permute", op("permute", x, axes=(1, 0)), axes=(1, 0)), []),
    "expand of expand": (
        op("expand", op("expand", op("sum", x, axes=(0,)), shape=(2, 4)), shape=(5, 2, 4)), ["sum", "expand"]
    ),
    "slice of all": (op("slice", x, cuts=((0, 3, 1), (0, 4, 1))), []),
    "sum over nothing": (op("sum", x, axes=()), []),
    "max over a size of 1": (op("amax", op("reshape", x, shape=(3, 1, 4)), axes=(1,)), []),
    "the same twice": (op("add", op("exp", x), op("exp", x)), ["exp", "add"]),
    "of constants": (op("exp", op("add", one, one)), []),
    "parts put together": (
        op("add", op("slice_scatter", zeros, op("slice", x, cuts=LEFT), cuts=LEFT),
           op("slice_scatter", zeros, op("slice", y, cuts=RIGHT), cuts=RIGHT)), ["slice", "slice", "assemble"],
    ),
    "parts that overlap stay a sum": (
        op("add", op("slice_scatter", zeros, op("slice", x, cuts=LEFT), cuts=LEFT),
           op("slice_scatter", zeros, op("slice", y, cuts=LEFT), cuts=LEFT)),
        ["slice", "assemble", "slice", "assemble", "add"],
    ),
    "a part written": (op("slice_scatter", x, op("slice", y, cuts=LEFT), cuts=LEFT), ["slice", "assemble"]),
    "cat": (op("cat", x, y, axis=0), ["assemble"]),
    "pick along a short axis": (op("gather", x, index, axis=1), ["expand", "iota", "eq", "where", "sum"]),
    "add along a short axis": (
        op("scatter_add", zeros, index, op("sum", x, axes=(1,), keep=True), axis=1),
        ["sum", "expand", "expand", "iota", "eq", "where"],
    ),
    "whole numbers multiplied": (
        op("matmul", op("cast", x, dtype=np.dtype("int64")), op("cast", y, dtype=np.dtype("int64")), tb=True),
        ["cast", "cast", "reshape", "reshape", "expand", "expand", "mul", "sum"],
    ),
    "booleans counted": (op("sum", op("lt", x, y), axes=(0, 1)), ["lt", "cast", "sum"]),
    "a product over nothing": (op("matmul", given_array(3, 0), given_array(0, 2)), ["expand"]),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_simpler_and_the_same(name):
    val, left = RULES[name]
    inputs = [v for v in Program([], [val]).order() if v.op == INPUT]
    assert sorted(ops_of(simplified(val, *inputs))) == sorted(left)


def test_nothing_is_left_of_what_nobody_needs():
    keep, drop = op("exp", x), op("log", x)
    assert drop not in simplify(Program([x], [keep])).order()


def test_empty_values_are_constants():
    val = op("exp", given_array(0, 3))
    assert simplified(val, val.ins[0]).op == CONST


# -- views -----------------------------------------------------------------------------------------------------------


@st.composite
def views(draw):
    """A chain of views of an array."""
    val = given_array(*draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(1, 4))):
        n = len(val.shape)
        kind = draw(st.sampled_from(["permute", "reshape", "expand", "slice", "flip"]))
        if kind == "permute":
            val = op("permute", val, axes=tuple(draw(st.permutations(range(n)))))
        elif kind == "reshape":
            sizes = [
                s for s in itertools.product(range(1, 9), repeat=draw(st.integers(1, 3))) if np.prod(s) == val.size
            ]
            val = op("reshape", val, shape=draw(st.sampled_from([*sizes, (val.size,)])))
        elif kind == "expand":
            wide = tuple(draw(st.integers(1, 3)) if s == 1 else s for s in val.shape)
            val = op("expand", val, shape=(*draw(st.lists(st.integers(1, 2), max_size=1)), *wide))
        elif kind == "slice":
            cuts = []
            for size in val.shape:
                start = draw(st.integers(0, size - 1))
                cuts.append((start, draw(st.integers(start + 1, size)), draw(st.integers(1, 2))))
            val = op("slice", val, cuts=tuple(cuts))
        else:
            val = op("flip", val, axes=tuple(draw(st.sets(st.integers(0, n - 1), min_size=1))))
    return val


@given(views())
def test_strides_lead_to_the_entries(val):
    """NumPy's own views are the truth; where no strides do it, a copy is put in."""
    base = val
    while is_view(base):
        base = base.ins[0]
    array = np.arange(base.size, dtype=FLOAT).reshape(base.shape)
    (expected,) = numbers(Program([base], [val]), [array])
    found = access(val)
    if found is None:
        copied = with_copies(Program([base], [val]))
        assert any(v.op == "contig" for v in copied.order())
        assert all(access(v) is not None for v in copied.order())
        np.testing.assert_array_equal(numbers(copied, [array])[0], expected)
        return
    steps = [stride * np.arange(n) for n, stride in zip(val.shape, found.strides, strict=True)]
    places = found.offset + sum(np.ix_(*steps))
    np.testing.assert_array_equal(array.ravel()[places], expected)
    assert in_order(found, val.shape) == (expected.size == array.size and (expected.ravel() == array.ravel()).all())


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.data())
def test_reshaped_strides_are_numpys(shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    array = np.zeros(shape, np.int8).transpose(order)
    sizes = [s for s in itertools.product(range(1, 7), repeat=data.draw(st.integers(1, 3))) if np.prod(s) == array.size]
    new = data.draw(st.sampled_from([*sizes, (array.size,)]))
    found = reshaped(array.shape, array.strides, new)
    view = array.view()
    try:
        view.shape = new
    except AttributeError:
        assert found is None
        return
    assert found is not None
    assert all(n == 1 or a == b for n, a, b in zip(new, found, view.strides, strict=True))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.data())
def test_refined_dimensions_are_shared(shape, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(shape)), max_size=3)) | {0, len(shape)})
    merged = tuple(int(np.prod(shape[a:b])) for a, b in itertools.pairwise(cuts))
    refined = dims.refine([tuple(shape), merged])
    assert refined is not None
    for each in (tuple(shape), merged):
        strides = dims.split_strides(each, contiguous(each), refined)
        assert strides is not None
        assert all(n == 1 or a == b for n, a, b in zip(refined, strides, contiguous(tuple(refined)), strict=True))


# -- kernels ---------------------------------------------------------------------------------------------------------


def kernels(function, *given_tensors):
    go = compile(function, threads=1)
    go(*given_tensors)
    go(*given_tensors)
    return [k.ops for k in go.report().kernels]


def test_rows_are_one_kernel():
    x = gg.zeros(6, 40)
    assert len(kernels(lambda x: x.softmax(-1), x)) == 1
    assert len(kernels(lambda x: F.layer_norm(x, (40,)), x)) == 1
    assert len(kernels(lambda x: (x.tanh() * 2 + 1).relu().sum(0), x)) == 1
    assert len(kernels(F.gelu, x)) == 1


def test_what_follows_a_product_joins_it():
    x, w, b = gg.zeros(6, 40), gg.zeros(30, 40), gg.zeros(30)
    assert len(kernels(lambda x, w, b: F.linear(x, w, b).relu(), x, w, b)) == 1
    image, kernel = gg.zeros(2, 3, 9, 9), gg.zeros(4, 3, 3, 3)
    assert len(kernels(lambda x, w: F.conv2d(x, w).tanh(), image, kernel)) == 1


def test_rows_and_columns_are_not_mixed():
    made = kernels(lambda x: (x - x.mean(0)) * x.sum(1, keepdim=True), gg.zeros(6, 40))
    assert len(made) > 1


def test_rows_read_only_what_their_rows_can_count():
    """A sum over columns is in order; what lies turned in memory cannot go on with it, as (2, 2) is (4,) here."""

    def step(x, y):
        return (x.sum(0).reshape(2, 2) + y.T) * 2, x.sum(0).reshape(2, 2) * 3

    given = gg.randn(3, 4), gg.randn(2, 2)
    go = compile(step, threads=1)
    go(*given)
    for found, expected in zip(go(*given), step(*given), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), 1e-6)


@pytest.mark.usefixtures("checking")
def test_a_value_is_in_a_group_once():
    """`more` is brought into the group of `base` by what needs both, and is then settled there for the product."""

    def step(x):
        base = x.tanh()
        more = (base * x).sigmoid()
        first = base @ base.T
        both = base + more
        second = more @ more.T
        return first, both.sum(0), second

    x = gg.randn(4, 4)
    go = compile(step, threads=1)
    go(x)
    for found, expected in zip(go(x), step(x), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), 1e-5)


@pytest.mark.parametrize("activation", [F.gelu, F.silu, F.softplus, lambda x: x.tanh() * x.sigmoid()])
def test_an_activation_keeps_its_input_alone(activation):
    """Of a product and its activation, backward has in memory what goes into the activation and what comes out."""
    w = gg.zeros(64, 64, requires_grad=True)
    v = gg.zeros(64, 64, requires_grad=True)

    def step(x):
        return gg.autograd.grad((activation(x @ w) @ v).sum(), (w, v))

    go, x = compile(step, threads=1), gg.zeros(64, 64)
    go(x), go(x)
    assert go.report().arena <= 3 * 64 * 64 * 4


def test_a_product_reads_its_operand_from_memory():
    """An output is in memory anyway: what comes after a product of it is not to make it anew before the product."""

    def step(x):
        y = (x @ x).relu()
        z = y * 2
        return y, (y.reshape(1, 4, 4) @ y.reshape(1, 4, 4)) * (z * 3).reshape(1, 4, 4), z.sum()

    x = gg.randn(4, 4)
    go = compile(step, threads=1)
    go(x)
    for found, expected in zip(go(x), step(x), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), 1e-5)


def test_what_is_stored_later_is_not_read_before():
    """What depends on arguments alone is computed where it is needed; as an output it is written at the very end."""

    def step(x):
        low = gg.where(x < 0, x, 0.5)
        rows = low.amax(1, keepdim=True)
        inner = (low - rows).exp()
        return low, (inner.sum(1, keepdim=True) * inner).mT @ gg.ones(8, 3), inner * 2

    x = gg.randn(8, 65)
    go = compile(step, threads=1)
    go(x)
    for found, expected in zip(go(x), step(x), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), 1e-5)


# -- memory ----------------------------------------------------------------------------------------------------------


def trained(seed):
    """A net with many kinds of kernels, and what it needs in memory."""
    gg.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv1d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(4 * 8, 20), nn.LayerNorm(20), nn.Tanh(), nn.Linear(20, 5)
    )
    optimizer = [optim.Adam, optim.SGD, optim.RMSprop][seed % 3](net.parameters(), lr=0.01)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    go = compile(step, threads=2)
    x, y = gg.randn(6, 3, 10), gg.randint(0, 5, (6,))
    go(x, y), go(x, y)
    return go.latest.engine


@pytest.mark.parametrize("seed", range(3))
def test_nothing_lies_where_something_is_still_read(seed):
    """Every kernel is gone through: what it reads must be what was written last at that place."""
    engine = trained(seed)
    held = {}

    def bytes_of(val):
        place = engine.plan.places[engine._buffer_of(val).val]
        return place.slot, range(place.offset, place.offset + val.bytes)

    def write(val):
        slot, where = bytes_of(val)
        for other in [v for v in held if held[v][0] == slot and v is not val]:
            if held[other][1].start < where.stop and where.start < held[other][1].stop:
                del held[other]
        held[val] = slot, where

    for group in engine.groups:
        for base in outside(group):
            if base.op not in (INPUT, CONST):
                assert base in held, f"group {group.number} reads {base}, which was written over"
        for val in group.stored:
            write(val)
    assert engine.plan.arena <= sum(-(-v.bytes // 64) * 64 for g in engine.groups for v in g.stored)
    top = max(place.offset + val.bytes for val, place in engine.plan.places.items() if place.slot == 0)
    assert top <= engine.plan.arena


def test_updates_read_old_values_first():
    """a, b = b, a: each is written when the other has been read."""
    a, b = gg.tensor([1.0, 2.0]), gg.tensor([3.0, 4.0])

    @compile
    def swap():
        old = a.clone()
        a.copy_(b)
        b.copy_(old)

    for _ in range(3):
        swap()
    assert (a.tolist(), b.tolist()) == ([3.0, 4.0], [1.0, 2.0])
    square = gg.tensor([[1.0, 2.0], [3.0, 4.0]])

    @compile
    def add_transposed():
        square.add_(square.mT)

    expected = np.array([[1.0, 2.0], [3.0, 4.0]])
    for _ in range(3):
        add_transposed()
        expected = expected + expected.T
    np.testing.assert_array_equal(square.numpy(), expected)


# -- the check itself ------------------------------------------------------------------------------------------------


@pytest.fixture
def checking():
    before, verify.ON[0] = verify.ON[0], True
    yield
    verify.ON[0] = before


@pytest.mark.usefixtures("checking")
def test_broken_programs_are_refused():
    val = Val("add", (x, y), {}, (3, 5), FLOAT)
    with pytest.raises(verify.Broken, match="should be"):
        verify.program(Program([x, y], [val]), "a pass")
    part = Val("assemble", (x,), {"cuts": (((0, 3, 1), (0, 3, 1)),)}, (3, 4), FLOAT)
    with pytest.raises(verify.Broken, match="does not fit"):
        verify.program(Program([x], [part]), "a pass")


@pytest.mark.usefixtures("checking")
def test_broken_groups_are_refused():
    total = op("sum", op("exp", x), axes=(1,), keep=True)
    program = Program([x], [op("log", total)])
    made = fuse(program)
    verify.groups(made, program.outputs, "fuse")
    made[0].stored.clear()
    with pytest.raises(verify.Broken, match="stored by no group"):
        verify.groups(made, program.outputs, "a pass")
    made = fuse(program)
    made[0].vals.reverse()
    with pytest.raises(verify.Broken):
        verify.groups(made, program.outputs, "a pass")
