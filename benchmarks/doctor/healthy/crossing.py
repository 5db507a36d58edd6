"""Cars at a crossing in the next three hours from the last twenty: a GRU, a rate that drops on a plateau."""

import math

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, TensorDataset

gg.manual_seed(0)

PAST, AHEAD = 20, 3

hours = gg.arange(900).float()
daily = gg.sin(2 * math.pi * hours / 24) + 0.5 * gg.sin(4 * math.pi * hours / 24 + 1.0)
weekly = 0.6 * gg.cos(2 * math.pi * hours / 168)
north = 300 + 120 * (daily + weekly) + 15 * gg.randn(900)
south = 180 + 70 * (daily.roll(2) - weekly) + 10 * gg.randn(900)
counts = gg.stack([north, south], dim=1)
mean, std = counts[:700].mean(0), counts[:700].std(0)
series = (counts - mean) / std


def windows(part):
    starts = range(len(part) - PAST - AHEAD + 1)
    x = gg.stack([part[s : s + PAST] for s in starts])
    y = gg.stack([part[s + PAST : s + PAST + AHEAD, 0] for s in starts])
    return TensorDataset(x, y)


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.gru = nn.GRU(2, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, 24), nn.ReLU(), nn.Linear(24, AHEAD))

    def forward(self, x):
        out, _ = self.gru(x)
        return self.head(out[:, -1])


def run_epoch(model, loader, criterion, optimizer=None):
    training = optimizer is not None
    model.train(training)
    total = 0.0
    with gg.set_grad_enabled(training):
        for x, y in loader:
            pred = model(x)
            loss = criterion(pred, y)
            if training:
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 2.0)
                optimizer.step()
            total += loss.item() * len(x)
    return total / len(loader.dataset)


train_loader = DataLoader(windows(series[:700]), batch_size=32, shuffle=True)
val_loader = DataLoader(windows(series[700:]), batch_size=89)
model = Forecaster()
criterion = nn.SmoothL1Loss()
optimizer = optim.Adam(model.parameters(), lr=8e-3)
scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)

for epoch in range(6):
    train_loss = run_epoch(model, train_loader, criterion, optimizer)
    val_loss = run_epoch(model, val_loader, criterion)
    scheduler.step(val_loss)
    print(f"{epoch}: {train_loss:.4f} {val_loss:.4f}")

print("held out:", val_loss)
