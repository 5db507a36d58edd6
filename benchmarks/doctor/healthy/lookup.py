"""Which item does the query ask for? Attention from a query over keys, two rates, a checkpoint of the best weights."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F
from glassgrad.utils.data import DataLoader, TensorDataset

gg.manual_seed(0)


def generate(n, items=5, dim=4):
    keys = gg.randn(n, items, dim)
    values = gg.randint(0, 2, (n, items)).float()
    which = gg.randint(0, items, (n,))
    query = keys[gg.arange(n), which] + 0.1 * gg.randn(n, dim)
    return keys, values, query, values[gg.arange(n), which]


class Lookup(nn.Module):
    def __init__(self, dim=4, width=16):
        super().__init__()
        self.width = width
        self.to_query = nn.Linear(dim, width)
        self.to_key = nn.Linear(dim, width)
        self.to_value = nn.Linear(1, width)
        self.decoder = nn.Sequential(nn.Linear(width, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, keys, values, query):
        q = self.to_query(query).unsqueeze(1)
        k = self.to_key(keys)
        v = self.to_value(values.unsqueeze(2) * 2 - 1)
        scores = (q @ k.transpose(1, 2)) / self.width**0.5
        context = F.softmax(scores, dim=-1) @ v
        return self.decoder(context.squeeze(1))[:, 0]


class Experiment:
    def __init__(self):
        self.train_loader = DataLoader(TensorDataset(*generate(960)), batch_size=32, shuffle=True)
        self.valid = generate(240)
        self.model = Lookup()
        attention = [*self.model.to_query.parameters(), *self.model.to_key.parameters()]
        rest = [*self.model.to_value.parameters(), *self.model.decoder.parameters()]
        self.optimizer = optim.RMSprop([{"params": attention, "lr": 0.01}, {"params": rest}], lr=0.005)
        self.best, self.checkpoint = float("inf"), None

    def validate(self):
        keys, values, query, label = self.valid
        self.model.eval()
        with gg.no_grad():
            return F.binary_cross_entropy_with_logits(self.model(keys, values, query), label).item()

    def run(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            for keys, values, query, label in self.train_loader:
                logits = self.model(keys, values, query)
                loss = F.binary_cross_entropy_with_logits(logits, label)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
            valid = self.validate()
            if valid < self.best:
                self.best = valid
                self.checkpoint = {name: each.clone() for name, each in self.model.state_dict().items()}
            print(f"epoch {epoch}: {valid:.4f}")
        self.model.load_state_dict(self.checkpoint)
        return self.validate()


print("held out:", Experiment().run(epochs=10))
