"""Ratings of films by their viewers: two embeddings and a small tower, Adagrad."""

import glassgrad as gg
import glassgrad.nn.functional as F
from glassgrad import nn
from glassgrad.utils.data import DataLoader, TensorDataset, random_split

gg.manual_seed(0)

VIEWERS, FILMS, TASTES = 40, 30, 2


def collect_ratings(count):
    taste, genre = gg.randn(VIEWERS, TASTES), gg.randn(FILMS, TASTES)
    pairs = gg.randperm(VIEWERS * FILMS)[:count]
    viewer, film = pairs // FILMS, pairs % FILMS
    rating = (taste[viewer] * genre[film]).sum(1) / TASTES**0.5
    return viewer, film, rating + 0.1 * gg.randn(count)


class Recommender(nn.Module):
    def __init__(self, size=8, hidden=32):
        super().__init__()
        self.viewers = nn.Embedding(VIEWERS, size)
        self.films = nn.Embedding(FILMS, size)
        nn.init.normal_(self.viewers.weight, std=0.5)
        nn.init.normal_(self.films.weight, std=0.5)
        self.tower = nn.Sequential(nn.Linear(3 * size, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.score = nn.Linear(hidden, 1)

    def forward(self, viewer, film):
        v, f = self.viewers(viewer), self.films(film)
        h = self.tower(gg.cat([v, f, v * f], dim=1))
        return self.score(h).squeeze(-1)


def run_epoch(model, loader, optimizer=None):
    model.train(optimizer is not None)
    total = 0.0
    for viewer, film, rating in loader:
        with gg.set_grad_enabled(optimizer is not None):
            predicted = model(viewer, film)
            loss = F.mse_loss(predicted, rating)
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        total += loss.item() * len(rating)
    return total / len(loader.dataset)


dataset = TensorDataset(*collect_ratings(1160))
train_set, valid_set = random_split(dataset, [960, 200])
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
valid_loader = DataLoader(valid_set, batch_size=100)

model = Recommender()
optimizer = gg.optim.Adagrad(model.parameters(), lr=0.05)

for epoch in range(1, 13):
    train_loss = run_epoch(model, train_loader, optimizer)
    valid_loss = run_epoch(model, valid_loader)
    print(f"[{epoch:2d}] train {train_loss:.3f} valid {valid_loss:.3f}")

print("held out:", valid_loss)
