"""Who likes what: embeddings of people and films under a small net, trained by a class with groups of parameters."""

import glassgrad as gg
from glassgrad import nn
from glassgrad.utils.data import DataLoader, TensorDataset, random_split

gg.manual_seed(0)

PEOPLE, FILMS = 60, 40


def ratings():
    tastes, styles = gg.randn(PEOPLE, 2), gg.randn(FILMS, 2)
    stars = tastes @ styles.t() + 0.6 * gg.randn(PEOPLE, 1) + 0.6 * gg.randn(1, FILMS)
    people, films = gg.meshgrid(gg.arange(PEOPLE), gg.arange(FILMS), indexing="ij")
    stars = (stars - stars.mean()) / stars.std() + 0.1 * gg.randn(PEOPLE, FILMS)
    return TensorDataset(people.flatten(), films.flatten(), stars.flatten())


class Recommender(nn.Module):
    def __init__(self, size=8, hidden=32):
        super().__init__()
        self.person = nn.Embedding(PEOPLE, size)
        self.film = nn.Embedding(FILMS, size)
        for table in (self.person, self.film):
            nn.init.normal_(table.weight, std=0.3)
        self.mlp = nn.Sequential(nn.Linear(3 * size, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU())
        self.score = nn.Linear(hidden, 1)

    def forward(self, people, films):
        p, f = self.person(people), self.film(films)
        together = gg.cat([p, f, p * f], dim=1)
        return self.score(self.mlp(together)).squeeze(-1)


class Trainer:
    def __init__(self, model, train_set, test_set, lr=0.01):
        self.model = model
        self.loader = DataLoader(train_set, batch_size=60, shuffle=True)
        self.test_loader = DataLoader(test_set, batch_size=200)
        tables = [*model.person.parameters(), *model.film.parameters()]
        dense = [*model.mlp.parameters(), *model.score.parameters()]
        self.optimizer = gg.optim.Adam([{"params": tables, "lr": lr}, {"params": dense, "lr": lr / 2}])
        self.criterion = nn.MSELoss()

    def training_step(self, batch):
        people, films, stars = batch
        self.optimizer.zero_grad()
        predicted = self.model(people, films)
        loss = self.criterion(predicted, stars)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def fit(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            losses = [self.training_step(batch) for batch in self.loader]
            print(f"[{epoch + 1}/{epochs}] train {sum(losses) / len(losses):.4f} test {self.evaluate():.4f}")

    @gg.no_grad()
    def evaluate(self):
        self.model.eval()
        errors = [self.criterion(self.model(p, f), s).item() for p, f, s in self.test_loader]
        return sum(errors) / len(errors)


train_set, test_set = random_split(ratings(), [2000, 400])
trainer = Trainer(Recommender(), train_set, test_set)
trainer.fit(epochs=10)
print("held out:", trainer.evaluate())
