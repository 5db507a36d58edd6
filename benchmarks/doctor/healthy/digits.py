"""Handwritten digits by convolutions with batch norm and dropout, an evaluation after every epoch."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.datasets import digits
from glassgrad.nn import functional as F
from glassgrad.utils.data import DataLoader, Subset

gg.manual_seed(0)

train, test = digits()
train = Subset(train, range(640))
test_images, test_labels = test.tensors


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(16)
        self.dropout = nn.Dropout(0.25)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        x = self.dropout(x.flatten(1))
        return self.fc(x)


def evaluate(net):
    net.eval()
    with gg.no_grad():
        logits = net(test_images)
    right = (logits.argmax(1) == test_labels).float().mean().item()
    return F.cross_entropy(logits, test_labels).item(), right


net = Net()
optimizer = optim.Adam(net.parameters(), lr=5e-3)

for epoch in range(4):
    net.train()
    for images, labels in DataLoader(train, batch_size=40, shuffle=True):
        logits = net(images)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    held_out, right = evaluate(net)
    print(f"epoch {epoch}: {right:.1%} right")

print("held out:", held_out)
