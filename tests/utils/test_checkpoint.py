"""Checkpoints: the gradients of the plain computation to the last bit, torch's numbers, and what is promised beyond."""

import gc
import weakref

import numpy as np
import pytest
import torch
import torch.utils.checkpoint
from hypothesis import given, note, reject, settings
from hypothesis import strategies as st
from tests.graphs import LARGEST, SHAPES, pick
from tests.own import cube

import glassgrad as gg
from glassgrad import nn
from glassgrad.errors import ArgumentError, GlassgradError, GradError, NotCovered, TraceError, TypeMismatch
from glassgrad.utils.checkpoint import checkpoint, checkpoint_sequential

NETS = {
    "dropout": ((4, 6), lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 6))),
    "batch norm": ((4, 6), lambda: nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Tanh())),
    "convolutions": (
        (2, 3, 8, 8),
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
    ),
    "transformer": ((2, 5, 8), lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)),
    "in place": (
        (4, 6),
        lambda: nn.Sequential(nn.Linear(6, 6), nn.ReLU(inplace=True), nn.Linear(6, 6), nn.Dropout(0.5, inplace=True)),
    ),
    "recurrent": ((3, 4, 6), lambda: First(nn.LSTM(6, 5))),
}


class First(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


def bits(tensors):
    return [None if x is None else np.asarray(x.detach().numpy()).tobytes() for x in tensors]


def learnt(make, shape, call, steps=2):
    """Two steps of a training with ``call``: losses, gradients, weights, statistics and the generator's state."""
    gg.manual_seed(3)
    net, x = make(), gg.randn(*shape).requires_grad_()
    sgd, told = gg.optim.SGD(net.parameters(), lr=0.1), []
    for _ in range(steps):
        sgd.zero_grad()
        loss = (call(net, x + 0) ** 2).sum() + (net(x) * 0.1).sum()
        loss.backward()
        told += bits([loss.detach(), x.grad, *(p.grad for p in net.parameters())])
        sgd.step()
    return told + bits(net.state_dict().values()) + bits([gg.get_rng_state()])


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("reentrant", [True, False])
def test_every_bit_is_that_of_the_plain_computation(name, reentrant):
    shape, make = NETS[name]
    plain = learnt(make, shape, lambda net, x: net(x))
    assert learnt(make, shape, lambda net, x: checkpoint(net, x, use_reentrant=reentrant)) == plain
    twice = learnt(make, shape, lambda net, x: checkpoint(lambda y: checkpoint(net, y) * 1.0, x))
    assert twice == plain
    if isinstance(make(), nn.Sequential):
        for segments in range(1, len(make()) + 1):
            assert learnt(make, shape, lambda net, x, n=segments: checkpoint_sequential(net, n, x)) == plain


@settings.get_profile("graphs")
@given(st.data())
def test_random_graphs_with_random_checkpoints(data):
    """Any stretch of steps, stretches within it, and values that are used before, inside and after it."""
    arrays, marked, plain = drawn(data)
    assert bits(gradients(marked, arrays)) == bits(gradients(plain, arrays))


@settings.get_profile("native_graphs_odd")
@given(st.data())
def test_random_graphs_with_random_checkpoints_compiled(data):
    arrays, marked, plain = drawn(data)
    leaves = [gg.tensor(a, requires_grad=True) for a in arrays]
    step = gg.compile(lambda *leaves: gradients(marked, leaves))
    try:
        step(*leaves)
        found = step(*leaves)
    except TraceError:  # it looks at values
        reject()
    for x, y in zip(found, gradients(plain, leaves), strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), 1e-8, 1e-9 * (1 + float(y.abs().max()) if y.numel() else 1))


def gradients(call, given):
    """Values, first and second derivatives."""
    leaves = [gg.tensor(a, requires_grad=True) if isinstance(a, np.ndarray) else a for a in given]
    found, weights = call(leaves)
    total = sum((x * w).sum() for x, w in zip(found, weights, strict=True) if x.requires_grad)
    first = gg.autograd.grad(total, leaves, create_graph=True, materialize_grads=True)
    second = sum((g * g).sum() for g in first)
    seconds = gg.autograd.grad(second, leaves, materialize_grads=True) if second.requires_grad else ()
    return [x.detach() for x in (*found, *first, *seconds)]


