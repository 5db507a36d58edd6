"""A wave over three inputs, learned with a loss written by hand."""

import glassgrad as gg
from glassgrad import nn

gg.manual_seed(0)


class Wave(nn.Module):
    def __init__(self, inputs=3, width=48):
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.second = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        h = gg.tanh(self.first(x))
        h = gg.tanh(self.second(h))
        return self.out(h).squeeze(1)


def sample(rows):
    x = gg.randn(rows, 3)
    y = gg.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    return x, y + 0.05 * gg.randn(rows)


x, y = sample(600)
x_val, y_val = sample(200)

net = Wave()
opt = gg.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

for step in range(200):
    at = (step * 50) % 600
    xb, yb = x[at : at + 50], y[at : at + 50]
    pred = net(xb)
    loss = ((pred - yb) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()

with gg.no_grad():
    pred = net(x_val)
    print("held out:", ((pred - y_val) ** 2).mean().item())
