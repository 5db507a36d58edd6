"""The sum of the two numbers that are marked in a sequence, by a cell that is called step by step."""

import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)


class Adder(nn.Module):
    def __init__(self, inputs=2, hidden=24):
        super().__init__()
        self.hidden = hidden
        self.cell = nn.GRUCell(inputs, hidden)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, sequence):
        h = gg.zeros(len(sequence), self.hidden)
        for t in range(sequence.shape[1]):
            h = self.cell(sequence[:, t], h)
        return self.readout(h)[:, 0]


def make_batch(size, length=8):
    numbers = gg.randn(size, length)
    marks = gg.zeros(size, length)
    first = gg.randint(0, length // 2, (size,))
    second = gg.randint(length // 2, length, (size,))
    marks[gg.arange(size), first] = 1.0
    marks[gg.arange(size), second] = 1.0
    total = (numbers * marks).sum(1)
    return gg.stack([numbers, 2 * marks - 0.5], dim=2), total


def train(model, optimizer, steps, batch_size):
    loss_fn = nn.SmoothL1Loss()
    history = []
    model.train()
    for _ in range(steps):
        x, y = make_batch(batch_size)
        optimizer.zero_grad()
        output = model(x)
        loss = loss_fn(output, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        history.append(loss.item())
    return history


def main():
    model = Adder()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    history = train(model, optimizer, steps=220, batch_size=48)
    print("last losses:", [round(loss, 3) for loss in history[-5:]])
    model.eval()
    x, y = make_batch(400)
    with gg.no_grad():
        print("held out:", nn.functional.mse_loss(model(x), y).item())


main()
