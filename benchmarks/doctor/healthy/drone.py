"""A controller that brings a drone to its place and holds it there: gradients through the simulated flight."""

import glassgrad as gg
from glassgrad import optim

gg.manual_seed(0)

DT, HORIZON = 0.2, 20


def init_layer(n_in, n_out, gain=1.0):
    scale = gain * (2.0 / (n_in + n_out)) ** 0.5
    weight = (scale * gg.randn(n_in, n_out)).requires_grad_()
    bias = gg.zeros(n_out).requires_grad_()
    return [weight, bias]


params = [*init_layer(4, 24), *init_layer(24, 24), *init_layer(24, 2, gain=0.1)]


def policy(state):
    w1, b1, w2, b2, w3, b3 = params
    h = gg.tanh(state @ w1 + b1)
    h = gg.tanh(h @ w2 + b2)
    return 3.0 * gg.tanh(h @ w3 + b3)


def fly(position, velocity):
    cost = 0.0
    for t in range(HORIZON):
        thrust = policy(gg.cat([position, velocity], dim=1))
        wind = 0.3 * gg.sin(position.flip(1))
        velocity = velocity + DT * (thrust + wind - 0.1 * velocity)
        position = position + DT * velocity
        cost = cost + (position**2).mean() + 0.05 * (thrust**2).mean()
    return cost / HORIZON, position


def starts(count):
    return 2.0 * gg.rand(count, 2) - 1.0, gg.randn(count, 2) * 0.5


optimizer = optim.Adam(params, lr=0.01)


def train_step(position, velocity):
    optimizer.zero_grad()
    cost, _ = fly(position, velocity)
    cost.backward()
    optimizer.step()
    return cost


test_position, test_velocity = starts(200)
for iteration in range(100):
    cost = train_step(*starts(32))
    if iteration % 20 == 0:
        print(iteration, cost.item())

with gg.no_grad():
    _, end = fly(test_position, test_velocity)
    print("held out:", (end**2).sum(1).mean().item())
