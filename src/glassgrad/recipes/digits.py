"""A convolutional net learns to read scikit-learn's handwritten digits: 1,797 images of 8 x 8 pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import nn, optim
from ..datasets import digits as load_digits
from ..functions import manual_seed
from ..train import Trainer
from ..utils.data import DataLoader, TensorDataset
from .options import Html, Seed, Short
from .page import Page
from .pictures import confusion, tiles


def network() -> nn.Sequential:
    """Three convolutions, each normalised over the batch, and a linear layer on top."""

    def stage(channels: int, filters: int) -> list[nn.Module]:
        return [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]

    return nn.Sequential(
        *stage(1, 16),  # (n, 16, 8, 8)
        *stage(16, 32),  # (n, 32, 8, 8)
        nn.MaxPool2d(2),  # (n, 32, 4, 4)
        *stage(32, 64),  # (n, 64, 4, 4)
        nn.MaxPool2d(2),  # (n, 64, 2, 2)
        nn.Flatten(),  # (n, 256)
        nn.Dropout(0.3),
        nn.Linear(256, 10),  # (n, 10)
    )


def learn(model: nn.Module, data: TensorDataset, epochs: int, progress: object = None) -> Trainer:
    """Adam, whose rate rises and falls once over the whole training."""
    loader = DataLoader(data, batch_size=32, shuffle=True)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=len(loader) * epochs)
    trainer = Trainer(
        model, nn.CrossEntropyLoss(), optimizer, schedule=schedule, metrics=["accuracy"], progress=progress
    )
    trainer.fit(loader, epochs=epochs)
    return trainer


def digits(epochs: int = 30, short: Short = False, seed: Seed = 0, html: Html = Path("digits.html")) -> Page:
    """Read handwritten digits of 8 x 8 pixels, and look at the ones that are read wrongly."""
    epochs = 3 if short else epochs
    manual_seed(seed)
    with Page("Handwritten digits", html, command="glassgrad recipe digits", epochs=epochs, seed=seed) as page:
        train, test = load_digits()
        model = network()
        count = sum(p.numel() for p in model.parameters())
        page.say(
            f"A convolutional net of {count:,} parameters sees {len(train):,} images of scikit-learn's digits, "
            f"{epochs} times, and is then asked about {len(test)} that it has never seen."
        )
        trainer = learn(model, train, epochs, page.console)
        images, labels = test.tensors  # (n, 1, 8, 8), (n,)
        chances = trainer.predict(images).softmax(1)  # (n, 10)
        said, true = chances.argmax(1).numpy(), labels.numpy()
        page.figure("held-out accuracy", (said == true).mean(), "{:.2%}", asked="98.5 %")
        page.figure("seconds", page.seconds, "{:.1f}", asked="20")
        page.figure("first loss", trainer.history["loss"][0])
        page.figure("last loss", trainer.history["loss"][-1])
        page.picture(trainer.history.figure(), "Loss, accuracy and learning rate of each epoch.")
        page.picture(confusion(said, true, [str(n) for n in range(10)]), "How often each digit was taken for which.")
        sure = chances.amax(1).numpy()
        order = np.lexsort((-sure, said == true))[:16]  # the wrong ones first, the surest of them in front
        titles = [f"{said[i]} ({sure[i]:.0%}), is {true[i]}" for i in order]
        page.picture(
            tiles(images[order.tolist(), 0].numpy(), titles),
            "What it says, how sure it is, and what it is: wrong ones first.",
        )
        filters = model[0].weight[:, 0].detach().numpy()  # (16, 3, 3)
        page.picture(tiles(filters, signed=True), "The first layer's filters: blue is negative, red is positive.")
    return page
