"""Do two sequences begin with the same token? Encoder layers that normalise first, with one logit."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)


def pairs(count, half=4, kinds=5):
    tokens = gg.randint(0, kinds, (count, 2 * half))
    same = gg.rand(count) < 0.5
    tokens[:, half] = gg.where(same, tokens[:, 0], (tokens[:, 0] + gg.randint(1, kinds, (count,))) % kinds)
    return tokens, same.float()


class Comparer(nn.Module):
    def __init__(self, kinds=5, width=32, length=8):
        super().__init__()
        self.embedding = nn.Embedding(kinds, width)
        self.position = nn.Embedding(length, width)
        style = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
        self.layers = nn.ModuleList([nn.TransformerEncoderLayer(width, 4, 64, **style) for _ in range(2)])
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))

    def forward(self, tokens):
        h = self.embedding(tokens) + self.position(gg.arange(tokens.shape[1]))
        for layer in self.layers:
            h = layer(h)
        return self.head(h.mean(1)).squeeze(1)


tokens, same = pairs(1200)
test_tokens, test_same = pairs(240)

model = Comparer()
optimizer = optim.Adam(model.parameters(), lr=2e-3)

for step in range(150):
    rows = gg.randint(0, len(tokens), (48,))
    logits = model(tokens[rows])
    loss = F.binary_cross_entropy_with_logits(logits, same[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

model.eval()
with gg.no_grad():
    logits = model(test_tokens)
    print("held out:", F.binary_cross_entropy_with_logits(logits, test_same).item())
