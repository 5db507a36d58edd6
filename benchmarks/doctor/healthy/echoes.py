"""Sequences of tokens turned round, by attention over positions; the rate is warmed up by a function."""

import glassgrad as gg
from glassgrad import nn
from glassgrad.nn import functional as F

gg.manual_seed(0)
LENGTH, KINDS = 6, 8


class EncoderBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln1 = nn.LayerNorm(width)
        self.ln2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        normed = self.ln1(x)
        attended, _ = self.attn(normed, normed, normed, need_weights=False)
        x = x + attended
        return x + self.mlp(self.ln2(x))


class Mirror(nn.Module):
    def __init__(self, width=32, heads=2, depth=2):
        super().__init__()
        self.tokens = nn.Embedding(KINDS, width)
        self.places = nn.Embedding(LENGTH, width)
        self.blocks = nn.ModuleList(EncoderBlock(width, heads) for _ in range(depth))
        self.unembed = nn.Linear(width, KINDS)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.places.weight
        for block in self.blocks:
            x = block(x)
        return self.unembed(x)


def batches(count, size=32):
    for _ in range(count):
        tokens = gg.randint(0, KINDS, (size, LENGTH))
        yield tokens, tokens.flip(1)


model = Mirror()
optimizer = gg.optim.Adam(model.parameters(), lr=4e-3, betas=(0.9, 0.98))
warmup = gg.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 20))

history = []
for inputs, targets in batches(200):
    optimizer.zero_grad()
    logits = model(inputs)
    loss = F.cross_entropy(logits.transpose(1, 2), targets)
    loss.backward()
    optimizer.step()
    warmup.step()
    history.append(loss.item())

model.eval()
inputs, targets = next(batches(1, size=200))
with gg.no_grad():
    print("held out:", F.cross_entropy(model(inputs).transpose(1, 2), targets).item())
