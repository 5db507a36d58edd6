"""What does a request ask for? Encoder layers over padded words behind a token for the class, warmed up, two rates."""

import random

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

PAD = 0
PLACES = ["kitchen", "hall", "garden", "attic"]
FILLERS = ["please", "now", "the", "in", "could", "you", "again", "a"]
ASKS = {
    "light": [["turn", "on", "lamp"], ["make", "it", "bright"], ["switch", "lamp", "on"]],
    "dark": [["turn", "off", "lamp"], ["make", "it", "dim"], ["switch", "lamp", "off"]],
    "music": [["play", "song"], ["turn", "on", "radio"], ["make", "it", "loud"]],
    "quiet": [["stop", "song"], ["turn", "off", "radio"], ["make", "it", "still"]],
}
VOCAB = ["<pad>", *PLACES, *FILLERS, *sorted({w for asks in ASKS.values() for ask in asks for w in ask})]
WORD = {word: code for code, word in enumerate(VOCAB)}


def make_corpus(count, rng):
    sentences, labels = [], []
    for number in range(count):
        label = number % len(ASKS)
        words = list(rng.choice(ASKS[list(ASKS)[label]]))
        for _ in range(rng.randint(0, 3)):
            words.insert(rng.randint(0, len(words)), rng.choice(FILLERS + PLACES))
        sentences.append([WORD[word] for word in words])
        labels.append(label)
    longest = 6
    padded = [sentence + [PAD] * (longest - len(sentence)) for sentence in sentences]
    return gg.tensor(padded), gg.tensor(labels)


class IntentModel(nn.Module):
    def __init__(self, vocab_size, n_intents, d_model=24, nhead=2, layers=2, max_len=6):
        super().__init__()
        self.word_emb = nn.Embedding(vocab_size, d_model, padding_idx=PAD)
        self.pos_emb = nn.Embedding(max_len, d_model)
        self.cls = nn.Parameter(0.1 * gg.randn(1, 1, d_model))
        layer = nn.TransformerEncoderLayer(
            d_model, nhead, dim_feedforward=48, dropout=0.1, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(d_model)
        self.classifier = nn.Linear(d_model, n_intents)

    def forward(self, tokens):
        positions = gg.arange(tokens.shape[1])
        h = self.word_emb(tokens) + self.pos_emb(positions)
        h = gg.cat([self.cls.expand(len(tokens), 1, -1), h], dim=1)
        padding = F.pad(tokens == PAD, (1, 0), value=False)
        h = self.encoder(h, src_key_padding_mask=padding)
        return self.classifier(self.norm(h[:, 0]))


def make_optimizer(model, lr):
    groups = [
        {"params": model.classifier.parameters(), "lr": 2 * lr},
        {"params": [p for name, p in model.named_parameters() if not name.startswith("classifier")]},
    ]
    return optim.AdamW(groups, lr=lr, weight_decay=0.01)


def run(steps=90, batch_size=32, lr=3e-3):
    gg.manual_seed(0)
    rng = random.Random(11)
    tokens, intents = make_corpus(480, rng)
    test_tokens, test_intents = make_corpus(160, rng)
    model = IntentModel(len(VOCAB), len(ASKS))
    optimizer = make_optimizer(model, lr)
    scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 10))
    model.train()
    for step in range(steps):
        batch = gg.randint(0, len(tokens), (batch_size,))
        logits = model(tokens[batch])
        loss = F.cross_entropy(logits, intents[batch], label_smoothing=0.02)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
        if step % 30 == 0:
            print(f"step {step} loss {loss.item():.3f}")
    model.eval()
    with gg.no_grad():
        print("held out:", F.cross_entropy(model(test_tokens), test_intents).item())


if __name__ == "__main__":
    run()
