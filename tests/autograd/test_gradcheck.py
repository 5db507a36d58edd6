"""gradcheck and gradgradcheck: the full Jacobian; a wrong rule fails, and the entry is named."""

import numpy as np
import pytest
from tests.beside import beside_torch, refused

import glassgrad as gg
from glassgrad.autograd import Function, gradcheck, gradgradcheck
from glassgrad.errors import GradCheckError


def wide(*shape, low=0.5, high=2.0, seed=0):
    return gg.tensor(np.random.default_rng(seed).uniform(low, high, shape), requires_grad=True)


RIGHT = {
    "elementwise": (lambda x: x.log() * x.sin(), [(2, 3)]),
    "broadcast": (lambda x, y: x / y + x**y, [(2, 1), (3,)]),
    "product": (lambda x, y: x @ y, [(2, 3), (3, 4)]),
    "several results": (lambda x: (x.exp(), x.sum(), x > 1), [(2, 3)]),
    "softmax": (lambda x: x.softmax(1), [(2, 3)]),
    "picking": (lambda x: x[[0, 0, 1], 1:], [(2, 3)]),
    "writing": (lambda *xs: write(*xs), [(2, 3), (3,)]),  # noqa: PLW0108  (it stands below)
    "numbers": (lambda x: x * x, [()]),
    "no entries": (lambda x: x * x, [(0, 3)]),
    "constant": (lambda x: gg.ones(2, dtype=gg.float64), [(3,)]),
    "norm": (lambda x: x.norm(dim=1), [(2, 3)]),
    "cumprod": (lambda x: x.cumprod(1), [(2, 4)]),
    "variance": (lambda x: x.var(1), [(2, 4)]),
    "einsum": (lambda x, y: gg.einsum("ij,kj->ik", x, y), [(2, 3), (4, 3)]),
}  # fmt: skip


def write(x, y):
    made = x * 1
    made[0] = y * 2
    made[:, 1] *= 3
    return made


@pytest.mark.parametrize("name", RIGHT)
def test_right_derivatives_pass(name):
    function, shapes = RIGHT[name]
    inputs = [wide(*shape, seed=n) for n, shape in enumerate(shapes)]
    assert gradcheck(function, inputs)
    if name != "constant":
        assert gradgradcheck(function, inputs)


def test_inputs_without_gradient_and_other_arguments():
    x, fixed = wide(2, 3), wide(2, 3, seed=1).detach()
    assert gradcheck(lambda x, y, n: x * y * n, [x, fixed, 3])
    assert gradgradcheck(lambda x, y, n: x * x * y * n, [x, fixed, 3])
    with pytest.raises(ValueError, match="no input requires a gradient"):
        gradcheck(lambda y: y * 2, [fixed])


class WrongAt(Function):
    """Twice its input, with one wrong entry of the derivative."""

    @staticmethod
    def forward(ctx, x, place):
        ctx.place = place
        return x * 2

    @staticmethod
    def backward(ctx, g):
        made = g * 2
        made[ctx.place] = made[ctx.place] * 1.5
        return made, None


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (0, 1)])
def test_the_wrong_entry_is_named(place):
    with pytest.raises(GradCheckError) as caught:
        gradcheck(lambda x: WrongAt.apply(x, place), wide(2, 3))
    message = str(caught.value)
    assert f"result 0{list(place)} by input 0{list(place)} is wrong" in message
    assert (
        "analytic 3, numeric 2" in message.replace("1.9999999999", "2").replace("2.0000000000", "2")
        or "analytic 3" in message
    )
    assert "1 of 36 entries differ" in message
    assert "test_gradcheck.py" in message
    assert not gradcheck(lambda x: WrongAt.apply(x, place), wide(2, 3), raise_exception=False)


def test_the_wrong_input_and_result_are_named():
    with pytest.raises(GradCheckError, match=r"result 1\[1\] by input 1\[1\]"):
        gradcheck(lambda x, y: (x * y, WrongAt.apply(y, 1)), [wide(2), wide(2, seed=1)])


def test_a_wrong_second_derivative_fails_only_the_second_check():
    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * (x * x).detach()  # right, but its own derivative is lost

    assert gradcheck(Cube.apply, wide(3))
    with pytest.raises(GradCheckError, match=r"by input 0"):
        gradgradcheck(Cube.apply, wide(3))


@pytest.mark.parametrize("name", ["tanh", "mul", "matmul", "sum", "gather", "where"])
def test_a_broken_rule_of_an_op_is_caught(name, monkeypatch):
    from glassgrad.op import REGISTRY

    op = REGISTRY[name]
    rules = [rule and (lambda g, y, *xs, rule=rule, **params: rule(g, y, *xs, **params) * 1.01) for rule in op.rules]
    calls = {
        "tanh": lambda x: x.tanh(), "mul": lambda x: x * x, "matmul": lambda x: x @ x.mT, "sum": lambda x: x.sum(0),
        "gather": lambda x: x.gather(1, gg.tensor([[0], [2]])), "where": lambda x: gg.where(x > 1, x, -x),
    }  # fmt: skip
    assert gradcheck(calls[name], wide(2, 3))
    monkeypatch.setattr(op, "rules", rules)
    with pytest.raises(GradCheckError):
        gradcheck(calls[name], wide(2, 3))


def test_float32_drowns_in_rounding():
    x = gg.tensor([0.5, 1.5], requires_grad=True)
    with pytest.raises(GradCheckError, match="float32"):
        gradcheck(lambda x: x.exp() * 100, x)


@beside_torch
def test_beside_torch(m):
    x = m.tensor([0.5, 2.0], dtype=m.float64, requires_grad=True)
    kink = m.tensor([0.0, 1.0], dtype=m.float64, requires_grad=True)
    return [
        m.autograd.gradcheck(lambda x: x.log() * x, x),
        m.autograd.gradgradcheck(lambda x: x.log() * x, x),
        m.autograd.gradcheck(lambda x: x.abs(), kink),  # a subgradient of 0 is what central differences give there
        m.autograd.gradcheck(lambda x: x.relu(), kink, raise_exception=False),
        refused(lambda: m.autograd.gradcheck(lambda x: x.relu(), kink)),
    ]
