"""Numbers that others worked out: micrograd's README, CS231n's notes, a neuron; and the article's snippets, run."""

import math
import re

import numpy as np
import pytest
from tests.autograd.article import NETWORK, SNIPPET
from tests.beside import beside_torch

import glassgrad as gg

D = {"dtype": gg.float64, "requires_grad": True}


def test_micrograd_twice():
    a, b = gg.tensor(-4.0, **D), gg.tensor(2.0, **D)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    assert g.item() == pytest.approx(24.70408163265306, abs=1e-12)
    g.backward(retain_graph=True)
    assert a.grad.item() == pytest.approx(138.83381924198252, abs=1e-10)
    assert b.grad.item() == pytest.approx(645.5772594752186, abs=1e-10)
    first = a.grad.item(), b.grad.item()
    g.backward()
    assert (a.grad.item(), b.grad.item()) == (2 * first[0], 2 * first[1])
    with pytest.raises(RuntimeError, match="a second time"):
        g.backward()


def test_three_numbers():
    x, y, z = (gg.tensor(v, **D) for v in (-2.0, 5.0, -4.0))
    f = (x + y) * z
    f.backward()
    assert f.item() == -12
    assert (x.grad.item(), y.grad.item(), z.grad.item()) == (-4, -4, 3)


def test_a_sigmoid_neuron():
    w, x = gg.tensor([2.0, -3.0, -3.0], **D), gg.tensor([-1.0, -2.0, 1.0], dtype=gg.float64)
    y = (w * x).sum().sigmoid()
    y.backward()
    assert y.item() == pytest.approx(0.731059, abs=1e-6)
    assert w.grad.tolist() == pytest.approx([-0.196612, -0.393224, 0.196612], abs=1e-6)


def test_a_tanh_neuron():
    x, w, b = gg.tensor([2.0, 0.0], **D), gg.tensor([-3.0, 1.0], **D), gg.tensor(6.8813735870195432, **D)
    y = (x @ w + b).tanh()
    y.backward()
    assert y.item() == pytest.approx(math.sqrt(0.5), abs=1e-12)
    assert x.grad.tolist() == pytest.approx([-1.5, 0.5], abs=1e-12)
    assert w.grad.tolist() == pytest.approx([1.0, 0.0], abs=1e-12)


def test_the_articles_two_neurons():
    """Its own numbers, where they are right, and the right ones where they are not."""
    w1, b1, w2, b2 = (gg.tensor(v, **D) for v in (0.5, 0.1, 0.3, 0.2))
    z1 = 2 * w1 + b1
    a1 = z1.sigmoid()
    z2 = a1 * w2 + b2
    y = z2.sigmoid()
    loss = (y - 1.0) ** 2
    for tensor in (z1, a1, z2, y):
        tensor.retain_grad()
    loss.backward()
    expected = [
        (z1, 1.1), (a1, 0.7502601056), (z2, 0.4250780317), (y, 0.6046977374), (loss, 0.1562638788),
        (y.grad, -0.7906045251), (w2.grad, -0.1417877769), (w1.grad, -0.0212460387),
        (b2.grad, -0.1889848279), (b1.grad, -0.0106230193),
        (z2.grad / y.grad, 0.2390383838), (z1.grad / a1.grad, 0.1873698795),
    ]  # fmt: skip
    for found, number in expected:
        assert found.item() == pytest.approx(number, abs=6e-11)
    with gg.no_grad():
        w1 -= 0.01 * w1.grad
        w2 -= 0.01 * w2.grad
    assert w2.item() == pytest.approx(0.3014178778, abs=6e-11)
    assert w1.item() == pytest.approx(0.5002124604, abs=6e-11)


@beside_torch
def test_the_articles_snippet_in_both(m):
    x = m.tensor([[1.0, 2.0]], requires_grad=True)
    w = m.tensor([[0.5], [0.3]], requires_grad=True)
    y = m.mm(x, w)
    loss = (y - 1.0) ** 2
    loss.backward()
    return w.grad, x.grad, loss


def test_the_articles_snippet_runs_with_its_import_changed(capsys):
    code = SNIPPET.replace("import torch", "import glassgrad as torch")
    names = {}
    exec(code, names)  # the article's words, letter by letter
    printed = capsys.readouterr().out
    assert re.fullmatch(r"Gradient of w: tensor\(\[\[0\.2000\],\n {8}\[0\.4000\]\]\)\n", printed)
    np.testing.assert_allclose(names["w"].grad.numpy(), [[0.2], [0.4]], 1e-6)
    names = {}
    exec(SNIPPET, names)
    assert capsys.readouterr().out == printed


def network():
    """The article's class."""
    names = {}
    exec(NETWORK, names)
    return names["SimpleNeuralNetwork"]


def test_the_articles_class_beside_the_same_net():
    """Its steps follow the gradient of binary cross-entropy, summed over outputs and averaged over examples."""
    np.random.seed(0)
    net = network()(2, 4, 1)
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    targets = np.array([[0], [1], [1], [0]])
    names = ("W1", "b1", "W2", "b2")
    weights = {name: gg.tensor(getattr(net, name), requires_grad=True) for name in names}
    x, y = gg.tensor(inputs, dtype=gg.float64), gg.tensor(targets, dtype=gg.float64)
    for _ in range(50):
        hidden = (x @ weights["W1"] + weights["b1"]).sigmoid()
        output = (hidden @ weights["W2"] + weights["b2"]).sigmoid()
        loss = -(y * output.log() + (1 - y) * (1 - output).log()).mean()
        loss.backward()
        before = {name: getattr(net, name).copy() for name in names}
        theirs = net.forward(inputs)
        np.testing.assert_allclose(output.detach().numpy(), theirs, 1e-12)
        net.backward(inputs, targets, theirs, learning_rate=5.0)
        for name, w in weights.items():
            np.testing.assert_allclose(w.grad.numpy(), (before[name] - getattr(net, name)) / 5.0, 1e-9, 1e-12)
            with gg.no_grad():
                w.sub_(w.grad, alpha=5.0)
            w.grad = None


def test_at_the_articles_rate_it_does_not_learn_and_at_five_it_does():
    inputs, targets = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0], [1], [1], [0]])
    for rate, solved in ((0.1, False), (5.0, True)):
        np.random.seed(1)
        net = network()(2, 4, 1)
        for _ in range(1000):
            net.backward(inputs, targets, net.forward(inputs), learning_rate=rate)
        assert (np.mean((net.forward(inputs) - targets) ** 2) < 0.01) == solved
