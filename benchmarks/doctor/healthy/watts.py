"""The next hours of a town's power, from patches of the last two days: encoder layers, warm-up, an experiment class."""

import math
from dataclasses import dataclass

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F


@dataclass(frozen=True)
class Settings:
    history: int = 48
    patch: int = 6
    horizon: int = 6
    d_model: int = 32
    heads: int = 4
    layers: int = 2
    dropout: float = 0.05
    lr: float = 3e-3
    batch: int = 32
    steps: int = 130
    warmup: int = 20


def simulate(hours):
    t = gg.arange(hours).float()
    day = gg.sin(2 * math.pi * t / 24) + 0.4 * gg.sin(4 * math.pi * t / 24 + 0.7)
    week = ((t // 24) % 7 >= 5).float()
    slow = gg.sin(2 * math.pi * t / 310 + 1.0)
    load = (1.0 - 0.5 * week) * day + 0.7 * slow - 0.4 * week + 0.1 * gg.randn(hours)
    return (load - load.mean()) / load.std()


class PatchForecaster(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.patch = s.patch
        self.embed = nn.Linear(s.patch, s.d_model)
        self.position = nn.Parameter(0.1 * gg.randn(s.history // s.patch, s.d_model))
        layer = nn.TransformerEncoderLayer(
            s.d_model, s.heads, 2 * s.d_model, dropout=s.dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, s.layers)
        self.norm = nn.LayerNorm(s.d_model)
        self.project = nn.Linear(s.d_model * (s.history // s.patch), s.horizon)

    def forward(self, x):
        patches = x.reshape(x.shape[0], -1, self.patch)
        h = self.encoder(self.embed(patches) + self.position)
        return self.project(self.norm(h).flatten(1))


class Experiment:
    def __init__(self, settings):
        self.s = settings
        series = simulate(1700)
        self.train_series, self.test_series = series[:1300], series[1300:]
        self.model = PatchForecaster(settings)
        self.optimizer = optim.AdamW(self.model.parameters(), lr=settings.lr, weight_decay=0.01)
        self.scheduler = optim.lr_scheduler.LambdaLR(self.optimizer, self.rate)

    def rate(self, step):
        step += 1
        return min(step / self.s.warmup, (self.s.warmup / step) ** 0.5)

    def windows(self, series, starts):
        history, horizon = self.s.history, self.s.horizon
        x = gg.stack([series[i : i + history] for i in starts])
        y = gg.stack([series[i + history : i + history + horizon] for i in starts])
        return x, y

    def train(self):
        self.model.train()
        last = len(self.train_series) - self.s.history - self.s.horizon
        for step in range(self.s.steps):
            starts = gg.randint(0, last, (self.s.batch,)).tolist()
            x, y = self.windows(self.train_series, starts)
            loss = F.mse_loss(self.model(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            if step % 40 == 0:
                print(f"step {step}: {loss.item():.4f}")

    def evaluate(self):
        self.model.eval()
        starts = range(0, len(self.test_series) - self.s.history - self.s.horizon, 2)
        x, y = self.windows(self.test_series, starts)
        with gg.no_grad():
            return F.mse_loss(self.model(x), y).item()


gg.manual_seed(0)
experiment = Experiment(Settings())
experiment.train()
print("held out:", experiment.evaluate())
