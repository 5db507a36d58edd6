"""A convolutional net, or one of dense layers, learns MNIST, or with ``--fashion`` photographs of clothes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from .. import nn, no_grad, optim
from ..datasets import FASHION_CLASSES
from ..datasets import fashion_mnist as load_fashion
from ..datasets import mnist as load_mnist
from ..functions import manual_seed
from ..saving import save
from ..tensor import Tensor
from ..train import Trainer
from ..utils.data import DataLoader, TensorDataset
from .options import Data, Html, Seed, Short
from .page import Page
from .pictures import confusion, tiles


class Net(StrEnum):
    """What learns."""

    cnn = "cnn"
    mlp = "mlp"


def convolutional() -> nn.Sequential:
    """Three convolutions, each normalised over the batch and halved in size, and a linear layer on top."""

    def stage(channels: int, filters: int, size: int) -> list[nn.Module]:
        convolution = nn.Conv2d(channels, filters, size, padding=size // 2, bias=False)
        return [convolution, nn.BatchNorm2d(filters), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        *stage(1, 24, 5),  # (n, 24, 14, 14)
        *stage(24, 48, 3),  # (n, 48, 7, 7)
        *stage(48, 96, 3),  # (n, 96, 3, 3)
        nn.Flatten(),  # (n, 864)
        nn.Dropout(0.3),
        nn.Linear(864, 10),  # (n, 10)
    )


def dense() -> nn.Sequential:
    """Two hidden layers of 512."""
    return nn.Sequential(
        nn.Flatten(),  # (n, 784)
        nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.25),  # (n, 512)
        nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.25),  # (n, 512)
        nn.Linear(512, 10),  # (n, 10)
    )  # fmt: skip


def learn(model: nn.Module, data: TensorDataset, valid: TensorDataset, epochs: int, rate: float, tell: Any) -> Trainer:
    """AdamW, whose rate rises and falls once over the whole training (Smith and Topin, 2018)."""
    loader = DataLoader(data, batch_size=128, shuffle=True)
    optimizer = optim.AdamW(model.parameters(), weight_decay=0.01)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=len(loader) * epochs)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    trainer = Trainer(model, loss, optimizer, schedule=schedule, metrics=["accuracy"], progress=tell)
    trainer.fit(loader, valid, epochs=epochs)
    return trainer


def strongest(model: nn.Sequential, upto: int, images: Tensor, field: int, stride: int) -> np.ndarray:
    """For each filter the patch of an image that excites it most, of field x field pixels: (filters, field, field).

    Args:
        upto: how many modules of the model come before the one whose output is looked at.
        field, stride: pixels that an output sees, and from one output to the next.
    """
    with no_grad():
        found = model[:upto](images).numpy()  # (n, filters, rows, columns)
    edge, patches = field // 2, []
    padded = np.pad(images[:, 0].numpy(), ((0, 0), (edge, edge + stride), (edge, edge + stride)))
    for filtered in found.swapaxes(0, 1):  # (n, rows, columns)
        image, row, column = np.unravel_index(filtered.argmax(), filtered.shape)
        top, left = row * stride + stride // 2, column * stride + stride // 2
        patches.append(padded[image, top : top + field, left : left + field])
    return np.stack(patches)


def show_filters(page: Page, model: nn.Sequential, net: Net, images: Tensor) -> None:
    page.head("What its layers look for")
    if net is Net.mlp:
        weights = model[1].weight.detach().numpy().reshape(-1, 28, 28)  # (512, 28, 28)
        largest = np.argsort(-np.abs(weights).sum((1, 2)))[:32]
        page.picture(tiles(weights[largest], signed=True), "The weights of 32 units of the first layer, as images.")
        return
    first = model[0].weight[:, 0].detach().numpy()  # (24, 5, 5)
    page.picture(tiles(first, signed=True), "The 24 filters of the first layer: edges, blue negative and red positive.")
    for name, upto, field, stride in (("first", 3, 5, 1), ("second", 7, 10, 2), ("third", 11, 22, 4)):
        caption = (
            f"For each filter of the {name} layer the piece of a test image that excites it most ({field} pixels)."
        )
        page.picture(tiles(strongest(model, upto, images, field, stride), columns=12, size=0.7), caption)


def mnist(
    net: Annotated[Net, typer.Option(help="Convolutional, or of dense layers.")] = Net.cnn,
    fashion: Annotated[bool, typer.Option("--fashion", help="Fashion-MNIST: clothes instead of digits.")] = False,
    epochs: Annotated[int, typer.Option(min=1, help="How often all images are gone through.")] = 8,
    weights: Annotated[Path | None, typer.Option(help="Where the trained weights go; nowhere if not given.")] = None,
    data: Data = None,
    short: Short = False,
    seed: Seed = 0,
    html: Html = Path("mnist.html"),
) -> Page:
    """Read MNIST's handwritten digits with a CNN or an MLP, and look at the filters that it has learned."""
    name, load, classes = ("MNIST", load_mnist, [str(n) for n in range(10)])
    if fashion:
        name, load, classes = "Fashion-MNIST", load_fashion, list(FASHION_CLASSES)
    command = f"glassgrad recipe mnist --net {net}" + " --fashion" * fashion
    epochs = 3 if short else epochs
    with Page(f"{name}, {net.upper()}", html, command=command, epochs=epochs, seed=seed) as page:
        train, test = load(data=data)
        if short:
            train, test = (TensorDataset(*(part[:2560] for part in split.tensors)) for split in (train, test))
        manual_seed(seed)
        model = convolutional() if net is Net.cnn else dense()
        page.say(
            f"{sum(p.numel() for p in model.parameters()):,} parameters; {len(train):,} images to learn from, "
            f"{len(test):,} to test on, which decide nothing: what is reported is the last epoch."
        )
        trainer = learn(model, train, test, epochs, 0.01 if net is Net.cnn else 0.003, page.console)
        page.figure("first loss", trainer.history["loss"][0])
        page.figure("last loss", trainer.history["loss"][-1])
        cnn = net is Net.cnn
        page.figure("seconds of training", page.seconds, "{:.0f}", asked="300" if cnn and not fashion else "")
        images, labels = test.tensors  # (n, 1, 28, 28), (n,)
        chances = trainer.predict(images).softmax(1)  # (n, 10)
        said, true, sure = chances.argmax(1).numpy(), labels.numpy(), chances.amax(1).numpy()
        asked = "" if fashion else "99.2 %" if cnn else "98.3 %"
        page.figure("test accuracy", (said == true).mean(), "{:.2%}", asked=asked)
        if weights is not None:
            save(model.state_dict(), weights)
        page.picture(trainer.history.figure(), "Loss, accuracy and learning rate of each epoch.")
        page.picture(confusion(said, true, classes), "How often each class was taken for which.")
        wrong = sorted(np.flatnonzero(said != true), key=lambda i: -sure[i])[:16]
        titles = [f"{classes[said[i]]}, is {classes[true[i]]}" for i in wrong]
        page.picture(tiles(images[wrong, 0].numpy(), titles), "Where it is wrong, the surest first.")
        show_filters(page, model.eval(), net, images[:500])
    return page
