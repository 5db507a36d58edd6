"""How many beads are in the picture? Blocks of convolutions with batch norm, a Trainer, one cycle of the rate."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, TensorDataset


def make_beads(n, size=12, most=4):
    counts = gg.arange(n) % most
    centres = gg.rand(n, most, 2) * (size - 3) + 1
    shown = (gg.arange(most).unsqueeze(0) <= counts.unsqueeze(1)).float()
    grid = gg.arange(size).float()
    down = (grid.reshape(1, 1, -1, 1) - centres[:, :, 0, None, None]) ** 2
    across = (grid.reshape(1, 1, 1, -1) - centres[:, :, 1, None, None]) ** 2
    spots = gg.exp(-(down + across)) * shown[:, :, None, None]
    images = spots.sum(1) + 0.05 * gg.randn(n, size, size)
    images = (images - images.mean()) / images.std()
    return images.unsqueeze(1), counts


def conv_block(n_in, n_out, pool=True):
    layers = [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
    if pool:
        layers.append(nn.AvgPool2d(2))
    return nn.Sequential(*layers)


class BeadCounter(nn.Module):
    def __init__(self, width=10, n_classes=4):
        super().__init__()
        self.features = nn.Sequential(
            conv_block(1, width),
            conv_block(width, 2 * width),
            conv_block(2 * width, 2 * width, pool=False),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(2 * width, n_classes)

    def forward(self, x):
        x = self.pool(self.features(x))
        return self.classifier(x.flatten(1))


class Trainer:
    def __init__(self, model, epochs, loader, max_lr=0.02):
        self.model = model
        self.epochs = epochs
        self.loader = loader
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-3)
        self.scheduler = optim.lr_scheduler.OneCycleLR(self.optimizer, max_lr=max_lr, total_steps=epochs * len(loader))

    def fit(self, val_images, val_counts):
        for epoch in range(self.epochs):
            self.model.train()
            for images, counts in self.loader:
                loss = self.compute_loss(images, counts)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
            print(f"epoch {epoch}: {self.evaluate(val_images, val_counts):.3f}")

    def compute_loss(self, images, counts):
        return self.criterion(self.model(images), counts)

    def evaluate(self, images, counts):
        self.model.eval()
        with gg.no_grad():
            return self.criterion(self.model(images), counts).item()


def main():
    gg.manual_seed(0)
    train_images, train_counts = make_beads(640)
    test_images, test_counts = make_beads(200)
    loader = DataLoader(TensorDataset(train_images, train_counts), batch_size=32, shuffle=True)
    model = BeadCounter()
    trainer = Trainer(model, epochs=8, loader=loader)
    trainer.fit(test_images, test_counts)
    print("held out:", trainer.evaluate(test_images, test_counts))


main()
