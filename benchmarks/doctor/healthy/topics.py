"""Which topics a text has, by how often its words occur: several labels at once, a Trainer with callbacks."""

from sklearn.datasets import make_multilabel_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, TensorDataset

CONFIG = {
    "words": 24,
    "topics": 5,
    "hidden": (48, 32),
    "dropout": 0.1,
    "optimizer": "AdamW",
    "optimizer_args": {"lr": 5e-3, "weight_decay": 1e-3},
    "batch_size": 50,
    "max_epochs": 12,
}


class TopicNet(nn.Module):
    def __init__(self, n_in, hidden, n_out, dropout):
        super().__init__()
        layers = []
        for size in hidden:
            layers += [nn.Linear(n_in, size), nn.BatchNorm1d(size), nn.ReLU(), nn.Dropout(dropout)]
            n_in = size
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(n_in, n_out)

    def forward(self, x):
        return self.classifier(self.features(x))


class Callback:
    def on_epoch_end(self, trainer, epoch, valid_loss):
        pass


class History(Callback):
    def __init__(self):
        self.valid = []

    def on_epoch_end(self, trainer, epoch, valid_loss):
        self.valid.append(valid_loss)


class EarlyStopping(Callback):
    def __init__(self, patience):
        self.patience, self.best, self.bad = patience, float("inf"), 0

    def on_epoch_end(self, trainer, epoch, valid_loss):
        if valid_loss < self.best:
            self.best, self.bad = valid_loss, 0
        else:
            self.bad += 1
            trainer.should_stop = self.bad >= self.patience


class Trainer:
    def __init__(self, model, config, callbacks=()):
        self.model = model
        self.config = config
        self.callbacks = callbacks
        self.criterion = nn.BCEWithLogitsLoss()
        self.optimizer = getattr(optim, config["optimizer"])(model.parameters(), **config["optimizer_args"])
        self.should_stop = False

    def training_step(self, x, y):
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def validate(self, loader):
        self.model.eval()
        total = 0.0
        with gg.no_grad():
            for x, y in loader:
                total += self.criterion(self.model(x), y).item() * len(x)
        return total / len(loader.dataset)

    def fit(self, train_loader, valid_loader):
        for epoch in range(self.config["max_epochs"]):
            self.model.train()
            for x, y in train_loader:
                self.training_step(x, y)
            valid_loss = self.validate(valid_loader)
            for callback in self.callbacks:
                callback.on_epoch_end(self, epoch, valid_loss)
            if self.should_stop:
                break


def load(config):
    counts, labels = make_multilabel_classification(
        n_samples=900, n_features=config["words"], n_classes=config["topics"], n_labels=2, length=180, random_state=3
    )
    x_train, x_valid, y_train, y_valid = train_test_split(counts, labels, test_size=200, random_state=0)
    scaler = StandardScaler().fit(x_train)
    x_train, x_valid = scaler.transform(x_train), scaler.transform(x_valid)
    train = TensorDataset(gg.tensor(x_train).float(), gg.tensor(y_train).float())
    valid = TensorDataset(gg.tensor(x_valid).float(), gg.tensor(y_valid).float())
    return train, valid


gg.manual_seed(0)
train_set, valid_set = load(CONFIG)
train_loader = DataLoader(train_set, batch_size=CONFIG["batch_size"], shuffle=True)
valid_loader = DataLoader(valid_set, batch_size=100)

model = TopicNet(CONFIG["words"], CONFIG["hidden"], CONFIG["topics"], CONFIG["dropout"])
history = History()
trainer = Trainer(model, CONFIG, callbacks=[history, EarlyStopping(patience=4)])
trainer.fit(train_loader, valid_loader)
print("held out:", history.valid[-1])
