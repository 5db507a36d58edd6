"""Where is the blob? A residual convolutional net tells its place in an image."""

import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)


def blobs(count):
    place = gg.rand(count, 2) * 2 - 1
    grid = gg.linspace(-1, 1, 8)
    rows = gg.exp(-8 * (grid.reshape(1, 8) - place[:, :1]) ** 2)
    columns = gg.exp(-8 * (grid.reshape(1, 8) - place[:, 1:]) ** 2)
    images = rows.unsqueeze(2) * columns.unsqueeze(1) + 0.05 * gg.randn(count, 8, 8)
    return images.unsqueeze(1), place


class Locator(nn.Module):
    def __init__(self, channels=8):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1)
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.head = nn.Linear(channels * 16, 2)

    def forward(self, x):
        x = gg.relu(self.stem(x))
        x = gg.relu(x + self.block(x))
        x = nn.functional.avg_pool2d(x, 2)
        return self.head(x.flatten(1))


images, places = blobs(512)
test_images, test_places = blobs(128)

model = Locator()
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=3e-3)

losses = []
for step in range(80):
    begin = (step * 32) % 512
    batch, target = images[begin : begin + 32], places[begin : begin + 32]
    optimizer.zero_grad()
    loss = criterion(model(batch), target)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

with gg.no_grad():
    print("held out:", criterion(model(test_images), test_places).item())
