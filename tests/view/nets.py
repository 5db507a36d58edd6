"""Nets that the views are tested with: recorded steps of a formula, a small net, a CNN, and one with hostile names."""

from __future__ import annotations

from typing import Any

import glassgrad as gg
from glassgrad import nn
from glassgrad.nn import functional as F

HOSTILE = "</script><script>alert(1)</script>"


def formula() -> Any:
    """Two weights, two biases, each step with a name: small enough to know every number."""
    x, y_true = gg.tensor(2.0, dtype=gg.float64), gg.tensor(1.0, dtype=gg.float64)
    w1, w2, b1, b2 = (gg.tensor(v, dtype=gg.float64, requires_grad=True) for v in (0.5, 0.3, 0.1, 0.2))
    optimizer = gg.optim.SGD([w1, b1, w2, b2], lr=0.01)
    with gg.record() as tape:
        z1 = x * w1 + b1
        a1 = gg.sigmoid(z1)
        z2 = a1 * w2 + b2
        y = gg.sigmoid(z2)
        loss = (y - y_true) ** 2
        loss.backward()
        optimizer.step()
    return tape


def small() -> Any:
    """An MLP on XOR, of 17 parameters: every entry is explained."""
    gg.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())
    x = gg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = gg.tensor([[0.0], [1.0], [1.0], [0.0]])
    optimizer = gg.optim.Adam(net.parameters(), lr=0.1)
    with gg.record() as tape:
        loss = F.binary_cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    return tape


def large() -> Any:
    """A CNN with batch norm: modules within modules, more nodes than are shown at first."""
    gg.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            )  # fmt: skip
            self.head = nn.Linear(32, 10)

        def forward(self, x: Any) -> Any:
            return self.head(gg.flatten(self.features(x), 1))

    net, x, y = Net(), gg.randn(4, 1, 8, 8), gg.randint(0, 10, (4,))
    with gg.record() as tape:
        F.cross_entropy(net(x), y).backward()
    return tape


def hostile() -> Any:
    """A module whose name would be a script if it were not text."""
    gg.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module(HOSTILE, nn.Linear(2, 2))
            self.add_module("<img src=x onerror=alert(2)>", nn.Linear(2, 1))

        def forward(self, x: Any) -> Any:
            first, second = self.children()
            return second(first(x))

    net, x = Net(), gg.ones(1, 2)
    optimizer = gg.optim.SGD(net.parameters(), lr=0.1)
    with gg.record() as tape:
        net(x).sum().backward()
        optimizer.step()
    return tape


def broken() -> Any:
    """A step with nan in it, and an infinity."""
    w = gg.tensor([1.0, -1.0], requires_grad=True)
    with gg.record() as tape:
        h = gg.log(w)
        loss = (h / gg.tensor([0.0, 1.0])).sum()
        loss.backward()
    return tape


def chain() -> Any:
    """Many values in no module: nothing can be closed."""
    y = gg.tensor(0.5, requires_grad=True)
    with gg.record() as tape:
        for _ in range(60):
            y = gg.tanh(y)
        y.backward()
    return tape


def update_alone() -> Any:
    """Nothing but an optimizer's step: a graph without nodes."""
    w = gg.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    optimizer = gg.optim.SGD([w], lr=0.1)
    with gg.record() as tape:
        optimizer.step()
    return tape


def masked() -> Any:
    """Infinities that do no harm: they mask a softmax."""
    w = gg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    hidden = gg.tensor([False, True, False])
    with gg.record() as tape:
        loss = gg.softmax(w.masked_fill(hidden, -float("inf")), 0)[0]
        loss.backward()
    return tape
