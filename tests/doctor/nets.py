"""Small nets of four kinds, each with a batch and a loss, for the tests of the doctor."""

from itertools import pairwise

import glassgrad as gg
from glassgrad import nn

ROWS, CLASSES, WORDS = 32, 5, 20


class Last(nn.Module):
    """A layer's last step in time, or its mean over a sequence, to classes."""

    def __init__(self, layer, width):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(width, CLASSES)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


class Reader(nn.Module):
    """A transformer of one layer: for each word of a sequence the next one."""

    def __init__(self, activation="relu"):
        super().__init__()
        self.words = nn.Embedding(WORDS, 32)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, activation=activation, batch_first=True)
        self.head = nn.Linear(32, WORDS)
        self.places = nn.Parameter(gg.randn(64, 32))

    def forward(self, x):
        return self.head(self.layer(self.words(x) + self.places[: x.shape[1]])).transpose(1, 2)


class End(nn.Module):
    """An LSTM that is read at its end."""

    def __init__(self, features, out):
        super().__init__()
        self.lstm, self.head = nn.LSTM(features, 12, batch_first=True), nn.Linear(12, out)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Tokens(nn.Module):
    """A small transformer that says something of each token, or of all of them together."""

    def __init__(self, words, width, out, together=False):
        super().__init__()
        self.embed, self.head = nn.Embedding(words, width), nn.Linear(width, out)
        self.layer = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.0, batch_first=True)
        self.together = together

    def forward(self, x):
        found = self.layer(self.embed(x))
        return self.head(found.mean(1) if self.together else found)


class Then(nn.Module):
    """A net, and a function of what it says."""

    def __init__(self, net, after):
        super().__init__()
        self.net, self.after = net, after

    def forward(self, x):
        return self.after(self.net(x))


def mlp(activation=nn.ReLU, depth=2, width=32, out=CLASSES):
    sizes = [16, *[width] * depth]
    layers = [each for a, b in pairwise(sizes) for each in (nn.Linear(a, b), activation())]
    return nn.Sequential(*layers, nn.Linear(width, out))


def cnn(activation=nn.ReLU):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), activation(), nn.Conv2d(8, 8, 3), activation(), nn.Flatten(), nn.Linear(128, CLASSES)
    )


def lstm():
    return Last(nn.LSTM(8, 32, batch_first=True), 32)


NETS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "transformer": Reader}


def batch(kind):
    if kind == "transformer":
        return gg.randint(0, WORDS, (16, 12)), gg.randint(0, WORDS, (16, 12))
    shape = {"mlp": (16,), "cnn": (1, 8, 8), "lstm": (10, 8)}[kind]
    return gg.randn(ROWS, *shape), gg.randint(0, CLASSES, (ROWS,))


def start(net, deviation, among=""):
    """Weights from N(0, deviation), of the parameters whose names have these letters."""
    for name, p in net.named_parameters():
        if p.ndim > 1 and among in name:
            nn.init.normal_(p, std=deviation)
    return net


def adam(net, lr=0.005):
    return gg.optim.Adam(net.parameters(), lr=lr)


def sgd(net, lr=0.05):
    return gg.optim.SGD(net.parameters(), lr=lr)


def faults(d):
    print(d)
    return [each.fault for each in d.findings]
