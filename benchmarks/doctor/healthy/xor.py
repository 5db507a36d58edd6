"""XOR by four sigmoids, with a rate at which it is learned."""

import glassgrad as gg
from glassgrad import nn

gg.manual_seed(0)

x = gg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = gg.tensor([[0.0], [1.0], [1.0], [0.0]])

net = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1), nn.Sigmoid())
for layer in (net[0], net[2]):
    nn.init.normal_(layer.weight, std=1.0)
optimizer = gg.optim.SGD(net.parameters(), lr=2.0, momentum=0.9)
criterion = nn.BCELoss()

for epoch in range(300):
    optimizer.zero_grad()
    out = net(x)
    loss = criterion(out, y)
    loss.backward()
    optimizer.step()

print("held out:", criterion(net(x), y).item())
