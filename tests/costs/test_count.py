"""Operations and bytes, against counts by hand and, for products and convolutions, against torch's own counter."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.costs.count import counted
from glassgrad.costs.recorded import operations
from glassgrad.errors import ArgumentError, ShapeError, TypeMismatch

PRODUCTS = ("affine", "matmul", "conv", "conv_transpose", "conv_weight")


def taken(function, *arguments):
    """The work of one forward and backward pass: phases, and rows by op and by module."""
    with gg.record() as tape:
        function(*arguments).backward()
    phases, kinds, modules = counted(tape)
    return phases, {row.name: row for row in kinds}, {row.name: row for row in modules}


def products(function, *arguments):
    """Multiplications and additions in products alone, without a linear layer's biases: forward, backward."""
    with gg.record() as tape:
        function(*arguments).backward()
    found = [0, 0]
    for node, record in tape.records.items():
        if node.op is not None and node.op.name in PRODUCTS:
            biases = node.value.size if node.op.name == "affine" else 0
            found[tape.phase(node) == "backward"] += operations(node, record.inputs) - biases
    return tuple(found)


def test_a_perceptron_by_hand():
    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    phases, kinds, modules = taken(lambda x: net(x).sum(), gg.randn(64, 784))
    first, second = 2 * 64 * 784 * 128, 2 * 64 * 128 * 10
    hidden, out = 64 * 128, 64 * 10
    assert kinds["affine"].forward.operations == first + hidden + second + out
    assert phases["forward"].operations == first + hidden + hidden + second + out + out  # biases, relu, the last sum
    assert kinds["matmul"].backward.operations == first + 2 * second, "the first layer's input needs no gradient"
    assert kinds["sum"].backward.operations == hidden + out, "the biases' gradients"
    assert phases["backward"].operations == first + 2 * second + hidden + out + 2 * hidden  # relu: compare, choose
    assert modules["0"].forward.operations == first + hidden and modules["0"].kind == "Linear"
    assert modules["0"].backward.operations == first + hidden
    assert modules["2"].backward.operations == 2 * second + out
    assert modules["1"].forward.operations == hidden


def test_a_convolution_by_hand():
    """Each of 2 · 8 · 5 · 6 results sums 3 · 3 · 3 products; the gradients of weight and input are the same ones."""
    net = nn.Conv2d(3, 8, 3, stride=2, padding=1)
    x = gg.randn(2, 3, 10, 12).requires_grad_()
    phases, kinds, _ = taken(lambda x: net(x).sum(), x)
    out = 2 * 8 * 5 * 6
    assert kinds["conv"].forward.operations == 2 * out * 27
    assert phases["forward"].operations == 2 * out * 27 + 2 * out  # bias, sum
    assert kinds["conv_weight"].backward.operations == kinds["conv_transpose"].backward.operations == 2 * out * 27


