"""Bright spots in noisy pictures, pixel by pixel: a small U-net, two losses, an average of the weights, a Trainer."""

import copy

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F
from glassgrad.utils.data import DataLoader, TensorDataset


def make_images(count, size=12):
    grid = gg.arange(size).float()
    centre = 2.0 + (size - 5) * gg.rand(count, 2)
    radius = 1.5 + 1.5 * gg.rand(count)
    dy = grid.reshape(1, size, 1) - centre[:, :1].unsqueeze(2)
    dx = grid.reshape(1, 1, size) - centre[:, 1:].unsqueeze(2)
    mask = (dy**2 + dx**2 < radius.reshape(-1, 1, 1) ** 2).float()
    images = 1.5 * mask + 0.4 * gg.randn(count, size, size) - 0.2
    return images.unsqueeze(1), mask.unsqueeze(1)


class UNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.enc = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.GroupNorm(2, width), nn.ReLU())
        self.down = nn.Sequential(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU())
        self.mid = nn.Sequential(nn.Conv2d(2 * width, 2 * width, 3, padding=1), nn.GroupNorm(2, 2 * width), nn.ReLU())
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.dec = nn.Sequential(nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        skip = self.enc(x)
        h = self.mid(self.down(skip))
        h = self.dec(gg.cat([self.up(h), skip], dim=1))
        return self.head(h)


def dice_loss(logits, masks):
    p = gg.sigmoid(logits)
    overlap = (p * masks).sum((1, 2, 3))
    return (1 - (2 * overlap + 1) / (p.sum((1, 2, 3)) + masks.sum((1, 2, 3)) + 1)).mean()


class Trainer:
    def __init__(self, model, lr, decay=0.8):
        self.model = model
        self.average = copy.deepcopy(model)
        self.decay = decay
        self.bce = nn.BCEWithLogitsLoss()
        self.optimizer = optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-3)

    def loss(self, logits, masks):
        return self.bce(logits, masks) + 0.5 * dice_loss(logits, masks)

    def fit(self, loader, epochs):
        for _ in range(epochs):
            self.model.train()
            for images, masks in loader:
                loss = self.loss(self.model(images), masks)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.track()

    @gg.no_grad()
    def track(self):
        for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
            slow.mul_(self.decay).add_(fast.detach() * (1 - self.decay))

    @gg.no_grad()
    def test(self, images, masks):
        self.average.eval()
        logits = self.average(images)
        return F.binary_cross_entropy_with_logits(logits, masks).item() + 0.5 * dice_loss(logits, masks).item()


if __name__ == "__main__":
    gg.manual_seed(0)
    dataset = TensorDataset(*make_images(256))
    test_images, test_masks = make_images(96)
    trainer = Trainer(UNet(), lr=5e-3)
    trainer.fit(DataLoader(dataset, batch_size=16, shuffle=True), epochs=4)
    print("held out:", trainer.test(test_images, test_masks))
