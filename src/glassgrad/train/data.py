"""What a model can be trained on, asked about or measured on: all of it becomes batches of tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .. import functions as fn
from ..errors import ArgumentError, ShapeError, StateError, TypeMismatch
from ..tensor import Tensor
from ..utils.data import DataLoader, Dataset, TensorDataset

PAIR = "give pairs (inputs, targets); several inputs come first, the targets last"


def loader_of(data: Any, batch_size: int, shuffle: bool) -> Any:
    """Batches of what was given, as something to iterate over again and again.

    Args:
        data: a DataLoader, or any iterable of batches, which is taken as it is; a dataset; a tensor or an array, or a
            tuple of those with one row for each sample.
        batch_size: rows in a batch, where the data does not come in batches.
        shuffle: a new order in each epoch, likewise.

    Raises:
        TypeMismatch: nothing that has batches. ArgumentError: a batch size below 1; no data.
    """
    if isinstance(data, DataLoader):
        return data
    if isinstance(data, (Tensor, np.ndarray)):
        data = (data,)
    if isinstance(data, tuple) and data and all(hasattr(each, "__array__") for each in data):
        data = TensorDataset(*map(_tensor, data))
    if isinstance(data, Dataset):
        if hasattr(data, "__len__") and len(data) == 0:
            raise ArgumentError("there is no data: the dataset has no rows")
        streams = not hasattr(data, "__len__")
        return DataLoader(data, batch_size=batch_size, shuffle=None if streams else shuffle)
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes, dict)):
        return data
    raise TypeMismatch(
        "data is a DataLoader, a dataset, tensors or an iterable of batches",
        got=type(data).__name__,
        fix="e.g. (inputs, targets), or a DataLoader",
    )


def again(data: Any) -> Any:
    """``data``, refused if it can be gone through only once."""
    if isinstance(data, Iterator):
        raise TypeMismatch(
            "an iterator is used up after one epoch",
            got=type(data).__name__,
            fix="pass a list of batches, a DataLoader or a dataset",
        )
    return data


def count_of(loader: Any) -> int | None:
    """How many batches there are, if that can be known."""
    try:
        return len(loader)
    except TypeError:
        return None


def batch_of(given: Any) -> tuple[Any, ...]:
    """One batch as a tuple of its inputs and, last, its targets."""
    if not isinstance(given, (tuple, list)) or len(given) < 2:
        raise TypeMismatch(
            "a batch has no targets",
            got=f"{type(given).__name__}" + (f" of {len(given)}" if isinstance(given, (tuple, list)) else ""),
            fix=PAIR,
        )
    return tuple(part if type(part) is Tensor else tensors_of(part) for part in given)


def inputs_of(given: Any) -> tuple[Any, ...]:
    """The inputs of a batch that may come with targets."""
    if not isinstance(given, (tuple, list)):
        return (tensors_of(given),)
    return tuple(map(tensors_of, given if len(given) == 1 else given[:-1]))


def tensors_of(part: Any) -> Any:
    """A part of a batch, with arrays of NumPy and others as tensors."""
    if isinstance(part, Tensor):
        return part
    if isinstance(part, dict):
        return {key: tensors_of(value) for key, value in part.items()}
    if isinstance(part, (tuple, list)):
        return type(part)(map(tensors_of, part))
    return _tensor(part) if hasattr(part, "__array__") else part


def _tensor(array: Any) -> Tensor:
    return array if isinstance(array, Tensor) else fn.from_numpy(np.ascontiguousarray(array))


def rows_of(part: Any) -> int:
    """How many samples a batch has: the first dimension of its first tensor.

    Raises ShapeError where there is no tensor that has one.
    """
    found = _first(part)
    if found is None or found.ndim == 0:
        raise ShapeError("a batch needs a tensor with a row for each sample", got=repr(part)[:80], fix=PAIR)
    return int(found.shape[0])


def _first(part: Any) -> Tensor | None:
    if isinstance(part, Tensor):
        return part
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, (tuple, list)) else ()
    return next((found for each in inner if (found := _first(each)) is not None), None)


def skip(batches: Iterator[Any], count: int) -> None:
    """Leave out the batches that an interrupted epoch has had."""
    for place in range(count):
        if next(batches, skip) is skip:
            raise StateError(
                "the data ends before the batch at which the checkpoint was made",
                got=f"{place} batches, {count} at the checkpoint",
                fix="resume with the same data and batch size",
            )