class Block(nn.Module):
    """A block of a GPT: attention and a net four times as wide, each added to what comes in."""

    def __init__(self, width, heads):
        super().__init__()
        self.norm, self.heads = nn.LayerNorm(width), heads
        self.queries = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.net = nn.Sequential(
            nn.Linear(width, 4 * width, bias=False), nn.GELU(), nn.Linear(4 * width, width, bias=False)
        )

    def forward(self, x):
        batch, time, width = x.shape
        parts = self.queries(self.norm(x)).reshape(batch, time, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # (batch, heads, time, width / heads)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, time, width))
        return x + self.net(x)


def test_a_block_of_a_gpt_by_the_formula():
    """24 width² operations a token in the layers (4 width² weights of attention and 8 of the net, two each), and
    4 time · width in attention; twice that backward (Kaplan et al. 2020, "Scaling laws", table 1)."""
    batch, time, width = 2, 16, 32
    net = Block(width, 4)
    x = gg.randn(batch, time, width).requires_grad_()
    tokens = batch * time
    expected = tokens * (24 * width * width + 4 * time * width)
    assert products(lambda x: net(x).sum(), x) == (expected, 2 * expected)
    _, _, modules = taken(lambda x: net(x).sum(), x)
    assert modules["queries"].forward.operations == tokens * 6 * width * width


def peers(m):
    seq = m.nn.Sequential
    return {
        "perceptron": (seq(m.nn.Linear(20, 30), m.nn.Tanh(), m.nn.Linear(30, 5)), (7, 20)),
        "convolutions": (
            seq(m.nn.Conv2d(3, 8, 3, stride=2, padding=1), m.nn.ReLU(), m.nn.Conv2d(8, 6, 3, dilation=2)),
            (2, 3, 16, 18),
        ),
        "one dimension": (seq(m.nn.Conv1d(3, 6, 5, padding=2), m.nn.Conv1d(6, 2, 1)), (4, 3, 11)),
        "transposed": (m.nn.ConvTranspose2d(4, 6, 3, stride=2), (2, 4, 5, 7)),
        "transformer": (m.nn.TransformerEncoderLayer(16, 4, 24, dropout=0.0, batch_first=True), (3, 10, 16)),
    }


@pytest.mark.parametrize("name", list(peers(torch)))
@pytest.mark.parametrize("slopes", [True, False], ids=["with the input's gradient", "without"])
def test_products_are_those_that_torch_counts(name, slopes):
    theirs, shape = peers(torch)[name]
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # it does not count the fused one
        y = theirs(torch.randn(shape, requires_grad=slopes))
        forward = counter.get_total_flops()
        y.sum().backward()
    ours, _ = peers(gg)[name]
    found = products(lambda x: ours(x).sum(), gg.randn(*shape).requires_grad_(slopes))
    assert found == (forward, counter.get_total_flops() - forward)


def test_a_convolution_of_groups_by_hand():
    """torch's counter takes the gradient of a weight in groups for more than it is."""
    net = nn.Conv2d(8, 12, 3, groups=4, dilation=2)
    forward = 2 * (2 * 12 * 6 * 7) * (8 // 4 * 9)
    assert products(lambda x: net(x).sum(), gg.randn(2, 8, 10, 11).requires_grad_()) == (forward, 2 * forward)


def test_bytes_by_hand():
    """What is looked at in another shape moves nothing, and a repeated entry is read once."""
    w = gg.ones(4, 8, requires_grad=True)
    x, row = gg.ones(8, 4), gg.ones(8)
    _, kinds, _ = taken(lambda x: (x.T * w + row).sum(), x)
    mul, add, total = (kinds[name].forward for name in ("mul", "add", "sum"))
    assert (mul.read, mul.written) == (2 * 32 * 4, 32 * 4)
    assert (add.read, add.written) == ((32 + 8) * 4, 32 * 4)
    assert (total.read, total.written) == (32 * 4, 4)
    assert all(kinds[name].forward == kinds["expand"].backward for name in ("permute", "expand"))
    assert kinds["expand"].backward.written == 0
    assert (kinds["mul"].backward.read, kinds["mul"].backward.written) == ((32 + 1) * 4, 32 * 4), "1 times x"


def test_the_update_is_a_phase_of_its_own():
    net = nn.Linear(10, 5)
    plain, rolling = (optim.SGD(net.parameters(), lr=0.1, momentum=m) for m in (0, 0.9))
    for rule, each in ((plain, 2), (rolling, 5)):  # rate · gradient, less that; and m · velocity + (1 - 0) · gradient
        for _ in range(2):
            with gg.record() as tape:
                rule.zero_grad()
                net(gg.ones(3, 10)).sum().backward()
                rule.step()
        phases, _, modules = counted(tape)
        assert phases["update"].operations == each * 55
        assert sum(row.update.operations for row in modules) == 0
        assert phases["forward"].operations == 2 * 3 * 10 * 5 + 15 + 15


def test_whole_numbers_count_as_none():
    w = gg.ones(6, requires_grad=True)
    _, kinds, _ = taken(lambda x: (w * ((x * 3 + 1) % 2).float()).sum(), gg.arange(6))
    assert kinds["remainder"].forward.operations == 0
    assert kinds["mul"].forward.operations == 6


def test_what_has_no_cost():
    net = nn.Linear(3, 2)
    with pytest.raises(ShapeError, match="one entry"):
        gg.cost(net, gg.ones(4, 3))
    with pytest.raises(TypeMismatch, match="that of a loss"):
        gg.cost(lambda: 3.0)
    with pytest.raises(ArgumentError, match="depends on nothing that requires a gradient"):
        gg.cost(lambda x: x.sum(), gg.ones(3))
