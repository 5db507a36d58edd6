"""Four shapes of pulses in noise: one-dimensional convolutions with batch norm, tested with averaged weights."""

import copy
import math

import glassgrad as gg
from glassgrad import nn
from glassgrad.utils.data import DataLoader, Dataset


class Pulses(Dataset):
    def __init__(self, count, length=48):
        time = gg.arange(length).float() / length
        self.labels = gg.randint(0, 4, (count,))
        phase = (3 * time + gg.rand(count, 1)) % 1.0
        sine = gg.sin(2 * math.pi * phase)
        square = gg.where(phase < 0.5, 1.0, -1.0)
        saw = 2 * phase - 1
        spikes = gg.where(phase < 0.2, 2.0, -0.5)
        waves = gg.stack([sine, square, saw, spikes], dim=1)[gg.arange(count), self.labels]
        self.signals = (waves + 0.25 * gg.randn(count, length)).unsqueeze(1)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.signals[index], self.labels[index]


class ConvBlock(nn.Sequential):
    def __init__(self, before, after, kernel):
        super().__init__(
            nn.Conv1d(before, after, kernel, stride=2, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(after),
            nn.ReLU(),
        )


class PulseNet(nn.Module):
    def __init__(self, channels=12, classes=4):
        super().__init__()
        self.features = nn.Sequential(ConvBlock(1, channels, 7), ConvBlock(channels, 2 * channels, 5))
        self.pool = nn.AdaptiveMaxPool1d(1)
        self.classifier = nn.Linear(2 * channels, classes)

    def forward(self, signal):
        return self.classifier(self.pool(self.features(signal)).flatten(1))


@gg.no_grad()
def average(shadow, net, decay):
    for kept, new in zip(shadow.parameters(), net.parameters(), strict=True):
        kept.mul_(decay).add_(new, alpha=1 - decay)
    for kept, new in zip(shadow.buffers(), net.buffers(), strict=True):
        kept.copy_(new)


def main():
    gg.manual_seed(0)
    loader = DataLoader(Pulses(400), batch_size=20, shuffle=True)
    test = Pulses(160)
    net = PulseNet()
    shadow = copy.deepcopy(net)
    optimizer = gg.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.02)
    for epoch in range(6):
        net.train()
        running_loss = 0.0
        for signals, labels in loader:
            outputs = net(signals)
            loss = loss_function(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average(shadow, net, decay=0.9)
            running_loss += loss.item()
        print(f"epoch {epoch}: {running_loss / len(loader):.3f}")

    shadow.eval()
    with gg.no_grad():
        outputs = shadow(test.signals)
        print("held out:", nn.functional.cross_entropy(outputs, test.labels).item())


if __name__ == "__main__":
    main()