def drawn(data):
    """Arrays, and two functions of the leaves that give values and their weights: with checkpoints, and without."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    arrays = [rng.uniform(-2, 2, shape) for shape in data.draw(st.lists(st.sampled_from(SHAPES), min_size=1))]
    values, steps = [gg.tensor(a) for a in arrays], []
    for _ in range(data.draw(st.integers(2, 12))):
        name, step, operands = pick(data.draw, [x.numpy() for x in values])
        note(f"{len(steps)}: {name} of {operands}")
        x = step(gg, *(values[at] for at in operands))
        small = x.numel() > LARGEST
        values.append(x.mean(-1) if small else x)
        steps.append((step, operands, small))
    weights = [gg.tensor(rng.uniform(-1, 1, x.shape)) for x in values]
    draws = st.lists(st.integers(0, len(steps)), min_size=2, max_size=6)
    cuts = [sorted(data.draw(draws)) for _ in range(2)]
    note(f"checkpoints {cuts}")

    def run(values, start, stop, cut):
        at = start
        for first, last in zip(cut[::2], cut[1::2], strict=False):
            low, high = max(first, at), min(last, stop)
            if low < high:
                values = plain(values, at, low)
                values = checkpoint(run, values, low, high, cuts[1] if cut is cuts[0] else ())
                at = high
        return plain(values, at, stop)

    def plain(values, start, stop):
        values = list(values)
        for step, operands, small in steps[start:stop]:
            x = step(gg, *(values[at] for at in operands))
            values.append(x.mean(-1) if small else x)
        return values

    def marked(leaves):
        return run(leaves, 0, len(steps), cuts[0]), weights

    return arrays, marked, lambda leaves: (plain(leaves, 0, len(steps)), weights)


# -- beside torch -----------------------------------------------------------------------------------------------------


def test_gradients_are_torchs():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((4, 3), (3, 3), (3,))]

    def made(m, use):
        x, w, b = (m.tensor(a, requires_grad=True) for a in arrays)

        def function(x, scale, *, shift):
            h = (x @ w + b).tanh()
            return {"out": h * scale, "both": [h.exp() + shift, h.shape]}

        found = use(function, x, 3, shift=0.5, use_reentrant=False)
        loss = found["out"].sum() + (found["both"][0] ** 2).sum()
        first = m.autograd.grad(loss, (x, w, b), create_graph=True)
        second = m.autograd.grad(sum((g * g).sum() for g in first), (x, w, b))
        return [g.detach().numpy() for g in (*first, *second)]

    theirs = made(torch, torch.utils.checkpoint.checkpoint)
    for ours, peer in zip(made(gg, checkpoint), theirs, strict=True):
        np.testing.assert_allclose(ours, peer, 1e-10, 1e-12)


def test_statistics_move_once_where_torch_moves_them_twice():
    x = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    counts = {}
    for m, use in ((gg, checkpoint), (torch, torch.utils.checkpoint.checkpoint)):
        norm = m.nn.BatchNorm1d(3)
        use(norm, m.tensor(x), use_reentrant=False).sum().backward()
        counts[m] = norm.num_batches_tracked.item()
    assert counts == {gg: 1, torch: 2}


@pytest.mark.parametrize(("length", "segments"), [(7, 3), (6, 6), (5, 1), (8, 3)])
def test_a_chain_is_cut_as_torch_cuts_it(length, segments):
    """Parts of length // segments, the last with what is left and not checkpointed: what torch calls a second time."""
    calls = {gg: [], torch: []}
    for m, use in ((gg, checkpoint_sequential), (torch, torch.utils.checkpoint.checkpoint_sequential)):
        chain = [lambda x, m=m, n=n: calls[m].append(n) or x.sin() for n in range(length)]
        x = m.tensor([1.0], requires_grad=True)
        use(chain, segments, x, use_reentrant=False).sum().backward()
    assert calls[gg] == list(range(length)), "each function is called once"
    size = length // segments
    assert sorted(calls[torch][length:]) == list(range(size * (segments - 1)))


# -- what the function may do -----------------------------------------------------------------------------------------


def test_it_is_called_once_and_its_hooks_run_once():
    calls, seen = [], []
    w = gg.tensor([2.0, 3.0], requires_grad=True)

    def function(x):
        calls.append("called")
        h = x * w
        h.register_hook(lambda g: seen.append(g.tolist()) or g * 10)
        return h.sin()

    x = gg.tensor([0.0, 0.0], requires_grad=True)
    checkpoint(function, x).sum().backward()
    assert (calls, seen) == (["called"], [[1.0, 1.0]])
    assert x.grad.tolist() == [20.0, 30.0]


