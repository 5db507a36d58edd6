"""How a pennant is divided, in any two colours: a small residual net with batch norm, Nesterov steps, warm-up."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, TensorDataset

gg.manual_seed(0)

args = {
    "width": 8,
    "num_classes": 4,
    "lr": 0.04,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "batch_size": 32,
    "epochs": 6,
    "warmup_epochs": 1,
}


def draw(count, size=12):
    row = gg.arange(size).float().reshape(1, size, 1)
    col = gg.arange(size).float().reshape(1, 1, size)
    shift = (4 * gg.rand(count) - 2).reshape(-1, 1, 1)
    middle = size / 2 - 0.5 + shift
    masks = gg.stack(
        [
            (row < middle).float() * gg.ones(1, 1, size),
            (col < middle).float() * gg.ones(1, size, 1),
            (row + col < 2 * middle).float(),
            gg.maximum(((row - middle).abs() < 1.5).float(), ((col - middle).abs() < 1.5).float()),
        ],
        dim=1,
    )
    kind = gg.randint(0, 4, (count,))
    mask = masks[gg.arange(count), kind].unsqueeze(1)
    front = gg.rand(count, 3, 1, 1)
    back = (front + 0.3 + 0.4 * gg.rand(count, 3, 1, 1)) % 1.0
    images = mask * front + (1 - mask) * back + 0.04 * gg.randn(count, 3, size, size)
    return (images - 0.5) / 0.3, kind


def conv3x3(n_in, n_out, stride=1):
    return nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    def __init__(self, n_in, n_out, stride=1):
        super().__init__()
        self.conv1 = conv3x3(n_in, n_out, stride)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = conv3x3(n_out, n_out)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU()
        self.downsample = None
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + identity)


class ResNet(nn.Module):
    def __init__(self, width, num_classes):
        super().__init__()
        self.conv1 = conv3x3(3, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.layer1 = BasicBlock(width, width)
        self.layer2 = BasicBlock(width, 2 * width, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.fc = nn.Linear(8 * width, num_classes)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(x))
        return self.fc(self.avgpool(x).flatten(1))


def validate(loader, model, criterion):
    model.eval()
    total, correct = 0.0, 0
    with gg.no_grad():
        for images, target in loader:
            output = model(images)
            total += criterion(output, target).item() * len(target)
            correct += (output.argmax(1) == target).sum().item()
    return total / len(loader.dataset), correct / len(loader.dataset)


train_images, train_kinds = draw(560)
train_loader = DataLoader(TensorDataset(train_images, train_kinds), batch_size=args["batch_size"], shuffle=True)
val_loader = DataLoader(TensorDataset(*draw(200)), batch_size=100)

model = ResNet(args["width"], args["num_classes"])
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(
    model.parameters(),
    lr=args["lr"],
    momentum=args["momentum"],
    nesterov=True,
    weight_decay=args["weight_decay"],
)
warmup = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.2, total_iters=args["warmup_epochs"])
cosine = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args["epochs"] - args["warmup_epochs"])
scheduler = optim.lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[args["warmup_epochs"]])

for epoch in range(args["epochs"]):
    model.train()
    for images, target in train_loader:
        output = model(images)
        loss = criterion(output, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    val_loss, accuracy = validate(val_loader, model, criterion)
    print(f"Epoch [{epoch + 1}/{args['epochs']}] val loss {val_loss:.4f} accuracy {accuracy:.3f}")

print("held out:", val_loss)
