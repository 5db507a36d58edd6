"""By how many quarter turns a digit was turned: two convolutions with batch norm, warm-up and cosine."""

import math

import numpy as np
from sklearn.datasets import load_digits

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

CONFIG = {"lr": 0.05, "momentum": 0.9, "epochs": 6, "batch_size": 32, "warmup": 20, "channels": 12}


def load_data():
    images = load_digits().images[:1200] / 16.0
    turns = np.arange(len(images)) * 7 // 2 % 4
    turned = np.stack([np.rot90(image, int(turn)) for image, turn in zip(images, turns, strict=True)])
    x = gg.tensor((turned - turned.mean()) / turned.std()).float().unsqueeze(1)
    y = gg.tensor(turns)
    return (x[:960], y[:960]), (x[960:], y[960:])


class ConvBlock(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel_size=3, padding=1)
        self.bn = nn.BatchNorm2d(c_out)

    def forward(self, x):
        return F.max_pool2d(F.relu(self.bn(self.conv(x))), 2)


class TurnNet(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.block1 = ConvBlock(1, channels)
        self.block2 = ConvBlock(channels, 2 * channels)
        self.fc1 = nn.Linear(2 * channels * 4, 48)
        self.fc2 = nn.Linear(48, 4)

    def forward(self, x):
        x = self.block2(self.block1(x))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def make_schedule(optimizer, warmup, total):
    def factor(step):
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))

    return optim.lr_scheduler.LambdaLR(optimizer, factor)


def train_one_epoch(model, data, optimizer, scheduler, batch_size):
    model.train()
    x, y = data
    order = gg.randperm(len(x))
    for begin in range(0, len(x), batch_size):
        rows = order[begin : begin + batch_size]
        optimizer.zero_grad()
        logits = model(x[rows])
        loss = F.cross_entropy(logits, y[rows])
        loss.backward()
        optimizer.step()
        scheduler.step()


def evaluate(model, data):
    model.eval()
    x, y = data
    with gg.no_grad():
        logits = model(x)
    return F.cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()


def main(config):
    gg.manual_seed(0)
    train_data, test_data = load_data()
    model = TurnNet(config["channels"])
    optimizer = optim.SGD(model.parameters(), lr=config["lr"], momentum=config["momentum"])
    total = config["epochs"] * len(train_data[0]) // config["batch_size"]
    scheduler = make_schedule(optimizer, config["warmup"], total)
    for epoch in range(config["epochs"]):
        train_one_epoch(model, train_data, optimizer, scheduler, config["batch_size"])
        loss, accuracy = evaluate(model, test_data)
        print(f"epoch {epoch}: loss {loss:.3f}, accuracy {accuracy:.2f}")
    print("held out:", evaluate(model, test_data)[0])


main(CONFIG)
