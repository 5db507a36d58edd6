"""Nested objects as JSON and arrays, and back. No code is in what is written, so none can run when it is read.

JSON has lists, objects with string keys, strings, whole numbers, finite numbers, true, false and null. Anything else is
an object with one key that begins with "$", such as ``{"$tuple": [1, 2]}`` or ``{"$tensor": ["weight", false]}``.
"""

from __future__ import annotations

import math
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dispatch import leaf
from ..errors import ArgumentError, TypeMismatch
from ..nn import Parameter
from ..spec import RANK
from ..tensor import Tensor, wrap

DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "F16": "float16", "U32": "uint32",
    "I32": "int32", "F32": "float32", "U64": "uint64", "I64": "int64", "F64": "float64",
}  # fmt: skip
"""NumPy's names of the dtypes that safetensors and NumPy both have."""
DEEPEST = 64
Path = tuple[Any, ...]
Arrays = dict[str, np.ndarray[Any, Any]]


def pack(obj: Any) -> tuple[Any, Arrays]:
    """What JSON can hold of an object, and its arrays by name: their keys joined by dots, as in a ``state_dict``.

    The arrays are little-endian and contiguous; those that were so already are shared, not copied. An array that is
    met twice is there twice. Raises TypeMismatch or ArgumentError that name the place of what cannot be saved.
    """
    arrays: Arrays = {}
    return _packed(obj, (), arrays), arrays


def _packed(obj: Any, path: Path, arrays: Arrays) -> Any:
    kind = type(obj)
    if obj is None or kind is bool:
        return obj
    if kind is str:
        return obj if _is_text(obj) else {"$str": obj.encode("utf-32-le", "surrogatepass").hex()}
    if kind is int:
        return obj if -(2**63) <= obj < 2**63 else {"$int": hex(obj)}
    if kind is float:
        return obj if math.isfinite(obj) else {"$float": struct.pack("<d", obj).hex()}
    if isinstance(obj, Tensor):
        tag = "$parameter" if isinstance(obj, Parameter) else "$tensor"
        return {tag: [_named(obj.numpy(force=True), path, arrays), obj.requires_grad]}
    if kind in (np.ndarray, np.memmap):
        return {"$array": _named(obj, path, arrays)}
    if isinstance(obj, np.generic):
        value = _checked(np.asarray(obj), path)
        return {"$scalar": [value.dtype.name, value.tobytes().hex()]}
    if len(path) >= DEEPEST:
        raise ArgumentError(
            f"{_place(path[:4])}... cannot be saved: it is nested deeper than {DEEPEST} levels, or holds itself",
            fix="save something flatter",
        )
    if kind is list or kind is tuple:
        held = [_packed(item, (*path, place), arrays) for place, item in enumerate(obj)]
        return held if kind is list else {"$tuple": held}
    if kind is dict:
        return _packed_dict(obj, path, arrays)
    if kind is OrderedDict or kind is Counter:
        return {f"${kind.__name__}": _packed_dict(obj, path, arrays)}
    raise TypeMismatch(
        f"{_place(path)} cannot be saved: it is of type {kind.__module__}.{kind.__qualname__}",
        fix=_way_out(obj, kind),
    )


def _packed_dict(obj: dict[Any, Any], path: Path, arrays: Arrays) -> Any:
    held = [(key, _packed(value, (*path, key), arrays)) for key, value in obj.items()]
    if all(type(key) is str and not key.startswith("$") and _is_text(key) for key in obj):
        return dict(held)
    return {"$dict": [[_packed_key(key, path), value] for key, value in held]}


def _packed_key(key: Any, path: Path) -> Any:
    arrays: Arrays = {}
    packed = _packed(key, (*path, key), arrays)
    if arrays or isinstance(packed, list):
        raise TypeMismatch(
            f"{_place((*path, key))} cannot be saved: its key is an array", fix="use a string as the key"
        )
    return packed


def _named(array: Any, path: Path, arrays: Arrays) -> str:
    """Put an array among the arrays; returns the name it got."""
    wanted = ".".join(_shown(key, str) for key in path).encode(errors="replace").decode() or "value"
    name, count = wanted, 1
    while name in arrays or name == "__metadata__":
        count += 1
        name = f"{wanted}#{count}"
    arrays[name] = _checked(array, path)
    return name


