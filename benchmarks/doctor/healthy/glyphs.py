"""Drawings of the same glyph lie close together: a convolutional embedding trained with triplets, Nesterov steps."""

import glassgrad as gg
from glassgrad import nn
from glassgrad.nn import functional as F

gg.manual_seed(0)

KINDS = 6
STROKES = gg.randn(KINDS, 10, 10)
STROKES = F.avg_pool2d(STROKES.unsqueeze(1), 3, stride=1, padding=1) * 3.0


def draw_glyphs(kinds):
    clean = STROKES[kinds]
    return clean + 1.1 * gg.randn(*clean.shape)


def sample_triplets(count):
    kinds = gg.randint(0, KINDS, (count,))
    others = (kinds + gg.randint(1, KINDS, (count,))) % KINDS
    return draw_glyphs(kinds), draw_glyphs(kinds), draw_glyphs(others)


class Embedder(nn.Module):
    def __init__(self, channels=8, dim=8):
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.fc = nn.Linear(2 * channels * 4, 32)
        self.proj = nn.Linear(32, dim)

    def forward(self, x):
        x = F.max_pool2d(F.leaky_relu(self.conv1(x), 0.1), 2)
        x = F.max_pool2d(F.leaky_relu(self.conv2(x), 0.1), 2)
        x = F.leaky_relu(self.fc(x.flatten(1)), 0.1)
        return F.normalize(self.proj(x), dim=1)


def embed_all(net, anchor, positive, negative):
    out = net(gg.cat([anchor, positive, negative], dim=0))
    return out.chunk(3, dim=0)


net = Embedder()
triplet_loss = nn.TripletMarginLoss(margin=0.7)
opt = gg.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)

ACCUMULATE = 2
opt.zero_grad()
for step in range(120):
    a, p, n = embed_all(net, *sample_triplets(24))
    loss = triplet_loss(a, p, n) / ACCUMULATE
    loss.backward()
    if (step + 1) % ACCUMULATE == 0:
        opt.step()
        opt.zero_grad()
    if step % 30 == 0:
        print(f"{step}: {ACCUMULATE * loss.item():.3f}")

with gg.no_grad():
    a, p, n = embed_all(net, *sample_triplets(300))
    print("held out:", triplet_loss(a, p, n).item())
