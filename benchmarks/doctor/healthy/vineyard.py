"""Three cultivars of wine, told apart by their chemistry; batch norm, dropout, early stopping."""

from sklearn.datasets import load_wine

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F
from glassgrad.utils.data import DataLoader, TensorDataset

gg.manual_seed(0)


class WineNet(nn.Module):
    def __init__(self, inputs=13, hidden=24, classes=3):
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(hidden, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.fc1(x)))
        x = self.drop(F.relu(self.fc2(x)))
        return self.out(x)


def load():
    data, target = load_wine(return_X_y=True)
    x, y = gg.tensor(data).float(), gg.tensor(target).long()
    order = gg.randperm(len(x))
    x, y = x[order], y[order]
    mean, std = x[:120].mean(0), x[:120].std(0)
    x = (x - mean) / std
    return (x[:120], y[:120]), (x[120:], y[120:])


def train_one_epoch(model, loader, criterion, optimizer):
    model.train()
    total = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    return total / len(loader.dataset)


def validate(model, x, y, criterion):
    model.eval()
    with gg.no_grad():
        return criterion(model(x), y).item()


def main():
    (x, y), (x_val, y_val) = load()
    loader = DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True)
    model = WineNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    best, waited = float("inf"), 0
    for epoch in range(40):
        train_loss = train_one_epoch(model, loader, criterion, optimizer)
        val_loss = validate(model, x_val, y_val, criterion)
        best, waited = (val_loss, 0) if val_loss < best - 1e-4 else (best, waited + 1)
        if waited == 5:
            break
    print(f"epoch {epoch}: {train_loss:.4f}, best {best:.4f}")
    print("held out:", val_loss)


if __name__ == "__main__":
    main()
