"""Who likes what: embeddings of users and items beside dense features, accumulated gradients, Adagrad."""

import glassgrad as gg
from glassgrad import nn
from glassgrad.nn import functional as F
from glassgrad.optim import Adagrad

gg.manual_seed(0)

N_USERS, N_ITEMS = 40, 75
ACCUMULATE = 2

# every pair of a user and an item, in random order, with two numbers that describe the visit
taste, appeal = gg.randn(N_USERS, 2), gg.randn(N_ITEMS, 2)
pairs = gg.randperm(N_USERS * N_ITEMS)
users, items = pairs // N_ITEMS, pairs % N_ITEMS
visit = gg.randn(len(pairs), 2)
likes = ((taste[users] * appeal[items]).sum(1) + 0.8 * visit[:, 0] - 0.8 * visit[:, 1] > 0).float()
n_train = 2400


class Tower(nn.Module):
    def __init__(self, count, dim):
        super().__init__()
        self.table = nn.Embedding(count, dim)
        self.bias = nn.Embedding(count, 1)

    def forward(self, ids):
        return self.table(ids), self.bias(ids)


class Recommender(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.user = Tower(N_USERS, dim)
        self.item = Tower(N_ITEMS, dim)
        self.dense = nn.Linear(2, dim)
        self.mlp = nn.Sequential(nn.Linear(3 * dim, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1))
        nn.init.normal_(self.user.table.weight, std=0.5)
        nn.init.normal_(self.item.table.weight, std=0.5)

    def forward(self, user, item, visit):
        u, bu = self.user(user)
        i, bi = self.item(item)
        d = gg.tanh(self.dense(visit))
        score = self.mlp(gg.cat([u, i, d], dim=1)) + (u * i).sum(1, keepdim=True)
        return (score + bu + bi).squeeze(1)


model = Recommender()
optimizer = Adagrad(model.parameters(), lr=0.08, weight_decay=1e-3)

model.train()
for epoch in range(10):
    order = gg.randperm(n_train)
    for i, start in enumerate(range(0, n_train, 40)):
        rows = order[start : start + 40]
        scores = model(users[rows], items[rows], visit[rows])
        loss = F.binary_cross_entropy_with_logits(scores, likes[rows])
        (loss / ACCUMULATE).backward()
        if (i + 1) % ACCUMULATE == 0:
            optimizer.step()
            optimizer.zero_grad()

model.eval()
with gg.no_grad():
    scores = model(users[n_train:], items[n_train:], visit[n_train:])
    print("held out:", F.binary_cross_entropy_with_logits(scores, likes[n_train:]).item())
