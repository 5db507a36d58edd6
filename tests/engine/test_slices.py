"""Chains of kernels that run slice by slice: which are found, what they need in memory, and that the numbers are the
same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.test_native_graphs import slice_all
from tests.engine.test_passes import given_array, op, views

import glassgrad as gg
from glassgrad import nn
from glassgrad.engine import compile, native, slices, verify
from glassgrad.engine.access import access, is_view
from glassgrad.engine.fuse import fuse
from glassgrad.engine.groups import outside
from glassgrad.engine.program import CONST, INPUT, Program

F = nn.functional
BATCH, TIME, WIDTH = (3, 4), 64, 8
WHOLE = 3 * 4 * 64 * 64 * 8
"""Bytes of all scores."""


@pytest.fixture
def sliced(monkeypatch):
    monkeypatch.setattr(slices, "LARGE", WHOLE // 4)
    monkeypatch.setattr(slices, "LEAST", TIME * TIME)
    monkeypatch.setattr(verify, "ON", [True])


def queries(count=3, **options):
    gg.manual_seed(0)
    return [gg.randn(*BATCH, TIME, WIDTH, dtype=gg.float64, **options) for _ in range(count)]


def run(function, *given_tensors, threads=2):
    """What a compiled function returns, and its engine."""
    go = compile(function, threads=threads)
    gg.manual_seed(1)
    go(*given_tensors)
    gg.manual_seed(2)
    found = go(*given_tensors)
    return [x.detach().numpy() for x in (found if isinstance(found, tuple) else (found,))], go.latest.engine


def same(function, *given_tensors):
    """The engine, after a check that the numbers are the plain function's, and the same bits with 1 and 2 threads."""
    gg.manual_seed(2)
    expected = function(*given_tensors)
    expected = expected if isinstance(expected, tuple) else (expected,)
    two, engine = run(function, *given_tensors)
    one, _ = run(function, *given_tensors, threads=1)
    for a, b, c in zip(two, one, expected, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c.detach().numpy(), 1e-9, 1e-9)
    return engine


def chains(engine):
    return [room.chain for room in engine.plan.rooms]


def attention(**options):
    """Attention and its gradients."""

    def step(q, k, v, g):
        y = F.scaled_dot_product_attention(q, k, v, **options)
        return y, *gg.autograd.grad((y * g).sum(), (q, k, v))

    return step


# -- what is found ---------------------------------------------------------------------------------------------------


def test_attention_has_no_scores_in_memory(sliced):
    q, k, v = queries()
    engine = same(F.scaled_dot_product_attention, q, k, v)
    (chain,) = chains(engine)
    assert (chain.first, chain.slices) == (0, 12)
    assert engine.plan.arena <= 2 * 2 * WHOLE // 12


MASKS = {
    "none": {}, "causal": {"is_causal": True}, "dropped": {"dropout_p": 0.3},
    "where": {"attn_mask": gg.ones(TIME, TIME, dtype=gg.bool).tril()},
    "added": {"attn_mask": gg.ones(TIME, TIME, dtype=gg.float64).tril()},
}  # fmt: skip


@pytest.mark.parametrize("mask", MASKS)
def test_attention_and_its_gradients(sliced, mask):
    given_tensors = [x.requires_grad_() for x in queries()]
    engine = same(attention(**MASKS[mask]), *given_tensors, queries(1)[0])
    assert chains(engine)
    assert engine.plan.arena < (2 if mask == "dropped" else 1) * WHOLE  # random numbers are in memory as a whole


def test_probabilities_are_made_again(sliced):
    """For backward, once more from queries and keys, in a chain of its own: a loss over everything comes between."""

    def step(q, k, v):
        y = F.scaled_dot_product_attention(q, k, v)
        return gg.autograd.grad((y / y.norm()).relu().sum(), (q, k, v))

    engine = same(step, *[x.requires_grad_() for x in queries()])
    before, after = chains(engine)
    made = [val for group in engine.groups[before.first : before.stop] for val in group.stored if val in after.inside]
    assert len(made) == 2
    assert set(made) <= set(before.inside)
    assert engine.plan.arena < WHOLE