def test_what_somebody_holds_keeps_its_value_and_its_gradient():
    held = []
    x = gg.tensor([0.5, 1.0], requires_grad=True)

    def function(x):
        h = (x * 2).exp()
        held.append(h)
        h.retain_grad()
        return (h * 3).sin()

    y = checkpoint(function, x)
    (h,) = held
    np.testing.assert_allclose(h.detach().numpy(), np.exp([1.0, 2.0]), rtol=1e-6)
    (by_h,) = gg.autograd.grad(y.sum(), h, retain_graph=True)
    (y.sum() + (h * h).sum()).backward()
    np.testing.assert_allclose(h.grad.numpy(), by_h.numpy() + 2 * h.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), 2 * h.grad.numpy() * h.detach().numpy(), rtol=1e-6)


def test_views_are_views():
    x = gg.zeros(2, 3)
    w = gg.ones(3, requires_grad=True)

    def function(x):
        return x[0], x * w

    part, product = checkpoint(function, x)
    part += 1
    assert x.tolist() == [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    with pytest.raises(GradError, match="changed in place"):  # as without a checkpoint: w's gradient needs x
        product.sum().backward()


def test_the_inputs_may_be_written_where_no_gradient_needs_them():
    w = gg.tensor([1.0, 2.0], requires_grad=True)
    x = gg.tensor([3.0, 4.0])
    y = checkpoint(lambda x: ((x + 1) * w).sin(), x)
    x += 5
    y.sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), [4 * np.cos(4), 5 * np.cos(10)], rtol=1e-5)


def test_a_written_parameter_is_refused_as_without_a_checkpoint():
    for use in (checkpoint, lambda f, x: f(x)):
        w = gg.tensor([1.0, 2.0], requires_grad=True)
        y = use(lambda x, w=w: (x * w).exp() * w, gg.ones(2, requires_grad=True))
        with gg.no_grad():
            w += 1
        with pytest.raises(GradError, match="changed in place"):
            y.sum().backward()


def test_several_losses_share_a_checkpoint():
    for use in (checkpoint, lambda f, x: f(x)):
        x = gg.tensor([0.3, 0.7], requires_grad=True)
        a, b = use(lambda x: ((x * 2).sin(), (x * 3).cos()), x)
        a.sum().backward()
        first = x.grad.clone()
        b.sum().backward()
        np.testing.assert_allclose(first.numpy(), 2 * np.cos([0.6, 1.4]), rtol=1e-6)
        np.testing.assert_allclose((x.grad - first).numpy(), -3 * np.sin([0.9, 2.1]), rtol=1e-5)
        with pytest.raises(GradError, match="a second time"):
            a.sum().backward()


def test_a_graph_that_is_kept_forgets_again():
    x = gg.ones(1000, requires_grad=True)
    y = checkpoint(lambda x: ((x * 2).sin() * 3).exp(), x)
    inner = y.node.inputs[0]
    for count in (1, 2):
        y.sum().backward(retain_graph=True)
        with pytest.raises(GlassgradError, match="not kept"):
            np.asarray(inner.value)
        np.testing.assert_allclose(x.grad.numpy(), count * (y * 6).detach().numpy() * np.cos(2.0), rtol=1e-5)


def test_without_gradients_it_just_runs():
    x = gg.ones(3)
    with gg.no_grad():
        y = checkpoint(lambda x: x * 2, x)
    assert not y.requires_grad and y.node.inputs == ()
    y = checkpoint(lambda x: (x * 2, x), x)
    assert y[1] is x and not y[0].requires_grad and y[0].node.inputs == ()
    w = gg.ones(3, requires_grad=True)
    total = gg.zeros(3)

    def function(x):
        with gg.no_grad():
            total.add_(x * 5)
        return x * w

    checkpoint(function, x)
    assert total.node.inputs == (), "a buffer would hold all that it was made of"


def test_an_error_inside_leaves_nothing_on():
    w = gg.ones(3, requires_grad=True)
    with pytest.raises(ZeroDivisionError):
        checkpoint(lambda x: (x * w, 1 / 0), gg.ones(3))
    y = gg.rand(3) < 0.5
    assert y.node.inputs == ()


