"""A smooth surface by a net of sigmoids, whose whole step is compiled."""

import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)

x = gg.rand(512, 2) * 4 - 2
y = gg.exp(-(x**2).sum(1, keepdim=True)) + 0.3 * x[:, :1]
x_test = gg.rand(200, 2) * 4 - 2
y_test = gg.exp(-(x_test**2).sum(1, keepdim=True)) + 0.3 * x_test[:, :1]

model = nn.Sequential(nn.Linear(2, 32), nn.Sigmoid(), nn.Linear(32, 16), nn.Sigmoid(), nn.Linear(16, 1))
loss_fn = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=0.03)


@gg.compile
def train_step(inputs, targets):
    optimizer.zero_grad()
    said = model(inputs)
    loss = loss_fn(said, targets)
    loss.backward()
    optimizer.step()
    return loss


for step in range(200):
    begin = (step * 64) % 512
    loss = train_step(x[begin : begin + 64], y[begin : begin + 64])
    if step % 50 == 0:
        print(f"step {step}: {loss.item():.4f}")

with gg.no_grad():
    print("held out:", loss_fn(model(x_test), y_test).item())
