"""Where a clock's hand points and whether it is the long one: one trunk, two heads, two losses, a compiled step."""

import math

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)


def clocks(count, size=11):
    angle = gg.rand(count, 1, 1) * 2 * math.pi
    long = (gg.rand(count, 1) < 0.5).float()
    reach = 2.5 + 2.0 * long.unsqueeze(2)
    at = gg.arange(size).float() - (size - 1) / 2
    along = gg.cos(angle) * at.reshape(1, 1, size) + gg.sin(angle) * at.reshape(1, size, 1)
    aside = gg.cos(angle) * at.reshape(1, size, 1) - gg.sin(angle) * at.reshape(1, 1, size)
    hand = gg.exp(-(aside**2)) * gg.sigmoid(4 * along) * gg.sigmoid(4 * (reach - along))
    images = (hand - 0.1 + 0.1 * gg.randn(count, size, size)).unsqueeze(1) * 4
    direction = gg.cat([gg.cos(angle), gg.sin(angle)], dim=2).squeeze(1)
    return images, direction, long


class ClockNet(nn.Module):
    def __init__(self, channels=8):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, channels, 3, stride=2, padding=1),
            nn.ELU(),
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
            nn.ELU(),
            nn.Flatten(),
            nn.Linear(18 * channels, 32),
            nn.ELU(),
        )
        self.direction = nn.Linear(32, 2)
        self.length = nn.Linear(32, 1)

    def forward(self, images):
        features = self.trunk(images)
        return self.direction(features), self.length(features)


def both(said, direction, long):
    where, how_long = said
    return F.mse_loss(where, direction) + 0.5 * F.binary_cross_entropy_with_logits(how_long, long)


images, direction, long = clocks(512)
validation = clocks(128)
model = ClockNet()
optimizer = optim.NAdam(model.parameters(), lr=4e-3)


@gg.compile
def update(images, direction, long):
    said = model(images)
    loss = both(said, direction, long)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    return loss


for epoch in range(8):
    order = gg.randperm(512).reshape(16, 32)
    total = 0.0
    for rows in order:
        total += update(images[rows], direction[rows], long[rows]).item()
    print(f"epoch {epoch}: {total / 16:.3f}")

model.eval()
with gg.no_grad():
    print("held out:", both(model(validation[0]), *validation[1:]).item())
