"""`compile`: the numbers of the plain function, step for step; state, modes and schedules; and what it refuses."""

import copy

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.engine import compile, verify
from glassgrad.errors import GradError, TraceError

F = nn.functional
ENGINES = ["interpret", "native"]
engines = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture(autouse=True)
def verified():
    verify.ON[0] = True


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "amsgrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "NAdam": lambda p: optim.NAdam(p, lr=0.01),
    "RAdam": lambda p: optim.RAdam(p, lr=0.01),
    "Adamax": lambda p: optim.Adamax(p, lr=0.01),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.05),
    "Adadelta": optim.Adadelta,
    "Rprop": lambda p: optim.Rprop(p, lr=0.01),
}


def test_every_rule_has_a_case():
    made = {type(make([gg.zeros(1, requires_grad=True)])).__name__ for make in OPTIMIZERS.values()}
    rules = {name for name in optim.__all__ if isinstance(getattr(optim, name), type)}
    assert rules - made == {"Optimizer", "LBFGS"}  # L-BFGS looks at its values to decide where to go


def net(dtype):
    gg.manual_seed(3)
    made = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 3))
    return made.to(dtype)


def batches(dtype, count=5, size=16):
    rng = np.random.default_rng(0)
    return [
        (gg.tensor(rng.normal(size=(size, 6)), dtype=dtype), gg.tensor(rng.integers(0, 3, size)))
        for _ in range(count)
    ]  # fmt: skip


def train(make, dtype, steps, engine=None, schedule=None, clip=True):
    model = net(dtype)
    rule = make(model.parameters())
    plan = schedule(rule) if schedule else None

    def step(x, y):
        rule.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        rule.step()
        if plan is not None:
            plan.step()
        return loss

    run = compile(step, engine=engine) if engine else step
    data = batches(dtype)
    losses = [run(*data[number % len(data)]).item() for number in range(steps)]
    return np.array(losses), [p.detach().numpy().copy() for p in model.parameters()], run


@engines
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_hundred_steps_of_every_optimizer(name, engine):
    for dtype, close in ((gg.float64, 1e-10), (gg.float32, 1e-5)):
        plain = train(OPTIMIZERS[name], dtype, 100)
        made = train(OPTIMIZERS[name], dtype, 100, engine)
        assert sum(len(plans) for plans in made[2].plans.values()) == 1
        np.testing.assert_allclose(made[0], plain[0], rtol=close, atol=close, err_msg=f"loss, {dtype}")
        if dtype is gg.float64:  # in float32 the plain run itself drifts from the exact one
            for a, b in zip(made[1], plain[1], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


SCHEDULES = {
    "step": lambda o: optim.lr_scheduler.StepLR(o, 7, 0.5),
    "cosine": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 20),
    "onecycle": lambda o: optim.lr_scheduler.OneCycleLR(o, max_lr=0.05, total_steps=60),
    "chained": lambda o: optim.lr_scheduler.SequentialLR(
        o, [optim.lr_scheduler.LinearLR(o, 0.1, 1, 5), optim.lr_scheduler.ExponentialLR(o, 0.9)], [5]
    ),
}


@engines
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", ["Adam", "momentum"])
def test_schedules_need_no_new_trace(name, schedule, engine):
    plain = train(OPTIMIZERS[name], gg.float64, 40, schedule=SCHEDULES[schedule])
    made = train(OPTIMIZERS[name], gg.float64, 40, engine, schedule=SCHEDULES[schedule])
    assert sum(len(plans) for plans in made[2].plans.values()) == 1
    np.testing.assert_allclose(made[0], plain[0], rtol=1e-10)


@engines
def test_a_schedule_that_looks_at_the_loss(engine):
    def run(compiled):
        model = net(gg.float64)
        rule = optim.SGD(model.parameters(), lr=0.5)
        plan = optim.lr_scheduler.ReduceLROnPlateau(rule, patience=1, threshold=0.1)

        def step(x, y):
            rule.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            rule.step()
            plan.step(loss)
            return loss

        go = compile(step, engine=engine) if compiled else step
        data = batches(gg.float64)
        return [(go(*data[i % 5]).item(), rule.param_groups[0]["lr"]) for i in range(20)]

    np.testing.assert_allclose(run(True), run(False), rtol=1e-9)


