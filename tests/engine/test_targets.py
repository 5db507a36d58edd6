"""Steps for processors that have less: the numbers are the same, and the code asks for nothing that they lack."""

import re

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.engine import compile, crew, jit, system

F = nn.functional
ARM = jit.Target("cortex-a72", "+neon", 128, 32)
FORBIDDEN = {"avx512": r"%zmm|%k[1-7]", "avx2": r"%zmm|%ymm|vfmadd"}


def mlp():
    net = nn.Sequential(nn.Linear(20, 33), nn.ReLU(), nn.LayerNorm(33), nn.Linear(33, 7))
    return net, (gg.randn(17, 20), gg.randint(0, 7, (17,))), lambda net, x, y: F.cross_entropy(net(x), y)


def convolutional():
    net = nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(45, 3)
    )
    return net, (gg.randn(4, 2, 9, 9), gg.randint(0, 3, (4,))), lambda net, x, y: F.cross_entropy(net(x), y)


def attention():
    net = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, batch_first=True)
    return net, (gg.randn(3, 6, 16),), lambda net, x: net(x).square().mean()


def recurrent():
    net = nn.LSTM(5, 9)
    return net, (gg.randn(4, 3, 5),), lambda net, x: net(x)[0].sin().sum()


STEPS = {"mlp": mlp, "cnn": convolutional, "attention": attention, "lstm": recurrent}


def losses(make, count=3, **options):
    """Losses of some steps of training, plain or compiled."""
    gg.manual_seed(0)
    net, batch, loss_of = make()
    optimizer = optim.AdamW(net.parameters(), lr=0.01)

    def step(*batch):
        optimizer.zero_grad()
        loss = loss_of(net, *batch)
        loss.backward()
        optimizer.step()
        return loss

    go = compile(step, threads=2) if options.get("compiled") else step
    return [go(*batch).item() for _ in range(count)], go


def functions(x):
    return [
        x.exp(),
        x.log1p(),
        x.tanh(),
        x.erf(),
        x.sigmoid(),
        x.sin(),
        x.abs() ** 0.7,
        x.atan(),
        x.argsort(),
        x.cumsum(0),
    ]


@pytest.fixture(params=["avx512", "avx2"])
def restricted(request, monkeypatch):
    """The processor without these instructions; nothing comes from a cache."""
    if f"+{request.param}" not in jit.host().features:
        pytest.skip("this processor does not have them anyway")
    target = jit.restricted(request.param)
    monkeypatch.setenv("GLASSGRAD_CACHE", "off")
    monkeypatch.setattr(jit, "host", lambda: target)
    return request.param, target


@pytest.mark.parametrize("name", STEPS)
def test_training_without(name, restricted):
    without, target = restricted
    plain, _ = losses(STEPS[name])
    found, go = losses(STEPS[name], compiled=True)
    np.testing.assert_allclose(found, plain, 1e-5)
    engine = go.latest.engine
    assert engine.target == target
    assert not re.search(FORBIDDEN[without], jit.assembly(engine.ir, target))


def test_functions_without(restricted):
    x = gg.tensor(np.linspace(0.05, 3, 77, dtype=np.float32))
    go = compile(functions)
    go(x)
    for found, expected in zip(go(x), functions(x), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), 1e-6)


class Written(Exception):
    """The IR of a step, for another processor than this one."""


@pytest.mark.parametrize("name", STEPS)
def test_neon_assembly(name, monkeypatch):
    """For ARM it is at least compiled."""

    def caught(text, target):
        raise Written(text)

    monkeypatch.setenv("GLASSGRAD_CACHE", "off")
    monkeypatch.setattr(jit, "host", lambda: ARM)
    monkeypatch.setattr(jit, "object_of", caught)
    with pytest.raises(Written) as found:
        losses(STEPS[name], compiled=True)
    monkeypatch.undo()
    assembly = for_arm(str(found.value))
    assert re.search(r"fmla\s+v\d+\.4s", assembly)
    assert len(assembly) > 10_000


def test_neon_threads(monkeypatch):
    monkeypatch.setattr(system.platform, "machine", lambda: "aarch64")
    assert re.search(r"ldaxr|ldxr|ldadd", for_arm(crew.ir()))


def for_arm(text):
    """The assembly of a module for ARM's 64-bit processors."""
    binding = jit.llvm()
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(
        cpu=ARM.cpu, features=ARM.features, opt=3
    )
    module = binding.parse_assembly(text)
    module.verify()
    return machine.emit_assembly(module)
