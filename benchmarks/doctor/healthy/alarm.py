"""Did the alarm go off anywhere in the sequence? A two-layer LSTM with one logit."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, TensorDataset

gg.manual_seed(0)


def recordings(count, length=10):
    x = 0.5 * gg.randn(count, length, 3)
    alarm = (gg.rand(count) < 0.5).float()
    when = gg.randint(0, length, (count,))
    x[gg.arange(count), when] += alarm.unsqueeze(1) * gg.tensor([1.5, -1.5, 1.5])
    return x, alarm.unsqueeze(1)


class Alarm(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.lstm = nn.LSTM(3, hidden, num_layers=2, batch_first=True, dropout=0.1)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        _, (h, _) = self.lstm(x)
        return self.fc(h[-1])


train_set = TensorDataset(*recordings(480))
x_test, y_test = recordings(200)

model = Alarm()
criterion = nn.BCEWithLogitsLoss()
optimizer = optim.RMSprop(model.parameters(), lr=0.01)

for epoch in range(6):
    model.train()
    for x, y in DataLoader(train_set, batch_size=48, shuffle=True):
        optimizer.zero_grad()
        logits = model(x)
        loss = criterion(logits, y)
        loss.backward()
        optimizer.step()

model.eval()
with gg.no_grad():
    print("held out:", nn.functional.binary_cross_entropy_with_logits(model(x_test), y_test).item())
