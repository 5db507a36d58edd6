"""Tokens put in order: blocks of attention made by hand, the embedding tied to the head, warm-up, fresh batches."""

import math

import glassgrad as gg
import glassgrad.nn.functional as F
from glassgrad import nn

gg.manual_seed(0)

KINDS, LENGTH = 8, 6


def get_batch(size):
    tokens = gg.randint(0, KINDS, (size, LENGTH))
    return tokens, tokens.sort(dim=1)[0]


class SelfAttention(nn.Module):
    def __init__(self, d_model, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.out = nn.Linear(d_model, d_model)

    def split(self, x):
        b, t, d = x.shape
        return x.reshape(b, t, self.heads, d // self.heads).transpose(1, 2)

    def forward(self, x):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        att = (q @ k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
        att = F.softmax(att, dim=-1)
        y = (att @ v).transpose(1, 2).reshape(x.shape)
        return self.out(y)


class Block(nn.Module):
    def __init__(self, d_model, heads):
        super().__init__()
        self.ln1 = nn.LayerNorm(d_model)
        self.attn = SelfAttention(d_model, heads)
        self.ln2 = nn.LayerNorm(d_model)
        self.mlp = nn.Sequential(nn.Linear(d_model, 2 * d_model), nn.GELU(), nn.Linear(2 * d_model, d_model))

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        x = x + self.mlp(self.ln2(x))
        return x


class Sorter(nn.Module):
    def __init__(self, d_model=32, heads=4, n_blocks=2):
        super().__init__()
        self.tok = nn.Embedding(KINDS, d_model)
        self.pos = nn.Embedding(LENGTH, d_model)
        self.blocks = nn.Sequential(*[Block(d_model, heads) for _ in range(n_blocks)])
        self.ln = nn.LayerNorm(d_model)
        self.lm_head = nn.Linear(d_model, KINDS, bias=False)
        nn.init.normal_(self.tok.weight, std=0.3)
        nn.init.normal_(self.pos.weight, std=0.3)
        self.lm_head.weight = self.tok.weight

    def forward(self, idx):
        x = self.tok(idx) + self.pos(gg.arange(LENGTH))
        x = self.blocks(x)
        return self.lm_head(self.ln(x))


model = Sorter()
optimizer = gg.optim.AdamW(model.parameters(), lr=6e-3, betas=(0.9, 0.98), weight_decay=0.01)
warmup = gg.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 15))

model.train()
for step in range(140):
    xb, yb = get_batch(32)
    logits = model(xb)
    loss = F.cross_entropy(logits.reshape(-1, KINDS), yb.reshape(-1))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    warmup.step()
    if step % 20 == 0:
        print(f"step {step}: loss {loss.item():.4f}")

model.eval()
with gg.no_grad():
    xb, yb = get_batch(256)
    print("held out:", F.cross_entropy(model(xb).reshape(-1, KINDS), yb.reshape(-1)).item())
