"""The value that stands where the marker is highest: attention written by hand, a loss written by hand."""

import glassgrad as gg
from glassgrad import nn

gg.manual_seed(0)


def rows(count, length=8):
    x = gg.randn(count, length, 2)
    best = x[:, :, 0].argmax(1)
    return x, x[gg.arange(count), best, 1]


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.scale = width**-0.5

    def forward(self, x):
        scores = self.q(x) @ self.k(x).transpose(1, 2) * self.scale
        weights = gg.softmax(scores, dim=-1)
        return weights @ self.v(x)


class Highest(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.inputs = nn.Linear(2, width)
        self.attention = nn.ModuleList([Attention(width), Attention(width)])
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        h = self.inputs(x)
        for attention, norm in zip(self.attention, self.norms, strict=True):
            h = h + attention(norm(h))
        h = gg.relu(self.hidden(h.amax(1)))
        return self.out(h)[:, 0]


x, y = rows(1200)
x_test, y_test = rows(200)

net = Highest()
opt = gg.optim.Adam(net.parameters(), lr=5e-3)
warm = gg.optim.lr_scheduler.LinearLR(opt, start_factor=0.1, total_iters=10)

for step in range(150):
    begin = (step * 48) % 1200
    xb, yb = x[begin : begin + 48], y[begin : begin + 48]
    pred = net(xb)
    loss = ((pred - yb) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    warm.step()

with gg.no_grad():
    print("held out:", ((net(x_test) - y_test) ** 2).mean().item())
