"""Loops in the wrong order, in several nets: found, and mended where a change of order mends them."""

import pytest

from glassgrad.doctor import examine_text

NETS = {
    "dense": ("x = gg.randn(64, 8)", "nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))"),
    "convolutions": (
        "x = gg.randn(64, 1, 8, 8)",
        "nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 1))",
    ),
    "recurrent": ("x = gg.randn(64, 6, 4)", "Last()"),
}
TEXT = """
import glassgrad as gg
from glassgrad import nn

class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.out = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, 1)

    def forward(self, x):
        return self.out(self.inner(x)[0][:, -1])

gg.manual_seed(0)
DATA
y = x.flatten(1).mean(1, keepdim=True)
y = (y - y.mean()) / y.std()
net = NET
optimizer = gg.optim.OPTIMIZER
for epoch in range(6):
    for i in range(0, 64, 16):
        LOOP
"""
LOOPS = {
    "gradients never cleared": ("loss", "backward", "step"),
    "step before backward": ("clear", "loss", "step", "backward"),
    "no update": ("clear", "loss", "backward"),
    "": ("clear", "loss", "backward", "step"),
}
LINES = {
    "clear": "optimizer.zero_grad()",
    "loss": "loss = ((net(x[i : i + 16]) - y[i : i + 16]) ** 2).mean()",
    "backward": "loss.backward()",
    "step": "optimizer.step()",
}
OPTIMIZERS = ("SGD(net.parameters(), lr=0.02, momentum=0.9)", "Adam(net.parameters(), lr=0.01)")


def program(net, optimizer, order):
    data, model = NETS[net]
    text = TEXT.replace("DATA", data).replace("NET", model).replace("OPTIMIZER", optimizer)
    return text.replace("LOOP", "\n        ".join(LINES[each] for each in order))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("fault", LOOPS)
def test_the_order_of_a_loop_is_told(fault, net, optimizer):
    d = examine_text(program(net, optimizer, LOOPS[fault]), "net.py", trial=60)
    print(d)
    assert [each.fault for each in d.findings] == [fault] * bool(fault)
    if fault in ("gradients never cleared", "step before backward"):
        (found,) = d.findings
        line = {"gradients never cleared": "loss.backward()", "step before backward": "optimizer.step()"}[fault]
        text = program(net, optimizer, LOOPS[fault]).splitlines()
        assert text[int(found.where.line.split(":")[1].split()[0]) - 1].strip() == line
    if fault in ("step before backward", "no update"):
        (found,) = d.findings
        mended = d.apply(found)
        assert found.proof.holds
        assert mended.train(60)[-1] < 0.7 * d.patient.copy().train(60)[-1]


def test_gradients_that_are_cleared_before_the_step_are_no_gradients():
    order = ("loss", "backward", "clear", "step")
    (found,) = examine_text(program("dense", OPTIMIZERS[0], order), "net.py", trial=30).findings
    assert found.fault == "step before backward"
    assert dict(found.evidence)["steps without a gradient"] == 24
