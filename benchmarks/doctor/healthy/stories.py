"""The next word of little sentences: blocks of causal attention, two small batches for one step, no decay for norms."""

import random

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

config = dict(
    n_embd=32,
    n_head=4,
    n_layer=2,
    dropout=0.05,
    block_size=16,
    batch_size=12,
    gradient_accumulation_steps=2,
    learning_rate=6e-3,
    min_lr=6e-4,
    weight_decay=0.1,
    max_iters=110,
    grad_clip=1.0,
)

PEOPLE = {"anna": "she", "bella": "she", "carl": "he", "david": "he"}
THINGS = {"apple": "eats", "cake": "eats", "book": "reads", "letter": "reads", "song": "sings", "hymn": "sings"}


def tell(sentences, seed):
    rng = random.Random(seed)
    words = []
    for _ in range(sentences):
        who, thing = rng.choice(list(PEOPLE)), rng.choice(list(THINGS))
        words += [who, "has", "a", thing, ".", PEOPLE[who], THINGS[thing], "the", thing, "."]
    return words


class CausalSelfAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.n_head = config["n_head"]
        self.c_attn = nn.Linear(config["n_embd"], 3 * config["n_embd"])
        self.c_proj = nn.Linear(config["n_embd"], config["n_embd"])
        self.dropout = nn.Dropout(config["dropout"])
        mask = gg.ones(config["block_size"], config["block_size"]).tril()
        self.register_buffer("bias", mask == 0)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.c_attn(x).split(C, dim=2)
        q, k, v = (each.reshape(B, T, self.n_head, C // self.n_head).transpose(1, 2) for each in (q, k, v))
        att = (q @ k.transpose(-2, -1)) / (C // self.n_head) ** 0.5
        att = att.masked_fill(self.bias[:T, :T], float("-inf"))
        att = F.softmax(att, dim=-1)
        y = (att @ v).transpose(1, 2).reshape(B, T, C)
        return self.dropout(self.c_proj(y))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config["n_embd"])
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config["n_embd"])
        self.mlp = nn.Sequential(
            nn.Linear(config["n_embd"], 2 * config["n_embd"]),
            nn.ReLU(),
            nn.Linear(2 * config["n_embd"], config["n_embd"]),
            nn.Dropout(config["dropout"]),
        )

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class LanguageModel(nn.Module):
    def __init__(self, config, vocab_size):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, config["n_embd"])
        self.wpe = nn.Embedding(config["block_size"], config["n_embd"])
        self.blocks = nn.ModuleList([Block(config) for _ in range(config["n_layer"])])
        self.ln_f = nn.LayerNorm(config["n_embd"])
        self.lm_head = nn.Linear(config["n_embd"], vocab_size, bias=False)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, mean=0.0, std=0.1)

    def forward(self, idx):
        pos = gg.arange(idx.shape[1])
        x = self.wte(idx) + self.wpe(pos)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.ln_f(x))

    def configure_optimizers(self, config):
        decay = [p for p in self.parameters() if p.ndim >= 2]
        no_decay = [p for p in self.parameters() if p.ndim < 2]
        groups = [{"params": decay, "weight_decay": config["weight_decay"]}, {"params": no_decay, "weight_decay": 0.0}]
        return optim.AdamW(groups, lr=config["learning_rate"], betas=(0.9, 0.95))


def get_batch(data, config):
    ix = gg.randint(0, len(data) - config["block_size"] - 1, (config["batch_size"],)).tolist()
    x = gg.stack([data[i : i + config["block_size"]] for i in ix])
    y = gg.stack([data[i + 1 : i + 1 + config["block_size"]] for i in ix])
    return x, y


def loss_of(logits, targets):
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


def estimate_loss(model, data, config, batches=8):
    model.eval()
    with gg.no_grad():
        losses = []
        for _ in range(batches):
            x, y = get_batch(data, config)
            losses.append(loss_of(model(x), y).item())
    model.train()
    return sum(losses) / len(losses)


def main():
    gg.manual_seed(0)
    text = tell(500, seed=0)
    stoi = {word: i for i, word in enumerate(sorted(set(text)))}
    train_data = gg.tensor([stoi[word] for word in text])
    val_data = gg.tensor([stoi[word] for word in tell(120, seed=1)])

    model = LanguageModel(config, len(stoi))
    optimizer = model.configure_optimizers(config)
    for it in range(config["max_iters"]):
        lr = max(config["min_lr"], config["learning_rate"] * min(1.0, (it + 1) / 10) * (1 - it / config["max_iters"]))
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad(set_to_none=True)
        for _ in range(config["gradient_accumulation_steps"]):
            x, y = get_batch(train_data, config)
            loss = loss_of(model(x), y) / config["gradient_accumulation_steps"]
            loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config["grad_clip"])
        optimizer.step()
        if it % 30 == 0:
            print(f"iter {it}: train {loss.item() * config['gradient_accumulation_steps']:.3f}")
    print("held out:", estimate_loss(model, val_data, config))


if __name__ == "__main__":
    main()
