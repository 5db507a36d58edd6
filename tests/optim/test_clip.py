"""Gradient clipping, norms and parameters as one vector, against PyTorch's."""

import math

import numpy as np
import pytest
import torch

import glassgrad as gg
from glassgrad.errors import ArgumentError, GradError, NotCovered, ShapeError, TypeMismatch
from glassgrad.nn import utils

HERE, THERE = utils, torch.nn.utils
INF = math.inf
ORDERS = [2, 2.0, 1, 3, 0.5, 0, -1, -2.5, INF, -INF, "inf"]
SHAPES = [(), (3,), (2, 3, 5), (1, 1)]


def arrays(fill=None, dtype=np.float64):
    rng = np.random.default_rng(3)
    made = [np.asarray(rng.normal(size=shape) * 2, dtype) for shape in SHAPES]
    made[1][1] = 0.0
    if fill is not None:
        made[2][1, 2, 3] = fill
    return made


def tensors(module, given):
    make = gg.tensor if module is HERE else torch.tensor
    return [make(a) for a in given]


def parameters(module, grads):
    """Tensors with these gradients, and one without any."""
    made = tensors(module, [np.zeros_like(g) for g in grads])
    for p, g in zip(made, tensors(module, grads), strict=True):
        p.requires_grad_()
        p.grad = g
    return [*made, *tensors(module, [np.ones(2)])]


def array(tensor):
    return np.asarray(tensor.detach().numpy())


