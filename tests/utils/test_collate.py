"""default_collate and default_convert against PyTorch's, on nested items."""

import collections
import types

import numpy as np
import pytest
import torch

import glassgrad as gg
from glassgrad.errors import DtypeError, GlassgradError
from glassgrad.utils.data import default_collate, default_convert

Point = collections.namedtuple("Point", "x y")


class Row(list):
    """A list with something of its own."""


class Frozen(collections.abc.Sequence):
    """A sequence that cannot be made from a list."""

    def __init__(self, a, b):
        self.parts = (a, b)

    def __getitem__(self, place):
        return self.parts[place]

    def __len__(self):
        return 2


def described(value, tensor):
    """Nested results as plain data: kinds of containers, and dtype, shape and entries of tensors."""
    if isinstance(value, tensor):
        return ("tensor", str(value.dtype).rsplit(".", 1)[-1], tuple(value.shape), value.tolist())
    if isinstance(value, collections.abc.Mapping):
        return (type(value).__name__, [(key, described(part, tensor)) for key, part in value.items()])
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, collections.abc.Sequence):
        return (type(value).__name__, [described(part, tensor) for part in value])
    return (type(value).__name__, value)


def rng(seed=0):
    return np.random.default_rng(seed)


ITEMS = {  # each makes a batch with one library's function for tensors
    "tensors": lambda t: [t([1.0, 2.0]), t([3.0, 4.0])],
    "scalars": lambda t: [t(1.0), t(2.0), t(3.0)],
    "integer tensors": lambda t: [t([[1], [2]]), t([[3], [4]])],
    "empty tensors": lambda t: [t(np.zeros((0, 3))), t(np.zeros((0, 3)))],
    "arrays": lambda t: [rng(i).normal(size=(2, 3)) for i in range(5)],
    "float32 arrays": lambda t: [rng(i).normal(size=4).astype(np.float32) for i in range(5)],
    "booleans in arrays": lambda t: [np.array([True, False]), np.array([False, False])],
    "0-d arrays": lambda t: [np.array(1.5), np.array(2.5)],
    "NumPy scalars": lambda t: [np.float32(1.5), np.float32(2.5)],
    "NumPy integers": lambda t: [np.int32(1), np.int32(2)],
    "NumPy booleans": lambda t: [np.bool_(True), np.bool_(False)],
    "floats": lambda t: [0.1, 0.2, 1e300],
    "floats first": lambda t: [0.5, 2],
    "ints": lambda t: [1, 2, -(2**60)],
    "bools": lambda t: [True, False],
    "strings": lambda t: ["a", "bc"],
    "bytes": lambda t: [b"a", b"bc"],
    "tuples": lambda t: [(1, "a"), (2, "b"), (3, "c")],
    "lists": lambda t: [[1, 2.0], [3, 4.0]],
    "dicts": lambda t: [{"x": t([1.0]), "y": 1}, {"x": t([2.0]), "y": 2}],
    "dict with more keys later": lambda t: [{"x": 1, "y": 2}, {"y": 4, "x": 3}],
    "dict with keys that the first has not": lambda t: [{"x": 1}, {"x": 3, "y": 2}],
    "ordered dicts": lambda t: [collections.OrderedDict(b=1, a=2), collections.OrderedDict(b=3, a=4)],
    "default dicts": lambda t: [collections.defaultdict(int, a=1), collections.defaultdict(int, a=2)],
    "read-only dicts": lambda t: [types.MappingProxyType({"a": 1}), types.MappingProxyType({"a": 2})],
    "named tuples": lambda t: [Point(1, [2.0]), Point(3, [4.0])],
    "lists of a kind": lambda t: [Row([1, 2]), Row([3, 4])],
    "sequences": lambda t: [Frozen(1, 2), Frozen(3, 4)],
    "ranges": lambda t: [range(2), range(5, 7)],
    "nested": lambda t: [
        {"image": t(np.full((2, 2), i)), "boxes": [(i, 0.5), (i + 1, 1.5)], "meta": Point(f"n{i}", {"id": i})}
        for i in range(3)
    ],
    "one item": lambda t: [{"x": (1, [2.5])}],
    "empty containers": lambda t: [((), {}), ((), {})],
    "a tuple as batch": lambda t: (1.0, 2.0),
}  # fmt: skip


@pytest.mark.parametrize("name", ITEMS)
def test_collate(name):
    make = ITEMS[name]
    mine = described(default_collate(make(gg.tensor)), gg.Tensor)
    assert mine == described(torch.utils.data.default_collate(make(torch.tensor)), torch.Tensor)


@pytest.mark.parametrize("name", ITEMS)
def test_convert(name):
    make = ITEMS[name]
    mine = described(default_convert(make(gg.tensor)), gg.Tensor)
    assert mine == described(torch.utils.data.default_convert(make(torch.tensor)), torch.Tensor)


def test_dtypes_that_are_not_computed_with():
    """Refused, not turned into another dtype silently."""
    with pytest.raises(DtypeError, match=r"(?s)uint8.*astype"):
        default_collate([np.arange(3, dtype=np.uint8)] * 2)
    with pytest.raises(DtypeError, match="int16"):
        default_collate([np.int16(1)])


def test_containers_are_not_changed():
    items = [{"x": np.ones(2), "y": [1, 2]}, {"x": np.ones(2), "y": [3, 4]}]
    default_collate(items)
    default_convert(items)
    assert isinstance(items[0]["x"], np.ndarray) and items[0]["y"] == [1, 2]


def test_batch_is_its_own_memory():
    a = np.ones(3)
    batch = default_collate([a, a])
    a[:] = 5
    assert batch.tolist() == [[1.0] * 3] * 2


def test_gradients_flow_through():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    default_collate([(x, 0), (x * 3, 1)])[0].sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]


BAD = {  # name: what PyTorch raises, what our message says, the batch
    "nothing": (IndexError, "empty", lambda t: []),
    "None": (TypeError, "NoneType", lambda t: [None, None]),
    "an object inside": (TypeError, r"item\['x'\]\[1\]", lambda t: [{"x": (1, object())}] * 2),
    "a set": (TypeError, "set", lambda t: [{1}, {2}]),
    "texts in an array": (TypeError, "collate_fn", lambda t: [np.array(["a"])] * 2),
    "objects in an array": (TypeError, "dtype object", lambda t: [np.array([None])] * 2),
    "shapes": (RuntimeError, r"(?s)item 1 .* shape.*\(3,\)", lambda t: [t([1.0, 2.0]), t([1.0, 2.0, 3.0])]),
    "shapes of arrays": (RuntimeError, r"(?s)item 2.*item\[0\]", lambda t: [(np.ones(2),)] * 2 + [(np.ones(3),)]),
    "lengths": (RuntimeError, "length 3 of item 1", lambda t: [[1, 2], [1, 2, 3]]),
    "keys": (KeyError, "'y'", lambda t: [{"x": 1, "y": 1}, {"x": 1}]),
    "kinds": (TypeError, "Tensor", lambda t: [t([1.0]), "a"]),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    kind, text, make = BAD[name]
    with pytest.raises(kind):
        torch.utils.data.default_collate(make(torch.tensor))
    with pytest.raises(kind, match=text) as raised:
        default_collate(make(gg.tensor))
    assert isinstance(raised.value, GlassgradError)
