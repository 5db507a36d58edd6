"""Which island does a name come from? Letters of padded names through a GRU in both directions, a Dataset, NLLLoss."""

import random

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, Dataset

gg.manual_seed(0)
rng = random.Random(3)

LETTERS = "abdefgiklmnoprstu"
SYLLABLES = {
    "north": ["ska", "tor", "mund", "gre", "bil", "fra", "run"],
    "south": ["ala", "mi", "lo", "ana", "pi", "ka", "noa"],
    "east": ["tok", "rin", "su", "ba", "gaki", "mo", "del"],
}
ISLANDS = list(SYLLABLES)


def invent_name(island):
    parts = [rng.choice(SYLLABLES[island if rng.random() < 0.85 else rng.choice(ISLANDS)]) for _ in range(3)]
    return "".join(parts)


class Names(Dataset):
    def __init__(self, count):
        self.items = []
        for number in range(count):
            label = number % len(ISLANDS)
            name = invent_name(ISLANDS[label])
            self.items.append(([1 + LETTERS.index(letter) for letter in name], label))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def collate(batch):
    longest = max(len(codes) for codes, _ in batch)
    padded = gg.tensor([codes + [0] * (longest - len(codes)) for codes, _ in batch])
    return padded, gg.tensor([label for _, label in batch])


class NameClassifier(nn.Module):
    def __init__(self, n_letters, n_classes, emb=12, hidden=16, dropout=0.2):
        super().__init__()
        self.embedding = nn.Embedding(n_letters + 1, emb, padding_idx=0)
        self.gru = nn.GRU(emb, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2 * hidden, n_classes)
        self.log_softmax = nn.LogSoftmax(dim=1)

    def forward(self, names):
        states, _ = self.gru(self.embedding(names))
        there = (names > 0).float().unsqueeze(2)
        pooled = (states * there).sum(1) / there.sum(1)
        return self.log_softmax(self.fc(self.dropout(pooled)))


train_loader = DataLoader(Names(360), batch_size=24, shuffle=True, collate_fn=collate)
test_loader = DataLoader(Names(150), batch_size=50, collate_fn=collate)

classifier = NameClassifier(len(LETTERS), len(ISLANDS))
loss_function = nn.NLLLoss()
optimizer = optim.Adagrad(classifier.parameters(), lr=0.05)


def evaluate():
    classifier.eval()
    total = 0.0
    with gg.no_grad():
        for names, islands in test_loader:
            total += loss_function(classifier(names), islands).item() * len(islands)
    return total / 150


for epoch in range(7):
    classifier.train()
    for names, islands in train_loader:
        classifier.zero_grad()
        loss = loss_function(classifier(names), islands)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: {evaluate():.3f}")

print("held out:", evaluate())
