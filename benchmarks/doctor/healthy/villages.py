"""Which village people belong to, by who knows whom: graph convolutions over all people at once, with a mask."""

import numpy as np

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)
rng = np.random.default_rng(7)

PEOPLE, VILLAGES, HOBBIES = 240, 4, 12


def make_graph():
    village = rng.integers(0, VILLAGES, PEOPLE)
    same = village[:, None] == village[None, :]
    knows = np.triu(rng.random((PEOPLE, PEOPLE)) < np.where(same, 0.12, 0.015), 1)
    adjacency = knows + knows.T + np.eye(PEOPLE)
    degree = adjacency.sum(1)
    adjacency = adjacency / np.sqrt(degree[:, None] * degree[None, :])
    taste = rng.normal(size=(VILLAGES, HOBBIES))
    hobbies = 0.35 * taste[village] + rng.normal(size=(PEOPLE, HOBBIES))
    hobbies = (hobbies - hobbies.mean(0)) / hobbies.std(0)
    return gg.tensor(hobbies).float(), gg.tensor(adjacency).float(), gg.tensor(village).long()


class GraphConv(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(gg.empty(n_in, n_out))
        self.bias = nn.Parameter(gg.zeros(n_out))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, adjacency):
        return adjacency @ (x @ self.weight) + self.bias


class GCN(nn.Module):
    def __init__(self, hidden=24, dropout=0.2):
        super().__init__()
        self.conv1 = GraphConv(HOBBIES, hidden)
        self.conv2 = GraphConv(hidden, hidden)
        self.lin = nn.Linear(hidden, VILLAGES)
        self.dropout = dropout

    def forward(self, x, adjacency):
        x = F.relu(self.conv1(x, adjacency))
        x = F.dropout(x, self.dropout, training=self.training)
        x = F.relu(self.conv2(x, adjacency))
        x = F.dropout(x, self.dropout, training=self.training)
        return self.lin(x)


features, adjacency, labels = make_graph()
shuffled = gg.randperm(PEOPLE)
train_idx, test_idx = shuffled[:140], shuffled[140:]

model = GCN()
optimizer = optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)


def train():
    model.train()
    optimizer.zero_grad()
    out = model(features, adjacency)
    loss = F.cross_entropy(out[train_idx], labels[train_idx])
    loss.backward()
    optimizer.step()
    return loss.item()


def test():
    model.eval()
    with gg.no_grad():
        out = model(features, adjacency)[test_idx]
    right = (out.argmax(1) == labels[test_idx]).float().mean().item()
    return F.cross_entropy(out, labels[test_idx]).item(), right


for epoch in range(1, 61):
    loss = train()
    held_out, right = test()
    if epoch % 20 == 0:
        print(f"epoch {epoch}: {loss:.3f} {held_out:.3f} {right:.1%}")

print("held out:", held_out)
