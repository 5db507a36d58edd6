"""One file of arrays: a safetensors file (https://github.com/huggingface/safetensors), with a checksum for every byte.

    8 bytes, the length of the header | the header, JSON padded with spaces | the arrays, one after another

The header gives dtype, shape and place of each array. Under ``__metadata__`` are the checksum of the header (taken with
zeros in its own place), the SHA-256 of each array, and the structure that the arrays belong to. The `safetensors`
package reads these files; it is not used here because it loads changed bytes silently, puts a whole file into memory
before it writes, and leaves its temporary file behind when that fails.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from ..errors import ArgumentError
from .structure import DTYPES, Arrays

VERSION = "1"
LARGEST_HEADER = 100_000_000
"""As in other readers: a header that claims to be longer is not believed."""
START = b'{"__metadata__":{"checksum":"'
ZEROS = b"0" * 64
NAMES = {np.dtype(name): code for code, name in DTYPES.items()}


def parts(structure: Any, arrays: Arrays, note: Any = None) -> Iterator[memoryview]:
    """The file's content, piece by piece. ``note`` is what `note_of` gives without reading the rest.

    Raises ArgumentError for a header that other readers would refuse.
    """
    order = sorted(arrays, key=lambda name: -arrays[name].itemsize)  # so that each lies at a multiple of its itemsize
    entries, end = {}, 0
    for name in order:
        begin, end = end, end + arrays[name].nbytes
        dtype = NAMES[arrays[name].dtype.newbyteorder("=")]
        entries[name] = {"dtype": dtype, "shape": list(arrays[name].shape), "data_offsets": [begin, end]}
    sums = {name: hashlib.sha256(_bytes(arrays[name])).hexdigest() for name in order}
    texts = {key: _json(value) for key, value in {"sha256": sums, "note": note, "structure": structure}.items()}
    metadata = {"checksum": ZEROS.decode(), "format": "glassgrad", "version": VERSION, **texts}
    header = _json({"__metadata__": metadata, **entries}).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > LARGEST_HEADER:
        raise ArgumentError(
            f"the state has too much outside of arrays: it takes {len(header):,} bytes as text",
            fix="put long lists of numbers into arrays",
        )
    seal = hashlib.sha256(header).hexdigest().encode()
    head = len(header).to_bytes(8, "little") + START + seal + header[len(START) + len(seal) :]
    return iter([memoryview(head), *(_bytes(arrays[name]) for name in order)])


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _bytes(array: np.ndarray[Any, Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def note_of(file: BinaryIO) -> Any:
    """The note of a file; ValueError where the header is not whole."""
    return _loaded(_metadata(_header(file)), "note")


def read(file: BinaryIO) -> tuple[Any, Arrays]:
    """The structure and the arrays of a file; ValueError where a byte is not as it was written."""
    header = _header(file)
    metadata = _metadata(header)
    structure, sums = _loaded(metadata, "structure"), _loaded(metadata, "sha256")
    left = os.fstat(file.fileno()).st_size - file.tell()
    arrays: Arrays = {}
    end = 0
    for name, entry in header.items():
        shape, dtype, begin, end_of = _entry(name, entry)
        if begin != end or end_of > left:
            raise ValueError(f"the array {name!r} is not where it should be: bytes {begin} to {end_of} of {left}")
        try:
            array = np.empty(shape, dtype)
        except (ValueError, OverflowError) as error:  # sizes whose product is 0 may still be impossible
            raise ValueError(f"the array {name!r} cannot be of shape {shape}") from error
        data = _bytes(array)
        _fill(file, data)
        if not isinstance(sums, dict) or hashlib.sha256(data).hexdigest() != sums.pop(name, None):
            raise ValueError(f"the array {name!r} does not have the SHA-256 that it was written with")
        if dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
            raise ValueError(f"the array {name!r} holds bools that are neither 0 nor 1")
        arrays[name], end = array.astype(dtype.newbyteorder("="), copy=False), end_of
    if end != left or sums:
        raise ValueError(f"its header speaks of {end:,} bytes of arrays, it has {left:,}")
    return structure, arrays


def _header(file: BinaryIO) -> dict[str, Any]:
    """The header as JSON, once its checksum is right."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    raw = bytearray(min(8, size))
    _fill(file, memoryview(raw))
    length = int.from_bytes(raw, "little")
    if size < 8 or length > min(size - 8, LARGEST_HEADER):
        raise ValueError(f"its header should have {length:,} bytes; the whole file has {size:,}")
    raw = bytearray(length)
    _fill(file, memoryview(raw))
    seal = slice(len(START), len(START) + len(ZEROS))
    if not raw.startswith(START):
        raise ValueError("it is not a file that glassgrad.save wrote")
    written, raw[seal] = bytes(raw[seal]), ZEROS
    if hashlib.sha256(raw).hexdigest().encode() != written:
        raise ValueError("its header does not have the SHA-256 that it was written with")
    header = _parsed(raw.decode())
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    return header


def _metadata(header: dict[str, Any]) -> dict[str, str]:
    """The texts under ``__metadata__``, which is taken out of the header."""
    found = header.pop("__metadata__")
    if not isinstance(found, dict) or any(not isinstance(value, str) for value in found.values()):
        raise ValueError("its metadata are not texts")
    if (found.get("format"), found.get("version")) != ("glassgrad", VERSION):
        raise ValueError(f"it has the version {found.get('version')!r}; this glassgrad reads {VERSION!r}")
    return found


def _loaded(metadata: dict[str, str], key: str) -> Any:
    if key not in metadata:
        raise ValueError(f"its metadata have no {key}")
    return _parsed(metadata[key])


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("its JSON has a key twice")
    return made


def _no_constant(name: str) -> None:
    raise ValueError(f"its JSON has {name}, which JSON does not have")


def _entry(name: str, entry: Any) -> tuple[tuple[int, ...], np.dtype[Any], int, int]:
    """Shape, dtype, first and last byte of an array, as the header gives them."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the array {name!r} is not described by dtype, shape and data_offsets")
    code, shape, places = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise ValueError(f"the array {name!r} has the dtype {code!r}")
    for numbers in (shape, places):
        if not isinstance(numbers, list) or any(type(number) is not int or number < 0 for number in numbers):
            raise ValueError(f"the array {name!r} has sizes that are none: {numbers!r:.80}")
    dtype = np.dtype(DTYPES[code]).newbyteorder("<")
    if len(places) != 2 or len(shape) > 64 or places[1] - places[0] != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"the array {name!r} of shape {shape!r:.80} cannot lie at {places!r:.80}")
    return tuple(shape), dtype, places[0], places[1]


def _fill(file: BinaryIO, data: memoryview) -> None:
    """Read exactly as many bytes as ``data`` has room for."""
    done = 0
    while done < len(data):
        count = file.readinto(data[done:])  # type: ignore[attr-defined]
        if not count:
            raise ValueError(f"it ends {len(data) - done:,} bytes too early")
        done += count
