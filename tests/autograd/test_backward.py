"""backward(): what it needs, what it adds where; retain_graph, create_graph, inputs, retain_grad, accumulation."""

import gc
import warnings
import weakref

import pytest
from tests.beside import beside_torch, refused

import glassgrad as gg


def leaf(m, *values, shape=None):
    made = m.tensor(list(values), dtype=m.float64)
    return (made.reshape(shape) if shape else made).requires_grad_()


@beside_torch
def test_gradients_add_up(m):
    x = leaf(m, 1.0, 2.0, 3.0)
    grads = []
    for factor in (1, 2, 3):
        (x * x * factor).sum().backward()
        grads.append(x.grad.clone())
    held = x.grad
    (x * 2).sum().backward()
    grads.append(held)  # the same tensor goes on being added to
    x.grad = None
    (x**3).sum().backward()
    return [*grads, x.grad, x.grad is held]


@beside_torch
def test_grad_can_be_set_and_zeroed(m):
    x = leaf(m, 1.0, 2.0)
    x.grad = m.ones(2, dtype=m.float64)
    (x * 3).sum().backward()
    first = x.grad.clone()
    x.grad.zero_()
    (x * 3).sum().backward()
    return (
        first,
        x.grad,
        refused(lambda: setattr(x, "grad", m.ones(3, dtype=m.float64))),
        refused(lambda: setattr(x, "grad", 3.0), TypeError),
    )


@beside_torch
def test_cotangents(m):
    x = leaf(m, 1.0, 2.0, 3.0)
    (x**2).backward(m.tensor([1.0, 10.0, 100.0], dtype=m.float64))
    y = leaf(m, 4.0)
    (y * 2).backward()
    z = leaf(m, 1.0, 2.0)
    m.autograd.backward([z.sum(), z * z], [None, m.tensor([1.0, -1.0], dtype=m.float64)])
    wrong = [
        refused((x * 2).backward),
        refused(lambda: (x * 2).backward(m.ones(2, dtype=m.float64))),
        refused(
            lambda: m.autograd.backward([z.sum(), z.sum()], [m.tensor(1.0, dtype=m.float64)]), RuntimeError, ValueError
        ),
        refused(lambda: m.ones(1).backward()),
    ]
    return x.grad, y.grad, z.grad, wrong


