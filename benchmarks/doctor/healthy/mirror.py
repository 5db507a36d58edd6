"""A sequence said backwards: blocks of multi-head attention, tied weights, a warmup."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)


class Block(nn.Module):
    def __init__(self, dim, heads, dropout):
        super().__init__()
        self.ln1 = nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ln2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim), nn.Dropout(dropout))

    def forward(self, x):
        normed = self.ln1(x)
        attended, _ = self.attn(normed, normed, normed, need_weights=False)
        x = x + attended
        x = x + self.mlp(self.ln2(x))
        return x


class Mirror(nn.Module):
    def __init__(self, vocab=8, dim=32, heads=2, layers=1, length=6, dropout=0.05):
        super().__init__()
        self.tok_emb = nn.Embedding(vocab, dim)
        self.pos_emb = nn.Embedding(length, dim)
        self.blocks = nn.ModuleList([Block(dim, heads, dropout) for _ in range(layers)])
        self.ln_f = nn.LayerNorm(dim)
        self.lm_head = nn.Linear(dim, vocab, bias=False)
        nn.init.normal_(self.tok_emb.weight, std=0.3)
        nn.init.normal_(self.pos_emb.weight, std=0.3)
        self.lm_head.weight = self.tok_emb.weight

    def forward(self, idx):
        x = self.tok_emb(idx) + self.pos_emb(gg.arange(idx.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.ln_f(x))


def get_batch(size, vocab=8, length=6):
    idx = gg.randint(0, vocab, (size, length))
    return idx, idx.flip(1)


def compute_loss(model, idx, targets):
    logits = model(idx)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def main(steps=200, warmup=20):
    model = Mirror()
    decay = [p for p in model.parameters() if p.ndim >= 2]
    no_decay = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decay, "weight_decay": 0.01}, {"params": no_decay, "weight_decay": 0.0}]
    optimizer = optim.AdamW(groups, lr=5e-3)
    scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / warmup))
    model.train()
    for step in range(steps):
        idx, targets = get_batch(32)
        loss = compute_loss(model, idx, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 50 == 0:
            print(step, round(loss.item(), 4))

    model.eval()
    with gg.no_grad():
        print("held out:", compute_loss(model, *get_batch(128)).item())


if __name__ == "__main__":
    main()
