"""The sum of the two entries that are marked: a GRU over time-first batches, two batches for one step."""

import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)


def ledgers(count, length=8):
    values = gg.rand(length, count) * 2 - 1
    marks = gg.zeros(length, count)
    half = length // 2
    first, second = gg.randint(0, half, (count,)), gg.randint(half, length, (count,))
    each = gg.arange(count)
    marks[first, each] = 1.0
    marks[second, each] = 1.0
    return gg.stack([values, marks], dim=2), (values * marks).sum(0)


class Bookkeeper(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.rnn = nn.GRU(2, hidden)
        self.dense = nn.Linear(hidden, hidden)
        self.total = nn.Linear(hidden, 1)

    def forward(self, x):
        outputs, _ = self.rnn(x)
        h = gg.relu(self.dense(outputs[-1]))
        return self.total(h)[:, 0]


def fit(model, x, y, epochs=8, size=20, every=2):
    loss_fn = nn.SmoothL1Loss(beta=0.5)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    decay = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.85)
    for _ in range(epochs):
        optimizer.zero_grad()
        order = gg.randperm(x.shape[1])
        for number, rows in enumerate(order.split(size)):
            loss = loss_fn(model(x[:, rows]), y[rows]) / every
            loss.backward()
            if (number + 1) % every == 0:
                nn.utils.clip_grad_value_(model.parameters(), 0.5)
                optimizer.step()
                optimizer.zero_grad()
        decay.step()


x, y = ledgers(800)
x_test, y_test = ledgers(200)
model = Bookkeeper()
fit(model, x, y)

model.eval()
with gg.no_grad():
    print("held out:", nn.functional.mse_loss(model(x_test), y_test).item())
