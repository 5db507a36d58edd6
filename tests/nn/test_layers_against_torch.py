"""Every layer and every loss beside torch, from the same weights: values, gradients, statistics, prints, states."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from tests.nn import cases_layers, cases_losses, cases_nets
from tests.nn.peers import (
    TOLERANCE,
    Case,
    Fixed,
    both,
    close,
    compare,
    filled,
    leaves,
    numbers_for,
    on_our_side,
    on_their_side,
    values,
)

from glassgrad import nn

pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning"),  # torch's
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning"),
]

CASES = cases_layers.CASES | cases_losses.CASES | cases_nets.CASES
ALL = [pytest.param(name, made, id=f"{name}{made}") for name, rows in CASES.items() for made in rows]
ONE_EACH = [pytest.param(name, rows[0], id=name) for name, rows in CASES.items()]
# torch has 1/6 in float32 there, whatever the input is.
LOOSE = {"Hardsigmoid": 1e-7}
BASES = {"Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"}


def layers() -> list[str]:
    found = [name for name in nn.__all__ if isinstance(getattr(nn, name), type)]
    return [name for name in found if issubclass(getattr(nn, name), nn.Module) and name not in BASES]


def test_every_layer_has_a_case() -> None:
    assert sorted(layers()) == sorted(CASES)


@pytest.mark.parametrize(("name", "made"), ALL)
def test_values_and_gradients(name: str, made: Case) -> None:
    ours, theirs = both(name, made)
    mine, peer = dict(ours.named_parameters()), dict(theirs.named_parameters())
    assert list(mine) == list(peer)
    assert repr(ours) == repr(theirs)
    compare(
        ours,
        theirs,
        (made.x, made.call),
        f"{name}{made}",
        tuple(mine.values()),
        tuple(peer.values()),
        LOOSE.get(name, TOLERANCE),
    )
    state, expected = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(expected)
    close(tuple(state.values()), tuple(expected.values()), "state after the call")


@pytest.mark.parametrize(("name", "made"), ALL)
def test_same_parameters_before_any_state_is_loaded(name: str, made: Case) -> None:
    _, theirs = both(name, made)
    fresh, _ = both(name, made)
    shapes = {key: tuple(tensor.shape) for key, tensor in fresh.state_dict().items()}
    assert shapes == {key: tuple(tensor.shape) for key, tensor in theirs.state_dict().items()}
    flags = {key: p.requires_grad for key, p in fresh.named_parameters()}
    assert flags == {key: p.requires_grad for key, p in theirs.named_parameters()}


def called(layer: Any, made: Case, side: Any) -> Any:
    rng = numbers_for("call")
    args = [side(filled(x, rng)) for x in made.x]
    return layer(*args, **{key: side(filled(value, rng)) for key, value in made.call.items()})


@pytest.mark.parametrize(("name", "made"), ONE_EACH)
def test_copies_and_pickles_compute_the_same(name: str, made: Case) -> None:
    ours, theirs = both(name, made)
    expected = called(theirs, made, on_their_side)
    for twin in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert repr(twin) == repr(ours)
        assert twin.training == ours.training
        close(called(twin, made, on_our_side), expected, "output of the copy")
        for mine, other in zip(ours.parameters(), twin.parameters(), strict=True):
            assert other is not mine
            assert type(other) is nn.Parameter
    close(called(ours, made, on_our_side), expected, "output of the original")


STATEFUL = [pytest.param(name, rows[0], id=name) for name, rows in CASES.items() if both(name, rows[0])[0].state_dict()]


@pytest.mark.parametrize(("name", "made"), STATEFUL)
def test_a_wrong_state_is_refused_as_a_whole(name: str, made: Case) -> None:
    ours, _ = both(name, made)
    before = {key: np.array(tensor.numpy()) for key, tensor in ours.state_dict().items()}
    first = next(iter(before))
    wrong = {key: value + 1 for key, value in before.items() if key != first} | {"surplus": np.zeros(1)}
    with pytest.raises(RuntimeError, match=f"missing in the state: {first}; not in the module: surplus"):
        ours.load_state_dict(wrong)
    with pytest.raises(RuntimeError, match=f"shape of {first}"):
        ours.load_state_dict(before | {first: np.zeros((13, 1, 1, 1, 17))})
    for key, value in before.items():
        np.testing.assert_array_equal(ours.state_dict()[key].numpy(), value)
    found = ours.load_state_dict(wrong, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == ([first], ["surplus"])
    np.testing.assert_array_equal(ours.state_dict()[first].numpy(), before[first])


@pytest.mark.parametrize("name", ["Linear", "Conv2d", "LSTM", "BatchNorm1d", "TransformerEncoderLayer"])
def test_float32_is_the_default(name: str) -> None:
    made = CASES[name][0]
    ours = getattr(nn, name)(*made.args, **made.kwargs)
    theirs = getattr(torch.nn, name)(*made.args, **made.kwargs)
    dtypes = {key: str(tensor.dtype) for key, tensor in ours.state_dict().items()}
    assert dtypes == {key: str(tensor.dtype).removeprefix("torch.") for key, tensor in theirs.state_dict().items()}


def single(value: Any) -> Any:
    """The same with float32 in the place of float64."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(np.float32)
    if isinstance(value, Fixed):
        return Fixed(single(value.numbers))
    return [single(part) for part in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize(("name", "made"), ALL)
def test_float32_stays_float32(name: str, made: Case) -> None:
    ours, theirs = (layer.float() for layer in both(name, made))
    rng = numbers_for("single")
    args = [single(filled(x, rng)) for x in made.x]
    kwargs = {key: single(filled(value, rng)) for key, value in made.call.items()}
    args = [tuple(x) if isinstance(x, list) else x for x in args]
    inputs = [on_our_side(x) for x in args]
    y = ours(*(x * 1 if getattr(x, "requires_grad", False) else x for x in inputs), **_sides(kwargs, on_our_side))
    with torch.no_grad():
        z = theirs(*map(on_their_side, args), **_sides(kwargs, on_their_side))
    assert [a.dtype for a in values(y)] == [b.dtype for b in values(z)]
    for a, b in zip(values(y), values(z), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)
    wanted = [leaf for leaf in (*leaves(tuple(inputs)), *ours.parameters()) if leaf.requires_grad]
    floats = [leaf for leaf in leaves(y) if leaf.requires_grad]
    if floats:
        sum((leaf.sum() for leaf in floats[1:]), floats[0].sum()).backward()
        assert {leaf.grad.dtype for leaf in wanted if leaf.grad is not None} <= {np.dtype(np.float32)}


def _sides(kwargs: dict[str, Any], side: Any) -> dict[str, Any]:
    return {key: side(value) for key, value in kwargs.items()}
