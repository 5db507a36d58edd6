"""Which two phrases say the same? Encoder layers with dropout, trained by contrast within each batch."""

import glassgrad as gg
from glassgrad import nn
from glassgrad.nn import functional as F


def phrases(count, length=7, kinds=14):
    left = gg.randint(1, kinds, (count, length))
    order = gg.rand(count, length).argsort(dim=1)
    right = left.gather(1, order)
    noisy = gg.rand(count, length) < 0.03
    return left, gg.where(noisy, gg.randint(1, kinds, (count, length)), right)


class Encoder(nn.Module):
    def __init__(self, kinds=14, width=24, length=7):
        super().__init__()
        self.embed = nn.Embedding(kinds, width)
        self.positions = nn.Parameter(0.1 * gg.randn(length, width))
        layer = nn.TransformerEncoderLayer(
            width, nhead=3, dim_feedforward=48, dropout=0.05, batch_first=True, norm_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, num_layers=1, enable_nested_tensor=False)
        self.project = nn.Linear(width, width, bias=False)

    def forward(self, tokens):
        h = self.transformer(self.embed(tokens) + self.positions)
        return F.normalize(self.project(h.mean(dim=1)), dim=-1)


class Contrast(nn.Module):
    def __init__(self, encoder, temperature=0.1):
        super().__init__()
        self.encoder = encoder
        self.temperature = temperature

    def forward(self, left, right):
        similar = self.encoder(left) @ self.encoder(right).t() / self.temperature
        same = gg.arange(len(left))
        return (F.cross_entropy(similar, same) + F.cross_entropy(similar.t(), same)) / 2


def train(model, left, right, epochs, lr, size=24):
    optimizer = gg.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    model.train()
    for epoch in range(epochs):
        shuffled = gg.randperm(len(left))
        losses = []
        for rows in shuffled.split(size):
            optimizer.zero_grad()
            loss = model(left[rows], right[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: {sum(losses) / len(losses):.3f}")


gg.manual_seed(0)
left, right = phrases(960)
test_left, test_right = phrases(48)
model = Contrast(Encoder())
train(model, left, right, epochs=4, lr=3e-3)
model.eval()
with gg.no_grad():
    print("held out:", model(test_left, test_right).item())