def _checked(array: Any, path: Path) -> np.ndarray[Any, Any]:
    if array.dtype.name not in DTYPES.values():
        raise TypeMismatch(
            f"{_place(path)} cannot be saved: it has the dtype {array.dtype}",
            fix="convert it to one of " + ", ".join(DTYPES.values()),
        )
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _is_text(text: str) -> bool:
    """Whether a string survives as JSON: halves of a surrogate pair would come back as one character."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _place(path: Path) -> str:
    return "state" + "".join(f"[{_short(key)}]" for key in path)


def _short(key: Any) -> str:
    text = _shown(key, repr)
    return text if len(text) <= 80 else text[:77] + "..."


def _shown(key: Any, how: Callable[[Any], str]) -> str:
    """A key as text; only its type where it is of another kind, or a number too large for Python to print."""
    try:
        return how(key) if isinstance(key, (str, int, float, tuple)) or key is None else type(key).__name__
    except ValueError:
        return type(key).__name__


def _way_out(obj: Any, kind: type) -> str:
    if kind.__module__ == "torch":
        return "convert it first: tensor.numpy()"
    if callable(obj):
        return "a function is code, which is not saved: leave it out, and name it in your own program"
    if hasattr(obj, "state_dict"):
        return "save its state_dict()"
    for plain in (bool, int, float, str, tuple, list, dict, np.ndarray):
        if isinstance(obj, plain):
            return f"convert it to a plain {plain.__name__}"
    return "save what it consists of: dicts, lists and tuples of tensors, arrays, numbers, strings, bools and None"


def unpack(packed: Any, arrays: Arrays) -> Any:
    """The object again; ValueError when ``packed`` is not something that `pack` made, or the arrays are others;
    RecursionError when it is nested more deeply than that."""
    left = dict(arrays)
    obj = _unpacked(packed, left)
    if left:
        raise ValueError(f"nothing refers to the array {next(iter(left))!r}")
    return obj


def _unpacked(packed: Any, left: Arrays) -> Any:
    if isinstance(packed, list):
        return [_unpacked(item, left) for item in packed]
    if not isinstance(packed, dict):
        return packed
    tag = next(iter(packed), "")
    if tag in _READERS and len(packed) == 1:
        return _READERS[tag](packed[tag], left)
    if any(key.startswith("$") for key in packed):
        raise ValueError(f"there is no kind {tag!r} of object")
    return {key: _unpacked(value, left) for key, value in packed.items()}


def _of(kind: type, given: Any) -> Any:
    if type(given) is not kind:
        raise ValueError(f"{kind.__name__} expected, not {type(given).__name__}")
    return given


def _two(given: Any) -> Any:
    if len(_of(list, given)) != 2:
        raise ValueError(f"two values expected, not {len(given)}")
    return given


def _taken(name: Any, left: Arrays) -> np.ndarray[Any, Any]:
    found = left.pop(_of(str, name), None)
    if found is None:
        raise ValueError(f"there is no array {name!r}, or it is referred to twice")
    return found


def _tensor(given: Any, left: Arrays) -> Tensor:
    name, grad = _two(given)
    array = _taken(name, left)
    if array.dtype not in RANK or (_of(bool, grad) and array.dtype.kind != "f"):
        raise ValueError(f"{name!r} is no tensor: its dtype is {array.dtype}")
    return wrap(leaf(array)).requires_grad_(grad)


def _parameter(given: Any, left: Arrays) -> Parameter:
    tensor = _tensor(given, left)
    return Parameter(tensor.detach(), tensor.requires_grad)


def _dict(pairs: Any, left: Arrays) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for pair in _of(list, pairs):
        key, value = (_unpacked(part, left) for part in _two(pair))
        try:
            made[key] = value
        except TypeError:
            raise ValueError(f"a key cannot be a {type(key).__name__}") from None
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made


def _mapping(kind: Callable[[Any], Any], given: Any, left: Arrays) -> Any:
    return kind(_of(dict, _unpacked(given, left)))


def _float(given: Any) -> float:
    value: float = struct.unpack("<d", _bytes(given, 8))[0]
    return value


def _bytes(given: Any, size: int) -> bytes:
    data = bytes.fromhex(_of(str, given))
    if len(data) != size:
        raise ValueError(f"{size} bytes expected, not {len(data)}")
    return data


def _scalar(given: Any) -> Any:
    name, data = _two(given)
    if name not in DTYPES.values():
        raise ValueError(f"there is no dtype {name!r}")
    dtype = np.dtype(name)
    return np.frombuffer(_bytes(data, dtype.itemsize), dtype.newbyteorder("<")).astype(dtype)[0]


_READERS: dict[str, Callable[[Any, Arrays], Any]] = {
    "$str": lambda given, left: bytes.fromhex(_of(str, given)).decode("utf-32-le", "surrogatepass"),
    "$int": lambda given, left: int(_of(str, given), 16),
    "$float": lambda given, left: _float(given),
    "$scalar": lambda given, left: _scalar(given),
    "$array": _taken,
    "$tensor": _tensor,
    "$parameter": _parameter,
    "$tuple": lambda given, left: tuple(_unpacked(_of(list, given), left)),
    "$dict": _dict,
    "$OrderedDict": lambda given, left: _mapping(OrderedDict, given, left),
    "$Counter": lambda given, left: _mapping(Counter, given, left),
}
