"""Small pictures of digits made sharp again: convolutions and a shuffle of pixels, compiled steps, averaged weights."""

import copy

import numpy as np
from sklearn.datasets import load_digits

import glassgrad as gg
from glassgrad import nn
from glassgrad.nn import functional as F
from glassgrad.optim import Adam

gg.manual_seed(0)


def load_pairs(count_train=720, count_test=160):
    rng = np.random.default_rng(0)
    images = load_digits().images[: count_train + count_test] / 8.0 - 1.0
    images = np.stack([np.roll(each, rng.integers(-1, 2, 2), axis=(0, 1)) for each in images])
    sharp = gg.tensor(images).float().unsqueeze(1)
    small = F.avg_pool2d(sharp, 2)
    return small[:count_train], sharp[:count_train], small[count_train:], sharp[count_train:]


class Upscaler(nn.Module):
    def __init__(self, channels=24):
        super().__init__()
        self.head = nn.Conv2d(1, channels, 3, padding=1)
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.tail = nn.Conv2d(channels, 4, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x):
        h = F.elu(self.head(x))
        h = F.elu(h + self.body(h))
        return self.shuffle(self.tail(h))


small, sharp, small_test, sharp_test = load_pairs()
net = Upscaler()
ema = copy.deepcopy(net)
opt = Adam(net.parameters(), lr=4e-3)


@gg.compile
def train_step(lows, highs):
    opt.zero_grad()
    loss = F.mse_loss(net(lows), highs)
    loss.backward()
    opt.step()
    return loss


@gg.no_grad()
def update_ema(decay=0.9):
    for slow, fast in zip(ema.parameters(), net.parameters(), strict=True):
        slow.copy_(decay * slow + (1 - decay) * fast)


for epoch in range(8):
    order = gg.randperm(len(small))
    for begin in range(0, len(small), 40):
        rows = order[begin : begin + 40]
        loss = train_step(small[rows], sharp[rows])
        update_ema()
    print(f"epoch {epoch}: {loss.item():.4f}")

ema.eval()
with gg.no_grad():
    print("held out:", F.mse_loss(ema(small_test), sharp_test).item())