@engines
def test_dropout_and_shuffling_draw_anew(engine):
    def run(compiled):
        gg.manual_seed(7)
        drop = nn.Dropout(0.5)

        def step(x):
            return drop(x), gg.randperm(6), gg.randn(3), gg.rand(2, 3, dtype=gg.float64)

        go = compile(step, engine=engine) if compiled else step
        return [[y.tolist() for y in go(gg.ones(4, 5))] for _ in range(6)]

    for made, plain in zip(run(True), run(False), strict=True):
        for a, b in zip(made, plain, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


@engines
def test_batch_norm_tracks_and_modes_are_told_apart(engine):
    def run(compiled):
        gg.manual_seed(1)
        model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Dropout(0.3)).double()
        go = compile(model, engine=engine) if compiled else model
        seen = []
        for number, (x, _) in enumerate(batches(gg.float64) * 2):
            model.train(number % 3 != 2)
            seen.append(go(x).detach().numpy())
        return seen, {key: value.numpy() for key, value in model.state_dict().items()}

    (made, state), (plain, expected) = run(True), run(False)
    for a, b in zip(made, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    for key, value in expected.items():
        np.testing.assert_allclose(state[key], value, rtol=1e-10, err_msg=key)


@engines
def test_other_shapes_and_plain_arguments(engine):
    def f(x, k, *, flag=False):
        return {"y": x * k, "z": [x.sum() if flag else x.mean()]}

    go = compile(f, engine=engine)
    for shape in ((2, 3), (4,), (2, 3), ()):
        for k in (2, 3.0):
            for flag in (False, True):
                x = gg.tensor(np.random.default_rng(0).normal(size=shape))
                made, plain = go(x, k, flag=flag), f(x, k, flag=flag)
                np.testing.assert_allclose(made["y"].numpy(), plain["y"].numpy())
                np.testing.assert_allclose(made["z"][0].numpy(), plain["z"][0].numpy())
    assert len(go.plans) == 12


@engines
def test_old_values_stay_with_who_holds_them(engine):
    w = gg.tensor([1.0, 2.0])

    def step(x):
        w.mul_(2.0)
        return w + x

    go = compile(step, engine=engine)
    go(gg.zeros(2))
    held, array = w.detach().clone(), w.numpy()
    before = array.copy()
    view = w[0]
    assert go(gg.zeros(2)).tolist() == [4.0, 8.0]
    assert array.tolist() == before.tolist() == held.tolist() == [2.0, 4.0]
    assert view.item() == 4.0
    with gg.no_grad():
        w.fill_(1.0)
    assert go(gg.ones(2)).tolist() == [3.0, 3.0]
    assert w.tolist() == [2.0, 2.0]


@engines
def test_arguments_may_be_changed_in_place(engine):
    def f(x, y):
        x.add_(y)
        return x * 2

    go = compile(f, engine=engine)
    x, y = gg.ones(3), gg.ones(3)
    for number in range(1, 5):
        assert go(x, y).tolist() == [2.0 * (number + 1)] * 3
        assert x.tolist() == [number + 1.0] * 3


@engines
def test_loaded_weights_are_seen(engine):
    model = nn.Linear(2, 2)
    go = compile(model, engine=engine)
    x = gg.ones(1, 2)
    go(x), go(x)
    state = copy.deepcopy(model.state_dict())
    state["bias"] = state["bias"] + 5.0
    model.load_state_dict(state)
    np.testing.assert_allclose(go(x).detach().numpy(), model(x).detach().numpy(), rtol=1e-6)


@engines
def test_gradients_stay_inside(engine):
    model = nn.Linear(2, 1)
    rule = optim.SGD(model.parameters(), lr=0.1)

    def step(x):
        rule.zero_grad()
        loss = model(x).sum()
        loss.backward()
        rule.step()
        return loss, model.weight.grad

    go = compile(step, engine=engine)
    for _ in range(3):
        _, grad = go(gg.ones(4, 2))
    assert grad.tolist() == [[4.0, 4.0]]
    with pytest.raises(GradError, match="stay inside"):
        model.weight.grad.tolist()
    forward = compile(model, engine=engine)
    forward(gg.ones(4, 2))
    with pytest.raises(GradError, match="compiled"):
        forward(gg.ones(4, 2)).sum().backward()


kept = []


def _keeps(x):
    kept.append(x * 2)
    return x


class _Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x * self.calls


REFUSED = {
    "item": (lambda x: x * x.sum().item(), "look at a value"),
    "if": (lambda x: x if x.sum() > 0 else -x, "look at a value"),
    "numpy": (lambda x: gg.tensor(x.numpy() * 2), "look at a value"),
    "nonzero": (lambda x: x.nonzero(), "look at a value"),
    "mask": (lambda x: x[x > 0], "look at a value"),
    "list": (_keeps, "keeps a tensor"),
    "attribute": (_Counts(), "calls"),
}


@engines
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_traced(name, engine):
    function, words = REFUSED[name]
    x = gg.tensor([1.0, 2.0])
    go = compile(function, engine=engine)
    go(x)
    with pytest.raises(TraceError, match=words) as caught:
        go(x)
    assert "fix:" in str(caught.value)
    if name in ("item", "if", "numpy", "nonzero", "mask"):
        assert "test_compile.py" in str(caught.value)
    kept.clear()


@engines
def test_fallback_says_why_once(engine):
    go = compile(lambda x: x * x.sum().item(), engine=engine, fallback=True)
    x = gg.tensor([1.0, 2.0])
    go(x)
    with pytest.warns(UserWarning, match="runs uncompiled"):
        assert go(x).tolist() == [3.0, 6.0]
    assert go(x).tolist() == [3.0, 6.0]


@pytest.mark.parametrize("threads", [1, 2])
def test_same_bits_with_one_thread_and_two(threads):
    rng = np.random.default_rng(0)
    x = gg.tensor(rng.normal(size=(96, 200)).astype(np.float32))
    w = gg.tensor(rng.normal(size=(150, 200)).astype(np.float32))

    def f(x, w):
        y = (x @ w.T).relu().softmax(1)
        return y, y.sum(0), (y * y).sum(), y.T @ y

    one, many = compile(f, threads=1), compile(f, threads=threads)
    one(x, w), many(x, w)
    for _ in range(20):
        for a, b in zip(one(x, w), many(x, w), strict=True):
            assert a.numpy().tobytes() == b.numpy().tobytes()


@engines
@pytest.mark.parametrize("place", ["argument", "view", "outside"])
@pytest.mark.parametrize("bad", [-1, 5])
def test_an_index_out_of_range_is_refused_before_anything_changes(place, bad, engine):
    table = nn.Embedding(5, 3)
    optimizer = optim.SGD(table.parameters(), lr=0.1)
    held = gg.tensor([[0, 1], [2, 3]])

    @compile(engine=engine)
    def step(x):
        optimizer.zero_grad()
        rows = table({"argument": x, "view": x.t()[1:].reshape(-1), "outside": held}[place])
        loss = nn.functional.cross_entropy(rows.reshape(-1, 3), gg.zeros(rows.numel() // 3, dtype=gg.int64))
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        step(gg.tensor([[0, 1], [4, 3]]))
    before = table.weight.detach().clone()
    if place == "outside":
        held.copy_(gg.tensor([[0, bad], [2, 3]]))
    with pytest.raises(gg.GlassgradError, match=f"{bad} is out of range"):
        step(gg.tensor([[0, bad], [4, 3]]))
    assert table.weight.tolist() == before.tolist()
    held.copy_(gg.tensor([[0, 1], [2, 3]]))
    step(gg.tensor([[0, 1], [4, 3]]))


@engines
def test_an_ignored_class_is_no_bad_index(engine):
    @compile(engine=engine)
    def loss(x, y):
        return nn.functional.cross_entropy(x, y, ignore_index=-7)

    x = gg.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]])
    for classes in ([0, 1, 1], [0, -7, 1], [-7, -7, 0]):
        y = gg.tensor(classes)
        assert loss(x, y).item() == pytest.approx(nn.functional.cross_entropy(x, y, ignore_index=-7).item(), rel=1e-6)
    with pytest.raises(gg.GlassgradError, match="class index -8"):
        loss(x, gg.tensor([0, -8, 1]))


