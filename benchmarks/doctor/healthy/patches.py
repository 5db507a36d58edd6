"""Is there a cross in the image? A convolutional net with one logit, its step compiled."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)


def crosses(count):
    images = 0.4 * gg.randn(count, 1, 8, 8)
    there = gg.arange(count) % 2
    for number in range(count):
        row, column = int(gg.randint(1, 7, (1,))), int(gg.randint(1, 7, (1,)))
        images[number, 0, row, column - 1 : column + 2] += 1.5
        if there[number]:
            images[number, 0, row - 1 : row + 2, column] += 1.5
    return images, there.float().unsqueeze(1)


images, there = crosses(384)
test_images, test_there = crosses(128)

model = nn.Sequential(
    nn.Conv2d(1, 12, 3), nn.LeakyReLU(0.1), nn.Conv2d(12, 12, 3), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(192, 1)
)
optimizer = optim.Adam(model.parameters(), lr=5e-3)


def step(x, y):
    optimizer.zero_grad()
    logits = model(x)
    loss = F.binary_cross_entropy_with_logits(logits, y)
    loss.backward()
    optimizer.step()
    return loss


step = gg.compile(step)

for number in range(120):
    rows = gg.randperm(384)[:32]
    loss = step(images[rows], there[rows])

model.eval()
with gg.no_grad():
    print("held out:", F.binary_cross_entropy_with_logits(model(test_images), test_there).item())