def test_arguments_that_cannot_be():
    net = nn.Sequential(nn.ReLU(), nn.ReLU())
    for segments in (0, 3):
        with pytest.raises(ArgumentError, match="cannot be cut into"):
            checkpoint_sequential(net, segments, gg.ones(2))
    with pytest.raises(TypeMismatch, match="'segment'"):
        checkpoint_sequential(net, 1, gg.ones(2), segment=1)
    with pytest.raises(NotCovered, match="context_fn"):
        checkpoint(net, gg.ones(2), context_fn=lambda: ())


def test_a_gradient_inside_the_function():
    """A penalty of slopes: the function itself calls autograd.grad."""

    def penalty(x):
        (slope,) = gg.autograd.grad((x.sin() * w).sum(), x, create_graph=True)
        return (slope * slope).sum()

    found = []
    for use in (checkpoint, lambda f, x: f(x)):
        w = gg.tensor([1.0, -2.0], requires_grad=True)
        x = gg.tensor([0.5, 0.25], requires_grad=True)
        use(penalty, x).backward()
        found.append(bits([x.grad, w.grad]))
    assert found[0] == found[1]


def test_a_gradient_inside_whose_graph_is_let_go():
    """What was computed before it cannot be computed again: it is kept."""

    def function(x):
        y = (x * w).sin()
        (slope,) = gg.autograd.grad(y.sum(), x)
        return (x * y.detach() * slope).exp() * w

    found = []
    for use in (checkpoint, lambda f, x: checkpoint(lambda x: checkpoint(f, x) * 1.0, x), lambda f, x: f(x)):
        w = gg.tensor([1.0, -2.0], requires_grad=True)
        x = gg.tensor([0.5, 0.25], requires_grad=True)
        use(function, x).sum().backward()
        found.append(bits([x.grad, w.grad]))
    assert found[0] == found[1] == found[2]


def test_a_function_that_computes_nothing():
    x = gg.ones(2, requires_grad=True)
    assert checkpoint(lambda x: x, x) is x
    assert checkpoint(lambda: None) is None


def test_an_operation_of_ones_own():
    x = gg.tensor([2.0, 3.0], requires_grad=True)
    checkpoint(lambda x: cube(gg).apply(x * 2).sin(), x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * 3 * 4 * x.detach().numpy() ** 2 * np.cos([64.0, 216.0]), rtol=1e-4)


# -- recorded, and let go ---------------------------------------------------------------------------------------------


def test_a_recorded_step_has_all_its_numbers():
    texts, x = [], gg.ones(1, 2)
    for use in (checkpoint, lambda f, x: f(x)):
        gg.manual_seed(1)
        net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Dropout(0.5), nn.Linear(2, 1))
        with gg.record() as tape:
            use(net, x).sum().backward()
        steps = [f"{step.phase} {step}" for step in tape.steps]
        texts.append((steps, str(tape.why(net[0].weight, (0, 0))), bits(p.grad for p in net.parameters())))
    assert texts[0] == texts[1]
    assert any("backward" in line for line in texts[0][0])


def test_a_tape_of_the_backward_pass_alone_sees_no_second_forward_pass():
    tapes = []
    for use in (checkpoint, lambda f, x: f(x)):
        x = gg.ones(2, requires_grad=True)
        y = use(lambda x: (x * 2).exp().sin(), x).sum()
        with gg.record() as tape:
            y.backward()
        tapes.append([(node.op and node.op.name, tape.value(node).tolist()) for node in tape.records])
    assert tapes[0] == tapes[1]


def test_a_graph_that_is_thrown_away_goes_at_once():
    gc.collect()
    gc.disable()
    try:
        w = gg.ones(50, requires_grad=True)
        held, given = [], w * 2
        array = weakref.ref(given.value)

        def inner(x):
            h = x * w
            held.append(weakref.ref(h.node))
            return h.exp()

        y = checkpoint(lambda x: checkpoint(inner, x.sin()).cos(), given)
        del given
        assert held[0]() is None, "the value itself was not kept"
        ghost = weakref.ref(y.node.inputs[0])
        assert ghost() is not None and array() is not None
        y.sum().backward(retain_graph=True)
        assert ghost() is not None and array() is not None
        del y
        assert ghost() is None and array() is None

        given = w * 2
        array = weakref.ref(given.value)
        y = checkpoint(lambda x: checkpoint(inner, x.sin()).cos(), given)
        del given
        y.sum().backward()
        assert array() is None, "y is held, but its graph has been let go"
    finally:
        gc.enable()
