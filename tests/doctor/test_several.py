"""Loops with several models or optimizers: none of what is usual there is a fault."""

import pytest

from glassgrad.doctor import examine_text

HEAD = """
import glassgrad as gg
from glassgrad import nn
from glassgrad.nn import functional as F
gg.manual_seed(0)
x = gg.randn(64, 4)
y = x[:, :1] - x[:, 1:2]
"""
GAN = (
    HEAD
    + """
real = gg.randn(64, 2) * 0.5 + 1
G = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
D = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
oG, oD = gg.optim.Adam(G.parameters(), lr=2e-3), gg.optim.Adam(D.parameters(), lr=2e-3)
one, zero = gg.ones(64, 1), gg.zeros(64, 1)
for step in range(40):
    oD.zero_grad(CLEAR)
    with gg.no_grad():
        fake = G(gg.randn(64, 3))
    loss = F.binary_cross_entropy_with_logits(D(real), one) + F.binary_cross_entropy_with_logits(D(fake), zero)
    loss.backward()
    oD.step()
    oG.zero_grad(CLEAR)
    F.binary_cross_entropy_with_logits(D(G(gg.randn(64, 3))), one).backward()
    oG.step()
"""
)
PARTS = (
    HEAD
    + """
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
a, b = gg.optim.Adam(net[0].parameters(), lr=0.01), gg.optim.SGD(net[2].parameters(), lr=0.05)
for step in range(40):
    net.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    STEP
"""
)


@pytest.mark.parametrize("clear", ["", "set_to_none=False"])
def test_a_generator_adds_to_gradients_that_its_critic_clears(clear):
    d = examine_text(GAN.replace("CLEAR", clear), "gan.py", trial=30)
    assert not [each for each in d.findings if each.fault in ("gradients never cleared", "training mode in evaluation")]
    assert d.patient.loop.steps == 80
    assert not d.patient.loop.added.times


def test_a_generator_whose_critic_is_never_cleared_is_told():
    d = examine_text(GAN.replace("    oD.zero_grad(CLEAR)\n", "").replace("CLEAR", ""), "gan.py", trial=30)
    assert d.patient.loop.added.times >= 39


@pytest.mark.parametrize("step", ["a.step(); b.step()", "(a if step % 2 else b).step()"])
def test_a_model_of_two_optimizers(step):
    d = examine_text(PARTS.replace("STEP", step), "parts.py", trial=40)
    assert d.patient.loop.backwards == 40
    assert not [each for each in d.findings if each.fault == "parameters outside of the optimizer"]
    if ";" in step:
        assert not d.findings
        assert d.patient.copy().train(6)[:6] == d.patient.loop.losses[:6]
        assert d.patient.after is not None


def test_a_target_net_within_a_step_is_no_evaluation():
    text = PARTS.replace("nn.Tanh()", "nn.Dropout(0.1)").replace("STEP", "a.step(); b.step()").replace(
        "    loss.backward()", "    with gg.no_grad():\n        net(x)\n    loss.backward()"
    )  # fmt: skip
    assert not examine_text(text, "target.py", trial=20).patient.loop.training
