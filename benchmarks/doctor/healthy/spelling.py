"""The next letter of a text: an embedding and an LSTM that return logits and loss."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)

text = "the quick brown fox jumps over the lazy dog and the slow green frog sleeps under the old log. " * 12
letters = sorted(set(text))
codes = gg.tensor([letters.index(letter) for letter in text])


class Speller(nn.Module):
    def __init__(self, vocabulary, width=32):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 16)
        self.lstm = nn.LSTM(16, width, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens, targets=None):
        h, _ = self.lstm(self.embedding(tokens))
        logits = self.head(self.norm(h))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss


def batch(size=16, length=12):
    begin = gg.randint(0, len(codes) - length - 1, (size, 1))
    where = begin + gg.arange(length)
    return codes[where], codes[where + 1]


model = Speller(len(letters))
optimizer = optim.AdamW(model.parameters(), lr=0.01)
scheduler = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.99)

for step in range(90):
    inputs, targets = batch()
    _, loss = model(inputs, targets)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()

with gg.no_grad():
    _, loss = model(*batch(64))
    print("held out:", loss.item())
