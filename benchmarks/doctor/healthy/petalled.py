"""Three kinds of irises from four lengths: batch norm, dropout, two groups of parameters, a schedule of steps."""

from sklearn.datasets import load_iris

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F
from glassgrad.utils.data import DataLoader, TensorDataset

gg.manual_seed(0)

iris = load_iris()
X = gg.tensor(iris.data).float()
y = gg.tensor(iris.target)
order = gg.randperm(150)
train_idx, test_idx = order[:100], order[100:]
mean, std = X[train_idx].mean(0), X[train_idx].std(0)
X = (X - mean) / std
X_train, y_train = X[train_idx], y[train_idx]
X_test, y_test = X[test_idx], y[test_idx]
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=20, shuffle=True)


class Iris(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.layer1 = nn.Linear(4, hidden)
        self.bn = nn.BatchNorm1d(hidden)
        self.layer2 = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(0.1)
        self.output = nn.Linear(hidden, 3)

    def forward(self, x):
        x = F.relu(self.bn(self.layer1(x)))
        x = self.dropout(F.relu(self.layer2(x)))
        return self.output(x)


model = Iris()
weights = [p for p in model.parameters() if p.ndim > 1]
others = [p for p in model.parameters() if p.ndim == 1]
criterion = nn.CrossEntropyLoss()
optimizer = optim.RMSprop([{"params": weights, "weight_decay": 1e-3}, {"params": others}], lr=2e-3)
scheduler = optim.lr_scheduler.MultiStepLR(optimizer, milestones=[30, 45], gamma=0.3)

for epoch in range(60):
    model.train()
    running_loss = 0.0
    for inputs, labels in loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    scheduler.step()
    if epoch % 20 == 0:
        print(f"[{epoch}] loss: {running_loss / len(loader):.3f}")

model.eval()
with gg.no_grad():
    outputs = model(X_test)
    print("correct:", (outputs.argmax(1) == y_test).sum().item())
    print("held out:", F.cross_entropy(outputs, y_test).item())
