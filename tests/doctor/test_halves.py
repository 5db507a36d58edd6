"""Trainings without a module: functions of parameters in lists, cut where their predictions are made; losses that hang
on nothing; layers in plain lists; modes that lapse."""

import pytest

import glassgrad as gg
from glassgrad.doctor.script import examine_text
from glassgrad.doctor.whole import Recorded

NET = """
import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)
x = gg.randn(256, 4) {inputs}
y = gg.sin(x[:, 0]{by}) + x[:, 1]{by} * x[:, 2]{by}
order = gg.randperm(256) if {shuffled} else gg.arange(256)


def weight(fan_in, fan_out):
    return ({start}).requires_grad_()


biases = [gg.zeros(24, requires_grad=True), gg.zeros(24, requires_grad=True)]
params = [weight(4, 24), biases[0], weight(24, 24), biases[1], weight(24, 1)]


def predict(x):
    h = gg.relu(x @ params[0] + params[1])
    h = gg.relu(h @ params[2] + params[3])
    return {out}


optimizer = optim.Adam(params, lr={rate})
for step in range(120):
    at = step * 32 % 256
    optimizer.zero_grad()
    loss = {loss}
    loss.backward()
    optimizer.step()
"""
USUAL = {
    "inputs": "", "by": "", "shuffled": "False", "start": "gg.randn(fan_in, fan_out) * (2 / fan_in) ** 0.5",
    "out": "(h @ params[4])[:, 0]", "rate": "0.01",
    "loss": "F.mse_loss(predict(x[at : at + 32]), y[order][at : at + 32])",
}  # fmt: skip
FAULTS = {
    "": {},
    "too small a start": {"start": "1e-3 * gg.randn(fan_in, fan_out)"},
    "too large a start": {"start": "2 * gg.randn(fan_in, fan_out)"},
    "symmetric start": {"start": "gg.full((fan_in, fan_out), 0.1)"},
    "too high a rate": {"rate": "3.0"},
    "too low a rate": {"rate": "1e-6"},
    "unscaled inputs": {"inputs": "* 1000", "by": " / 1000"},
    "shuffled labels": {"shuffled": "True"},
    "shapes that broadcast in the loss": {"out": "h @ params[4]"},
    "a loss that is a sum": {"loss": USUAL["loss"] + " * 32"},
}


@pytest.mark.filterwarnings("ignore:.*broadcasts a target")
@pytest.mark.parametrize("fault", FAULTS)
def test_functions_of_parameters_in_a_list_are_examined_like_modules(fault):
    text = NET.format(**USUAL | FAULTS[fault])
    if fault == "a loss that is a sum":
        text = text.replace("optim.Adam(params, lr=0.01)", "optim.SGD(params, lr=0.05)")
    d = examine_text(text, "net.py")
    assert isinstance(d.patient.model, Recorded)
    assert [each.fault for each in d.findings][:1] == [fault][: bool(fault)]


def test_the_cut_is_where_the_last_parameter_was_used():
    d = examine_text(NET.format(**USUAL), "net.py")
    batch = d.patient.batches[0]
    assert gg.equal(batch[0], d.patient.batches[8][0])
    assert d.patient.predict(batch).shape == (32,)
    assert batch[-1].answers.shape == (32,)
    losses = d.patient.loop.losses
    assert d.patient.train(4)[:4] == pytest.approx(losses[:4], rel=1e-5)


MODULE = """
import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)
x, y = gg.randn(96, 6), gg.randn(96, 1)
{net}
optimizer = optim.Adam(net.parameters(), lr=0.01)
for epoch in range(20):
    {mode}
    for at in range(0, 96, 32):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x[at : at + 32]), y[at : at + 32])
        {loss}
        loss.backward()
        optimizer.step()
    net.eval()
    with gg.no_grad():
        net(x)
"""
PLAIN = "net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1))"
LISTED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(6, 16), nn.Linear(16, 16)]
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        for layer in self.layers:
            x = gg.relu(layer(x))
        return self.out(x)


net = Net()
"""


@pytest.mark.parametrize("made", ["gg.tensor(loss.item())", "gg.tensor(loss.item(), requires_grad=True)"])
def test_a_loss_that_was_made_anew_has_no_graph(made):
    d = examine_text(MODULE.format(net=PLAIN, mode="net.train()", loss=f"loss = {made}"), "net.py")
    (found,) = d.findings
    assert found.fault == "no gradient"


def test_layers_in_a_plain_list_are_outside_of_the_optimizer_and_can_be_added():
    d = examine_text(MODULE.format(net=LISTED, mode="net.train()", loss="pass"), "net.py")
    (found,) = d.findings
    assert found.fault == "parameters outside of the optimizer"
    assert found.where.module == "layers.0.weight"
    assert "nn.ModuleList" in found.remedy
    assert sum(len(group["params"]) for group in d.apply(found).optimizer.param_groups) == 6


def test_a_mode_that_lapses_after_the_first_epoch_is_that_of_the_trials_and_its_remedy_is_proven():
    d = examine_text(MODULE.format(net=PLAIN, mode="pass", loss="pass"), "net.py")
    assert d.patient.lapsed == (3, ["0", "1", "2", "3"])
    found = next(each for each in d.findings if each.fault == "evaluation mode")
    assert found.proof.holds
    mended = d.apply(found)
    mended.train(6)
    assert mended.model[2].training
    one = d.patient.copy()
    one.train(6)
    assert not one.model[2].training
