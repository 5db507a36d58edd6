"""Stripes in small noisy images: lying, standing or slanted. A plain convolutional net."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, TensorDataset

gg.manual_seed(0)


def stripes(count):
    labels = gg.randint(0, 3, (count,))
    row = gg.arange(10).float().reshape(1, 10, 1)
    column = gg.arange(10).float().reshape(1, 1, 10)
    down = (labels != 1).float().reshape(-1, 1, 1)
    across = (labels != 0).float().reshape(-1, 1, 1)
    phase = gg.rand(count, 1, 1) * 6.28
    images = gg.sin(1.5 * (down * row + across * column) + phase)
    return (images + 0.4 * gg.randn(count, 10, 10)).unsqueeze(1), labels


train = TensorDataset(*stripes(480))
test_images, test_labels = stripes(160)

model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(64, 3),
)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

for epoch in range(4):
    model.train()
    for images, labels in DataLoader(train, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        output = model(images)
        loss = criterion(output, labels)
        loss.backward()
        optimizer.step()

model.eval()
with gg.no_grad():
    output = model(test_images)
    print("held out:", nn.functional.cross_entropy(output, test_labels).item())
