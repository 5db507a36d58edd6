"""How deep in brackets is every letter? An LSTM that tags padded sequences, groups of parameters, clipped values."""

from dataclasses import dataclass

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F


@dataclass
class Config:
    embed: int = 12
    hidden: int = 32
    dropout: float = 0.1
    lr: float = 1.5e-2
    epochs: int = 9
    batch: int = 32


VOCAB = {"<pad>": 0, "(": 1, ")": 2, "a": 3, "b": 4}
IGNORE = -100


def make_sequences(count, longest=14, deepest=3):
    tokens = gg.zeros(count, longest).long()
    tags = gg.full((count, longest), IGNORE)
    lengths = gg.randint(8, longest + 1, (count,)).tolist()
    coins = gg.rand(count, longest).tolist()
    for row in range(count):
        depth = 0
        for place in range(lengths[row]):
            coin = coins[row][place]
            if coin < 0.35 and depth < deepest:
                letter, depth = "(", depth + 1
            elif coin < 0.6 and depth > 0:
                letter, depth = ")", depth - 1
            else:
                letter = "a" if coin < 0.8 else "b"
            tokens[row, place] = VOCAB[letter]
            tags[row, place] = depth
    return tokens, tags


class Tagger(nn.Module):
    def __init__(self, config, tags=4):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCAB), config.embed)
        self.dropout = nn.Dropout(config.dropout)
        self.rnn = nn.LSTM(config.embed, config.hidden, batch_first=True)
        self.classifier = nn.Linear(config.hidden, tags)

    def forward(self, tokens):
        states, _ = self.rnn(self.dropout(self.embedding(tokens)))
        return self.classifier(states)


def tag_loss(scores, tags):
    return F.cross_entropy(scores.reshape(-1, scores.shape[-1]), tags.reshape(-1), ignore_index=IGNORE)


def train(model, tokens, tags, config):
    groups = [
        {"params": model.embedding.parameters(), "lr": 2 * config.lr},
        {"params": [*model.rnn.parameters(), *model.classifier.parameters()]},
    ]
    optimizer = optim.RAdam(groups, lr=config.lr)
    for _ in range(config.epochs):
        model.train()
        order = gg.randperm(len(tokens))
        for rows in order.split(config.batch):
            optimizer.zero_grad()
            scores = model(tokens[rows])
            loss = tag_loss(scores, tags[rows])
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 0.5)
            optimizer.step()
    return model


def test(model, tokens, tags):
    model.eval()
    with gg.no_grad():
        return tag_loss(model(tokens), tags).item()


gg.manual_seed(0)
config = Config()
tokens, tags = make_sequences(480)
test_tokens, test_tags = make_sequences(160)
tagger = train(Tagger(config), tokens, tags, config)
print("held out:", test(tagger, test_tokens, test_tags))
