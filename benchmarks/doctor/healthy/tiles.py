"""Digits cut into tiles: a small vision transformer with a token for the class, label smoothing, a cosine schedule."""

from sklearn.datasets import load_digits

import glassgrad as gg
from glassgrad import nn
from glassgrad.optim import Adam
from glassgrad.optim.lr_scheduler import CosineAnnealingLR
from glassgrad.utils.data import DataLoader, TensorDataset

gg.manual_seed(0)
EPOCHS = 6


def to_tiles(images, size=4):
    x = gg.tensor(images).float() / 16.0
    n = 8 // size
    x = x.reshape(-1, n, size, n, size).permute(0, 1, 3, 2, 4)
    return (x.reshape(-1, n * n, size * size) - 0.3) / 0.38


images, labels = load_digits(return_X_y=True)
order = gg.randperm(len(labels))
X, y = to_tiles(images)[order], gg.tensor(labels)[order]
X_train, X_test, y_train, y_test = X[:800], X[800:1040], y[:800], y[800:1040]
train_loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True)


class ViT(nn.Module):
    def __init__(self, dim=32, depth=2, heads=4, classes=10, dropout=0.05):
        super().__init__()
        self.patch_embed = nn.Linear(16, dim)
        self.cls_token = nn.Parameter(0.02 * gg.randn(1, 1, dim))
        self.pos_embed = nn.Parameter(0.3 * gg.randn(1, 5, dim))
        layer = nn.TransformerEncoderLayer(
            dim, heads, dim_feedforward=64, dropout=dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, depth)
        self.norm = nn.LayerNorm(dim)
        self.fc = nn.Linear(dim, classes)

    def forward(self, tiles):
        x = self.patch_embed(tiles)
        cls = self.cls_token.expand(len(x), -1, -1)
        x = gg.cat([cls, x], dim=1) + self.pos_embed
        x = self.norm(self.encoder(x))
        return self.fc(x[:, 0])


def fit(model, loader, epochs):
    criterion = nn.CrossEntropyLoss(label_smoothing=0.02)
    optimizer = Adam(model.parameters(), lr=4e-3)
    scheduler = CosineAnnealingLR(optimizer, T_max=epochs)
    history = []
    for _ in range(epochs):
        model.train()
        running = 0.0
        for inputs, targets in loader:
            predictions = model(inputs)
            loss = criterion(predictions, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item()
        scheduler.step()
        history.append(running / len(loader))
    return history


def score(model):
    model.eval()
    with gg.no_grad():
        predictions = model(X_test)
    accuracy = (predictions.argmax(-1) == y_test).float().mean().item()
    return nn.functional.cross_entropy(predictions, y_test).item(), accuracy


model = ViT()
print(fit(model, train_loader, EPOCHS))
test_loss, accuracy = score(model)
print(f"accuracy {accuracy:.1%}")
print("held out:", test_loss)
