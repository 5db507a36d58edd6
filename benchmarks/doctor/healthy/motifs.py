"""Is the motif in the strand? Convolutions over four channels of letters, a module that has its own steps."""

import numpy as np

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F
from glassgrad.utils.data import DataLoader, Dataset

LETTERS = "ACGT"
MOTIF = "TGACTCA"


class Strands(Dataset):
    def __init__(self, count, length=36, seed=0):
        rng = np.random.default_rng(seed)
        codes = rng.integers(0, 4, (count, length))
        holds = rng.random(count) < 0.5
        for row in np.flatnonzero(holds):
            begin = rng.integers(0, length - len(MOTIF))
            codes[row, begin : begin + len(MOTIF)] = [LETTERS.index(letter) for letter in MOTIF]
            if rng.random() < 0.3:
                codes[row, begin + rng.integers(len(MOTIF))] = rng.integers(4)
        self.one_hot = np.eye(4, dtype=np.float32)[codes].transpose(0, 2, 1)
        self.holds = holds.astype(np.float32)

    def __len__(self):
        return len(self.holds)

    def __getitem__(self, index):
        return self.one_hot[index], self.holds[index]


class MotifFinder(nn.Module):
    def __init__(self, filters=16, hidden=24, lr=8e-3):
        super().__init__()
        self.lr = lr
        self.conv = nn.Sequential(
            nn.Conv1d(4, filters, 7, padding=3),
            nn.BatchNorm1d(filters),
            nn.ReLU(),
            nn.Conv1d(filters, hidden, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveMaxPool1d(1),
        )
        self.drop = nn.Dropout(0.1)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.fc(self.drop(self.conv(x).flatten(1))).squeeze(1)

    def training_step(self, batch):
        x, y = batch
        return F.binary_cross_entropy_with_logits(self(x), y)

    def validation_step(self, batch):
        x, y = batch
        return F.binary_cross_entropy_with_logits(self(x), y).item() * len(y)

    def configure_optimizers(self):
        optimizer = optim.NAdam(self.parameters(), lr=self.lr)
        return optimizer, optim.lr_scheduler.MultiStepLR(optimizer, milestones=[5, 7], gamma=0.3)


def fit(module, train, valid, epochs):
    optimizer, scheduler = module.configure_optimizers()
    for epoch in range(epochs):
        module.train()
        for batch in train:
            loss = module.training_step(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        module.eval()
        with gg.no_grad():
            valid_loss = sum(module.validation_step(batch) for batch in valid) / len(valid.dataset)
        print(f"epoch {epoch}: train {loss.item():.4f} valid {valid_loss:.4f}")
    return valid_loss


if __name__ == "__main__":
    gg.manual_seed(0)
    train_loader = DataLoader(Strands(640, seed=1), batch_size=32, shuffle=True)
    valid_loader = DataLoader(Strands(256, seed=2), batch_size=128)
    print("held out:", fit(MotifFinder(), train_loader, valid_loader, epochs=8))
