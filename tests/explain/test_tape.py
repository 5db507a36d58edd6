"""What a tape holds: phases, names, lines, modules; derivations, responsibility and missing gradients."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.errors import ArgumentError, StateError

F = nn.functional


def article():
    """The article's net, recorded for one step, in float64."""
    x, y_true = gg.tensor(2.0, dtype=gg.float64), gg.tensor(1.0, dtype=gg.float64)
    w1, w2, b1, b2 = (gg.tensor(v, dtype=gg.float64, requires_grad=True) for v in (0.5, 0.3, 0.1, 0.2))
    optimizer = optim.SGD([w1, b1, w2, b2], lr=0.01)
    with gg.record() as tape:
        z1 = x * w1 + b1
        a1 = gg.sigmoid(z1)
        z2 = a1 * w2 + b2
        y_pred = gg.sigmoid(z2)
        loss = (y_pred - y_true) ** 2
        loss.backward()
        optimizer.step()
    return tape, {"w1": w1, "w2": w2, "b1": b1, "b2": b2}


EXACT = {
    "z1": 1.1, "a1": 0.7502601056, "z2": 0.4250780317, "y_pred": 0.6046977374, "L": 0.1562638788,
    "∂L/∂w2": -0.1417877769, "∂L/∂w1": -0.0212460387, "∂L/∂b2": -0.1889848279, "∂L/∂b1": -0.0106230193,
    "w2′": 0.3014178778, "w1′": 0.5002124604,
}  # fmt: skip
"""The article's numbers, worked out to ten digits."""


def test_the_articles_numbers():
    tape, _ = article()
    found = {step.name: float(step.value) for step in tape.steps}
    for name, number in EXACT.items():
        assert found[name] == pytest.approx(number, abs=5e-11), name


def test_the_articles_formulas_read_as_a_textbook_has_them():
    tape, _ = article()
    found = {step.name: step.formula for step in tape.steps}
    assert found["z1"] == "z1 = x · w1 + b1"
    assert found["a1"] == "a1 = σ(z1)"
    assert found["L"] == "L = (y_pred − y_true)²"
    assert found["∂L/∂z2"] == "∂L/∂z2 = ∂L/∂y_pred · y_pred · (1 − y_pred)"
    assert found["∂L/∂a1"] == "∂L/∂a1 = ∂L/∂v2 · w2"
    assert found["w1′"] == "w1′ = w1 − lr · ∂L/∂w1"
    latex = {step.name: step.latex for step in tape.steps}
    assert latex["∂L/∂w1"] == r"\frac{\partial L}{\partial w_{1}} = \frac{\partial L}{\partial v_{1}} \cdot x"


def test_phases_come_in_order_and_lines_are_the_users():
    tape, _ = article()
    phases = [step.phase for step in tape.steps]
    assert phases == sorted(phases, key=("forward", "loss", "backward", "update").index)
    assert set(phases) == {"forward", "loss", "backward", "update"}
    (z1,) = [step for step in tape.steps if step.name == "z1"]
    assert z1.source == "z1 = x * w1 + b1" and __file__ in z1.line and z1.line.endswith("in article")
    (loss,) = [step for step in tape.steps if step.name == "L"]
    assert loss.phase == "loss"


