"""Sines, squares, saws and bursts by a convolution along time with batch norm: main(), one-cycle rates, validation."""

import math

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, TensorDataset

CLASSES = 4


def make_signals(n, length=48):
    kind = gg.randint(0, CLASSES, (n,))
    t = gg.linspace(0, 1, length)
    cycles = 2.0 + 2.0 * gg.rand(n, 1)
    phase = gg.rand(n, 1)
    turn = (cycles * t + phase) % 1.0
    sine = gg.sin(2 * math.pi * turn)
    square = gg.sign(sine)
    saw = 2 * turn - 1
    burst = gg.randn(n, length)
    shapes = gg.stack([sine, square, saw, burst], dim=1)
    signal = shapes[gg.arange(n), kind] + 0.15 * gg.randn(n, length)
    return signal.unsqueeze(1), kind


def build_model():
    return nn.Sequential(
        nn.Conv1d(1, 12, 5, stride=2, padding=2),
        nn.BatchNorm1d(12),
        nn.ReLU(),
        nn.Conv1d(12, 24, 5, stride=2, padding=2),
        nn.BatchNorm1d(24),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(3),
        nn.Flatten(),
        nn.Linear(72, CLASSES),
    )


def train_one_epoch(model, loader, criterion, optimizer, scheduler):
    model.train()
    for signals, targets in loader:
        output = model(signals)
        loss = criterion(output, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()


def validate(model, loader, criterion):
    model.eval()
    losses, correct = [], 0
    with gg.no_grad():
        for signals, targets in loader:
            output = model(signals)
            losses.append(criterion(output, targets).item() * len(targets))
            correct += (output.argmax(dim=1) == targets).sum().item()
    size = len(loader.dataset)
    return sum(losses) / size, correct / size


def main(epochs=7, batch_size=32):
    gg.manual_seed(0)
    train_loader = DataLoader(TensorDataset(*make_signals(512)), batch_size=batch_size, shuffle=True)
    val_loader = DataLoader(TensorDataset(*make_signals(192)), batch_size=64)
    model = build_model()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=epochs * len(train_loader))
    for epoch in range(1, epochs + 1):
        train_one_epoch(model, train_loader, criterion, optimizer, scheduler)
        val_loss, val_acc = validate(model, val_loader, criterion)
        print(f"[{epoch}/{epochs}] val loss {val_loss:.3f} acc {val_acc:.3f}")
    print("held out:", val_loss)


if __name__ == "__main__":
    main()
