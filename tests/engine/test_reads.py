"""What a compiled step reads outside of tensors - globals, outer variables, attributes, dicts - is read anew when it
changes; what it changes there itself is refused."""

import cProfile
import random
import sys
import types
from dataclasses import dataclass

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn
from glassgrad.engine import compile
from glassgrad.engine.compile import RESTLESS
from glassgrad.errors import TraceError

engines = pytest.mark.parametrize("engine", ["interpret", "native"])
RATE = 2.0
OPTIONS = {"rate": 2.0, "sizes": [1, 2]}
LIST = [2.0]
TENSOR = gg.tensor([2.0])
CONFIG = types.ModuleType("config")
CONFIG.__file__ = "config.py"
CONFIG.rate = 2.0
COUNT = 0


class Hyper:
    rate = 2.0
    inner = types.SimpleNamespace(rate=2.0)


HYPER = Hyper()


@dataclass(slots=True)
class Slotted:
    rate: float = 2.0


SLOTTED = Slotted()


class Holder:
    """A class of the user's whose method is the step."""

    def __init__(self):
        self.rate, self.calls, self.net = 2.0, 0, nn.Linear(2, 2)

    def step(self, x):
        return x * self.rate

    def forward(self, x):
        return self.net(x)

    def counting(self, x):
        self.calls += 1
        return x


def helper(x):
    return x * RATE


def uses_helper(x):
    return helper(x)


def scope():
    return sys.modules[__name__].__dict__


def around():
    rate = 2.0

    def step(x):
        return x * rate

    def change(value):
        nonlocal rate
        rate = value

    return step, change


def around_a_helper():
    rate = 2.0

    def inner(x):
        return x * rate

    def step(x):
        return inner(x)

    def change(value):
        nonlocal rate
        rate = value

    return step, change


def around_with_a_builtin():
    rate = 2.0

    def step(x):
        return x * max(list([rate]))

    def change(value):
        nonlocal rate
        rate = value

    return step, change


def method():
    holder = Holder()
    return holder.step, lambda value: setattr(holder, "rate", value)


READS = {
    "global": lambda: (lambda x: x * RATE, lambda value: scope().update(RATE=value)),
    "global of a helper": lambda: (uses_helper, lambda value: scope().update(RATE=value)),
    "outer variable": around,
    "outer variable of a helper": around_a_helper,
    "outer variable beside a builtin": around_with_a_builtin,
    "dict": lambda: (lambda x: x * OPTIONS["rate"], lambda value: OPTIONS.update(rate=value)),
    "list": lambda: (lambda x: x * LIST[0], lambda value: LIST.__setitem__(0, value)),
    "module": lambda: (lambda x: x * CONFIG.rate, lambda value: setattr(CONFIG, "rate", value)),
    "class": lambda: (lambda x: x * Hyper.rate, lambda value: setattr(Hyper, "rate", value)),
    "class by an instance": lambda: (lambda x: x * HYPER.rate, lambda value: setattr(Hyper, "rate", value)),
    "instance before its class": lambda: (lambda x: x * HYPER.rate, lambda value: setattr(HYPER, "rate", value)),
    "attribute of an attribute": lambda: (
        lambda x: x * HYPER.inner.rate, lambda value: setattr(HYPER.inner, "rate", value)
    ),
    "slot": lambda: (lambda x: x * SLOTTED.rate, lambda value: setattr(SLOTTED, "rate", value)),
    "self": method,
    "tensor": lambda: (lambda x: x * TENSOR, lambda value: scope().update(TENSOR=gg.tensor([value]))),
}  # fmt: skip


@engines
@pytest.mark.parametrize("name", READS)
def test_another_value_is_seen(name, engine):
    step, change = READS[name]()
    go, x = compile(step, engine=engine), gg.tensor([1.0, 3.0])
    try:
        for value in (2.0, 2.0, 2.0, 5.0, 5.0, 5.0, 2.0, 7.0):
            change(value)
            assert go(x).tolist() == [value, 3 * value]
        assert sum(map(len, go.plans.values())) <= 4
    finally:
        change(2.0)
        HYPER.__dict__.pop("rate", None)


def test_the_same_number_as_another_object_needs_no_new_trace():
    step, change = around()
    go = compile(step)
    for _ in range(5):
        change(float("2.0"))
        go(gg.ones(2))
    assert sum(map(len, go.plans.values())) == 1