def network():
    gg.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    x, y = gg.randn(6, 2, dtype=gg.float64), gg.randn(6, 1, dtype=gg.float64)
    optimizer = optim.Adam(net.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return net, x, y, step


def test_modules_have_their_paths_and_parameters_their_symbols():
    _, _, _, step = network()
    with gg.record() as tape:
        step()
    assert {s.module for s in tape.steps if s.phase == "forward"} == {"0", "1", "2"}
    assert tape.symbols.legend == {"W1": "0.weight", "b1": "0.bias", "W2": "2.weight", "b2": "2.bias"}
    assert any(s.formula.endswith("x W1ᵀ + b1") for s in tape.steps)


def test_steps_of_a_second_recording_are_its_own():
    _, _, _, step = network()
    with gg.record() as first:
        step()
    before = [float(np.sum(s.value)) for s in first.steps]
    with gg.record() as second:
        step()
    assert len(first.steps) == len(second.steps)
    assert [float(np.sum(s.value)) for s in first.steps] == before
    assert before != [float(np.sum(s.value)) for s in second.steps]


def test_values_that_are_overwritten_later_are_kept():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    with gg.record() as tape:
        y = x * 3
        with gg.no_grad():
            z = y.clone()
            z.mul_(10)
        (y * y).sum().backward()
    first = next(s for s in tape.steps if s.name == "y")
    np.testing.assert_array_equal(first.value, [3, 6])


def test_derivations_match_for_many_nets():
    for seed in range(5):
        gg.manual_seed(seed)
        net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.GELU(), nn.Linear(4, 3)).double()
        x, t = gg.randn(5, 3, dtype=gg.float64), gg.tensor([0, 2, 1, 1, 0])
        with gg.record() as tape:
            F.cross_entropy(net(x), t).backward()
        for p in net.parameters():
            made = tape.derive(p)
            assert made.matches, f"{made}"
            assert made.lines[-1][1].startswith(f"∂L/∂{tape.symbols.text(tape.node_of(p))} =")


def test_a_wrong_formula_does_not_match():
    tape, held = article()
    made = tape.derive(held["w1"])
    assert made.matches
    assert not dataclasses.replace(made, computed=made.computed * 1.001).matches
    assert not dataclasses.replace(made, measured=made.measured * 1.01).matches


def test_a_wrong_gradient_does_not_match():
    """A derivative rule of one's own that is off by a factor is found out by the difference beside it."""

    class Wrong(gg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x

    w = gg.tensor(1.5, dtype=gg.float64, requires_grad=True)
    with gg.record() as tape:
        loss = Wrong.apply(w * 2.0) + 0.0
        loss.backward()
    made = tape.derive(w)
    assert made.value == 18.0 and not made.matches


def test_responsibility_of_a_quadratic_is_exact():
    a, b = (gg.tensor(v, dtype=gg.float64, requires_grad=True) for v in (3.0, -2.0))
    optimizer = optim.SGD([a, b], lr=0.1)
    with gg.record() as tape:
        loss = a * a + 4 * b * b + a * b
        loss.backward()
        optimizer.step()
    made = tape.responsibility()
    da, db = -0.1 * (2 * 3 - 2), -0.1 * (8 * -2 + 3)
    shares = {s.layer: s for s in made.layers}
    assert shares["a"].first_order == pytest.approx((2 * 3 - 2) * da, rel=1e-12)
    assert shares["a"].measured == pytest.approx((3 + da) ** 2 - 9 + da * -2, rel=1e-12)
    assert shares["b"].measured == pytest.approx(4 * (db - 2) ** 2 - 16 + 3 * db, rel=1e-12)
    assert made.together == pytest.approx(da * db, rel=1e-9)
    assert made.measured == pytest.approx(a.item() ** 2 + 4 * b.item() ** 2 + a.item() * b.item() - 19, rel=1e-12)


def test_responsibility_is_what_the_loss_does():
    net, x, y, step = network()
    with gg.record() as tape:
        before = step().item()
    made = tape.responsibility()
    assert made.before == pytest.approx(before, rel=1e-12)
    assert made.after == pytest.approx(F.mse_loss(net(x), y).item(), rel=1e-12)
    assert {s.layer for s in made.layers} == {"0", "2"}
    assert sum(s.measured for s in made.layers) + made.together == pytest.approx(made.after - made.before, rel=1e-9)


def test_only_some_modules_are_recorded():
    gg.manual_seed(0)
    net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(6)))
    x = gg.randn(3, 4)
    with gg.record(only="3") as tape:
        net(x).sum().backward()
    assert {r.path for n, r in tape.records.items() if not tape.is_leaf(n)} == {"3"}
    w = tape.node_of(net[3].weight)
    np.testing.assert_array_equal(tape.value(tape.cotangents[w]), net[3].weight.grad.numpy())
    with pytest.raises(ArgumentError, match=r"only '3' was recorded"):
        tape.node_of(net[0].weight)
    with gg.record(only="nothing.*") as tape:
        net(x).sum().backward()
    assert tape.steps == []


