"""How much liquid a pipette gave, and how sure one may be: two heads, a Gaussian likelihood, a Trainer."""

import itertools
from dataclasses import dataclass

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F


@dataclass
class Config:
    features: int = 5
    hidden: int = 40
    layers: int = 2
    lr: float = 5e-3
    epochs: int = 24
    batch_size: int = 40


class Gauge(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        sizes = [cfg.features] + [cfg.hidden] * cfg.layers
        self.body = nn.Sequential()
        for number, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
            self.body.add_module(f"fc{number}", nn.Linear(fan_in, fan_out))
            self.body.add_module(f"act{number}", nn.ReLU())
        self.mean = nn.Linear(cfg.hidden, 1)
        self.log_var = nn.Linear(cfg.hidden, 1)

    def forward(self, x):
        h = self.body(x)
        return self.mean(h).squeeze(1), gg.exp(self.log_var(h)).squeeze(1)


class Trainer:
    def __init__(self, model, cfg):
        self.model, self.cfg = model, cfg
        self.criterion = nn.GaussianNLLLoss()
        self.optimizer = optim.Adam(model.parameters(), lr=cfg.lr)
        self.scheduler = optim.lr_scheduler.ExponentialLR(self.optimizer, gamma=0.95)

    def train_epoch(self, x, y):
        self.model.train()
        order = gg.randperm(len(x))
        for begin in range(0, len(x), self.cfg.batch_size):
            rows = order[begin : begin + self.cfg.batch_size]
            mean, var = self.model(x[rows])
            loss = self.criterion(mean, y[rows], var)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.scheduler.step()

    def evaluate(self, x, y):
        self.model.eval()
        with gg.no_grad():
            mean, _ = self.model(x)
        return F.mse_loss(mean, y).item()


def measure(count, cfg):
    x = gg.randn(count, cfg.features)
    volume = gg.sin(1.5 * x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.4 * x[:, 3]
    spread = 0.05 + 0.2 * gg.sigmoid(2 * x[:, 4])
    return x, volume + spread * gg.randn(count)


if __name__ == "__main__":
    gg.manual_seed(0)
    cfg = Config()
    x_train, y_train = measure(800, cfg)
    x_test, y_test = measure(300, cfg)
    trainer = Trainer(Gauge(cfg), cfg)
    for epoch in range(cfg.epochs):
        trainer.train_epoch(x_train, y_train)
        if epoch % 8 == 0:
            print(f"epoch {epoch}: {trainer.evaluate(x_test, y_test):.3f}")
    print("held out:", trainer.evaluate(x_test, y_test))
