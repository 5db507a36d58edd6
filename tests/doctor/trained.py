"""Small nets of four kinds, data that they can learn, and optimizers with rates that suit them."""

import glassgrad as gg
from glassgrad import nn, optim

ROWS = 32


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells, self.head = nn.LSTM(4, 12, batch_first=True), nn.Linear(12, 4)

    def forward(self, x):
        return self.head(self.cells(x)[0][:, -1])


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 16)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.block(self.embed(x)).mean(1))


def mlp():
    return nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 4))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 4)
    )


NETS = {"mlp": mlp, "cnn": cnn, "lstm": Recurrent, "transformer": Transformer}
RULES = {
    "sgd": lambda p, f=1.0: optim.SGD(p, lr=0.1 * f),
    "momentum": lambda p, f=1.0: optim.SGD(p, lr=0.02 * f, momentum=0.9),
    "adam": lambda p, f=1.0: optim.Adam(p, lr=0.003 * f),
}


def inputs(name, rows=ROWS):
    shape = {"mlp": (rows, 8), "cnn": (rows, 1, 8, 8), "lstm": (rows, 6, 4)}.get(name)
    return gg.randint(0, 10, (rows, 6)) if shape is None else gg.randn(*shape)


def rows(name, count=ROWS, noise=0.0):
    """Inputs, and classes that depend on them; of a share of them the class is drawn."""
    x = inputs(name, count)
    if name == "transformer":
        y = x.sum(1) % 4
    else:
        flat = x.flatten(1)
        y = (flat[:, 0] > 0).long() + 2 * (flat[:, 1:3].sum(1) > 0).long()
    return x, gg.where(gg.rand(count) < noise, gg.randint(0, 4, (count,)), y)
