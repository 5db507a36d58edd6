"""Friedman's function of five dials, by a net without modules: its parameters in a list, its layers written out."""

from sklearn.datasets import make_friedman1

import glassgrad as gg
from glassgrad.nn import functional as F

gg.manual_seed(0)


def weight(fan_in, fan_out):
    bound = (6 / (fan_in + fan_out)) ** 0.5
    return (gg.rand(fan_in, fan_out) * 2 * bound - bound).requires_grad_()


def bias(size):
    return gg.zeros(size, requires_grad=True)


rows, targets = make_friedman1(n_samples=1000, n_features=5, noise=0.3, random_state=0)
X = gg.tensor(rows, dtype=gg.float32)
T = gg.tensor(targets, dtype=gg.float32).reshape(-1, 1)
X = (X - X[:800].mean(0)) / X[:800].std(0)
T = (T - T[:800].mean()) / T[:800].std()
X_train, X_test, T_train, T_test = X[:800], X[800:], T[:800], T[800:]

W1, b1 = weight(5, 40), bias(40)
W2, b2 = weight(40, 40), bias(40)
W3, b3 = weight(40, 1), bias(1)
params = [W1, b1, W2, b2, W3, b3]


def predict(x):
    h = F.silu(x @ W1 + b1)
    h = F.silu(h @ W2 + b2)
    return h @ W3 + b3


optimizer = gg.optim.RMSprop(params, lr=3e-3, alpha=0.95)
scheduler = gg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15)

for epoch in range(15):
    shuffled = gg.randperm(len(X_train))
    for rows in shuffled.split(50):
        loss = F.mse_loss(predict(X_train[rows]), T_train[rows])
        for p in params:
            p.grad = None
        loss.backward()
        optimizer.step()
    scheduler.step()

with gg.no_grad():
    print("held out:", F.mse_loss(predict(X_test), T_test).item())
