"""Which circle a person belongs to, by friendships and a few hints: two graph convolutions over one whole graph."""

import glassgrad as gg
import glassgrad.nn.functional as F
from glassgrad import nn

gg.manual_seed(0)


def society(people=180, circles=3):
    circle = gg.arange(people) % circles
    together = circle.unsqueeze(0) == circle.unsqueeze(1)
    chance = gg.where(together, 0.12 * gg.ones(people, people), 0.02 * gg.ones(people, people))
    upper = (gg.rand(people, people) < chance).float().triu(1)
    adjacency = upper + upper.T + gg.eye(people)
    degree = adjacency.sum(1).rsqrt()
    adjacency = degree.unsqueeze(1) * adjacency * degree.unsqueeze(0)
    hints = F.one_hot(circle, circles).float() @ gg.randn(circles, 10) + gg.randn(people, 10)
    return hints, adjacency, circle


class GraphConv(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(gg.empty(n_in, n_out))
        self.bias = nn.Parameter(gg.zeros(n_out))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, adj):
        return adj @ (x @ self.weight) + self.bias


class GCN(nn.Module):
    def __init__(self, n_feat, n_hidden, n_class, dropout):
        super().__init__()
        self.gc1 = GraphConv(n_feat, n_hidden)
        self.gc2 = GraphConv(n_hidden, n_class)
        self.dropout = dropout

    def forward(self, x, adj):
        h = F.relu(self.gc1(x, adj))
        h = F.dropout(h, self.dropout, training=self.training)
        return self.gc2(h, adj)


features, adj, labels = society()
order = gg.randperm(180)
idx_train, idx_val, idx_test = order[:90], order[90:120], order[120:]

model = GCN(10, 16, 3, dropout=0.3)
optimizer = gg.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)

for epoch in range(60):
    model.train()
    optimizer.zero_grad()
    output = model(features, adj)
    loss_train = F.cross_entropy(output[idx_train], labels[idx_train])
    loss_train.backward()
    optimizer.step()

    model.eval()
    with gg.no_grad():
        output = model(features, adj)
        acc_val = (output[idx_val].argmax(1) == labels[idx_val]).float().mean()
    if epoch % 10 == 0:
        print(f"epoch {epoch:03d} loss {loss_train.item():.4f} acc {acc_val.item():.3f}")

with gg.no_grad():
    output = model(features, adj)
    print("held out:", F.cross_entropy(output[idx_test], labels[idx_test]).item())
