"""A small training, the same every time, for the tests of watches."""

import numpy as np

import glassgrad as gg
from glassgrad import nn, optim

RULES = {
    "sgd": lambda net: optim.SGD(net.parameters(), lr=0.05, momentum=0.9),
    "adamw": lambda net: optim.AdamW(net.parameters(), lr=0.01),
}
mse = nn.functional.mse_loss


class Training:
    """A small net, its data and its step, the same every time."""

    def __init__(self, rule="sgd", *, compiled=False, clears=True, act=nn.Tanh, lr=None):
        gg.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(4, 16), act(), nn.Linear(16, 1))
        self.x, self.y = gg.randn(64, 4), gg.randn(64, 1)
        self.opt = RULES[rule](self.net)
        if lr is not None:
            self.opt.param_groups[0]["lr"] = lr

        def step(x, y):
            if clears:
                self.opt.zero_grad()
            loss = mse(self.net(x), y)
            loss.backward()
            self.opt.step()
            return loss

        self.plain = step
        self.step = gg.compile(step) if compiled else step

    def run(self, steps):
        return [self.step(self.x, self.y).item() for _ in range(steps)]

    @property
    def weights(self):
        return [p.detach().numpy().copy() for p in self.net.parameters()]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.weights, b.weights, strict=True))


def faults(d):
    return [finding.fault for finding in d.findings]
