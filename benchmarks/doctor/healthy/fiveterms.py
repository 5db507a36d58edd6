"""Friedman's function of five numbers, by a net that is a list of weights and a compiled step with RMSprop."""

from itertools import pairwise

from sklearn.datasets import make_friedman1

import glassgrad as gg
from glassgrad import optim

gg.manual_seed(0)

features, values = make_friedman1(n_samples=1000, n_features=5, noise=0.3, random_state=3)
features = gg.tensor(features).float() * 2 - 1
values = gg.tensor(values).float()
values = (values - values[:800].mean()) / values[:800].std()
x_train, y_train = features[:800], values[:800]
x_val, y_val = features[800:], values[800:]


def layer(n_in, n_out):
    w = gg.randn(n_in, n_out) * (2 / n_in) ** 0.5
    b = gg.zeros(n_out)
    return [w.requires_grad_(), b.requires_grad_()]


sizes = [5, 40, 40, 1]
params = []
for n_in, n_out in pairwise(sizes):
    params += layer(n_in, n_out)
optimizer = optim.RMSprop(params, lr=2e-3, alpha=0.95)


def net(x):
    w1, b1, w2, b2, w3, b3 = params
    h1 = gg.relu(x @ w1 + b1)
    h2 = gg.relu(h1 @ w2 + b2)
    return (h2 @ w3 + b3)[:, 0]


@gg.compile
def update(xb, yb):
    optimizer.zero_grad()
    error = net(xb) - yb
    loss = (error**2).mean()
    loss.backward()
    optimizer.step()
    return loss


for epoch in range(24):
    rows = gg.randperm(800)
    for k in range(0, 800, 80):
        batch = rows[k : k + 80]
        loss = update(x_train[batch], y_train[batch])
    if epoch % 6 == 0:
        print(epoch, loss.item())

with gg.no_grad():
    print("held out:", ((net(x_val) - y_val) ** 2).mean().item())