@engines
@pytest.mark.parametrize("pick", ["gather", "index", "embedding", "loss"])
def test_an_index_that_the_step_computes_is_reported_out_of_range(pick, engine):
    table = gg.arange(12.0).reshape(4, 3)
    picks = {
        "gather": lambda i: table.gather(0, i.reshape(-1, 1).expand(2, 3)),
        "index": lambda i: table[i],
        "embedding": lambda i: F.embedding(i, table),
        "loss": lambda i: F.cross_entropy(table[:2].detach(), i),
    }
    go = compile(lambda x: picks[pick]((x * 2).to(gg.int64)), engine=engine)
    good, bad = (gg.tensor([[1.0, 0.0], [0.5, 1.0]]), gg.tensor([[1.0, 0.0], [9.0, 1.0]]))
    go(good[0]), go(good[0])
    assert go(good[1]).tolist() == picks[pick]((good[1] * 2).to(gg.int64)).tolist()
    with pytest.raises(gg.GlassgradError, match="out of range"):
        go(bad[1])
    assert go(good[1]).tolist() == picks[pick]((good[1] * 2).to(gg.int64)).tolist()


def test_indices_of_another_shape_are_traced_anew():
    """Whatever is looked at before a run is looked at after it is known to be of the shape that was traced."""
    table = gg.nn.Embedding(7, 4)
    step = gg.compile(lambda y: table(y.reshape(-1)))
    for shape in [(32, 16)] * 3 + [(26, 16), (32, 16), (5, 3)]:
        y = gg.randint(0, 7, shape)
        assert gg.equal(step(y), table(y.reshape(-1)))
    with pytest.raises(IndexError):
        step(gg.full((5, 3), 9))
