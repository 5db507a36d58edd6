"""Tumours, malignant or benign, from a table: batch norm, dropout, a schedule, an evaluation after every epoch."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.datasets import breast_cancer
from glassgrad.utils.data import DataLoader, TensorDataset

gg.manual_seed(0)

train, test = breast_cancer()
x, y = train.tensors
mean, std = x.mean(0), x.std(0)
x = (x - mean) / std
x_test, y_test = (test.tensors[0] - mean) / std, test.tensors[1]


class Classifier(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(30, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        return self.head(self.body(x))


model = Classifier()
criterion = nn.CrossEntropyLoss()
optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
loader = DataLoader(TensorDataset(x, y), batch_size=48, shuffle=True)

for epoch in range(10):
    model.train()
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
    scheduler.step()
    model.eval()
    with gg.no_grad():
        logits = model(x_test)
        right = (logits.argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch}: {right:.1%} right")

print("held out:", nn.functional.cross_entropy(logits, y_test).item())
