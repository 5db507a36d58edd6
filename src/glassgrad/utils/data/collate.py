"""From a list of items to one batch: tensors are stacked, containers are kept and their parts collated."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from ... import functions as fn
from ...errors import IndexRangeError, ShapeError, TypeMismatch
from ...tensor import Tensor


class MissingPart(ShapeError, KeyError):
    """An item without a key that the first item of its batch has."""

    __str__ = Exception.__str__  # KeyError's would print the message in quotes


def default_collate(batch: Sequence[Any]) -> Any:
    """One batch from a list of items, with a new first dimension.

    Tensors and arrays are stacked, numbers become a tensor (floats of Python float64, integers int64), strings and
    bytes stay as they are, and tuples, lists and dicts are collated part by part: a tuple of parts becomes a list.

    Args:
        batch: the items, all built alike.

    Returns:
        What an item is, with tensors of shape ``(len(batch), ...)`` in the place of its numbers.

    Raises:
        ShapeError: tensors of different shapes, containers of different lengths, or a dict without a key that the
            first has; the message names the item.
        TypeMismatch: items that cannot be collated.

    Example:
        >>> from glassgrad.utils.data import default_collate
        >>> batch = default_collate([{"x": 1, "name": "a"}, {"x": 2, "name": "b"}])
        >>> batch["x"].tolist(), batch["name"]
        ([1, 2], ['a', 'b'])
    """
    if not len(batch):
        raise IndexRangeError("an empty list of items makes no batch")
    return _collate(batch, "")


def _collate(batch: Sequence[Any], path: str) -> Any:
    """`default_collate`; ``path`` says where in the item we are, as in ``['x'][0]``."""
    first = batch[0]
    if isinstance(first, Tensor):
        _same(batch, path, lambda item: tuple(item.shape), "shape")
        return fn.stack(list(batch), 0)
    if isinstance(first, np.ndarray):
        if first.dtype.kind in "OSU":
            raise TypeMismatch(f"an array of dtype {first.dtype} cannot be collated{_at(path)}", fix=_FIX)
        _same(batch, path, np.shape, "shape")
        return fn.from_numpy(np.stack(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, (np.bool_, np.number)):
        return fn.from_numpy(np.array(batch))
    if isinstance(first, float):
        return fn.from_numpy(np.array(batch, dtype=np.float64))
    if isinstance(first, int):
        return fn.tensor(list(batch))
    if isinstance(first, Mapping):
        _has_keys(batch, path)
        parts = {key: _collate([item[key] for item in batch], f"{path}[{key!r}]") for key in first}
        return _rebuilt(first, parts)
    if isinstance(first, Sequence):
        _same(batch, path, len, "length")
        columns = [_collate(column, f"{path}[{i}]") for i, column in enumerate(zip(*batch, strict=True))]
        if hasattr(first, "_fields"):  # a namedtuple
            return type(first)(*columns)
        return columns if isinstance(first, tuple) else _rebuilt(first, columns)
    raise TypeMismatch(
        "items must be made of tensors, arrays, numbers, strings, tuples, lists and dicts",
        got=f"{type(first).__name__}{_at(path)}",
        fix=_FIX,
    )


_FIX = "pass a collate_fn that makes a batch of such items"


def _at(path: str) -> str:
    return f" at item{path}" if path else ""


def _same(batch: Sequence[Any], path: str, measure: Callable[[Any], Any], what: str) -> None:
    """Refuse items that differ in ``what``, naming the first that does."""
    try:
        measured = [measure(item) for item in batch]
    except (AttributeError, TypeError) as error:
        kinds = sorted({type(item).__name__ for item in batch})
        raise TypeMismatch(f"the items of a batch are of different kinds{_at(path)}", got=", ".join(kinds)) from error
    for place, value in enumerate(measured):
        if value != measured[0]:
            raise ShapeError(
                f"item {place} of the batch has another {what} than item 0{_at(path)}",
                got=f"{what} {value} of item {place}, {measured[0]} of item 0",
                fix="pad the items to one size in the dataset, or pass a collate_fn that does",
            )


def _has_keys(batch: Sequence[Any], path: str) -> None:
    """Refuse items that lack a key of the first; what they have beyond that is left out."""
    for place, item in enumerate(batch):
        missing = [key for key in batch[0] if key not in item]
        if missing:
            raise MissingPart(
                f"item {place} of the batch lacks keys that item 0 has{_at(path)}",
                got=f"no {', '.join(map(repr, missing))}",
                fix="give all items the same keys, or pass a collate_fn",
            )


def _rebuilt(like: Any, parts: Any) -> Any:
    """``parts`` as a container of the kind of ``like``; as they are where that kind cannot be made of them."""
    if type(like) in (dict, list):
        return parts
    made: Any
    try:
        if isinstance(like, MutableMapping):  # a copy keeps what the container has besides its entries
            made = copy.copy(like)
            made.update(parts)
            return made
        if isinstance(like, MutableSequence):
            made = copy.copy(like)
            made[:] = parts
            return made
        return type(like)(parts)
    except TypeError:
        return parts


def default_convert(data: Any) -> Any:
    """An item with its arrays as tensors, and everything else as it is: what a loader without batches yields.

    Example:
        >>> import numpy
        >>> from glassgrad.utils.data import default_convert
        >>> default_convert([numpy.array([1, 2]), "name"])[0].tolist()
        [1, 2]
    """
    if isinstance(data, (np.ndarray, np.bool_, np.number)):
        return data if data.dtype.kind in "OSU" else fn.tensor(data)
    if isinstance(data, Mapping):
        return _rebuilt(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(value) for value in data))
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        parts = [default_convert(value) for value in data]
        return parts if isinstance(data, tuple) else _rebuilt(data, parts)
    return data