def close(mine, reference, tolerance=1e-9):
    assert len(mine) == len(reference)
    for a, b in zip(mine, reference, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.shape == tuple(b.shape)
            assert str(a.dtype).rsplit(".", 1)[-1] == str(b.dtype).rsplit(".", 1)[-1]
            np.testing.assert_allclose(array(a), array(b), rtol=tolerance, atol=0)


def grads(params):
    return [p.grad for p in params]


@pytest.mark.parametrize("fill", [None, 0.0, math.nan, INF, -INF])
@pytest.mark.parametrize("order", ORDERS)
def test_total_norm(order, fill):
    given = arrays(fill)
    close(*([module.get_total_norm(tensors(module, given), order)] for module in (HERE, THERE)))
    close(*([module.get_total_norm(tensors(module, given)[2], order)] for module in (HERE, THERE)))


@pytest.mark.parametrize("fill", [None, math.nan, INF])
@pytest.mark.parametrize("max_norm", [0.0, 0.1, 7, 1e9, INF])
@pytest.mark.parametrize("order", ORDERS)
def test_clip_grad_norm(order, max_norm, fill):
    """The returned norm and all scaled gradients; infinite and undefined norms scale as in PyTorch."""

    def work(module):
        params = parameters(module, arrays(fill))
        return [module.clip_grad_norm_(params, max_norm, order), *grads(params)]

    close(*map(work, (HERE, THERE)))


def test_float32():
    def work(module):
        params = parameters(module, arrays(dtype=np.float32))
        return [module.clip_grad_norm_(params, 0.5), *grads(params)]

    close(*map(work, (HERE, THERE)), 1e-6)


def test_clips_to_the_norm_it_says():
    """By the definition, not by PyTorch: the direction stays, the norm becomes max_norm."""
    params = parameters(HERE, arrays())
    before = np.concatenate([array(p.grad).ravel() for p in params[:-1]])
    total = utils.clip_grad_norm_(params, 0.25)
    after = np.concatenate([array(p.grad).ravel() for p in params[:-1]])
    assert total.item() == pytest.approx(np.linalg.norm(before), rel=1e-12)
    assert np.linalg.norm(after) == pytest.approx(0.25, rel=1e-5)
    np.testing.assert_allclose(after / np.linalg.norm(after), before / np.linalg.norm(before), rtol=1e-9)


def test_in_place():
    (p,) = parameters(HERE, [np.array([3.0, 4.0])])[:1]
    held = p.grad
    utils.clip_grad_norm_(p, 1.0)
    assert p.grad is held
    assert held.tolist() == pytest.approx([0.6, 0.8], rel=1e-6)
    utils.clip_grad_value_(p, 0.7)
    assert held.tolist() == pytest.approx([0.6, 0.7], rel=1e-6)


@pytest.mark.parametrize("given", ["list", "tuple", "generator", "tensor"])
def test_kinds_of_iterables(given):
    def work(module):
        params = parameters(module, arrays())
        make = {"list": list, "tuple": tuple, "generator": lambda ps: (p for p in ps), "tensor": lambda ps: ps[2]}[
            given
        ]
        norm = module.clip_grad_norm_(make(params), 1.5)
        module.clip_grad_value_(make(params), 0.1)
        return [norm, *grads(params)]

    close(*map(work, (HERE, THERE)))


def test_nothing_to_clip():
    def work(module):
        bare = tensors(module, arrays())
        if module is HERE:  # PyTorch's fails without a gradient
            module.clip_grad_value_(bare, 1.0)
            module.clip_grad_value_([], 1.0)
        module.clip_grads_with_norm_([], 1.0, tensors(module, [np.ones(())])[0])
        with pytest.warns(UserWarning, match="empty generator"):
            module.clip_grad_norm_((p for p in []), 1.0)
        return [module.get_total_norm([]), module.clip_grad_norm_([], 1.0), module.clip_grad_norm_(bare, 1.0)]

    close(*map(work, (HERE, THERE)))


@pytest.mark.parametrize("order", [2, 1, 0, 3])
def test_gradients_of_no_entries(order):
    def work(module):
        params = parameters(module, [np.zeros((0, 3)), np.array([3.0, -4.0])])
        return [module.clip_grad_norm_(params, 1.0, order), *grads(params)]

    close(*map(work, (HERE, THERE)))


@pytest.mark.parametrize("fill", [math.nan, INF])
@pytest.mark.parametrize("order", [2, INF, 1])
def test_error_if_nonfinite(order, fill):
    """It raises before anything is scaled."""
    for module in (HERE, THERE):
        params = parameters(module, arrays(fill))
        before = [array(p.grad).copy() for p in params[:-1]]
        with pytest.raises(RuntimeError, match="finite") as raised:
            module.clip_grad_norm_(params, 1.0, order, error_if_nonfinite=True)
        for p, old in zip(params, before, strict=False):
            np.testing.assert_array_equal(array(p.grad), old)
    with pytest.raises(GradError, match=f"order {float(order):g}"):
        utils.get_total_norm(tensors(HERE, arrays(fill)), order, error_if_nonfinite=True)
    assert raised.type is RuntimeError
    utils.get_total_norm(tensors(HERE, arrays()), order, error_if_nonfinite=True)


@pytest.mark.parametrize("fill", [None, math.nan, INF, -INF])
@pytest.mark.parametrize("bound", [0, 0.3, 5.0, INF])
def test_clip_grad_value(bound, fill):
    def work(module):
        params = parameters(module, arrays(fill))
        module.clip_grad_value_(params, bound)
        return grads(params)

    close(*map(work, (HERE, THERE)))


def test_with_a_norm_of_ones_own():
    def work(module):
        params = parameters(module, arrays())
        module.clip_grads_with_norm_(params, 2.0, tensors(module, [np.float64(16.0)])[0])
        return grads(params)

    close(*map(work, (HERE, THERE)))


def test_gradients_with_a_graph():
    """What backward(create_graph=True) left can be clipped."""

    def work(module):
        (w,) = tensors(module, [np.array([3.0, -4.0])])
        w.requires_grad_()
        if module is HERE:
            (w**2).sum().backward(create_graph=True)
        else:
            w.grad = torch.autograd.grad((w**2).sum(), w, create_graph=True)[0]
        norm = module.clip_grad_norm_([w], 5.0)
        module.clip_grad_value_([w], 3.5)
        return [norm, w.grad]

    close(*map(work, (HERE, THERE)))


def test_no_branch_on_values(monkeypatch):
    """Clipping reads no tensor, so that a traced step can hold it."""
    params = parameters(HERE, arrays())

    def refuse(self):
        raise AssertionError("clipping read a tensor")

    for method in ("item", "__bool__", "__float__", "tolist"):
        monkeypatch.setattr(gg.Tensor, method, refuse)
    for order in ORDERS:
        utils.clip_grad_norm_(params, 1.0, order)
    utils.clip_grad_value_(params, 0.1)


def test_vector_and_back():
    def work(module):
        params = parameters(module, arrays())
        vector = module.parameters_to_vector(tensors(module, arrays()))
        module.vector_to_parameters(vector * 2, params[:-1])
        return [vector, *(p.detach() for p in params)], [p.requires_grad for p in params], grads(params)

    mine, reference = map(work, (HERE, THERE))
    close(mine[0], reference[0])
    assert mine[1] == reference[1]
    close(mine[2], reference[2])


def test_vector_is_differentiable():
    def work(module):
        params = [p.requires_grad_() for p in tensors(module, arrays())]
        vector = module.parameters_to_vector(p for p in params)
        (vector**3).sum().backward()
        return grads(params)

    close(*map(work, (HERE, THERE)))


def test_parameters_of_a_module():
    class Net(gg.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = gg.nn.Parameter(gg.tensor([[1.0, 2.0]]))
            self.b = gg.nn.Parameter(gg.tensor(3.0))

    net = Net()
    held = net.w
    utils.vector_to_parameters(utils.parameters_to_vector(net.parameters()) * 10, net.parameters())
    assert net.w is held and net.w.is_leaf and net.w.requires_grad
    assert net.w.tolist() == [[10.0, 20.0]] and net.b.item() == 30.0


BAD = {
    "short": (ShapeError, RuntimeError, lambda m, t: m.vector_to_parameters(t([1.0]), [t([1.0, 2.0])])),
    "not a vector": (TypeMismatch, TypeError, lambda m, t: m.vector_to_parameters([1.0], [t([1.0])])),
    "nothing": (ArgumentError, ValueError, lambda m, t: m.parameters_to_vector([])),
    "norm as text": (ValueError, ValueError, lambda m, t: m.get_total_norm([t([1.0])], "two")),
    "norm as number": (TypeMismatch, TypeError, lambda m, t: m.clip_grads_with_norm_(with_grad(t), 1.0, 2.0)),
}


def with_grad(make):
    w = make([1.0], requires_grad=True)
    w.grad = make([2.0])
    return w


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    ours, theirs, call = BAD[name]
    with pytest.raises(theirs):
        call(THERE, torch.tensor)
    with pytest.raises(ours) as raised:
        call(HERE, gg.tensor)
    assert isinstance(raised.value, theirs)


def test_own_errors():
    """Stricter than PyTorch where that goes on with what cannot have been meant."""
    w = with_grad(gg.tensor)
    with pytest.raises(ArgumentError, match="clip_value=-1"):
        utils.clip_grad_value_([w], -1)
    with pytest.raises(ArgumentError, match="clip_value=nan"):
        utils.clip_grad_value_([w], math.nan)
    with pytest.raises(ShapeError, match=r"\(3,\), 2 entries"):
        utils.vector_to_parameters(gg.ones(3), [gg.ones(2)])
    with pytest.raises(NotCovered, match="foreach"):
        utils.clip_grad_norm_([w], 1.0, foreach=True)
    with pytest.raises(NotCovered, match="clip_grad_norm_"):
        utils.clip_grad_norm  # noqa: B018
    assert not hasattr(utils, "no_such_name")
    assert w.grad.tolist() == [2.0]
