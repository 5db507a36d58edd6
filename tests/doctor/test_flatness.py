"""Second sigmoids on the tape; ways of the gradient past the statistics of norms and past branches that end."""

import numpy as np
import pytest
from tests.doctor.nets import adam, faults

import glassgrad as gg
from glassgrad import nn
from glassgrad.doctor import check
from glassgrad.doctor.patient import Batch, Patient
from glassgrad.doctor.probe import Probe
from glassgrad.doctor.rules.twice import second_sigmoid
from glassgrad.doctor.spine import spine
from glassgrad.nn import functional as F


def probed(net, loss, x, y):
    return Probe(Patient(net, loss, adam(net), [Batch((x, y))]))


LOSSES = {
    "logits": (F.binary_cross_entropy_with_logits, True),
    "a sigmoid": (lambda said, true: ((gg.sigmoid(said) - true) ** 2).mean(), True),
    "its logarithm": (lambda said, true: -(true * F.logsigmoid(said)).mean(), True),
    "probabilities": (F.binary_cross_entropy, False),
    "numbers": (F.mse_loss, False),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_second_sigmoid_is_seen_in_what_the_loss_makes_of_the_first(loss):
    function, twice = LOSSES[loss]
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid())
    probe = probed(net, function, gg.randn(16, 4), gg.rand(16, 1).round())
    found = second_sigmoid(probe)
    assert (found is not None) is twice
    assert not twice or found.name == "sigmoid"


def test_the_way_of_the_gradient_does_not_go_through_the_statistics_of_a_norm():
    net = nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)
    )
    links = spine(probed(net, F.mse_loss, gg.randn(32, 6), gg.randn(32, 1)))
    assert sum(link.weighted for link in links) == 3
    assert all(len(link.node.shape) == 2 for link in links if link.weighted)
    assert "expand" not in [link.node.op.name for link in links[4:] if link.node.op]


def test_the_way_of_the_gradient_leaves_branches_that_end():
    """elu takes its other branch where numbers are negative: the exponential of large ones has no gradient left."""

    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(5)])

        def forward(self, x):
            for layer in self.layers:
                x = 3 * x + F.elu(layer(x))
            return x

    links = spine(probed(Wide(), F.mse_loss, 100 + gg.randn(16, 8), gg.randn(16, 8)))
    assert sum(link.weighted for link in links) >= 3
    product = np.prod([link.factor for link in links if link.node.op is not None])
    assert np.isfinite(product)


def test_a_decay_that_throws_weights_over_is_told():
    net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
    rule = gg.optim.AdamW(net.parameters(), lr=0.01, weight_decay=250.0)
    d = check(net, F.mse_loss, (gg.randn(32, 6), gg.randn(32, 1)), optimizer=rule, steps=40)
    assert faults(d) == ["weights that move wildly"]
    assert "weight decay" in d.findings[0].remedy
    assert d.findings[0].proof.holds
