"""autograd.Function: operations of one's own, beside torch's."""

import gc
import weakref

import numpy as np
import pytest
from tests.autograd.test_backward import leaf
from tests.beside import beside_torch, refused
from tests.own import cube, rounded

import glassgrad as gg


@beside_torch
def test_first_second_and_third_derivative(m):
    x, results = leaf(m, 1.0, -2.0), []
    found = cube(m).apply(x)
    results.append(found)
    for _ in range(3):
        (found,) = m.autograd.grad(found.sum(), x, create_graph=True)
        results.append(found)
    return results


@beside_torch
def test_a_saved_result_is_differentiated(m):
    class Exp(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = m.exp(x)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = leaf(m, 1.0, -2.0)
    (slope,) = m.autograd.grad(Exp.apply(x).sum(), x, create_graph=True)
    return slope, m.autograd.grad(slope.sum(), x)


@beside_torch
def test_several_inputs_and_results_and_other_arguments(m):
    class Mix(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor, w, name="", *rest):
            ctx.factor, ctx.needed = factor, ctx.needs_input_grad
            ctx.save_for_backward(x, w)
            return x * w * factor, (x + w).sum(), name

        @staticmethod
        def backward(ctx, g, total, _):
            x, w = ctx.saved_tensors
            return g * w * ctx.factor + total, None, g * x * ctx.factor + total, None, None

    class Pair(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, w, factor):
            ctx.factor = factor
            ctx.save_for_backward(x, w)
            return x * w * factor, (x + w).sum()

        @staticmethod
        def backward(ctx, g, total):
            x, w = ctx.saved_tensors
            seen.append((ctx.needs_input_grad, g.detach().clone(), total.detach().clone()))
            return g * w * ctx.factor + total, g * x * ctx.factor + total, None

    seen = []
    x, w = leaf(m, 1.0, -2.0), leaf(m, 3.0, 4.0)
    a, b = Pair.apply(x, w, 5.0)
    (a.sum() * b).backward()
    first = [x.grad.clone(), w.grad.clone()]
    x.grad = w.grad = None
    _, b = Pair.apply(x, w, 5.0)
    b.backward()  # no gradient comes to the first result: zeros do
    frozen = m.ones(2, dtype=m.float64)
    a, _ = Pair.apply(x, frozen, 2.0)
    a.sum().backward()
    return first, x.grad, w.grad, frozen.grad is None, seen


@beside_torch
def test_second_derivatives_with_two_results(m):
    class Both(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            s, c = m.sin(x), m.cos(x)
            ctx.save_for_backward(s, c)
            return s, c

        @staticmethod
        def backward(ctx, gs, gc):
            s, c = ctx.saved_tensors
            return gs * c - gc * s

    x = leaf(m, 0.3, -0.7)
    s, c = Both.apply(x)
    (slope,) = m.autograd.grad((s * c).sum(), x, create_graph=True)
    return slope, m.autograd.grad(slope.sum(), x)


@beside_torch
def test_non_differentiable_results(m):
    class Sorted(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            order = m.argsort(x)
            kept = x * 0 + 1
            ctx.mark_non_differentiable(order, kept)
            ctx.save_for_backward(order)
            return x[order], order, kept

        @staticmethod
        def backward(ctx, g, _, __):
            (order,) = ctx.saved_tensors
            return m.zeros_like(g).scatter(0, order, g)

    x = leaf(m, 3.0, 1.0, 2.0)
    y, order, kept = Sorted.apply(x)
    (y * m.tensor([1.0, 10.0, 100.0], dtype=m.float64)).sum().backward()
    return y, order, kept, x.grad


@beside_torch
def test_setup_context(m):
    class Square(m.autograd.Function):
        @staticmethod
        def forward(x, factor):
            return x * x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.factor = inputs
            ctx.save_for_backward(x, output)

        @staticmethod
        def backward(ctx, g):
            x, output = ctx.saved_tensors
            assert output.shape == x.shape
            return g * 2 * x * ctx.factor, None

    x = leaf(m, 3.0, 1.0)
    Square.apply(x, 2.0).sum().backward()
    return x.grad


@beside_torch
def test_gradients_that_do_not_come(m):
    seen = []

    class Two(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, a, b):
            seen.append((a is None, b is None))
            return a * 2 if b is None else b * 3

    x = leaf(m, 1.0, 2.0)
    Two.apply(x)[0].sum().backward()
    return seen, x.grad


@beside_torch
def test_no_graph_where_none_is_wanted(m):
    x = leaf(m, 1.0, 2.0)
    with m.no_grad():
        quiet = cube(m).apply(x)
    return quiet, cube(m).apply(m.ones(2, dtype=m.float64)), cube(m).apply(x)


@beside_torch
def test_a_straight_through_estimator(m):
    x = leaf(m, 0.4, 1.6)
    (rounded(m).apply(x) ** 2).sum().backward()
    return x.grad


@beside_torch
def test_an_argument_returned_as_it_is(m):
    class Reversed(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, strength):
            ctx.strength = strength
            return x.view_as(x)

        @staticmethod
        def backward(ctx, g):
            return -g * ctx.strength, None

    x = leaf(m, 0.4, 1.6)
    (Reversed.apply(x, 3.0) * 2).sum().backward()
    return x.grad


@beside_torch
def test_errors(m):
    class Bad(m.autograd.Function):
        answer = None

        @staticmethod
        def forward(ctx, x, other):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return Bad.answer

    results = []
    for answer in ((m.ones(2, dtype=m.float64),), (m.ones(3, dtype=m.float64), None), (None, None)):
        Bad.answer = answer
        x = leaf(m, 1.0, 2.0)
        results.append(refused(lambda x=x: Bad.apply(x, 1).sum().backward()))
        results.append(x.grad is None or not x.grad.any().item())
    x = leaf(m, 1.0, 2.0)
    y = cube(m).apply(x).sum()
    y.backward()
    return results, refused(y.backward), refused(lambda: m.autograd.Function.apply(x), NotImplementedError)


def test_names_in_errors():
    class Half(gg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x / 2

        @staticmethod
        def backward(ctx, g):
            return g, g

    x = gg.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Half\.backward returns one gradient for each of the 1 arguments"):
        Half.apply(x).sum().backward()

    class Text(gg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return "text"

    with pytest.raises(TypeError, match=r"Text\.forward returns tensors"):
        Text.apply(x)


def test_dtypes_of_gradients_are_those_of_the_arguments():
    class Wide(gg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.double(), x * 2

        @staticmethod
        def backward(ctx, a, b):
            assert (a.dtype, b.dtype) == (gg.float64, gg.float32)
            return a * 3 + b

    x = gg.tensor([1.0, 2.0], requires_grad=True)
    a, b = Wide.apply(x)
    assert (a.dtype, b.dtype) == (gg.float64, gg.float32)
    (a.sum() + b.sum()).backward()
    assert x.grad.dtype == gg.float32 and x.grad.tolist() == [4, 4]


def test_gradcheck_of_a_function():
    x = gg.tensor(np.linspace(-1, 1, 5), requires_grad=True)
    assert gg.autograd.gradcheck(cube(gg).apply, x)
    assert gg.autograd.gradgradcheck(cube(gg).apply, x)


def test_its_graph_is_let_go():
    gc.collect()
    gc.disable()
    try:
        x = gg.ones(2, requires_grad=True)
        y = cube(gg).apply(x)
        node = weakref.ref(y.node)
        del y
        assert node() is None
    finally:
        gc.enable()
