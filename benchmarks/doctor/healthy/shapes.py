"""Where is the disc? A small U-net with batch norm; cross-entropy and dice together, a trainer class."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)


def scenes(count, size=12):
    grid = gg.arange(size).float()
    cy, cx = 3 + 6 * gg.rand(count, 1, 1), 3 + 6 * gg.rand(count, 1, 1)
    radius = 2.0 + 1.5 * gg.rand(count, 1, 1)
    far = (grid.reshape(1, -1, 1) - cy) ** 2 + (grid.reshape(1, 1, -1) - cx) ** 2
    mask = (far < radius**2).float().unsqueeze(1)
    return 2.0 * mask - 0.5 + 0.6 * gg.randn(count, 1, size, size), mask


class DoubleConv(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.norm(self.conv1(x)))
        return F.relu(self.conv2(x))


class TinyUNet(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.down = DoubleConv(1, width)
        self.bottom = DoubleConv(width, 2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.merge = DoubleConv(2 * width, width)
        self.mask = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        fine = self.down(x)
        coarse = self.bottom(F.max_pool2d(fine, 2))
        x = gg.cat([fine, F.relu(self.up(coarse))], dim=1)
        return self.mask(self.merge(x))


def dice_loss(logits, mask):
    said = gg.sigmoid(logits)
    both = (said * mask).sum((1, 2, 3))
    return 1 - ((2 * both + 1) / (said.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)).mean()


class Trainer:
    def __init__(self, model, lr=0.01):
        self.model = model
        self.criterion = nn.BCEWithLogitsLoss()
        self.optimizer = optim.NAdam(self.model.parameters(), lr=lr)

    def training_step(self, images, mask):
        logits = self.model(images)
        return self.criterion(logits, mask) + 0.5 * dice_loss(logits, mask)

    def fit(self, images, masks, epochs, batch_size=24):
        for _ in range(epochs):
            self.model.train()
            order = gg.randperm(len(images))
            for begin in range(0, len(images), batch_size):
                rows = order[begin : begin + batch_size]
                loss = self.training_step(images[rows], masks[rows])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()

    def evaluate(self, images, masks):
        self.model.eval()
        with gg.no_grad():
            return self.criterion(self.model(images), masks).item()


trainer = Trainer(TinyUNet())
trainer.fit(*scenes(240), epochs=6)
print("held out:", trainer.evaluate(*scenes(100)))
