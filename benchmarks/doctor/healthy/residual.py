"""Handwritten digits by a residual net of GELUs with layer norm; clipping, a cosine schedule."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.datasets import digits
from glassgrad.nn import functional as F

gg.manual_seed(0)

train, test = digits()
images, labels = train.tensors
images = (images.flatten(1) - 0.3) / 0.38
test_images = (test.tensors[0].flatten(1) - 0.3) / 0.38


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        h = F.gelu(self.up(self.norm(x)))
        return x + self.down(h)


class Residual(nn.Module):
    def __init__(self, width=32, depth=3):
        super().__init__()
        self.embed = nn.Linear(64, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


net = Residual()
optimizer = optim.AdamW(net.parameters(), lr=3e-3)
schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=80)

for step in range(80):
    rows = gg.randint(0, len(images), (64,))
    logits = net(images[rows])
    loss = F.cross_entropy(logits, labels[rows])
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    schedule.step()

net.eval()
with gg.no_grad():
    logits = net(test_images)
    print("held out:", F.cross_entropy(logits, test.tensors[1]).item())
