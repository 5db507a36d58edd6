"""Sine, square or saw? Convolutions along time, one learning rate cycle."""

import math

import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)


def waves(count, length=32):
    kind = gg.randint(0, 3, (count,))
    cycles = 2.0 + 2.0 * gg.rand(count, 1)
    turn = (gg.rand(count, 1) + cycles * gg.arange(length).float() / length) % 1.0
    sine, square, saw = gg.sin(2 * math.pi * turn) * 1.4, gg.sign(turn - 0.5), (2 * turn - 1) * 1.7
    wave = gg.where(kind[:, None] == 0, sine, gg.where(kind[:, None] == 1, square, saw))
    return (wave + 0.3 * gg.randn(count, length)).unsqueeze(1), kind


class ConvBlock(nn.Sequential):
    def __init__(self, inside, outside):
        super().__init__(
            nn.Conv1d(inside, outside, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool1d(2),
        )


class WaveNet(nn.Module):
    def __init__(self, channels=12, classes=3):
        super().__init__()
        self.features = nn.Sequential(ConvBlock(1, channels), ConvBlock(channels, 2 * channels))
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.classifier = nn.Linear(2 * channels, classes)

    def forward(self, x):
        x = self.features(x)
        x = self.pool(x).flatten(1)
        return self.classifier(x)


signals, kinds = waves(600)
test_signals, test_kinds = waves(200)
batches = [(signals[i : i + 40], kinds[i : i + 40]) for i in range(0, 600, 40)]

model = WaveNet()
loss_fn = nn.CrossEntropyLoss()
optimizer = optim.AdamW(model.parameters(), lr=0.01, weight_decay=1e-3)
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=12 * len(batches))

for epoch in range(12):
    for signal, kind in batches:
        output = model(signal)
        loss = loss_fn(output, kind)
        loss.backward()
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()

model.eval()
with gg.no_grad():
    print("held out:", loss_fn(model(test_signals), test_kinds).item())
