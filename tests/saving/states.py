"""States to save: equal to the last bit or not, drawn by Hypothesis, and one small example."""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import glassgrad as gg
from glassgrad.saving.structure import DTYPES
from glassgrad.tensor import Tensor

DRAWN = [np.dtype(name) for name in DTYPES.values()]
TENSORS = [np.dtype(name) for name in ("bool", "int32", "int64", "float32", "float64")]


def fingerprint(value):
    """A value as plain data that is equal only for what is the same in kind, order and every bit."""
    if isinstance(value, Tensor):
        return type(value), value.requires_grad, fingerprint(value.numpy(force=True))
    if isinstance(value, np.generic):
        return type(value), value.tobytes()
    if isinstance(value, np.ndarray):
        return "array", str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, float):
        return float, struct.pack("<d", value)
    if isinstance(value, dict):
        return type(value), [(fingerprint(key), fingerprint(inner)) for key, inner in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [fingerprint(inner) for inner in value]
    return type(value), value


def arrays(dtypes):
    """Arrays of any bits, so also NaNs with a payload, in any order of axes, with steps, in both byte orders."""

    def turned(array, how):
        array = array.T if how & 1 else array
        array = array[..., ::-2] if how & 2 and array.ndim else array
        return array.astype(array.dtype.newbyteorder(">")) if how & 4 and array.dtype.kind != "b" else array

    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
    drawn = st.sampled_from(dtypes).flatmap(
        lambda dtype: shapes.flatmap(
            lambda shape: (
                st.binary(min_size=int(np.prod(shape)) * dtype.itemsize, max_size=int(np.prod(shape)) * dtype.itemsize)
                .map(
                    lambda data: (
                        (np.frombuffer(data, "u1") & 1).view("?") if dtype.kind == "b" else np.frombuffer(data, dtype)
                    )
                )
                .map(lambda array: array.reshape(shape))
            )
        )
    )
    return st.builds(turned, drawn, st.integers(0, 7))


def tensors():
    def made(array, grad, kind):
        tensor = gg.from_numpy(array.astype(array.dtype.newbyteorder("=")))
        grad = grad and array.dtype.kind == "f"
        return gg.nn.Parameter(tensor, grad) if kind else tensor.requires_grad_(grad)

    return st.builds(made, arrays(TENSORS), st.booleans(), st.booleans())


texts = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["", "$tensor", "__metadata__", "a.b", "\ud83d\ude00", "\0"]
)
numbers = st.floats() | st.integers() | st.integers(2**62, 2**70) | st.sampled_from([-0.0, 5e-324, -(2**63)])
scalars = arrays(DRAWN).filter(lambda a: a.size > 0).map(lambda a: a.astype(a.dtype.newbyteorder("=")).ravel()[0])
plain = st.none() | st.booleans() | numbers | texts | scalars
keys = texts | st.integers() | st.booleans() | st.none() | st.tuples(st.integers(), texts) | st.floats(allow_nan=False)


def states(leaves=8):
    """What can be saved."""

    def nested(inner):
        lists, dicts = st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)
        counters = st.dictionaries(texts, st.integers(0, 9), max_size=3).map(Counter)
        return lists | lists.map(tuple) | dicts | dicts.map(OrderedDict) | counters

    return st.recursive(plain | arrays(DRAWN) | tensors(), nested, max_leaves=leaves)


def small():
    """A state with something of everything, in about a kilobyte."""
    return {
        "w": gg.tensor([[1.0, -2.0], [float("nan"), float("inf")]]),
        "count": np.arange(3),
        "on": gg.tensor([True, False]),
        0: (1, 2.5, None, "text"),
    }
