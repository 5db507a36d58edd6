"""autograd.functional beside torch.autograd.functional."""

import warnings

import pytest
from tests.autograd.test_backward import leaf
from tests.beside import beside_torch, refused


def inputs(m):
    return m.tensor([0.3, -0.7, 1.1], dtype=m.float64), m.tensor([[0.5, 2.0, -1.0]], dtype=m.float64)


FUNCTIONS = {
    "one": lambda m: lambda x: m.sin(x) * x,
    "number": lambda m: lambda x: m.exp(x).sum() * x[0],
    "two results": lambda m: lambda x: (m.sin(x), (x * x).sum()),
    "matrix": lambda m: lambda x: x.unsqueeze(1) * x,
    "constant": lambda m: lambda x: m.ones(2, dtype=m.float64),
    "linear": lambda m: lambda x: x * 3,
}
TWO = {
    "product": lambda m: lambda x, y: x * y,
    "number": lambda m: lambda x, y: (x * y).sum() * m.exp(x[0]),
    "two results": lambda m: lambda x, y: (x * y, (x + y).sum()),
    "one unused": lambda m: lambda x, y: m.sin(x),
}


def run(program):
    test = beside_torch(program)
    test()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_of_one_input(name, create_graph):
    def program(m):
        f, x, functional = FUNCTIONS[name](m), inputs(m)[0], m.autograd.functional
        if create_graph:
            x.requires_grad_()
        y = f(x)
        ys = y if isinstance(y, tuple) else (y,)
        v = tuple(m.ones_like(part) * 1.5 + part.detach() for part in ys)
        v = v if isinstance(y, tuple) else v[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [
                functional.vjp(f, x, v, create_graph=create_graph),
                functional.jvp(f, x, x.detach() * 2 + 1, create_graph=create_graph),
                functional.jacobian(f, x, create_graph=create_graph),
            ]
            if name == "number":
                found += [
                    functional.hessian(f, x, create_graph=create_graph),
                    functional.hvp(f, x, x.detach() * 2 + 1, create_graph=create_graph),
                    functional.vhp(f, x, x.detach() * 2 + 1, create_graph=create_graph),
                    functional.vjp(f, x),
                ]
        return numbers(m, found)

    run(program)


def numbers(m, found):
    """The values alone: what carries a graph differs where a derivative is constant."""
    if isinstance(found, (list, tuple)):
        return [numbers(m, part) for part in found]
    return found.detach()


@pytest.mark.parametrize("name", TWO)
def test_of_two_inputs(name):
    def program(m):
        f, (x, y), functional = TWO[name](m), inputs(m), m.autograd.functional
        made = f(x, y)
        ones = tuple(map(m.ones_like, made)) if isinstance(made, tuple) else m.ones_like(made)
        found = [
            functional.vjp(f, (x, y), ones),
            functional.jvp(f, (x, y), (x * 2, y + 1)),
            functional.jacobian(f, (x, y)),
        ]
        if name == "number":
            found += [functional.hessian(f, (x, y)), functional.hvp(f, (x, y), (x * 2, y + 1))]
            found += [functional.vhp(f, (x, y), (x * 2, y + 1))]
        return found

    run(program)


@beside_torch
def test_results_of_create_graph_are_differentiable(m):
    x = leaf(m, 0.3, -0.7, 1.1)
    slopes = m.autograd.functional.jacobian(lambda x: m.sin(x) * x.sum(), x, create_graph=True)
    (slopes**2).sum().backward()
    first = x.grad.clone()
    x.grad = None
    bends = m.autograd.functional.hessian(lambda x: m.exp(x).sum() * x[1], x, create_graph=True)
    (bends**2).sum().backward()
    return slopes, first, bends, x.grad


@beside_torch
def test_the_inputs_are_left_alone(m):
    x = leaf(m, 0.3, -0.7)
    m.autograd.functional.jacobian(m.sin, x)
    m.autograd.functional.hessian(lambda x: m.sin(x).sum(), x)
    plain = inputs(m)[0]
    m.autograd.functional.vjp(lambda x: m.sin(x).sum(), plain)
    return x.grad is None, plain.requires_grad, plain.grad is None


@beside_torch
def test_what_is_refused(m):
    x, f = inputs(m)[0], m.autograd.functional
    return [
        refused(lambda: f.vjp(lambda x: x * 2, x), RuntimeError, ValueError),
        refused(lambda: f.vjp(lambda x: x * 2, x, m.ones(2, dtype=m.float64)), RuntimeError, ValueError),
        refused(lambda: f.jvp(lambda x: x * 2, x), RuntimeError, ValueError),
        refused(lambda: f.hessian(lambda x: x * 2, x), RuntimeError, ValueError),
        refused(lambda: f.hvp(lambda x: x * 2, x, x), RuntimeError, ValueError),
        refused(lambda: f.jacobian(lambda x: m.ones(2, dtype=m.float64), x, strict=True)),
        refused(lambda: f.vjp(lambda x: m.ones((), dtype=m.float64), x, strict=True)),
        refused(lambda: f.jacobian(lambda x: 3.0, x), TypeError),
    ]


@beside_torch
def test_a_result_of_a_number_and_an_input_of_a_number(m):
    x = m.tensor(0.7, dtype=m.float64)
    f = m.autograd.functional
    return (
        f.jacobian(lambda x: x**3, x),
        f.hessian(lambda x: x**3, x),
        f.vjp(lambda x: x**3, x),
        f.hvp(lambda x: x**3, x, m.tensor(2.0, dtype=m.float64)),
    )
