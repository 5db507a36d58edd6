"""The next value of a sum of two waves: an LSTM that keeps its state from window to window."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)

time = gg.arange(1281).float()
phases = gg.rand(8, 1) * 6.28
series = gg.sin(0.3 * time + phases) + 0.5 * gg.sin(0.11 * time + 2 * phases)
series = (series + 0.02 * gg.randn(8, 1281)).unsqueeze(2)


class Tides(nn.Module):
    def __init__(self, hidden=20):
        super().__init__()
        self.rnn = nn.LSTM(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x, state=None):
        h, state = self.rnn(x, state)
        return self.out(h), state


net = Tides()
optimizer = optim.Adam(net.parameters(), lr=0.01)

state = None
for window in range(64):
    begin = window * 16
    x, y = series[:, begin : begin + 16], series[:, begin + 1 : begin + 17]
    said, state = net(x, state)
    loss = F.mse_loss(said, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    state = tuple(part.detach() for part in state)

with gg.no_grad():
    said, _ = net(series[:, 1024:1280], None)
    print("held out:", F.mse_loss(said[:, 16:], series[:, 1041:1281]).item())
