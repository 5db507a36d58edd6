"""Which place is nearest to the caller? Blocks of attention over a set of places, then a pointer at one of them."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)


def scenes(count, places=6):
    xy = gg.randn(count, places, 2)
    caller = gg.randn(count, 1, 2)
    nearest = ((xy - caller) ** 2).sum(2).argmin(1)
    return xy, caller, nearest


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.ln1 = nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ln2 = nn.LayerNorm(dim)
        self.ffn = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        h = self.ln1(x)
        a, _ = self.attn(h, h, h, need_weights=False)
        x = x + a
        return x + self.ffn(self.ln2(x))


class Pointer(nn.Module):
    def __init__(self, dim=32, heads=4, depth=2):
        super().__init__()
        self.place_in = nn.Linear(2, dim)
        self.caller_in = nn.Linear(2, dim)
        self.blocks = nn.ModuleList([Block(dim, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)

    def forward(self, xy, caller):
        x = gg.cat([self.caller_in(caller), self.place_in(xy)], dim=1)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        q, k = self.query(x[:, :1]), self.key(x[:, 1:])
        scores = (q * k).sum(2) / q.shape[2] ** 0.5
        return scores


model = Pointer()
optimizer = optim.NAdam(model.parameters(), lr=2e-3)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=250)
test_xy, test_caller, test_nearest = scenes(300)

model.train()
for step in range(250):
    xy, caller, nearest = scenes(48)
    logits = model(xy, caller)
    loss = F.cross_entropy(logits, nearest)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()

model.eval()
with gg.no_grad():
    print("held out:", F.cross_entropy(model(test_xy, test_caller), test_nearest).item())
