"""Checkpoints: the memory that they save is what theory says, and compiled steps keep their bits."""

import tracemalloc

import numpy as np
import pytest
from tests.utils.test_checkpoint import NETS, bits

import glassgrad as gg
from glassgrad import nn
from glassgrad.engine import verify
from glassgrad.utils.checkpoint import checkpoint, checkpoint_sequential

# -- memory -----------------------------------------------------------------------------------------------------------

WIDTH, ROWS = 16, 4096
LAYER = ROWS * WIDTH * 4
"""Bytes of what one layer below keeps: its result, which is all that tanh needs for its slope."""


def layers(count):
    return nn.Sequential(*[Layer() for _ in range(count)])


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(gg.ones(WIDTH) * 0.9)

    def forward(self, x):
        return (x * self.weight).tanh()  # (rows, width): two values of LAYER bytes each


def peak(net, call):
    """The most that is held at a time during forward and backward, in layers' worth of bytes, and the gradients."""
    gg.manual_seed(1)
    x = gg.randn(ROWS, WIDTH)
    net.zero_grad()
    tracemalloc.start()
    try:
        call(net, x).sum().backward()
        return tracemalloc.get_traced_memory()[1] / LAYER, bits(p.grad for p in net.parameters())
    finally:
        tracemalloc.stop()


def test_memory_is_what_the_theory_says():
    """Without a checkpoint n layers of two values; with parts of n/s layers the s boundaries and one part; s = sqrt(n)
    is the least. Checkpoints in halves need a value for each halving."""
    net, few = layers(36), 5  # gradients on their way, and what a rule makes
    whole, gradients = peak(net, lambda net, x: net(x))
    assert 2 * 36 <= whole <= 2 * 36 + few
    found = {}
    for segments in (2, 6, 18):
        found[segments], again = peak(net, lambda net, x, s=segments: checkpoint_sequential(net, s, x))
        assert again == gradients
        assert segments + 2 * 36 / segments - 3 <= found[segments] <= segments + 2 * 36 / segments + few
    assert found[6] < min(found[2], found[18]) < whole / 1.7

    def halves(layers, x):
        if len(layers) == 1:
            return layers[0](x)
        middle = len(layers) // 2
        return halves(layers[middle:], checkpoint(halves, layers[:middle], x))

    logarithmic, again = peak(net, lambda net, x: halves(list(net), x))
    assert again == gradients
    assert logarithmic <= 2 * np.ceil(np.log2(36)) + few


def test_a_graph_that_is_kept_lets_the_values_go_again():
    net = layers(36)
    x = gg.randn(ROWS, WIDTH)
    tracemalloc.start()
    try:
        loss = checkpoint_sequential(net, 6, x).sum()
        before = tracemalloc.get_traced_memory()[0] / LAYER
        for _ in range(2):
            loss.backward(retain_graph=True)
            held, most = (bytes / LAYER for bytes in tracemalloc.get_traced_memory())
            assert held < before + 1
            assert most < 6 + 2 * 2 * 36 / 6 + 6, "the last part, which is no checkpoint, and one more"
    finally:
        tracemalloc.stop()


# -- compiled ---------------------------------------------------------------------------------------------------------


def compiled(make, call, engine="native", x=None, threads=1):
    gg.manual_seed(2)
    net = make()
    x = gg.randn(*x) if isinstance(x, tuple) else x
    sgd = gg.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

    @gg.compile(engine=engine, threads=threads)
    def step(x):
        sgd.zero_grad()
        loss = (call(net, x) ** 2).mean()
        loss.backward()
        sgd.step()
        return loss

    told = bits([step(x) for _ in range(4)])
    return told + bits(net.state_dict().values()) + bits([gg.get_rng_state()]), step.report()


@pytest.mark.parametrize("engine", ["native", "interpret"])
@pytest.mark.parametrize("name", NETS)
def test_a_compiled_step_has_the_same_bits(name, engine, monkeypatch):
    monkeypatch.setattr(verify, "ON", [True])
    shape, make = NETS[name]
    plain, _ = compiled(make, lambda net, x: net(x), engine, shape)
    again, _ = compiled(make, lambda net, x: checkpoint(net, x) * 1.0, engine, shape)
    nested, _ = compiled(make, lambda net, x: checkpoint(lambda y: checkpoint(net, y) * 1.0, x), engine, shape)
    assert plain == again == nested


def test_a_compiled_step_needs_less_memory_and_one_more_forward_pass(monkeypatch):
    monkeypatch.setattr(verify, "ON", [True])

    def make():
        return nn.Sequential(*[nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Dropout(0.1)) for _ in range(16)])

    plain, before = compiled(make, lambda net, x: net(x), x=(512, 64))
    again, after = compiled(make, lambda net, x: checkpoint_sequential(net, 4, x), x=(512, 64))
    assert plain == again
    value = 512 * 64 * 4
    assert before.arena >= 2 * 16 * value
    assert after.arena <= (4 + 2 * 4 + 3) * value, "the boundaries, one part with its masks, and what is on its way"
    work = [sum(kernel.operations for kernel in made.kernels) for made in (before, after)]
    products = 2 * 512 * 64 * 64
    assert 12 * products <= work[1] - work[0] <= 14 * products, "three of four parts are computed again"


def test_what_a_compiled_part_begins_with_is_not_computed_beforehand():
    """Entry by entry it could go along with what its input is made by, and would be kept from there on."""

    def make():
        return nn.Sequential(*[nn.Sequential(nn.Tanh(), nn.Sigmoid(), nn.SiLU(), nn.Linear(64, 64)) for _ in range(16)])

    _, made = compiled(make, lambda net, x: checkpoint_sequential(net, 8, x), x=(512, 64))
    assert made.arena <= (8 + 2 * 2 + 1) * 512 * 64 * 4


def test_a_compiled_step_with_random_bits_of_its_own():
    """What is drawn inside is drawn again, from a generator that has gone on since."""
    gg.manual_seed(0)
    w = gg.ones(1000, requires_grad=True)

    @gg.compile
    def step(x):
        y = checkpoint(lambda x: nn.functional.dropout((x * w).exp(), 0.5).sin(), x)
        z = nn.functional.dropout(y, 0.5)
        return y.detach(), gg.autograd.grad(z.sum(), w)[0]

    x = gg.full((1000,), 0.5)
    step(x)
    for _ in range(3):
        y, g = step(x)
        kept = (y != 0).numpy()
        assert 400 < kept.sum() < 600
        slope = 2 * np.exp(0.5) * 0.5 * np.cos(2 * np.exp(0.5)) * 2
        assert set(np.round(g.numpy()[kept] / slope, 4)) == {0.0, 1.0}
        assert not g.numpy()[~kept].any()
