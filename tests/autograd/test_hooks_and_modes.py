"""Hooks on tensors; no_grad, enable_grad, set_grad_enabled as contexts and decorators; threads."""

import threading

import pytest
from tests.autograd.test_backward import leaf
from tests.beside import beside_torch, refused

import glassgrad as gg


@beside_torch
def test_hooks_see_and_replace(m):
    x, seen = leaf(m, 1.0, 2.0), []
    y = x * 3
    y.register_hook(lambda g: seen.append(g.clone()))
    handle = y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(g.clone()))
    x.register_hook(lambda g: g + 1)
    (y * 2).sum().backward()
    first = x.grad.clone()
    handle.remove()
    handle.remove()
    x.grad = None
    y = x * 3
    (y * 2).sum().backward()
    return seen, first, x.grad


@beside_torch
def test_hooks_run_once_on_the_whole_gradient(m):
    x, seen = leaf(m, 1.0, 2.0), []
    x.register_hook(lambda g: seen.append(g.clone()))
    (x * x + x.exp() + x).sum().backward()
    return seen, x.grad


@beside_torch
def test_hooks_and_retained_gradients(m):
    x = leaf(m, 1.0, 2.0)
    y = x * x
    y.retain_grad()
    y.register_hook(lambda g: g * 5)
    y.sum().backward()
    return y.grad, x.grad


@beside_torch
def test_hooks_with_grad(m):
    x, seen = leaf(m, 1.0, 2.0), []
    y = x * x
    y.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: seen.append(g.clone()))
    found = m.autograd.grad((y * 3).sum(), x)
    return found, seen


@beside_torch
def test_hooks_are_differentiated(m):
    x = leaf(m, 1.0, 2.0)
    y = x * x
    y.register_hook(lambda g: g * g)
    (slope,) = m.autograd.grad((y**2).sum(), x, create_graph=True)
    return slope, m.autograd.grad(slope.sum(), x)


@beside_torch
def test_a_hook_stays_on_a_leaf_that_is_written(m):
    x = leaf(m, 1.0, 2.0)
    x.register_hook(lambda g: g * 7)
    with m.no_grad():
        x.add_(1)
    (x * x).sum().backward()
    return x.grad


@beside_torch
def test_wrong_hooks(m):
    x, frozen = leaf(m, 1.0, 2.0), m.ones(2)
    y = x * 1
    y.register_hook(lambda g: g[:1])
    return refused(lambda: y.sum().backward()), refused(lambda: frozen.register_hook(print))


def test_a_hook_that_returns_no_tensor():
    x = gg.ones(2, requires_grad=True)
    with x.register_hook(lambda g: 3), pytest.raises(TypeError, match="returns a Tensor or None"):
        (x * 2).sum().backward()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]


@beside_torch
def test_modes_as_contexts(m):
    x, seen = leaf(m, 1.0), []

    def note():
        seen.append((m.is_grad_enabled(), (x * 2).requires_grad))

    note()
    with m.no_grad():
        note()
        with m.enable_grad():
            note()
            with m.set_grad_enabled(False):
                note()
            note()
        note()
    note()
    with m.set_grad_enabled(False):
        note()
    note()
    m.set_grad_enabled(False)
    note()
    m.set_grad_enabled(True)
    note()
    try:
        with m.no_grad():
            raise KeyError
    except KeyError:
        note()
    with m.inference_mode():
        note()
    return seen


@beside_torch
def test_modes_as_decorators(m):
    x, seen = leaf(m, 1.0), []

    @m.no_grad()
    def quiet(n):
        """Its text."""
        seen.append(m.is_grad_enabled())
        return quiet(n - 1) if n else (x * 2).requires_grad

    @m.no_grad
    def bare():
        return m.is_grad_enabled()

    @m.enable_grad()
    def loud():
        return m.is_grad_enabled()

    @m.set_grad_enabled(False)
    def switched():
        return m.is_grad_enabled()

    after = m.is_grad_enabled()
    results = [quiet(2), bare(), loud(), switched(), m.is_grad_enabled()]
    with m.no_grad():
        results += [loud(), m.is_grad_enabled()]
    return seen, results, after, quiet.__name__, quiet.__doc__


@beside_torch
def test_a_decorated_generator(m):
    """The mode is on while the generator runs, and off while it waits."""
    seen = []

    @m.no_grad()
    def numbers():
        got = yield m.is_grad_enabled()
        seen.append((got, m.is_grad_enabled()))
        try:
            yield m.is_grad_enabled()
        except KeyError:
            seen.append(("thrown", m.is_grad_enabled()))
        yield m.is_grad_enabled()
        return "end"

    running = numbers()
    seen.append((next(running), m.is_grad_enabled()))
    seen.append((running.send("sent"), m.is_grad_enabled()))
    seen.append((running.throw(KeyError), m.is_grad_enabled()))
    try:
        next(running)
    except StopIteration as end:
        seen.append(end.value)
    closing = numbers()
    next(closing)
    closing.close()
    return seen, m.is_grad_enabled()


@beside_torch
def test_training_by_hand(m):
    """x -= rate * x.grad inside no_grad writes the leaf and keeps it one."""
    w, kept = leaf(m, 5.0, -3.0), []
    same = w
    for _ in range(3):
        (w**2).sum().backward()
        with m.no_grad():
            w -= 0.1 * w.grad
            w.grad.zero_()
        kept.append(w.detach().clone())
    return kept, w is same, w.is_leaf, w.requires_grad, w.grad


@beside_torch
def test_data_writes_past_the_graph(m):
    w = leaf(m, 5.0, -3.0)
    w.data -= 1
    first = w.detach().clone()
    w.data = m.tensor([1.0, 2.0], dtype=m.float64)
    (w * w).sum().backward()
    return first, w, w.grad


def test_modes_are_each_threads_own():
    inside, go = [], threading.Event()

    def other():
        go.wait(10)
        x = gg.ones(2, requires_grad=True)
        inside.append((gg.is_grad_enabled(), (x * 2).requires_grad))
        (x * x).sum().backward()
        inside.append(x.grad.tolist())

    thread = threading.Thread(target=other)
    thread.start()
    with gg.no_grad():
        go.set()
        thread.join()
        assert not gg.is_grad_enabled()
    assert inside == [(True, True), [2.0, 2.0]]


def test_threads_differentiate_at_once():
    """Each builds and walks graphs of its own over shared leaves; no number comes out different."""
    w = gg.tensor([0.5, -0.25, 1.5], dtype=gg.float64)
    results, failures = {}, []

    def work(number):
        try:
            x = (w * number).requires_grad_()
            for _ in range(40):
                x.grad = None
                (x.exp() * x).sum().backward()
            results[number] = x.grad.tolist()
        except Exception as error:  # a thread's error would be lost
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for number, found in results.items():
        x = w * number
        assert found == ((x + 1) * x.exp()).tolist() or found == pytest.approx(((x + 1) * x.exp()).tolist(), 1e-14)