def test_recordings_do_not_nest_and_leave_nothing_behind():
    with gg.record(), pytest.raises(StateError, match="a recording is on already"), gg.record():
        pass
    with pytest.raises(ZeroDivisionError), gg.record() as tape:
        x = gg.tensor(1.0, requires_grad=True) * 2
        1 / 0  # noqa: B018
    assert len(tape.steps) == 1
    y = x * 3
    assert y.node not in tape.records
    with gg.record() as again:
        gg.tensor(1.0) * 2
    assert len(again.steps) == 1


def test_other_threads_are_not_recorded():
    seen = []
    with gg.record() as tape:
        thread = threading.Thread(target=lambda: seen.append(gg.tensor(2.0) * 3))
        thread.start()
        thread.join()
        gg.tensor(1.0) + 1
    assert len(seen) == 1 and [s.op for s in tape.steps] == ["add"]


# -- why there is no gradient ------------------------------------------------------------------------------------------


def recorded(make):
    with gg.record() as tape:
        tensor = make()
    return tape.why_none(tensor)


def chain(cut):
    def make():
        w = gg.tensor([0.5, 1.5], requires_grad=True)
        (cut(w * 2) * gg.tensor([1.0, 2.0], requires_grad=True)).sum().backward()
        return w

    return make


def without_grad(x):
    with gg.no_grad():
        return x * 1.5


CUTS = {
    "detach": (lambda x: x.detach(), "cut", "detach"),
    "no_grad": (without_grad, "cut", "mul"),
    "an integer": (lambda x: x.long().float(), "cut", "cast"),
    "a comparison": (lambda x: (x > 1).float(), "cut", "gt"),
}


@pytest.mark.parametrize(("cut", "kind", "op"), CUTS.values(), ids=CUTS)
def test_the_edge_that_cut_the_gradient(cut, kind, op):
    made = recorded(chain(cut))
    assert made.reason == kind and made.op == op and __file__ in made.line and made.fix, made


def test_a_parameter_that_was_not_used():
    net = nn.Linear(2, 2)
    other = nn.Linear(2, 2)
    with gg.record() as tape:
        _ = other.weight * 1
        net(gg.ones(1, 2)).sum().backward()
    made = tape.why_none(other.weight)
    assert made.reason == "not reached" and "does not lead to the loss" in made.text


def test_a_tensor_that_requires_no_gradient():
    def make():
        w = gg.tensor([0.5, 1.5])
        (w * gg.tensor([1.0, 2.0], requires_grad=True)).sum().backward()
        return w

    made = recorded(make)
    assert made.reason == "not required" and "requires_grad_" in made.fix


def test_a_gradient_of_zeros_names_the_op_that_let_nothing_through():
    def make():
        w = gg.tensor([-0.5, -1.5], requires_grad=True)
        (w * 2).relu().sum().backward()
        return w

    made = recorded(make)
    assert made.reason == "zero" and made.op == "relu" and "slope is 0" in made.text

    def multiplied():
        w, off = gg.tensor([0.5, 1.5], requires_grad=True), gg.zeros(2)
        (w * off).sum().backward()
        return w

    made = recorded(multiplied)
    assert made.reason == "zero" and made.op == "mul" and "off is 0" in made.text


def test_a_branch_that_was_not_taken():
    def make():
        w, b = gg.tensor(2.0, requires_grad=True), gg.tensor(3.0, requires_grad=True)
        made = w * 2 if w.item() > 0 else b * 2
        made.backward()
        return b

    made = recorded(make)
    assert made.reason == "unused" and "a branch was not taken" in made.text


