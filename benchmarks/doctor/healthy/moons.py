"""Two half moons, told apart by a net of two hidden layers."""

import math

import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)


def moons(rows):
    angle = gg.rand(rows) * math.pi
    upper = (gg.rand(rows) < 0.5).float()
    x1 = gg.cos(angle) * (2 * upper - 1) + (1 - upper)
    x2 = gg.sin(angle) * (2 * upper - 1) + 0.5 * (1 - upper)
    x = gg.stack([x1 - 0.5, x2 - 0.25], dim=1) + 0.1 * gg.randn(rows, 2)
    return x, upper.unsqueeze(1)


x_train, y_train = moons(512)
x_test, y_test = moons(256)

model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(model.parameters(), lr=0.01)

for epoch in range(15):
    order = gg.randperm(len(x_train))
    for begin in range(0, len(x_train), 64):
        rows = order[begin : begin + 64]
        optimizer.zero_grad()
        logits = model(x_train[rows])
        loss = criterion(logits, y_train[rows])
        loss.backward()
        optimizer.step()

model.eval()
with gg.no_grad():
    said = model(x_test)
    print("held out:", nn.functional.binary_cross_entropy_with_logits(said, y_test).item())
