"""A tag for every token, by what stands on both sides: a bidirectional LSTM, padded sequences, a rate that falls."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)

PAD, WORDS, LENGTH = 0, 7, 9
config = {"embedding": 12, "hidden": 20, "lr": 0.03, "epochs": 8, "batch": 40}


def sentences(count):
    tokens = gg.randint(1, WORDS, (count, LENGTH))
    length = gg.randint(5, LENGTH + 1, (count, 1))
    tokens = tokens * (gg.arange(LENGTH) < length).long()
    before = F.pad(tokens[:, :-1], (1, 0))
    behind = F.pad(tokens[:, 1:], (0, 1))
    tags = 1 + (before < behind).long() - (before > behind).long()
    tags[tokens == PAD] = -100
    return tokens, tags


class Tagger(nn.Module):
    def __init__(self, embedding, hidden):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, embedding, padding_idx=PAD)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.1)
        self.tag = nn.Linear(2 * hidden, 3)

    def forward(self, tokens):
        states, _ = self.lstm(self.embedding(tokens))
        return self.tag(self.dropout(states))


def loss_of(model, tokens, tags):
    logits = model(tokens)
    return F.cross_entropy(logits.reshape(-1, 3), tags.reshape(-1), ignore_index=-100)


train_tokens, train_tags = sentences(480)
valid_tokens, valid_tags = sentences(160)

tagger = Tagger(config["embedding"], config["hidden"])
optimizer = optim.Adamax(tagger.parameters(), lr=config["lr"])
plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)

for epoch in range(config["epochs"]):
    tagger.train()
    shuffled = gg.randperm(len(train_tokens))
    for chunk in shuffled.split(config["batch"]):
        loss = loss_of(tagger, train_tokens[chunk], train_tags[chunk])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tagger.eval()
    with gg.no_grad():
        valid_loss = loss_of(tagger, valid_tokens, valid_tags).item()
    plateau.step(valid_loss)
    print(f"epoch {epoch}: {valid_loss:.4f}")

print("held out:", valid_loss)
