"""Is a review a friendly one? Words as numbers, padded batches, a GRU in both directions, stopped early."""

import copy
import random
from collections import Counter

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader

GOOD = ["great", "lovely", "brilliant", "charming", "superb"]
BAD = ["dull", "awful", "clumsy", "boring", "poor"]
FILLER = ["the", "film", "was", "plot", "and", "acting", "quite", "really", "with", "a", "cast", "music", "story"]
PAD, UNK = 0, 1


def write_reviews(count, seed):
    rng = random.Random(seed)
    reviews = []
    while len(reviews) < count:
        words, mood = [], 0
        for _ in range(rng.randint(2, 4)):
            words += rng.sample(FILLER, rng.randint(1, 3))
            good, negated = rng.random() < 0.5, rng.random() < 0.3
            if negated:
                words.append("not")
            words.append(rng.choice(GOOD if good else BAD))
            mood += 1 if good != negated else -1
        if mood != 0:
            reviews.append((" ".join(words), int(mood > 0)))
    return reviews


def build_vocab(reviews):
    counts = Counter(word for text, _ in reviews for word in text.split())
    return {word: number for number, (word, _) in enumerate(counts.most_common(), start=2)}


def encode(reviews, vocab):
    return [([vocab.get(word, UNK) for word in text.split()], label) for text, label in reviews]


def collate(batch):
    length = max(len(tokens) for tokens, _ in batch)
    padded = [tokens + [PAD] * (length - len(tokens)) for tokens, _ in batch]
    return gg.tensor(padded), gg.tensor([label for _, label in batch])


class ReviewNet(nn.Module):
    def __init__(self, vocab_size, embed_dim=16, hidden_dim=24, dropout=0.1):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=PAD)
        self.gru = nn.GRU(embed_dim, hidden_dim, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2 * hidden_dim, 2)

    def forward(self, tokens):
        embedded = self.dropout(self.embedding(tokens))
        output, _ = self.gru(embedded)
        mask = (tokens != PAD).float().unsqueeze(2)
        pooled = (output * mask).sum(1) / mask.sum(1)
        return self.fc(self.dropout(pooled))


def run_epoch(model, loader, criterion, optimizer):
    model.train()
    total = 0.0
    for tokens, labels in loader:
        optimizer.zero_grad()
        logits = model(tokens)
        loss = criterion(logits, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        total += loss.item()
    return total / len(loader)


def evaluate(model, loader, criterion):
    model.eval()
    total, rows = 0.0, 0
    with gg.no_grad():
        for tokens, labels in loader:
            total += criterion(model(tokens), labels).item() * len(labels)
            rows += len(labels)
    return total / rows


def main():
    gg.manual_seed(0)
    train_reviews, valid_reviews, test_reviews = (write_reviews(n, seed) for seed, n in enumerate((480, 120, 160)))
    vocab = build_vocab(train_reviews)
    train_loader = DataLoader(encode(train_reviews, vocab), batch_size=32, shuffle=True, collate_fn=collate)
    valid_loader = DataLoader(encode(valid_reviews, vocab), batch_size=60, collate_fn=collate)
    test_loader = DataLoader(encode(test_reviews, vocab), batch_size=80, collate_fn=collate)

    model = ReviewNet(len(vocab) + 2)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=1e-2)

    best_loss, best_state, patience = float("inf"), None, 2
    for epoch in range(6):
        train_loss = run_epoch(model, train_loader, criterion, optimizer)
        valid_loss = evaluate(model, valid_loader, criterion)
        print(f"epoch {epoch}: train {train_loss:.3f}, valid {valid_loss:.3f}")
        if valid_loss < best_loss:
            best_loss, best_state, patience = valid_loss, copy.deepcopy(model.state_dict()), 2
        else:
            patience -= 1
            if patience == 0:
                break
    if best_state is not None:
        model.load_state_dict(best_state)
    print("held out:", evaluate(model, test_loader, criterion))


main()
