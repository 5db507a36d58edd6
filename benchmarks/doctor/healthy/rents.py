"""What a flat costs, with a lower and an upper bound: embeddings beside numbers, three quantiles, a warm-up."""

import math
from dataclasses import dataclass

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F


@dataclass
class Config:
    rows: int = 900
    width: int = 32
    blocks: int = 2
    lr: float = 8e-3
    embedding_lr: float = 2e-2
    batch_size: int = 60
    epochs: int = 14
    warmup: int = 15
    quantiles: tuple = (0.1, 0.5, 0.9)


def flats(count):
    area = 25 + 95 * gg.rand(count)
    age = 80 * gg.rand(count)
    floor = gg.randint(0, 9, (count,)).float()
    lift = (gg.rand(count) < 0.5).float()
    district = gg.randint(0, 6, (count,))
    heating = gg.randint(0, 3, (count,))
    level = gg.tensor([1.0, 1.5, 0.8, 1.2, 2.0, 0.6])[district]
    price = 9 * level * area + gg.tensor([0.0, 80.0, -60.0])[heating]
    price = price - 2.5 * age * (heating == 2).float() + 25 * floor * (2 * lift - 1)
    price = price * (1 + 0.06 * gg.randn(count))
    numbers = gg.stack([(area - 72) / 27, (age - 40) / 23, (floor - 4) / 2.6, 2 * lift - 1], dim=1)
    return numbers, gg.stack([district, heating], dim=1), (price - 760) / 420


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, h):
        return h + self.down(F.silu(self.up(self.norm(h))))


class RentModel(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.district = nn.Embedding(6, 4)
        self.heating = nn.Embedding(3, 2)
        self.stem = nn.Linear(4 + 4 + 2, cfg.width)
        self.blocks = nn.ModuleList([Block(cfg.width) for _ in range(cfg.blocks)])
        self.out = nn.Linear(cfg.width, len(cfg.quantiles))

    def forward(self, numbers, kinds):
        h = gg.cat([numbers, self.district(kinds[:, 0]), self.heating(kinds[:, 1])], dim=1)
        h = self.stem(h)
        for block in self.blocks:
            h = block(h)
        return self.out(h)


def pinball(pred, target, quantiles):
    q = gg.tensor(quantiles)
    error = target.unsqueeze(1) - pred
    return gg.maximum(q * error, (q - 1) * error).mean()


def train_one_epoch(model, data, optimizer, scheduler, cfg):
    model.train()
    numbers, kinds, prices = data
    order = gg.randperm(len(prices))
    running = 0.0
    for start in range(0, len(prices), cfg.batch_size):
        rows = order[start : start + cfg.batch_size]
        pred = model(numbers[rows], kinds[rows])
        loss = pinball(pred, prices[rows], cfg.quantiles)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        running += loss.item() * len(rows)
    return running / len(prices)


def evaluate(model, data, cfg):
    model.eval()
    numbers, kinds, prices = data
    with gg.no_grad():
        return pinball(model(numbers, kinds), prices, cfg.quantiles).item()


def main():
    gg.manual_seed(0)
    cfg = Config()
    train_data, test_data = flats(cfg.rows), flats(300)
    model = RentModel(cfg)
    tables = [*model.district.parameters(), *model.heating.parameters()]
    layers = [*model.stem.parameters(), *model.blocks.parameters(), *model.out.parameters()]
    optimizer = optim.AdamW(
        [{"params": tables, "lr": cfg.embedding_lr, "weight_decay": 0.0}, {"params": layers, "weight_decay": 1e-3}],
        lr=cfg.lr,
    )
    total = cfg.epochs * math.ceil(cfg.rows / cfg.batch_size)

    def factor(step):
        if step < cfg.warmup:
            return (step + 1) / cfg.warmup
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (step - cfg.warmup) / (total - cfg.warmup)))

    scheduler = optim.lr_scheduler.LambdaLR(optimizer, factor)
    for epoch in range(cfg.epochs):
        train_loss = train_one_epoch(model, train_data, optimizer, scheduler, cfg)
        test_loss = evaluate(model, test_data, cfg)
        print(f"epoch {epoch + 1:2d}: train {train_loss:.4f} test {test_loss:.4f}")
    print("held out:", test_loss)


if __name__ == "__main__":
    main()
