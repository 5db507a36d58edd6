"""Three growers' wines told apart by chemistry: batch norm, dropout, Nesterov steps, early stopping."""

from sklearn.datasets import load_wine

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, TensorDataset


def load_data():
    wine = load_wine()
    x = gg.tensor(wine.data).float()
    y = gg.tensor(wine.target)
    order = gg.randperm(len(y))
    train, test = order[:126], order[126:]
    mean, std = x[train].mean(0), x[train].std(0)
    x = (x - mean) / std
    return x[train], y[train], x[test], y[test]


class MLP(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.fc1 = nn.Linear(n_in, n_hidden)
        self.bn1 = nn.BatchNorm1d(n_hidden)
        self.fc2 = nn.Linear(n_hidden, n_hidden)
        self.bn2 = nn.BatchNorm1d(n_hidden)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(n_hidden, n_out)

    def forward(self, x):
        x = self.drop(gg.relu(self.bn1(self.fc1(x))))
        x = self.drop(gg.relu(self.bn2(self.fc2(x))))
        return self.out(x)


def train_one_epoch(model, loader, criterion, optimizer):
    model.train()
    total = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        outputs = model(xb)
        loss = criterion(outputs, yb)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(yb)
    return total / len(loader.dataset)


def evaluate(model, x, y, criterion):
    model.eval()
    with gg.no_grad():
        outputs = model(x)
        accuracy = (outputs.argmax(1) == y).float().mean().item()
        return criterion(outputs, y).item(), accuracy


def main():
    gg.manual_seed(0)
    x_train, y_train, x_test, y_test = load_data()
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=18, shuffle=True)
    model = MLP(13, 24, 3)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-4)
    best, patience = float("inf"), 0
    for epoch in range(15):
        train_loss = train_one_epoch(model, loader, criterion, optimizer)
        test_loss, accuracy = evaluate(model, x_test, y_test, criterion)
        print(f"epoch {epoch}: train {train_loss:.3f}, test {test_loss:.3f}, accuracy {accuracy:.1%}")
        if test_loss < best - 1e-3:
            best, patience = test_loss, 0
        else:
            patience += 1
        if patience == 6:
            break
    print("held out:", test_loss)


main()
