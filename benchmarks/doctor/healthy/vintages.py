"""Which grower a wine comes from: epochs as functions, batch norm and dropout, stopped early by held-back rows."""

import copy

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, TensorDataset


class WineNet(nn.Module):
    def __init__(self, features, classes, hidden=32):
        super().__init__()
        self.layer_1 = nn.Linear(features, hidden)
        self.layer_2 = nn.Linear(hidden, hidden)
        self.layer_out = nn.Linear(hidden, classes)
        self.batchnorm1 = nn.BatchNorm1d(hidden)
        self.batchnorm2 = nn.BatchNorm1d(hidden)
        self.dropout = nn.Dropout(0.2)
        self.relu = nn.ReLU()

    def forward(self, inputs):
        x = self.relu(self.batchnorm1(self.layer_1(inputs)))
        x = self.dropout(x)
        x = self.relu(self.batchnorm2(self.layer_2(x)))
        return self.layer_out(x)


def train_one_epoch(model, loader, criterion, optimizer):
    model.train()
    total = 0.0
    for inputs, labels in loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


def validate(model, inputs, labels, criterion):
    model.eval()
    with gg.no_grad():
        outputs = model(inputs)
        return criterion(outputs, labels).item()


def as_dataset(rows, labels):
    return TensorDataset(gg.tensor(rows, dtype=gg.float32), gg.tensor(labels, dtype=gg.long))


def main():
    gg.manual_seed(0)
    rows, labels = load_wine(return_X_y=True)
    rows, rows_test, labels, labels_test = train_test_split(rows, labels, test_size=50, stratify=labels, random_state=7)
    scaler = StandardScaler().fit(rows)
    train_set = as_dataset(scaler.transform(rows), labels)
    test_set = as_dataset(scaler.transform(rows_test), labels_test)
    loader = DataLoader(train_set, batch_size=16, shuffle=True)

    model = WineNet(features=13, classes=3)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-3)

    best, best_state, patience = float("inf"), None, 0
    for epoch in range(25):
        trained = train_one_epoch(model, loader, criterion, optimizer)
        held_out = validate(model, *test_set.tensors, criterion)
        print(f"epoch {epoch}: {trained:.3f} trained, {held_out:.3f} held out")
        if held_out < best:
            best, best_state, patience = held_out, copy.deepcopy(model.state_dict()), 0
        else:
            patience += 1
            if patience == 6:
                break

    model.load_state_dict(best_state)
    print("held out:", validate(model, *test_set.tensors, criterion))


if __name__ == "__main__":
    main()
