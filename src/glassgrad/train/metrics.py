"""What is measured beside the loss: functions of predictions and targets, made of tensor operations, so that a compiled
step computes them with everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import ArgumentError, ShapeError, TypeMismatch
from ..tensor import Tensor

Metric = Callable[[Any, Any], Any]


def accuracy(predictions: Tensor, targets: Tensor) -> Tensor:
    """The share of rows that are classified rightly.

    Args:
        predictions: (n, classes, ...) scores, of which the largest counts; or, in the shape of the targets, one logit
            for each of two classes, which says 1 where it is above 0.
        targets: (n, ...) class numbers; or 0 and 1 in the shape of the predictions.

    Raises:
        ShapeError: shapes that are neither.

    >>> from glassgrad.train import accuracy
    >>> accuracy(gg.eye(4), gg.tensor([0, 1, 2, 0])).item()
    0.75
    """
    if predictions.shape == targets.shape:
        right = (predictions > 0) == (targets > 0.5)
    elif (
        predictions.ndim > 1
        and predictions.shape[1] > 1  # of one score the largest says nothing: those are logits, in another shape
        and (predictions.shape[0], *predictions.shape[2:]) == tuple(targets.shape)
    ):
        right = predictions.argmax(1) == targets
    else:
        raise ShapeError(
            "accuracy compares (n, classes, ...) scores with (n, ...) class numbers, or logits with 0 and 1",
            got=f"predictions {tuple(predictions.shape)}, targets {tuple(targets.shape)}",
        )
    return right.float().mean()


def mse(predictions: Tensor, targets: Tensor) -> Tensor:
    """The mean squared error.

    >>> from glassgrad.train.metrics import mse
    >>> mse(gg.tensor([1.0, 2.0]), gg.tensor([1.0, 4.0])).item()
    2.0
    """
    _same_shape("mse", predictions, targets)
    return ((predictions - targets) ** 2).mean()


def mae(predictions: Tensor, targets: Tensor) -> Tensor:
    """The mean absolute error.

    >>> from glassgrad.train.metrics import mae
    >>> mae(gg.tensor([1.0, 2.0]), gg.tensor([1.0, 4.0])).item()
    1.0
    """
    _same_shape("mae", predictions, targets)
    return (predictions - targets).abs().mean()


def _same_shape(name: str, predictions: Tensor, targets: Tensor) -> None:
    if predictions.shape != targets.shape:  # broadcasting (n, 1) with (n,) would compare every row with every other
        raise ShapeError(
            f"{name} compares predictions with targets of the same shape",
            got=f"predictions {tuple(predictions.shape)}, targets {tuple(targets.shape)}",
            fix="reshape one of them, e.g. with squeeze(1)",
        )


BUILT_IN: dict[str, Metric] = {"accuracy": accuracy, "mse": mse, "mae": mae}
TAKEN = ("loss", "epoch", "step", "rate", "seconds", "samples_per_second")
"""Columns of the history that are no metrics."""


def named_metrics(metrics: Mapping[str, Metric] | Iterable[str | Metric]) -> dict[str, Metric]:
    """Metrics by name: names of built-in ones, functions under their own names, or a mapping.

    Raises ArgumentError for unknown names and names that are taken, TypeMismatch for what is no function.
    """
    found: dict[str, Metric] = {}
    pairs = metrics.items() if isinstance(metrics, Mapping) else [(_name(each), each) for each in _listed(metrics)]
    for name, given in pairs:
        metric = BUILT_IN.get(given, given) if isinstance(given, str) else given
        if isinstance(metric, str):
            raise ArgumentError(
                f"there is no metric {metric!r}", fix=f"one of {', '.join(BUILT_IN)}, or a function of your own"
            )
        if not callable(metric):
            raise TypeMismatch("a metric is a name or a function of predictions and targets", got=repr(metric))
        if name in found or name in TAKEN or name.startswith("valid_"):
            raise ArgumentError(f"a metric cannot be called {name!r}, which is taken", fix="pass a dict of other names")
        found[name] = metric
    return found


def _listed(metrics: Any) -> list[Any]:
    return [metrics] if isinstance(metrics, str) or callable(metrics) else list(metrics)


def _name(metric: Any) -> str:
    return metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
