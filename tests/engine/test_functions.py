"""Operations of one's own in compiled steps: traced through, with their own derivatives."""

import numpy as np
import pytest
from tests.own import rounded

import glassgrad as gg
from glassgrad.engine import compile
from glassgrad.utils.checkpoint import checkpoint


class Clipped(gg.autograd.Function):
    """x³ and 2x, whose gradient is cut to 1."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x, x * 2

    @staticmethod
    def backward(ctx, g, h):
        (x,) = ctx.saved_tensors
        return (g * 3 * x * x).clamp(-1, 1) + h * 2


def several(x):
    cube, double = Clipped.apply(x)
    return cube.sum() + (double * double).sum()


@pytest.mark.parametrize("engine", ["interpret", "native"])
@pytest.mark.parametrize("use", [lambda f, x: f(x), checkpoint], ids=["plain", "checkpoint"])
@pytest.mark.parametrize("function", [several, lambda x: (rounded(gg).apply(x * 2) * x).sum()], ids=["several", "one"])
def test_a_function_is_compiled(function, use, engine):
    w = gg.tensor([0.1, -0.4, 2.0], requires_grad=True)

    def run(x):
        loss = use(lambda x: function((x * w).tanh() * 3), x)
        return loss.detach(), *gg.autograd.grad(loss, w)

    step = compile(run, engine=engine)
    for seed in range(4):
        x = gg.tensor(np.random.default_rng(seed).normal(size=3), dtype=gg.float32)
        for found, expected in zip(step(x), run(x), strict=True):
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("engine", ["interpret", "native"])
def test_a_training_step_with_one(engine):
    """The update is made, and a second derivative goes through the function's backward."""
    w = gg.tensor([0.7, -0.3], requires_grad=True)
    peer = gg.tensor([0.7, -0.3], requires_grad=True)

    def run(w):
        (slope,) = gg.autograd.grad(several(w), w, create_graph=True)
        (slope * slope).sum().backward()
        with gg.no_grad():
            w -= 0.01 * w.grad
            w.grad = None

    step = compile(lambda: run(w), engine=engine)
    for _ in range(5):
        step()
        run(peer)
    np.testing.assert_allclose(w.detach().numpy(), peer.detach().numpy(), rtol=1e-5)
