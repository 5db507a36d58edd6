"""Who wins an auction, and at which price? Attention between bids in no order, two heads, a cosine schedule."""

import glassgrad as gg
import glassgrad.nn.functional as F
from glassgrad import nn

gg.manual_seed(0)


def auctions(count, bidders=6):
    value = gg.rand(count, bidders)
    budget = gg.rand(count, bidders)
    keen = (gg.rand(count, bidders) < 0.7).float()
    bids = gg.minimum(value, budget) * (0.4 + 0.6 * keen)
    best = bids.sort(dim=1, descending=True)[0]
    x = gg.stack([2 * value - 1, 2 * budget - 1, 2 * keen - 1], dim=2)
    return x, bids.argmax(1), 4 * best[:, 1] - 1


class AttentionBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1 = nn.RMSNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm2 = nn.RMSNorm(dim)
        self.ff = nn.Sequential(nn.Linear(dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attn(h, h, h, need_weights=False)[0]
        return x + self.ff(self.norm2(x))


class AuctionNet(nn.Module):
    def __init__(self, dim=24, heads=3, depth=2):
        super().__init__()
        self.project = nn.Sequential(nn.Linear(3, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.blocks = nn.ModuleList([AttentionBlock(dim, heads) for _ in range(depth)])
        self.winner_head = nn.Linear(dim, 1, bias=False)
        self.price_head = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, 1))

    def forward(self, x):
        x = self.project(x)
        for block in self.blocks:
            x = block(x)
        winner = self.winner_head(x).squeeze(2)
        price = self.price_head(x.mean(dim=1)).squeeze(1)
        return winner, price


def joint_loss(outputs, winner, price):
    scores, estimate = outputs
    return F.cross_entropy(scores, winner) + F.smooth_l1_loss(estimate, price)


x_train, winner_train, price_train = auctions(800)
x_test, winner_test, price_test = auctions(200)

net = AuctionNet()
steps = 140
optimizer = gg.optim.Adam(net.parameters(), lr=6e-3, betas=(0.9, 0.98))
schedule = gg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=3e-4)

for i in range(steps):
    at = (i * 40) % 800
    rows = slice(at, at + 40)
    loss = joint_loss(net(x_train[rows]), winner_train[rows], price_train[rows])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    schedule.step()

with gg.no_grad():
    print("held out:", joint_loss(net(x_test), winner_test, price_test).item())