@engines
def test_another_net_under_the_same_name_is_seen(engine):
    holder = Holder()
    go, x = compile(holder.forward, engine=engine), gg.ones(1, 2)
    for _ in range(3):
        go(x)
    holder.net = nn.Linear(2, 2)
    np.testing.assert_allclose(go(x).detach().numpy(), holder.net(x).detach().numpy(), rtol=1e-6)


def counts(x):
    global COUNT  # noqa: PLW0603 - it is what is refused
    COUNT += 1
    return x


def fills(x):
    OPTIONS["sizes"].append(len(OPTIONS["sizes"]))
    return x


def outer_count():
    count = 0

    def step(x):
        nonlocal count
        count += 1
        return x * 2

    return step, lambda: count


@engines
def test_what_the_step_makes_itself_it_may_change(engine):
    def step(x):
        meter, count, seen = types.SimpleNamespace(count=0), 0, []

        def note(y):
            nonlocal count
            count += 1
            seen.append(y)
            meter.count += count
            return y * meter.count

        return note(x) + note(x) + sum(note(y) for y in seen[:1])

    go = compile(step, engine=engine)
    for _ in range(3):
        assert go(gg.ones(1)).item() == 1 + 3 + 6


@engines
def test_what_the_step_changes_is_refused_and_put_back(engine):
    scope()["COUNT"] = 0
    holder = Holder()
    step, count = outer_count()
    for function, name, now in (
        (counts, "COUNT", lambda: COUNT), (holder.counting, "self.calls", lambda: holder.calls), (step, "count", count),
    ):  # fmt: skip
        go = compile(function, engine=engine)
        go(gg.ones(2))
        assert now() == 1
        with pytest.raises(TraceError, match=f"changes {name}") as caught:
            go(gg.ones(2))
        assert now() == 1, "the trace has left its mark"
        assert "test_reads.py" in caught.value.place
        assert "1 became 2" in str(caught.value)
    with pytest.warns(UserWarning, match="runs uncompiled"):
        plain = compile(counts, engine=engine, fallback=True)
        for _ in range(4):
            plain(gg.ones(2))
    assert COUNT == 5


DRAWS = {
    "random": lambda x: x * random.random(),
    "randint": lambda x: x * random.randint(1, 5),
    "NumPy": lambda x: x * float(np.random.rand()),
    "Generator": lambda x: x * gg.tensor(GENERATOR.normal(size=2)),
}
GENERATOR = np.random.default_rng(0)


@engines
@pytest.mark.parametrize("name", DRAWS)
def test_foreign_random_numbers_are_refused(name, engine):
    go = compile(DRAWS[name], engine=engine)
    go(gg.ones(2))
    with pytest.raises(TraceError, match="draws random numbers from"):
        go(gg.ones(2))
    assert sys.getprofile() is None


@engines
def test_a_number_that_is_another_one_in_every_call_is_refused(engine):
    step, change = around()
    go = compile(step, engine=engine)
    with pytest.raises(TraceError, match="rate is another one in every call"):
        for value in range(RESTLESS + 3):
            change(value)
            go(gg.ones(2))
    plain = compile(lambda x, k: x * k, engine=engine, signatures=3)
    with pytest.raises(TraceError, match="a plain argument is another one in every call"):
        for value in range(6):
            plain(gg.ones(2), value)
    other = compile(lambda x: x * 2, engine=engine, signatures=3)
    with pytest.warns(UserWarning, match="pad to a few shapes"):
        for value in range(6):
            other(gg.ones(value))


def test_a_number_that_changes_now_and_then_is_not():
    step, change = around()
    go = compile(step)
    for value in range(RESTLESS + 3):
        change(value)
        for _ in range(2):
            assert go(gg.ones(1)).item() == value


def test_a_profile_function_stays():
    seen = []

    def profile(frame, event, made):
        seen.append(event)

    go = compile(lambda x: x * 2)
    go(gg.ones(2))
    sys.setprofile(profile)
    try:
        go(gg.ones(2))
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)


def test_cprofile_goes_on():
    go = compile(lambda x: x * 2)
    go(gg.ones(2))
    with cProfile.Profile() as profile:
        go(gg.ones(2))
        sorted([2, 1])
    names = {row.code if isinstance(row.code, str) else row.code.co_name for row in profile.getstats()}
    assert any("sorted" in name for name in names)