def test_before_backward_and_with_a_gradient():
    def make():
        w = gg.tensor(2.0, requires_grad=True)
        _ = w * 2
        return w

    assert recorded(make).reason == "no backward"
    tape, held = article()
    assert tape.why_none(held["w1"]).reason == "fine"


def test_values_have_the_names_of_their_variables():
    """Also where there is no source to read, as in a program that was typed in, or compiled elsewhere."""
    source = """
z = x * 2
def inner(x):
    h = gg.tanh(x); h = h + 1
    if (k := h * h).sum() > 0:
        return k * 3
y = inner(z)
total, other = y.sum(), 1
"""
    space = {"gg": gg, "x": gg.tensor([1.0, 2.0], requires_grad=True)}
    with gg.record() as tape:
        exec(compile(source, "nowhere", "exec"), space)
        space["total"].backward()
    names = [step.name for step in tape.steps if step.phase in ("forward", "loss")]
    assert names[:2] == ["z", "h"] and "k" in names and "h⁽²⁾" in names and "y" not in names, names


def test_a_backward_pass_within_the_loss_is_a_part_of_the_forward_pass():
    """A penalty of the slope: its paths go through the derivative's own graph."""
    w, x = gg.tensor(0.7, dtype=gg.float64, requires_grad=True), gg.tensor(1.3, dtype=gg.float64, requires_grad=True)
    with gg.record() as tape:
        y = gg.tanh(w * x)
        (slope,) = gg.autograd.grad(y, x, create_graph=True)
        loss = slope * slope
        loss.backward()
    t = np.tanh(0.7 * 1.3)
    slope_by_w = (1 - t * t) - 0.7 * 2 * t * (1 - t * t) * 1.3
    expected = 2 * (0.7 * (1 - t * t)) * slope_by_w
    why = tape.why(w)
    assert why.value == pytest.approx(expected, rel=1e-12) and why.complete and len(why.paths) > 1
    assert sum(p.product for p in why.paths) == pytest.approx(expected, rel=1e-12)
    assert len(tape.passes) == 1 and tape.derive(w).matches
    names = [s.name for s in tape.steps if s.phase == "backward" and s.op != "sum of the paths"]
    assert len(names) == len(set(names)), names


def test_gradients_that_are_not_zeroed_are_added_up():
    w = gg.tensor([2.0, -1.0], dtype=gg.float64, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)
    (w * 3).sum().backward()
    with gg.record() as tape:
        (w * w).sum().backward()
        optimizer.step()
    (total,) = [s for s in tape.steps if s.name.startswith("total")]
    np.testing.assert_array_equal(total.value, [7, 1])
    assert "not zeroed" in total.sentence
    assert "total ∂L/∂w" in str(tape.update(w, 0))


def test_a_part_in_the_middle_and_a_backward_pass_alone():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    x = gg.randn(2, 3)
    with gg.record(only="2") as tape:
        net(x).sum().backward()
    assert [s.op for s in tape.steps][:1] == ["affine"] and {s.module for s in tape.steps} <= {"2", ""}
    with pytest.raises(ArgumentError, match="the forward pass was not recorded"):
        tape.why(net[2].weight, (0, 0))
    net.zero_grad()
    loss = net(x).sum()
    with gg.record() as tape:
        loss.backward()
    assert tape.steps == []
    with pytest.raises(ArgumentError, match="compute the loss inside the with block"):
        tape.loss  # noqa: B018


def test_names_are_anything():
    table = {r"a}b\href{x}{y}": gg.tensor(2.0, requires_grad=True), "α^2 & co_1 %": gg.tensor(3.0, requires_grad=True)}
    with gg.record() as tape:
        first, second = table.values()
        made = first * second
        made.backward()
    for step in tape.steps:
        text = step.latex.replace(r"\{", "").replace(r"\}", "")
        assert text.count("{") == text.count("}") and "\\href" not in text, text
