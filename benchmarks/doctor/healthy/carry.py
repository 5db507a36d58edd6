"""Two binary numbers added bit by bit: an LSTM over sequences whose first axis is time."""

import glassgrad as gg
from glassgrad import nn

gg.manual_seed(0)

BITS = 8


def get_batch(batch_size):
    a = gg.randint(0, 2**BITS, (batch_size,))
    b = gg.randint(0, 2**BITS, (batch_size,))
    place = 2 ** gg.arange(BITS).unsqueeze(1)

    def bits(number):
        return ((number.unsqueeze(0) // place) % 2).float()

    x = gg.stack([bits(a), bits(b)], dim=-1)
    y = bits(a + b).unsqueeze(-1)
    return x, y


class Adder(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.lstm = nn.LSTM(input_size=2, hidden_size=hidden)
        self.drop = nn.Dropout(0.05)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.readout(self.drop(states))


model = Adder()
bce = nn.BCEWithLogitsLoss()
optimizer = gg.optim.NAdam(model.parameters(), lr=0.02)

running = 0.0
for iteration in range(1, 161):
    model.train()
    inputs, targets = get_batch(32)
    outputs = model(inputs)
    loss = bce(outputs, targets)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    running += loss.item()
    if iteration % 40 == 0:
        print(f"iteration {iteration}: {running / 40:.4f}")
        running = 0.0

model.eval()
with gg.no_grad():
    inputs, targets = get_batch(256)
    print("held out:", bce(model(inputs), targets).item())
