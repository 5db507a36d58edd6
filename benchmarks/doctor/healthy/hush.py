"""A signal without its noise: residual convolutions along time, two losses, averaged weights."""

import copy
import math

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F


def recordings(count, length=48):
    t = gg.arange(length).float().reshape(1, 1, -1)
    pitch = 0.1 + 0.3 * gg.rand(count, 1, 1)
    phase = 2 * math.pi * gg.rand(count, 1, 1)
    clean = gg.sin(pitch * t + phase) + 0.5 * gg.sign(gg.sin(0.5 * pitch * t))
    noisy = clean + 0.5 * gg.randn(count, 1, length)
    return noisy, clean


class Residual(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.norm = nn.GroupNorm(4, channels)

    def forward(self, x):
        return x + self.mix(F.gelu(self.norm(self.conv(x))))


class Denoiser(nn.Module):
    def __init__(self, channels=12, dilations=(1, 2, 4)):
        super().__init__()
        self.inp = nn.Conv1d(1, channels, 5, padding=2)
        self.stack = nn.ModuleList(Residual(channels, d) for d in dilations)
        self.out = nn.Conv1d(channels, 1, 1)

    def forward(self, x):
        h = self.inp(x)
        for layer in self.stack:
            h = layer(h)
        return self.out(F.gelu(h))


def loss_fn(pred, clean):
    slope = F.l1_loss(pred.diff(dim=-1), clean.diff(dim=-1))
    return F.mse_loss(pred, clean) + 0.1 * slope


def update_average(slow, fast, decay):
    with gg.no_grad():
        for a, b in zip(slow.parameters(), fast.parameters(), strict=True):
            a.copy_(decay * a + (1 - decay) * b)


def train(noisy, clean, epochs=6, batch=24):
    model = Denoiser()
    ema = copy.deepcopy(model)
    opt = optim.RMSprop(model.parameters(), lr=2e-3)
    sched = optim.lr_scheduler.ExponentialLR(opt, gamma=0.85)
    for epoch in range(epochs):
        perm = gg.randperm(len(noisy))
        for i in range(0, len(noisy), batch):
            idx = perm[i : i + batch]
            opt.zero_grad()
            pred = model(noisy[idx])
            loss = loss_fn(pred, clean[idx])
            loss.backward()
            opt.step()
            update_average(ema, model, decay=0.9)
        sched.step()
        print("epoch", epoch, "loss", loss.item())
    return ema


gg.manual_seed(0)
x_train, y_train = recordings(384)
x_test, y_test = recordings(100)
net = train(x_train, y_train)
net.eval()
with gg.no_grad():
    print("held out:", F.mse_loss(net(x_test), y_test).item())