@beside_torch
def test_a_second_backward(m):
    x = leaf(m, 1.0, 2.0)
    y = (x.exp() * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    twice = x.grad.clone()
    y.backward()
    return twice, x.grad, refused(y.backward)


@beside_torch
def test_two_losses_share_a_part(m):
    x = leaf(m, 1.0, 2.0)
    shared = x.exp()
    first, second = shared.sum(), (shared * shared).sum()
    first.backward(retain_graph=True)
    second.backward()
    return x.grad, refused(first.backward)


@beside_torch
def test_after_release_the_rest_of_the_graph_still_works(m):
    x, w = leaf(m, 1.0, 2.0), leaf(m, 3.0, 4.0)
    hidden = x * 2
    (hidden * w).sum().backward()
    again = (w * 5).sum()
    again.backward()
    return x.grad, w.grad, refused(lambda: (hidden * 3).sum().backward())


@beside_torch
def test_a_part_without_saved_values_is_walked_again(m):
    # torch lets a graph of additions, which saves nothing, be walked twice; glassgrad asks for retain_graph always
    x = leaf(m, 1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    return x.grad, refused(y.backward)


@beside_torch
def test_inputs_alone(m):
    x, w = leaf(m, 1.0, 2.0), leaf(m, 3.0, 4.0)
    hidden = x * w
    (hidden * hidden).sum().backward(inputs=[w])
    first = w.grad.clone()
    hidden = x * w
    hidden.retain_grad()
    (hidden**3).sum().backward(inputs=[hidden, x])
    other = leaf(m, 1.0)
    return first, x.grad, w.grad, hidden.grad, refused(lambda: (x * 1).sum().backward(inputs=[])), other.grad is None


@beside_torch
def test_retain_grad(m):
    x = leaf(m, 1.0, 2.0)
    y = x * x
    y.retain_grad()
    z = y.exp()
    z.sum().backward()
    plain = m.ones(2)
    return y.grad, x.grad, y.retains_grad, z.retains_grad, x.retains_grad, refused(plain.retain_grad)


@beside_torch
def test_retain_grad_adds_up(m):
    x = leaf(m, 1.0, 2.0)
    y = x * x
    y.retain_grad()
    (y * 2).sum().backward(retain_graph=True)
    (y * 3).sum().backward()
    return y.grad, x.grad


@beside_torch
def test_create_graph(m):
    x = leaf(m, 1.0, 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of a reference cycle, which glassgrad has not
        (x**3).sum().backward(create_graph=True)
    first = x.grad
    x.grad = None
    (first**2).sum().backward()
    return first.detach().clone(), x.grad, first.requires_grad


def test_create_graph_keeps_what_it_needs():
    x = gg.tensor(3.0, requires_grad=True)
    y = x**4
    y.backward(create_graph=True)
    found = x.grad
    for expected in (12 * 9, 24 * 3, 24):
        (found,) = gg.autograd.grad(found, x, create_graph=True)
        assert found.item() == pytest.approx(expected)


@beside_torch
def test_leaves_and_flags(m):
    x = leaf(m, 1.0, 2.0)
    frozen = m.ones(2, dtype=m.float64)
    y = x * frozen
    z = y.detach()
    with m.no_grad():
        quiet = x * 2
    flags = [(t.is_leaf, t.requires_grad, t.grad_fn is None) for t in (x, frozen, y, z, quiet, x.detach(), y.data)]
    y.sum().backward()
    w = (frozen * 1).requires_grad_()
    return (
        flags,
        x.grad,
        frozen.grad is None,
        w.is_leaf,
        refused(lambda: y.requires_grad_(False)),
        refused(lambda: m.arange(3).requires_grad_()),
    )


@beside_torch
def test_broadcasting_sums_gradients(m):
    a, b, c = leaf(m, 1.0, 2.0, 3.0), leaf(m, 4.0, 5.0, shape=(2, 1)), m.tensor(2.0, dtype=m.float64).requires_grad_()
    (a * b + c / a - b**c).sum().backward()
    return a.grad, b.grad, c.grad


@beside_torch
def test_a_tensor_used_many_times(m):
    x = leaf(m, 1.0, 2.0)
    y = x
    for _ in range(5):
        y = y * x + x
    (y + y + x * y).sum().backward()
    return x.grad


@beside_torch
def test_mixed_dtypes_get_gradients_in_their_own(m):
    x = m.tensor([1.0, 2.0], dtype=m.float32, requires_grad=True)
    w = m.tensor([3.0, 4.0], dtype=m.float64, requires_grad=True)
    (x * w).sum().backward()
    return x.grad, w.grad


@beside_torch
def test_integers_and_booleans_pass_no_gradient(m):
    x = leaf(m, 1.5, -2.5)
    mask, whole = x > 0, x.long()
    (x * mask + x * whole).sum().backward()
    return x.grad, mask.requires_grad, whole.requires_grad


@beside_torch
def test_gradients_are_not_shared(m):
    a, b = leaf(m, 1.0, 2.0), leaf(m, 3.0, 4.0)
    seed = m.ones(2, dtype=m.float64)
    (a + b).backward(seed)
    a.grad.mul_(10)
    seed.mul_(7)
    return a.grad, b.grad


@beside_torch
def test_zero_size(m):
    x = m.zeros((0, 3), dtype=m.float64, requires_grad=True)
    (x * 2).sum().backward()
    return x.grad


def test_the_graph_is_let_go_without_a_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        x = gg.tensor([1.0, 2.0], requires_grad=True)
        y = (x * x).exp()
        node = weakref.ref(y.node.inputs[0])
        z = y.sum()
        z.backward()
        assert node() is None
        y = (x * x).exp()
        node = weakref.ref(y.node)
        del y
        assert node() is None
    finally:
        gc.enable()