@pytest.mark.parametrize("seen", ["scores", "largest", "scaled"])
def test_what_is_in_memory_anyway_is_not_made_again(sliced, seen):
    """What a kernel writes for others besides is written once."""

    def step(q, k, v):
        scores = q @ k.mT
        largest = scores.amax(-1, keepdim=True)
        p = (scores - largest).exp()
        y = p @ v
        shown = {"scores": scores, "largest": largest, "scaled": (largest * 2).sum(0) + y.norm()}[seen]
        return shown, *gg.autograd.grad((y / y.norm()).relu().sum() + shown.sum(), (q, k, v))

    engine = same(step, *[x.requires_grad_() for x in queries()])
    before, after, *_ = chains(engine)
    made = [val for group in engine.groups[before.first : before.stop] for val in group.stored if val in after.inside]
    assert made
    outputs = engine.program.outputs
    assert not any(val in after.inside for val in outputs)
    assert [val for group in engine.groups for val in group.stored].count(outputs[0]) == 1


def test_memory_that_only_one_chain_still_needs(sliced, monkeypatch):
    """The first chain needs the scores no longer when it has their softmax; the second one does."""
    slice_all(monkeypatch)

    def step(q, k, v):
        scores = q @ k.mT
        p = scores.softmax(-1)
        n = (p @ v).norm()
        return p @ (k / n) + (scores / n).softmax(-1) @ v

    engine = same(step, *queries())
    before, after = chains(engine)
    assert len(set(before.inside) & set(after.inside)) > 1


@pytest.mark.parametrize("across", [False, True])
def test_only_the_same_slices_are_made_again(sliced, monkeypatch, across):
    slice_all(monkeypatch)

    def step(q, k, v):
        p = (q @ k.mT).softmax(-1)
        n = (p @ v).norm()
        return (p.flip(0) if across else p) @ (k / n) + ((q / n) @ v.mT).softmax(-1) @ k

    engine = same(step, *queries())
    before, after = chains(engine)
    assert bool(set(before.inside) & set(after.inside)) != across


def test_what_sums_many_products_is_not_made_again(sliced, monkeypatch):
    monkeypatch.setattr(slices, "DEEP", WIDTH - 1)

    def step(q, k, v):
        y = F.scaled_dot_product_attention(q, k, v)
        return gg.autograd.grad((y / y.norm()).relu().sum(), (q, k, v))

    engine = same(step, *[x.requires_grad_() for x in queries()])
    stored = [val for group in engine.groups for val in group.stored]
    assert len(set(stored)) == len(stored)
    assert engine.plan.arena > WHOLE


@pytest.mark.parametrize("seen", ["returned", "summed", "kept"])
def test_what_others_see_is_in_memory(sliced, seen):
    kept = gg.zeros(*BATCH, TIME, TIME, dtype=gg.float64)

    def step(q, k, v):
        scores = q @ k.mT
        y = scores.softmax(-1) @ v
        if seen == "kept":
            kept.copy_(scores * 2)
            return y
        return y, scores if seen == "returned" else (y @ v.mT).cumsum(0) * scores

    same(step, *queries())
    if seen == "kept":
        q, k, _ = queries()
        np.testing.assert_allclose(kept.numpy(), 2 * (q @ k.mT).numpy(), 1e-9, 1e-9)


ACROSS = {
    "batches turned round": lambda p: p.flip(0),
    "heads before batches": lambda p: p.permute(1, 0, 2, 3).reshape(p.shape),
    "the first of all": lambda p: p[:1].expand(p.shape),
    "one batch for all heads": lambda p: p[:, :1].expand(p.shape),
    "shifted by one": lambda p: p.roll(1, 0),
    "the sum over batches": lambda p: p - p.sum((0, 1), keepdim=True),
    "the largest of all": lambda p: p / p.abs().amax(),
}


@pytest.mark.parametrize("name", ACROSS)
def test_slices_that_need_others_are_no_slices(sliced, name):
    same(lambda q, k, v: (ACROSS[name]((q @ k.mT).tanh()) * 2) @ v, *queries())
    same(lambda q, k, v: ACROSS[name]((q @ k.mT).tanh()) @ v, *queries())


def test_turned_rows_are_slices(sliced):
    engine = same(lambda q, k, v: ((q @ k.mT).flip(-1).mT * 2).softmax(-1) @ v, *queries())
    assert chains(engine)


