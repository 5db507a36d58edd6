"""The IDX format, in which MNIST and its like are published: a magic number, the dimensions, the numbers.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", "file formats" at its end.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from .store import CorruptData, opened, read_up_to

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 32


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """The array in an IDX file, also in a gzipped one.

    Args:
        path: the file.

    Returns:
        An array of the file's shape and dtype (one of uint8, int8, int16, int32, float32, float64), writable.

    Raises:
        CorruptData: the file is not exactly one whole array of this format.
        OSError: the file cannot be read.

    >>> import os, tempfile
    >>> from glassgrad.datasets import read_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = os.path.join(folder, "three.idx")
    ...     with open(file, "wb") as out:
    ...         _ = out.write(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    ...     read_idx(file)
    array([7, 8, 9], dtype=uint8)
    """
    name = str(path)
    with opened(Path(path)) as stream:
        raw = read_up_to(stream, 4 + 4 * _MOST_DIMENSIONS)
        dtype, shape = _header(raw, name)
        # What follows the last number is read as well, so that it is noticed; no more than a byte of it.
        raw += read_up_to(stream, max(0, _length(dtype, shape) + 1 - len(raw)))
    return parse_idx(raw, name)


def parse_idx(raw: bytearray | memoryview, name: str) -> np.ndarray:
    """The array in the bytes of an IDX file; an array of single bytes shares their memory."""
    dtype, shape = _header(raw, name)
    length = _length(dtype, shape)
    if len(raw) != length:
        kind, at_least = ("shorter", "") if len(raw) < length else ("longer", "at least ")
        raise CorruptData(
            f"{name} is {kind} than its header says",
            got=f"{at_least}{len(raw):,} bytes, {length:,} for {dtype.name}{list(shape)}",
            fix="get the file again",
        )
    numbers = np.frombuffer(raw, dtype, offset=4 + 4 * len(shape)).reshape(shape)
    return numbers.astype(dtype.newbyteorder("="), copy=dtype.itemsize > 1)


def _header(raw: bytearray | memoryview, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if len(raw) < 4 or bytes(raw[:2]) != b"\0\0" or raw[2] not in _DTYPES or not 1 <= raw[3] <= _MOST_DIMENSIONS:
        codes = ", ".join(f"{code:02x}" for code in _DTYPES)
        raise CorruptData(
            f"{name} is no IDX file",
            got=f"it begins with {bytes(raw[:4]).hex(' ') or 'nothing'}; 00 00, a dtype ({codes}) and a number of "
            f"dimensions (01 to {_MOST_DIMENSIONS:02x}) are expected",
            fix="read the file that the dataset is published with, as it is or gzipped",
        )
    end = 4 + 4 * raw[3]
    if len(raw) < end:
        raise CorruptData(f"{name} ends within its header", got=f"{len(raw)} of {end} bytes", fix="get the file again")
    return np.dtype(_DTYPES[raw[2]]), tuple(int.from_bytes(raw[at : at + 4], "big") for at in range(4, end, 4))


def _length(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    return 4 + 4 * len(shape) + math.prod(shape) * dtype.itemsize
