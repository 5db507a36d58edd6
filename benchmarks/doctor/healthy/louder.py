"""Which half of a noisy sequence is the louder one? An LSTM that is read at its end."""

import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)


def sequences(count, length=12):
    x = gg.randn(count, length, 2)
    first = (x[:, : length // 2] ** 2).sum((1, 2))
    last = (x[:, length // 2 :] ** 2).sum((1, 2))
    return x, (last > first).long()


class Listener(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.embed = nn.Linear(2, 16)
        self.lstm = nn.LSTM(16, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 2)

    def forward(self, x):
        h = gg.relu(self.embed(x))
        states, _ = self.lstm(h)
        return self.head(states[:, -1])


x, labels = sequences(640)
x_test, labels_test = sequences(256)

model = Listener()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.01)

for epoch in range(6):
    order = gg.randperm(len(x))
    for begin in range(0, len(x), 64):
        rows = order[begin : begin + 64]
        optimizer.zero_grad()
        logits = model(x[rows])
        loss = criterion(logits, labels[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

model.eval()
with gg.no_grad():
    logits = model(x_test)
    print("held out:", criterion(logits, labels_test).item())
