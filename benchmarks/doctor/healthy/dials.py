"""A hand on a dial: its angle and whether it is the long one; two losses, accumulated gradients, averaged weights."""

import copy
import math

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)


def draw(count, size=10):
    angle = 2 * math.pi * gg.rand(count, 1, 1)
    long = (gg.rand(count, 1, 1) < 0.5).float()
    grid = gg.arange(size).float() - (size - 1) / 2
    ys, xs = grid.reshape(1, -1, 1), grid.reshape(1, 1, -1)
    along = xs * gg.cos(angle) + ys * gg.sin(angle)
    across = ys * gg.cos(angle) - xs * gg.sin(angle)
    ink = gg.exp(-(across**2)) * gg.sigmoid(4 * along) * gg.sigmoid(4 * (2.2 + 2.0 * long - along))
    images = 3.0 * ink - 0.4 + 0.15 * gg.randn(count, size, size)
    direction = gg.cat([gg.cos(angle), gg.sin(angle)], dim=1)[:, :, 0]
    return images.unsqueeze(1), direction, long[:, 0]


class ResBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(2, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        h = F.silu(self.conv1(self.norm(x)))
        return x + self.conv2(h)


class DialReader(nn.Module):
    def __init__(self, channels=8):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.trunk = nn.Sequential(ResBlock(channels), ResBlock(channels))
        self.shared = nn.Linear(channels * 25, 32)
        self.angle_head = nn.Linear(32, 2)
        self.long_head = nn.Linear(32, 1)

    def forward(self, images):
        features = self.trunk(F.silu(self.stem(images)))
        features = F.silu(self.shared(features.flatten(1)))
        return self.angle_head(features), self.long_head(features)


def losses(model, images, direction, long):
    angle, length = model(images)
    return F.mse_loss(angle, direction), F.binary_cross_entropy_with_logits(length, long)


train_data, test_data = draw(480), draw(160)
net = DialReader()
averaged = copy.deepcopy(net)
optimizer = optim.Adam(net.parameters(), lr=4e-3)
accumulate, steps = 2, 160

for step in range(steps):
    rows = gg.randint(0, 480, (16,))
    angle_loss, long_loss = losses(net, *(each[rows] for each in train_data))
    loss = (angle_loss + 0.5 * long_loss) / accumulate
    loss.backward()
    if (step + 1) % accumulate == 0:
        optimizer.step()
        optimizer.zero_grad()
        with gg.no_grad():
            for slow, fast in zip(averaged.parameters(), net.parameters(), strict=True):
                slow.mul_(0.9).add_(0.1 * fast)

averaged.eval()
with gg.no_grad():
    angle_loss, long_loss = losses(averaged, *test_data)
    print("held out:", (angle_loss + 0.5 * long_loss).item())