def test_state_that_the_same_chain_reads(sliced, monkeypatch):
    """Its new value is written over the old one when all slices have read that."""
    slice_all(monkeypatch)
    held = [gg.ones(*BATCH, TIME, TIME, dtype=gg.float64) for _ in range(2)]
    held[0][0] = held[1][0] = 2.0

    def step(state, q, k, v):
        p = (q @ k.mT + state.flip(0)).softmax(-1)
        state.copy_(p * 50)
        return p @ v

    go = compile(lambda q, k, v: step(held[0], q, k, v), threads=2)
    given_tensors = queries()
    for _ in range(3):
        found, expected = go(*given_tensors), step(held[1], *given_tensors)
        np.testing.assert_allclose(found.numpy(), expected.numpy(), 1e-9, 1e-9)
        np.testing.assert_allclose(held[0].numpy(), held[1].numpy(), 1e-9, 1e-9)
    assert chains(go.latest.engine)


def test_memory_that_the_same_chain_reads(sliced, monkeypatch):
    """What one kernel of it reads for the last time another one still needs for its next slice."""
    slice_all(monkeypatch)

    def step(q, k, v):
        old = (q @ k.mT).cumsum(0)
        p = (k @ v.mT + old.flip(0)).softmax(-1)
        return (p * old).cumsum(0).sum((0, 1))

    assert chains(same(step, *queries()))


def test_few_slices_are_not_worth_it(sliced):
    """There is something to do for all threads, and no chain for the sake of what is small."""
    engine = run(F.scaled_dot_product_attention, *queries(), threads=8)[1]
    assert not chains(engine)


# -- memory ----------------------------------------------------------------------------------------------------------


def test_nothing_lies_where_something_is_still_read(sliced):
    """A chain's kernels run at one moment: all that they read and write as a whole lies apart; in a room they come one
    after another."""
    _, engine = run(attention(is_causal=True), *[x.requires_grad_() for x in queries()], queries(1)[0])
    rooms, places = engine.rooms, engine.plan.places

    def part(val):
        return (places[val].offset, places[val].offset + val.bytes) if places[val].slot == 0 else None

    held = {}
    for number, group in enumerate(engine.groups):
        room = rooms.get(number)
        inside = room.places if room else {}
        moment = engine.groups[room.chain.first : room.chain.stop] if room else [group]
        for base in outside(group):
            if base.op not in (INPUT, CONST) and base not in inside:
                assert base in held
        for val in (val for val in group.stored if val not in inside and part(val)):
            for other in [v for v in held if v is not val and held[v] and overlap(held[v], part(val))]:
                readers = [each for each in moment if other in outside(each)]
                assert not readers or (engine.plan.owners.get(val) is other and readers == [group])
                del held[other]
            if room:
                assert not overlap(part(val), (room.offset, room.offset + engine.threads * room.size))
        held |= {val: part(val) for val in group.stored if val not in inside}
        if room and number == room.chain.first:
            assert not any(
                overlap(where, (room.offset, room.offset + engine.threads * room.size))
                for val, where in held.items() if where and any(val in outside(g) for g in engine.groups[number:])
            )  # fmt: skip
    for room in engine.plan.rooms:
        fresh = {}
        for group in engine.groups[room.chain.first : room.chain.stop]:
            for base in outside(group):
                assert base not in room.places or base in fresh
            for val in (val for val in group.stored if val in room.places):
                start = room.places[val]
                where = start, start + val.bytes // room.chain.slices
                assert where[1] <= room.size
                fresh = {v: w for v, w in fresh.items() if not overlap(w, where)} | {val: where}


def overlap(a, b):
    return a[0] < b[1] and b[0] < a[1]


def test_the_time_of_a_chain_is_that_of_its_kernels(sliced):
    go = compile(attention(), threads=2)
    given_tensors = [*[x.requires_grad_() for x in queries()], queries(1)[0]]
    go(*given_tensors), go(*given_tensors)
    made = go.report(profile=True)
    assert all(kernel.seconds > 0 for kernel in made.kernels)
    assert [kernel.slices for kernel in made.kernels].count(12) > 5
    assert "in 12 slices" in str(made)


