"""A tag for every word, which depends on the words around it: a bidirectional LSTM over padded sentences."""

import random

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader

PAD, IGNORED = 0, -100
NOUNS, VERBS, EITHER, ARTICLES, PRONOUNS, ADVERBS = (
    range(1, 5),
    range(5, 9),
    range(9, 15),
    range(15, 18),
    range(18, 21),
    range(21, 24),
)
NOUN, VERB, OTHER = 0, 1, 2


def phrase(rng):
    if rng.random() < 0.5:
        words, tags = [rng.choice(ARTICLES)], [OTHER]
        last = NOUN
    else:
        words, tags = [rng.choice(PRONOUNS)], [OTHER]
        last = VERB
    if rng.random() < 0.5:
        words.append(rng.choice(ADVERBS))
        tags.append(OTHER)
    known = NOUNS if last == NOUN else VERBS
    words.append(rng.choice(EITHER if rng.random() < 0.7 else known))
    return words, [*tags, last]


def sentences(count, rng):
    made = []
    for _ in range(count):
        words, tags = [], []
        for _ in range(rng.randint(2, 4)):
            more_words, more_tags = phrase(rng)
            words += more_words
            tags += more_tags
        made.append((words, tags))
    return made


def collate(batch):
    longest = max(len(words) for words, _ in batch)
    words = gg.tensor([words + [PAD] * (longest - len(words)) for words, _ in batch])
    tags = gg.tensor([tags + [IGNORED] * (longest - len(tags)) for _, tags in batch])
    return words, tags


class Tagger(nn.Module):
    def __init__(self, vocabulary=24, width=16, hidden=16, tags=3):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=PAD)
        self.dropout = nn.Dropout(0.1)
        self.lstm = nn.LSTM(width, hidden, bidirectional=True, batch_first=True)
        self.hidden2tag = nn.Linear(2 * hidden, tags)

    def forward(self, words):
        embedded = self.dropout(self.embedding(words))
        states, _ = self.lstm(embedded)
        return self.hidden2tag(states)


def tag_loss(scores, tags):
    return nn.functional.cross_entropy(scores.flatten(0, 1), tags.flatten(), ignore_index=IGNORED)


def run():
    gg.manual_seed(0)
    rng = random.Random(0)
    train_loader = DataLoader(sentences(320, rng), batch_size=16, shuffle=True, collate_fn=collate)
    words_test, tags_test = collate(sentences(100, rng))
    tagger = Tagger()
    optimizer = optim.Adagrad(tagger.parameters(), lr=0.05)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)

    for epoch in range(6):
        tagger.train()
        for words, tags in train_loader:
            tagger.zero_grad()
            scores = tagger(words)
            loss = tag_loss(scores, tags)
            loss.backward()
            optimizer.step()
        tagger.eval()
        with gg.no_grad():
            held_out = tag_loss(tagger(words_test), tags_test).item()
        plateau.step(held_out)
        print("epoch", epoch, "held-out loss", round(held_out, 4))
    print("held out:", held_out)


run()
