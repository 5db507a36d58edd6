"""How long a machine will still run, by its last readings: an LSTM cell called step by step, RMSprop, clipped norms."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)

SENSORS, WINDOW = 4, 14


def readings(machines):
    life = 60 + 80 * gg.rand(machines, 1)
    age = WINDOW + (life - WINDOW) * gg.rand(machines, 1)
    t = (age - WINDOW + 1 + gg.arange(WINDOW).float()) / life
    speed = gg.rand(machines, 1)
    heat = 1.6 * t**3 + 0.4 * speed
    shaking = 1.2 * t**2 + 0.5 * gg.sin(2.0 * gg.arange(WINDOW).float() + 6 * speed)
    pressure = 1.0 - 0.9 * t + 0.3 * speed
    wear = gg.stack([heat, shaking, pressure, speed.expand(machines, WINDOW)], dim=2)
    wear = wear + 0.15 * gg.randn(machines, WINDOW, SENSORS)
    wear = (wear - gg.tensor([0.7, 0.5, 0.6, 0.5])) / gg.tensor([0.5, 0.5, 0.3, 0.3])
    return wear, 3.4 * (1 - age / life) - 1.7


class LifeModel(nn.Module):
    def __init__(self, hidden=20):
        super().__init__()
        self.hidden = hidden
        self.cell = nn.LSTMCell(SENSORS, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.regressor = nn.Sequential(nn.Linear(hidden, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x):
        h = gg.zeros(x.shape[0], self.hidden)
        c = gg.zeros(x.shape[0], self.hidden)
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], (h, c))
        return self.regressor(self.norm(h))


x_train, y_train = readings(600)
x_val, y_val = readings(200)
batch_size = 40

model = LifeModel()
loss_fn = nn.MSELoss()
optimizer = optim.RMSprop(model.parameters(), lr=4e-3)
scheduler = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.85)

for epoch in range(10):
    model.train()
    permutation = gg.randperm(x_train.shape[0])
    for i in range(0, x_train.shape[0], batch_size):
        indices = permutation[i : i + batch_size]
        batch_x, batch_y = x_train[indices], y_train[indices]
        prediction = model(batch_x)
        loss = loss_fn(prediction, batch_y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    scheduler.step()
    model.eval()
    with gg.no_grad():
        val_loss = F.mse_loss(model(x_val), y_val).item()
    print(f"{epoch}: {val_loss:.4f}")

print("held out:", val_loss)
