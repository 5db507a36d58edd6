"""autograd.grad: what it returns, unused inputs, higher orders, inputs anywhere in the graph."""

import pytest
from tests.autograd.test_backward import leaf
from tests.beside import beside_torch, refused

import glassgrad as gg


@beside_torch
def test_values_and_no_side_effects(m):
    x, w = leaf(m, 1.0, 2.0), leaf(m, 3.0, 4.0)
    found = m.autograd.grad((x * w).sum(), [x, w])
    return found, x.grad is None, w.grad is None, isinstance(found, tuple), m.autograd.grad((x * w).sum(), x)


@beside_torch
def test_unused_inputs(m):
    x, unused = leaf(m, 1.0, 2.0), leaf(m, 3.0)
    given = m.autograd.grad((x * x).sum(), [x, unused], allow_unused=True)
    zeros = m.autograd.grad((x * x).sum(), [x, unused], materialize_grads=True)
    return [
        given[0], given[1] is None, zeros,
        refused(lambda: m.autograd.grad((x * x).sum(), [x, unused])),
        refused(lambda: m.autograd.grad(x.sum(), x, allow_unused=False, materialize_grads=True), ValueError),
        refused(lambda: m.autograd.grad((x * x).sum(), m.ones(2))),
        refused(lambda: m.autograd.grad(m.ones(1), x)),
    ]  # fmt: skip


@beside_torch
def test_inputs_in_the_middle(m):
    x = leaf(m, 1.0, 2.0)
    hidden = x * x
    out = (hidden.exp() + hidden).sum()
    return m.autograd.grad(out, [hidden, x])


@beside_torch
def test_the_output_itself(m):
    x = leaf(m, 1.0, 2.0)
    y = (x * x).sum()
    return m.autograd.grad(y, [y, x])


@beside_torch
def test_the_same_input_twice(m):
    x = leaf(m, 1.0, 2.0)
    return m.autograd.grad((x * x).sum(), [x, x])


@beside_torch
def test_several_outputs(m):
    x, w = leaf(m, 1.0, 2.0), leaf(m, 3.0, 4.0)
    seeds = [None, m.tensor([1.0, -2.0], dtype=m.float64)]
    return m.autograd.grad([(x * w).sum(), x * x * w], [x, w], seeds)


@beside_torch
def test_grad_keeps_or_frees(m):
    x = leaf(m, 1.0, 2.0)
    y = (x**3).sum()
    first = m.autograd.grad(y, x, retain_graph=True)
    second = m.autograd.grad(y, x)
    return first, second, refused(lambda: m.autograd.grad(y, x))


@beside_torch
def test_grad_frees_only_what_leads_to_the_inputs(m):
    x, w = leaf(m, 1.0, 2.0), leaf(m, 3.0, 4.0)
    a, b = x.exp(), w.exp()
    y = (a * b).sum()
    first = m.autograd.grad(y, b)
    return first, m.autograd.grad(b.sum(), w), m.autograd.grad(a.sum(), x)


@beside_torch
def test_higher_orders(m):
    x = leaf(m, 0.3, -0.7)
    found, results = m.tanh(x) * m.exp(-x), []
    for _ in range(4):
        (found,) = m.autograd.grad(found.sum(), x, create_graph=True)
        results.append(found)
    return results


@beside_torch
def test_a_gradient_penalty(m):
    x, w = leaf(m, 0.3, -0.7), leaf(m, 1.0, 2.0, 3.0, 4.0, shape=(2, 2))
    y = m.tanh(x @ w).sum()
    (slope,) = m.autograd.grad(y, x, create_graph=True)
    (y + (slope.norm(2) - 1) ** 2).backward()
    return x.grad, w.grad


@beside_torch
def test_second_order_by_the_cotangent(m):
    x, v = leaf(m, 0.3, -0.7), leaf(m, 1.0, 2.0)
    (pulled,) = m.autograd.grad(m.sin(x), x, v, create_graph=True)
    return m.autograd.grad(pulled.sum(), [v, x])


@beside_torch
def test_a_linear_map_has_no_second_derivative(m):
    x = leaf(m, 1.0, 2.0)
    (slope,) = m.autograd.grad((x * 3).sum(), x, create_graph=True)
    return slope.detach(), slope.requires_grad


@beside_torch
def test_inside_no_grad(m):
    x = leaf(m, 1.0, 2.0)
    y = (x * x).sum()
    with m.no_grad():
        found = m.autograd.grad(y, x)
    return found


@beside_torch
def test_mixed_partial_derivatives_commute(m):
    x, y = leaf(m, 0.4), leaf(m, 0.9)
    f = m.sin(x * y) * m.exp(x)
    (fx,) = m.autograd.grad(f, x, create_graph=True)
    (fy,) = m.autograd.grad(f, y, create_graph=True)
    return m.autograd.grad(fx, y, retain_graph=True), m.autograd.grad(fy, x)


def test_batched_gradients_are_refused():
    x = gg.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="is_grads_batched"):
        gg.autograd.grad(x * 2, x, gg.eye(2), is_grads_batched=True)
