"""Friedman's function by a net without modules: weights in a list, a compiled step."""

import itertools

from sklearn.datasets import make_friedman1

import glassgrad as gg
from glassgrad import optim
from glassgrad.nn import functional as F

gg.manual_seed(0)

x, y = (gg.tensor(each).float() for each in make_friedman1(n_samples=768, n_features=5, noise=0.5, random_state=0))
x = (x - 0.5) * 12**0.5
y = (y - y.mean()) / y.std()
x_train, y_train, x_test, y_test = x[:512], y[:512], x[512:], y[512:]


def init_params(sizes):
    params = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        weight = gg.randn(fan_in, fan_out) * (2 / fan_in) ** 0.5
        params.append(weight.requires_grad_())
        params.append(gg.zeros(fan_out, requires_grad=True))
    return params


def predict(params, x):
    h = x
    for i in range(0, len(params) - 2, 2):
        h = F.leaky_relu(h @ params[i] + params[i + 1], 0.1)
    return (h @ params[-2] + params[-1])[:, 0]


params = init_params([5, 32, 32, 1])
optimizer = optim.Adam(params, lr=0.01)


@gg.compile
def update(xb, yb):
    optimizer.zero_grad()
    loss = F.mse_loss(predict(params, xb), yb)
    loss.backward()
    optimizer.step()
    return loss


for epoch in range(25):
    order = gg.randperm(512)
    running = 0.0
    for begin in range(0, 512, 64):
        rows = order[begin : begin + 64]
        running += update(x_train[rows], y_train[rows]).item() / 8
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: {running:.4f}")

with gg.no_grad():
    print("held out:", F.mse_loss(predict(params, x_test), y_test).item())