# -- slices of views -------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(views(), st.integers(2, 6))
def test_slices_lie_where_they_are_looked_for(val, count):
    """NumPy's own views are the truth: each slice of a view looks at the same places of the same slice of its base."""
    base = val
    while is_view(base):
        base = base.ins[0]
    found = access(val)
    if found is None or not slices._is_slice(found, val.shape, count):
        return
    places = np.array([found.offset])
    for n, stride in zip(val.shape, found.strides, strict=True):
        places = (places[:, None] + stride * np.arange(n)).ravel()
    parts = places.reshape(count, -1) - np.arange(count)[:, None] * (base.size // count)
    assert (parts == parts[0]).all()
    assert parts.min() >= 0
    assert parts.max() < base.size // count


def test_which_views_are_slices():
    x = given_array(4, 6, 5)
    yes = [x, op("permute", x, axes=(0, 2, 1)), op("flip", x, axes=(1,)), op("reshape", x, shape=(2, 60)),
           op("slice", x, cuts=((0, 4, 1), (1, 6, 2), (0, 5, 1))), op("reshape", x, shape=(24, 5))]  # fmt: skip
    no = [
        op("permute", x, axes=(1, 0, 2)),
        op("flip", x, axes=(0,)),
        op("slice", x, cuts=((0, 2, 1),) + ((0, 5, 1),) * 2),
    ]
    assert [slices._is_slice(access(v), v.shape, 2) for v in [*yes, *no]] == [True] * len(yes) + [False] * len(no)


def test_kernels_that_are_cut_only_along_what_is_summed_are_not_sliced():
    total = op("sum", op("exp", given_array(8, 64)), axes=(0,))
    (group,) = fuse(Program(total.ins[0].ins, [total]))
    assert not slices.can_slice(group, 2)
    total = op("sum", op("exp", given_array(8, 64)), axes=(1,))
    (group,) = fuse(Program(total.ins[0].ins, [total]))
    assert slices.can_slice(group, 2)
    product = op("matmul", given_array(8, 64), given_array(64, 8))
    (group,) = fuse(Program(product.ins, [product]))
    assert not slices.can_slice(group, 2)


# -- anything that can be a chain --------------------------------------------------------------------------------------

ONE = {
    "tanh": lambda x, k: x.tanh(),
    "softmax": lambda x, k: x.softmax(-1),
    "less the mean of columns": lambda x, k: x - x.mean(-2, keepdim=True),
    "norm": lambda x, k: x / (x * x).sum((-1, -2), keepdim=True).add(1).sqrt(),
    "turned": lambda x, k: x.mT.clone(),
    "sorted backwards": lambda x, k: x.flip(-1) * 2,
    "batches backwards": lambda x, k: x.flip(0) + x,
    "over batches": lambda x, k: x - x.mean(0, keepdim=True),
    "first rows": lambda x, k: x * x[..., :1, :],
    "with the first": lambda x, k: x + x[:1] * 0.1,
    "times what was given": lambda x, k: x @ k / 4,
    "what was given times": lambda x, k: k.mT @ x / 4,
    "times itself": lambda x, k: x @ x.mT / 8,
    "itself times": lambda x, k: x.mT @ x / 8,
    "masked": lambda x, k: gg.where(k > 0, x, 0.1),
    "dear": lambda x, k: gg.where(x > 0, x.exp(), k).sigmoid(),
    "summed along": lambda x, k: x.cumsum(0) / 4,
}


@settings.get_profile("native_graphs_torch")
@given(st.lists(st.tuples(st.sampled_from(sorted(ONE)), st.integers(0, 3)), min_size=2, max_size=10), st.data())
def test_any_chain(steps, data):
    """Values of many matrices, of which the last and the gradients alone are returned."""
    batch = data.draw(st.sampled_from([(4,), (2, 3), (6, 1), (5,)]))
    size = data.draw(st.sampled_from([3, 8, 17]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    x, k = (gg.tensor(rng.uniform(-1, 1, (*batch, size, size)), requires_grad=True) for _ in range(2))

    def run(x, k):
        values = [x]
        for name, back in steps:
            values.append(ONE[name](values[max(-1 - back, -len(values))], k))
        y = values[-1]
        return y.detach(), *gg.autograd.grad((y * y).sum(), (x, k), materialize_grads=True, allow_unused=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "ON", [True])
        patch.setattr(native, "ALONE", 0)
        patch.setattr(native, "WORTH", 0)
        whole = compiled(run, x, k, 1)
        slice_all(patch)
        one, two = compiled(run, x, k, 1), compiled(run, x, k, 2)
    for a, b, c, d in zip(run(x, k), whole, one, two, strict=True):
        np.testing.assert_array_equal(b, c)
        np.testing.assert_array_equal(c, d)
        scale = max(1.0, np.abs(a.numpy()).max())
        np.testing.assert_allclose(b, a.numpy(), 1e-9, 1e-9 * scale)


def compiled(run, x, k, threads):
    go = compile(run, threads=threads)
    go(x, k)
    return [each.numpy() for each in go(x, k)]
