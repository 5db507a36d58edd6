"""Brackets beside torch: random keys of numbers, slices, None, ..., integer tensors and masks, read and written."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import glassgrad as gg

SHAPES = [(4,), (3, 4), (2, 3, 4), (2, 1, 3, 2), (3, 0, 2), ()]


@st.composite
def indices(draw, size, shape):
    """An integer array of ``shape`` with entries for a dimension of ``size``, negative ones among them."""
    flat = draw(st.lists(st.integers(-size, size - 1), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return np.array(flat, np.int64).reshape(shape)


@st.composite
def keys(draw):
    """(shape, key): the key's arrays are NumPy's."""
    shape = draw(st.sampled_from(SHAPES))
    fancy = draw(st.sampled_from([(), (2,), (3, 1), (3, 2), (0,)]))
    shapes = [s for s in ((), fancy, (1, *fancy[1:]) if fancy else ()) if s != ()] or [()]
    parts, axis = [], 0
    dots = draw(st.booleans())
    while axis < len(shape):
        size = shape[axis]
        kinds = ["slice", "slice", "all", "none", "stop"]
        kinds += ["int", "index", "mask"] if size else ["mask"]
        kind = draw(st.sampled_from(kinds))
        if kind == "stop":
            break
        if kind == "none":
            parts.append(None)
            if len(parts) > 8:
                break
            continue
        if kind == "int":
            parts.append(draw(st.integers(-size, size - 1)))
        elif kind == "all":
            parts.append(slice(None))
        elif kind == "slice":
            bound = st.none() | st.integers(-size - 1, size + 1)
            parts.append(slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 3))))
        elif kind == "index":
            parts.append(draw(indices(size, draw(st.sampled_from(shapes)))))
        else:
            count = draw(st.integers(1, len(shape) - axis))
            covered = shape[axis : axis + count]
            if any(isinstance(p, np.ndarray) for p in parts):  # lengths of masks and indices rarely broadcast
                parts.append(slice(None))
            else:
                bits = draw(st.lists(st.booleans(), min_size=int(np.prod(covered)), max_size=int(np.prod(covered))))
                parts.append(np.array(bits, bool).reshape(covered))
                axis += count - 1
        axis += 1
    if dots and not (parts and axis == len(shape) and draw(st.booleans())):
        parts.append(Ellipsis)
    if len(parts) == 1 and draw(st.booleans()):
        return shape, parts[0]
    return shape, tuple(parts)


def as_key(key, tensor):
    if isinstance(key, tuple):
        return tuple(as_key(part, tensor) for part in key)
    return tensor(key) if isinstance(key, np.ndarray) else key


def attempt(action):
    """The result, or the error."""
    try:
        return action(), None
    except (IndexError, RuntimeError, ValueError) as error:
        return None, error


def tensors(shape):
    data = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    return gg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)


@settings(max_examples=400)
@given(keys())
def test_reading(example):
    shape, key = example
    ours, theirs = tensors(shape)
    expected, failed = attempt(lambda: theirs[as_key(key, torch.tensor)])
    result, refused = attempt(lambda: ours[as_key(key, gg.tensor)])
    assert (failed is None) == (refused is None), f"torch: {failed}\nglassgrad: {refused}"
    if failed is not None:
        return
    assert result.shape == tuple(expected.shape)
    np.testing.assert_array_equal(result.detach().numpy(), expected.detach().numpy())
    weight = np.random.default_rng(0).uniform(0.5, 1.5, result.shape)
    (result * gg.tensor(weight)).sum().backward()
    (expected * torch.tensor(weight)).sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), 1e-12)


@settings(max_examples=400)
@given(keys(), st.sampled_from(["number", "full", "row", "wrong"]))
def test_writing(example, kind):
    shape, key = example
    ours, theirs = tensors(shape)
    target, failed = attempt(lambda: theirs.detach()[as_key(key, torch.tensor)].shape)
    if failed is not None:
        return
    chosen = {"number": (), "full": tuple(target), "row": (1, *target[-1:]), "wrong": (7, *target)}[kind]
    data = -np.arange(1.0, np.prod(chosen) + 1).reshape(chosen)
    source, peer = gg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    x, y = ours * 1, theirs * 1
    if has_repeats(shape, key):  # which of several values stays is not defined
        data = np.full(chosen, -1.0)
        source, peer = gg.tensor(data), torch.tensor(data)

    def write(tensor, part, value):
        tensor[part] = value

    _, failed = attempt(lambda: write(y, as_key(key, torch.tensor), peer))
    _, refused = attempt(lambda: write(x, as_key(key, gg.tensor), source))
    assert (failed is None) == (refused is None), f"torch: {failed}\nglassgrad: {refused}"
    if failed is not None:
        return
    np.testing.assert_array_equal(x.detach().numpy(), y.detach().numpy())
    weight = np.random.default_rng(0).uniform(0.5, 1.5, x.shape)
    (x * gg.tensor(weight)).sum().backward()
    (y * torch.tensor(weight)).sum().backward()
    for one, other in ((ours, theirs), (source, peer)):
        if one.grad is None:  # all of it was overwritten: torch may give zeros
            assert other.grad is None or not other.grad.any()
        else:
            np.testing.assert_allclose(one.grad.numpy(), other.grad.numpy(), 1e-12)


def has_repeats(shape, key):
    numbers = np.arange(np.prod(shape)).reshape(shape)[key]
    return np.unique(numbers).size < numbers.size


@pytest.mark.parametrize(
    "key",
    [
        [0, 2], (slice(None), [2, 0]), np.array([1, 1]), range(2), True, False, (0, True), np.int64(1),
        ([True, False, True],), (None, ..., None), (), ..., (..., 0), (slice(None, None, 2), slice(3, None)),
    ],
    ids=repr,
)  # fmt: skip
def test_other_kinds_of_keys(key):
    data = np.arange(12.0).reshape(3, 4)
    expected = torch.tensor(data)[list(key) if isinstance(key, range) else key]
    result = gg.tensor(data)[key]
    np.testing.assert_array_equal(result.numpy(), expected.numpy())


def test_scalar_tensors_index_like_numbers():
    x = gg.arange(6).reshape(2, 3)
    assert x[gg.tensor(1)].tolist() == [3, 4, 5]
    assert x[gg.tensor(1), gg.tensor(-1)].item() == 5
    assert x[0, gg.tensor(1) :].tolist() == [1, 2]
    assert [1, 2, 3][gg.tensor(1)] == 2
    x[gg.tensor(1)] += 10  # a view, as with numbers
    row = x[gg.tensor(0)]
    row -= 1
    assert x.tolist() == [[-1, 0, 1], [13, 14, 15]]
    z = gg.tensor(2.0)
    assert z[z > 1].tolist() == [2.0] and z[z < 1].tolist() == []
    z[z > 1] = 5.0
    assert z.item() == 5.0


def test_iteration_length_and_membership():
    x = gg.tensor([[1.0, 2], [3, 4]])
    assert [row.tolist() for row in x] == [[1, 2], [3, 4]]
    assert len(x) == 2 and 3.0 in x and 7 not in x
    first, second = x
    first += 10
    assert x.tolist() == [[11, 12], [3, 4]] and second.tolist() == [3, 4]
    with pytest.raises(TypeError, match="0-d"):
        len(gg.tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(gg.tensor(1.0))


def test_writing_converts_to_the_tensors_dtype():
    x, y = gg.zeros(3, dtype=gg.int64), torch.zeros(3, dtype=torch.int64)
    x[0], y[0] = 2.9, 2.9
    x[1:], y[1:] = gg.tensor([1.7, -1.7]), torch.tensor([1.7, -1.7])
    assert x.tolist() == y.tolist() and x.dtype == gg.int64
