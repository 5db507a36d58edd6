"""The training loop: forward, loss, backward, update, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from . import nn, optim
from .dispatch import no_grad
from .functions import cat
from .tensor import Tensor


class Progress(NamedTuple):
    """One step of a training, as `fit` tells it."""

    epoch: int
    """Counted from 1."""
    step: int
    """Steps taken so far, over all epochs."""
    loss: float
    """The loss of this batch, before the update."""
    lr: float
    """The learning rate of this step."""


def fit(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: optim.Optimizer,
    batches: Iterable[Any],
    epochs: int,
    schedule: Any = None,
) -> Iterator[Progress]:
    """Train a model, one step at a time: a generator that takes a step whenever it is asked for the next.

    Args:
        model: maps a batch's inputs to predictions; it is put into training mode.
        loss: (predictions, targets) -> a tensor of one entry.
        batches: pairs of inputs and targets; gone through once each epoch.
        schedule: a learning rate schedule that is stepped with every batch.

    Stopping early is leaving the loop; the model is then as it was after the last step.

    >>> from glassgrad.train import fit
    >>> x = gg.linspace(-1, 1, 32).reshape(32, 1)
    >>> net = nn.Linear(1, 1)
    >>> rule = optim.SGD(net.parameters(), lr=0.5)
    >>> steps = list(fit(net, nn.functional.mse_loss, rule, [(x, 3 * x + 1)], epochs=50))
    >>> len(steps), round(net.weight.item(), 3), round(net.bias.item(), 3)
    (50, 3.0, 1.0)
    """
    model.train()
    step = 0
    for epoch in range(1, epochs + 1):
        for inputs, targets in batches:
            step += 1
            rate = float(optimizer.param_groups[0]["lr"])
            optimizer.zero_grad()
            value = loss(model(inputs), targets)
            value.backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()
            yield Progress(epoch, step, value.item(), rate)


@no_grad()
def predict(model: nn.Module, inputs: Tensor, batch_size: int = 512) -> Tensor:
    """What a model says to many inputs, a batch at a time, in evaluation mode; the mode is set back after."""
    was = model.training
    model.eval()
    try:
        return cat([model(part) for part in inputs.split(batch_size)])
    finally:
        model.train(was)


def accuracy(model: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """The share of inputs for which the largest of the model's outputs is the one of the label.

    >>> from glassgrad.train import accuracy
    >>> accuracy(nn.Identity(), gg.eye(4), gg.tensor([0, 1, 2, 0]))
    0.75
    """
    return float((predict(model, inputs).argmax(1) == labels).float().mean().item())
