"""Which pixels belong to the box? A small U-net whose loss is cross entropy and overlap together."""

import glassgrad as gg
from glassgrad import nn
from glassgrad.nn import functional as F

gg.manual_seed(0)
SIZE = 12


def boxes(count):
    corner = gg.randint(0, 7, (count, 2))
    side = gg.randint(3, 6, (count, 2))
    at = gg.arange(SIZE).reshape(1, SIZE)
    down = (at >= corner[:, :1]) & (at < corner[:, :1] + side[:, :1])
    across = (at >= corner[:, 1:]) & (at < corner[:, 1:] + side[:, 1:])
    masks = (down.unsqueeze(2) & across.unsqueeze(1)).float().unsqueeze(1)
    images = 2.0 * masks - 0.5 + 0.8 * gg.randn(count, 1, SIZE, SIZE)
    return images, masks


class DoubleConv(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)

    def forward(self, x):
        return F.relu(self.conv2(F.relu(self.conv1(x))))


class UNet(nn.Module):
    def __init__(self, channels=6):
        super().__init__()
        self.down = DoubleConv(1, channels)
        self.bottom = DoubleConv(channels, 2 * channels)
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.merge = DoubleConv(2 * channels, channels)
        self.mask = nn.Conv2d(channels, 1, 1)

    def forward(self, x):
        skip = self.down(x)
        x = self.bottom(F.max_pool2d(skip, 2))
        x = self.merge(gg.cat([self.up(x), skip], dim=1))
        return self.mask(x)


def dice(logits, masks):
    inside = logits.sigmoid()
    overlap = (inside * masks).sum((1, 2, 3))
    return (1 - (2 * overlap + 1) / (inside.sum((1, 2, 3)) + masks.sum((1, 2, 3)) + 1)).mean()


def combined(logits, masks):
    return F.binary_cross_entropy_with_logits(logits, masks) + 0.5 * dice(logits, masks)


def train(net, images, masks, epochs=5, size=16):
    steps = epochs * (len(images) // size)
    optimizer = gg.optim.AdamW(net.parameters(), lr=0.01, weight_decay=1e-3)
    scheduler = gg.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)
    for _ in range(epochs):
        order = gg.randperm(len(images))
        for batch in order.split(size):
            logits = net(images[batch])
            loss = combined(logits, masks[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()


images, masks = boxes(256)
test_images, test_masks = boxes(64)
net = UNet()
train(net, images, masks)

net.eval()
with gg.no_grad():
    print("held out:", combined(net(test_images), test_masks).item())
