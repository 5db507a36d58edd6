"""How fast a shaken mast swings and how soon it comes to rest: dilated convolutions along time, a compiled step."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)


def traces(count, length=40):
    t = gg.arange(length).float() / length
    speed, decay = gg.rand(count, 1), gg.rand(count, 1)
    phase = 6.28 * gg.rand(count, 1)
    clean = gg.exp(-(0.5 + 3.5 * decay) * t) * gg.sin((10 + 15 * speed) * t + phase)
    x = 2 * clean + 0.05 * gg.randn(count, length)
    target = gg.cat([2 * speed - 1, 2 * decay - 1], dim=1)
    return x.unsqueeze(1), 1.7 * target


class Residual(nn.Module):
    def __init__(self, width, dilation):
        super().__init__()
        self.conv = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(self, x):
        return x + self.mix(F.relu(self.conv(x)))


class Seismic(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.stem = nn.Conv1d(1, width, 5, stride=2, padding=2)
        self.blocks = nn.Sequential(*[Residual(width, dilation) for dilation in (1, 2, 4)])
        self.norm = nn.GroupNorm(4, width)
        self.hidden = nn.Linear(5 * width, 32)
        self.out = nn.Linear(32, 2)

    def forward(self, x):
        h = F.relu(self.stem(x))
        h = F.avg_pool1d(F.relu(self.norm(self.blocks(h))), 4)
        return self.out(F.relu(self.hidden(h.flatten(1))))


x_train, y_train = traces(768)
x_test, y_test = traces(256)
net = Seismic()
loss_fn = nn.MSELoss()
optimizer = optim.AdamW(net.parameters(), lr=4e-3, weight_decay=1e-3)


@gg.compile
def train_step(x, y):
    optimizer.zero_grad()
    pred = net(x)
    loss = loss_fn(pred, y)
    loss.backward()
    optimizer.step()
    return loss


net.train()
for epoch in range(12):
    batches = gg.randperm(768).reshape(24, 32)
    total = 0.0
    for rows in batches:
        total += train_step(x_train[rows], y_train[rows]).item()
    print(epoch, round(total / 24, 4))

net.eval()
with gg.no_grad():
    print("held out:", F.mse_loss(net(x_test), y_test).item())
